#!/usr/bin/env python3
"""Time and memory of one more token after a text of 100 to 100,000: a Mamba, a sliding window, and plain attention.

    bench/constant.py --madang build/madang [--lengths 100 1000 10000 100000] [--plain-most 30000] [--window 1024]
                      [--threads 2] [--json constant.json] [--svg docs/constant.svg]

Three small models with random weights, of one width and depth, are written to a temporary folder; each reads a text of
every length and answers with 64 tokens (`madang bench`). Told are the median time of a token of the answer and the
largest resident memory of the process above that of the shortest text. Mamba's must not depend on the length, the
window's must not beyond its window, attention's grows (and its reading with the square of the length, so that it is
asked up to --plain-most only). Needs Python 3.9 and numpy.
"""
import argparse
import json
import math
import os
import subprocess
import sys
import tempfile

import numpy as np

from charts import Panel, document
from checkpoints import as_float32, write_folder

WIDTH, LAYERS, HEADS, KV_HEADS, HEAD, INNER, VOCABULARY = 256, 4, 4, 2, 64, 768, 512


def attention_config(options, window):
    config = {"model_type": "mistral" if window else "llama", "hidden_size": WIDTH, "num_hidden_layers": LAYERS,
              "num_attention_heads": HEADS, "num_key_value_heads": KV_HEADS, "head_dim": HEAD, "intermediate_size": INNER,
              "vocab_size": VOCABULARY, "rms_norm_eps": 1e-5, "rope_theta": 1e6, "tie_word_embeddings": True,
              "hidden_act": "silu", "max_position_embeddings": max(options.lengths) + 4096}
    return config | ({"sliding_window": window} if window else {})


def attention_shapes():
    yield "model.embed_tokens.weight", (VOCABULARY, WIDTH)
    yield "model.norm.weight", (WIDTH,)
    for i in range(LAYERS):
        layer = f"model.layers.{i}."
        yield layer + "input_layernorm.weight", (WIDTH,)
        yield layer + "post_attention_layernorm.weight", (WIDTH,)
        for name, rows, columns in (("self_attn.q_proj", HEADS * HEAD, WIDTH), ("self_attn.k_proj", KV_HEADS * HEAD, WIDTH),
                                    ("self_attn.v_proj", KV_HEADS * HEAD, WIDTH), ("self_attn.o_proj", WIDTH, HEADS * HEAD),
                                    ("mlp.gate_proj", INNER, WIDTH), ("mlp.up_proj", INNER, WIDTH), ("mlp.down_proj", WIDTH, INNER)):
            yield layer + name + ".weight", (rows, columns)


def mamba_config(_options, _window):
    return {"model_type": "mamba", "hidden_size": WIDTH, "num_hidden_layers": LAYERS, "intermediate_size": 2 * WIDTH,
            "state_size": 16, "conv_kernel": 4, "time_step_rank": WIDTH // 16, "vocab_size": VOCABULARY, "expand": 2,
            "layer_norm_epsilon": 1e-5, "use_bias": False, "use_conv_bias": True, "hidden_act": "silu",
            "residual_in_fp32": True, "tie_word_embeddings": True}


def mamba_shapes():
    inner, rank = 2 * WIDTH, WIDTH // 16
    yield "backbone.embeddings.weight", (VOCABULARY, WIDTH)
    yield "backbone.norm_f.weight", (WIDTH,)
    for i in range(LAYERS):
        layer = f"backbone.layers.{i}."
        yield layer + "norm.weight", (WIDTH,)
        for name, shape in (("in_proj.weight", (2 * inner, WIDTH)), ("conv1d.weight", (inner, 1, 4)), ("conv1d.bias", (inner,)),
                            ("x_proj.weight", (rank + 32, inner)), ("dt_proj.weight", (inner, rank)), ("dt_proj.bias", (inner,)),
                            ("A_log", (inner, 16)), ("D", (inner,)), ("out_proj.weight", (WIDTH, inner))):
            yield layer + "mixer." + name, shape


def write_model(folder, config, shapes):
    random, tensors = np.random.default_rng(1), {}
    for name, shape in shapes:
        t = random.standard_normal(shape, np.float32) / math.sqrt(shape[-1]) if len(shape) > 1 else np.ones(shape, np.float32)
        tensors[name] = np.full(shape, -3) if name.endswith("bias") else t  # small time steps
    return write_folder(folder, config, as_float32(tensors))


def measured(options, folder, length):
    words = [options.madang, "bench", folder, "--prompt", str(length), "--generate", "64", "--repeat", str(options.repeat),
             "--threads", str(options.threads), "--json"]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}: exit {done.returncode}\n{done.stderr[-2000:]}")
    told = json.loads(done.stdout)
    return {"length": length, "milliseconds": 1000 / told["generated_tokens_per_second"], "bytes": told["peak_resident_bytes"],
            "prompt_seconds": told["first_token_seconds"], "cpu": told["cpu"], "threads": told["threads"]}


COLOURS = {"plain attention": "#c2553d", "window": "#1f6fb2", "Mamba": "#2f8f5b"}


def drawing(results):
    times = {name: [(p["length"], p["milliseconds"]) for p in points] for name, points in results.items()}
    memory = {name: [(p["length"], max(p["bytes"] - points[0]["bytes"], 0) / 1e6) for p in points[1:]] for name, points in results.items()}
    width, height = Panel.size
    colours = {name: next(c for key, c in COLOURS.items() if name.startswith(key)) for name in results}
    panels = [Panel("milliseconds for one more token", "tokens before", times, colours),
              Panel("MB more than after the shortest text", "tokens before", memory, colours, at=width)]
    return document("Time and memory of one more token", (2 * width, height), [line for p in panels for line in p.svg()])


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--madang", default="build/madang")
    ap.add_argument("--lengths", type=int, nargs="+", default=[100, 300, 1000, 3000, 10000, 30000, 100000])
    ap.add_argument("--plain-most", type=int, default=30000, help="the longest text of plain attention")
    ap.add_argument("--window", type=int, default=1024)
    ap.add_argument("--threads", type=int, default=os.cpu_count())
    ap.add_argument("--repeat", type=int, default=1)
    ap.add_argument("--json")
    ap.add_argument("--svg")
    options = ap.parse_args()
    options.lengths.sort()
    models = {"plain attention": (attention_config(options, 0), attention_shapes()),
              f"window of {options.window:,}": (attention_config(options, options.window), attention_shapes()),
              "Mamba": (mamba_config(options, 0), mamba_shapes())}
    results = {}
    with tempfile.TemporaryDirectory() as temporary:
        for i, (name, (config, shapes)) in enumerate(models.items()):
            folder = write_model(os.path.join(temporary, str(i)), config, shapes)
            results[name] = []
            for length in options.lengths:
                if name == "plain attention" and length > options.plain_most:
                    break
                results[name].append(measured(options, folder, length))
                p = results[name][-1]
                print(f"{name:20} {length:>7}  {p['milliseconds']:8.3f} ms a token  {p['bytes'] / 1e6:8.1f} MB resident",
                      flush=True)
    if options.json:
        with open(options.json, "w", encoding="utf-8") as f:
            json.dump(results, f, indent=1)
    if options.svg:
        with open(options.svg, "w", encoding="utf-8") as f:
            f.write(drawing(results))


if __name__ == "__main__":
    main()
