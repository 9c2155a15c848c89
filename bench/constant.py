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
    os.makedirs(folder)
    random, header, data = np.random.default_rng(1), {}, []
    for name, shape in shapes:
        t = random.standard_normal(shape, np.float32) / math.sqrt(shape[-1]) if len(shape) > 1 else np.ones(shape, np.float32)
        if name.endswith("bias"):
            t = np.full(shape, -3, np.float32)  # small time steps
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [sum(map(len, data)), sum(map(len, data)) + t.nbytes]}
        data.append(t.tobytes())
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(os.path.join(folder, "model.safetensors"), "wb") as f:
        f.write(len(text).to_bytes(8, "little") + text + b"".join(data))
    with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as f:
        json.dump(config, f)
    return folder


def measured(options, folder, length):
    words = [options.madang, "bench", folder, "--prompt", str(length), "--generate", "64", "--repeat", str(options.repeat),
             "--threads", str(options.threads), "--json"]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}: exit {done.returncode}\n{done.stderr[-2000:]}")
    told = json.loads(done.stdout)
    return {"length": length, "milliseconds": 1000 / told["generated_tokens_per_second"], "bytes": told["peak_resident_bytes"],
            "prompt_seconds": told["first_token_seconds"], "cpu": told["cpu"], "threads": told["threads"]}


class Panel:
    """One quantity over the length of the text, both logarithmic."""
    width, height, left, right, top, bottom = 420, 340, 64, 34, 34, 46
    colours = {"plain attention": "#c2553d", "window": "#1f6fb2", "Mamba": "#2f8f5b"}

    def __init__(self, title, curves, at):
        self.title, self.curves, self.at = title, curves, at
        lengths = [x for points in curves.values() for x, _ in points]
        values = [y for points in curves.values() for _, y in points if y > 0]
        self.x0, self.x1 = min(lengths), max(lengths)
        self.y0, self.y1 = 10 ** math.floor(math.log10(min(values))), 10 ** math.ceil(math.log10(max(values)))

    def x(self, v):
        return self.left + (self.width - self.left - self.right) * math.log(v / self.x0) / math.log(self.x1 / self.x0)

    def y(self, v):
        part = math.log(max(v, self.y0) / self.y0) / math.log(self.y1 / self.y0)
        return self.height - self.bottom - (self.height - self.top - self.bottom) * part

    def svg(self):
        yield f'<g transform="translate({self.at} 0)"><text x="{self.left}" y="20" class="title">{self.title}</text>'
        for e in range(round(math.log10(self.y0)), round(math.log10(self.y1)) + 1):
            yield f'<path class="grid" d="M{self.left} {self.y(10 ** e):.1f}H{self.width - self.right}"/>'
            yield f'<text x="{self.left - 6}" y="{self.y(10 ** e) + 4:.1f}" text-anchor="end">{10.0 ** e:g}</text>'
        for e in range(math.ceil(math.log10(self.x0)), math.floor(math.log10(self.x1)) + 1):
            yield f'<path class="grid" d="M{self.x(10 ** e):.1f} {self.top}V{self.height - self.bottom}"/>'
            yield f'<text x="{self.x(10 ** e):.1f}" y="{self.height - self.bottom + 16}" text-anchor="middle">{10 ** e:,}</text>'
        yield f'<text x="{(self.left + self.width) / 2}" y="{self.height - 8}" text-anchor="middle">tokens before</text>'
        for i, (name, points) in enumerate(self.curves.items()):
            colour = next(c for key, c in self.colours.items() if name.startswith(key))
            path = "L".join(f"{self.x(a):.1f} {self.y(b):.1f}" for a, b in points)
            yield f'<path d="M{path}" fill="none" stroke="{colour}" stroke-width="2"/>'
            yield from (f'<circle cx="{self.x(a):.1f}" cy="{self.y(b):.1f}" r="3.5" fill="{colour}"/>' for a, b in points)
            yield f'<text x="{self.left + 10}" y="{self.top + 16 + 16 * i}" style="fill:{colour}">{name}</text>'
        yield "</g>"


def drawing(results):
    times = {name: [(p["length"], p["milliseconds"]) for p in points] for name, points in results.items()}
    memory = {name: [(p["length"], max(p["bytes"] - points[0]["bytes"], 0) / 1e6) for p in points[1:]] for name, points in results.items()}
    panels = [Panel("milliseconds for one more token", times, 0), Panel("MB more than after the shortest text", memory, Panel.width)]
    body = "\n".join(line for p in panels for line in p.svg())
    style = "text{font:12px sans-serif;fill:#333}.title{font-weight:bold}.grid{stroke:#ddd}rect{fill:#fff}"
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * Panel.width} {Panel.height}" role="img">\n'
            f"<title>Time and memory of one more token</title>\n<style>{style}</style>\n"
            f'<rect width="100%" height="100%"/>\n{body}\n</svg>\n')


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
