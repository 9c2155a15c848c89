#!/usr/bin/env python3
"""Times one model in the formats that checkpoints come in, beside the block formats of GGUF, in alternation.

    bench/formats.py --madang build/madang [--only GPTQ,AWQ,...] [--layers 6] [--threads 2] [--prompt 512]
                     [--generate 64] [--rounds 3] [--folder DIR] [--json FILE]

The shape is TinyLlama's with fewer layers. Codes and scales are random: speed does not depend on them. Embedding and
head are F16 in every file, the baselines' too (pure Q4_K and Q8_0), and of a small vocabulary, so that what is timed is
the layers alone. 4-bit
formats are told as parts of Q4_K's tokens/s, 8-bit ones and NF4 of Q8_0's. A round runs every file once, with a warm-up
of its own; the median of the rounds is told. Models are written to a temporary folder,
or kept in --folder, where the next call finds them. Needs Python 3.9 and numpy.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

import numpy

from checkpoints import write_folder

WIDTH, HIDDEN, HEADS, KV_HEADS, VOCABULARY = 2048, 5632, 32, 4, 4096
KV_WIDTH = WIDTH // HEADS * KV_HEADS
MATRICES = {"self_attn.q_proj": (WIDTH, WIDTH, 1), "self_attn.k_proj": (KV_WIDTH, WIDTH, 1),  # rows, columns, which input
            "self_attn.v_proj": (KV_WIDTH, WIDTH, 1), "self_attn.o_proj": (WIDTH, WIDTH, 2),
            "mlp.gate_proj": (HIDDEN, WIDTH, 3), "mlp.up_proj": (HIDDEN, WIDTH, 3), "mlp.down_proj": (WIDTH, HIDDEN, 4)}
RANDOM = numpy.random.default_rng(1)
NF4 = [-1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
       -0.09105003625154495, 0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
       0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1]  # as bitsandbytes has them, to the bit


def some_bytes(*shape):
    return RANDOM.integers(0, 256, shape, numpy.uint8)


def words(rows, columns):
    return "I32", [rows, columns], some_bytes(rows, columns, 4)


def f16(value, *shape):
    return "F16", list(shape), numpy.full(shape, value, numpy.float16)


def f32(value, *shape):
    return "F32", list(shape), numpy.full(shape, value, numpy.float32)


def bf16(value, *shape):
    return "BF16", list(shape), numpy.full(shape, numpy.array(value, numpy.float32).view(numpy.uint32) >> 16, numpy.uint16)


def e4m3(rows, columns):
    return "F8_E4M3", [rows, columns], some_bytes(rows, columns) & 0xF7  # neither of the two that are no numbers


# Each gives the tensors that stand for one matrix, by the endings of their names; weights are near 0.02.
def gptq(rows, columns):
    groups = columns // 128
    return {"qweight": words(columns // 8, rows), "scales": f16(0.004, groups, rows),
            "qzeros": ("I32", [groups, rows // 8], numpy.full((groups, rows // 8), 0x77777777, numpy.uint32)),
            "g_idx": ("I32", [columns], numpy.arange(columns, dtype=numpy.int32) // 128)}


def act_order(tensor, reads):
    """The columns of a matrix by the size of its inputs: the same for all matrices that read the same."""
    kind, shape, index = tensor
    return kind, shape, numpy.random.default_rng(reads).permutation(index)


def awq(rows, columns):
    groups = columns // 128
    return {"qweight": words(columns, rows // 8), "qzeros": words(groups, rows // 8), "scales": f16(0.004, groups, rows)}


def int4(rows, columns):
    return {"weight_packed": words(rows, columns // 8), "weight_scale": bf16(0.004, rows, columns // 128),
            "weight_shape": ("I64", [2], numpy.array([rows, columns]))}


def int8(rows, columns):
    return {"weight": ("I8", [rows, columns], some_bytes(rows, columns)), "weight_scale": bf16(0.0003, rows, 1)}


def mxfp4(rows, columns):
    scales = RANDOM.integers(119, 122, (rows, columns // 32), numpy.uint8)  # 2^(e - 127)
    return {"weight_packed": ("U8", [rows, columns // 2], some_bytes(rows, columns // 2)),
            "weight_scale": ("U8", [rows, columns // 32], scales)}


def fp8(rows, columns):
    return {"weight": e4m3(rows, columns), "weight_scale": ("F32", [], numpy.array(0.0002, numpy.float32))}


def fp8_blocks(rows, columns):
    return {"weight": e4m3(rows, columns), "weight_scale_inv": f32(0.0002, -(-rows // 128), -(-columns // 128))}


def nf4(rows, columns):
    state = json.dumps({"quant_type": "nf4", "blocksize": 64, "dtype": "float16", "shape": [rows, columns]}).encode()
    return {"weight": ("U8", [rows * columns // 2, 1], some_bytes(rows * columns // 2)),
            "weight.absmax": f32(0.05, rows * columns // 64),
            "weight.quant_map": ("F32", [16], numpy.array(NF4, numpy.float32)),
            "weight.quant_state.bitsandbytes__nf4": ("U8", [len(state)], numpy.frombuffer(state, numpy.uint8))}


def compressed(form, bits, kind, strategy, group=None):
    weights = {"num_bits": bits, "type": kind, "symmetric": True, "strategy": strategy, "group_size": group, "dynamic": False}
    return {"quant_method": "compressed-tensors", "format": form, "quantization_status": "compressed", "ignore": ["lm_head"],
            "config_groups": {"group_0": {"targets": ["Linear"], "weights": weights}}}


def of_gptq(order):
    return {"quant_method": "gptq", "bits": 4, "group_size": 128, "desc_act": order, "sym": True,
            "checkpoint_format": "gptq"}


# name: (baseline, the matrix, quantization_config); a GGUF type where there is no matrix
FORMATS = {
    "Q4_K": (None, None, "Q4_K"),
    "GPTQ": ("Q4_K", gptq, of_gptq(False)),
    "GPTQ act-order": ("Q4_K", gptq, of_gptq(True)),
    "AWQ": ("Q4_K", awq, {"quant_method": "awq", "bits": 4, "group_size": 128, "zero_point": True, "version": "gemm"}),
    "int4 group 128": ("Q4_K", int4, compressed("pack-quantized", 4, "int", "group", 128)),
    "MXFP4": ("Q4_K", mxfp4, compressed("mxfp4-pack-quantized", 4, "float", "group", 32)),
    "Q8_0": (None, None, "Q8_0"),
    "FP8 tensor": ("Q8_0", fp8, {"quant_method": "fp8", "activation_scheme": "static", "ignored_layers": ["lm_head"]}),
    "FP8 128x128": ("Q8_0", fp8_blocks, {"quant_method": "fp8", "fmt": "e4m3", "activation_scheme": "dynamic",
                                         "weight_block_size": [128, 128]}),
    "NF4": ("Q8_0", nf4, {"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4",
                          "bnb_4bit_use_double_quant": False, "bnb_4bit_quant_storage": "uint8"}),
    "int8 channel": ("Q8_0", int8, compressed("int-quantized", 8, "int", "channel")),
}


def write_repository(folder, matrix, scheme, layers):
    config = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": WIDTH, "intermediate_size": HIDDEN,
              "num_hidden_layers": layers, "num_attention_heads": HEADS, "num_key_value_heads": KV_HEADS,
              "vocab_size": VOCABULARY, "max_position_embeddings": 8192, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
              "hidden_act": "silu", "tie_word_embeddings": False, "torch_dtype": "float16", "quantization_config": scheme}
    noise = RANDOM.normal(0, 0.02, (VOCABULARY, WIDTH)).astype(numpy.float16)
    tensors = {name: ("F16", [VOCABULARY, WIDTH], noise) for name in ("model.embed_tokens.weight", "lm_head.weight")}
    tensors["model.norm.weight"] = f16(1, WIDTH)
    for i in range(layers):
        layer = f"model.layers.{i}."
        for norm in ("input_layernorm", "post_attention_layernorm"):
            tensors[f"{layer}{norm}.weight"] = f16(1, WIDTH)
        for name, (rows, columns, reads) in MATRICES.items():
            for ending, tensor in matrix(rows, columns).items():
                if ending == "g_idx" and scheme["desc_act"]:
                    tensor = act_order(tensor, reads)
                tensors[f"{layer}{name}.{ending}"] = tensor
    write_folder(folder, config, tensors)


def model_of(options, folder, name):
    _, matrix, scheme = FORMATS[name]
    path = os.path.join(folder, f"{name.replace(' ', '-')}-{options.layers}" + ("" if matrix else ".gguf"))
    if os.path.exists(path):
        return path
    print(f"writing {name}", file=sys.stderr)
    if matrix:
        write_repository(path, matrix, scheme, options.layers)
    else:
        maker = os.path.join(os.path.dirname(os.path.abspath(__file__)), "make_model.py")
        subprocess.run([sys.executable, maker, path, "--type", scheme, "--layers", str(options.layers), "--vocabulary",
                        str(VOCABULARY), "--pure", "--head", "F16"], check=True, stdout=subprocess.DEVNULL)
    return path


def bench(options, model):
    done = subprocess.run([options.madang, "bench", model, "--threads", str(options.threads), "--prompt", str(options.prompt),
                           "--generate", str(options.generate), "--repeat", "1", "--json"], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{model}: exit {done.returncode}\n{done.stderr[-2000:]}")
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--madang", required=True)
    parser.add_argument("--only", default=",".join(FORMATS), help="names, with commas: " + ", ".join(FORMATS))
    parser.add_argument("--layers", type=int, default=6)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--prompt", type=int, default=512)
    parser.add_argument("--generate", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--folder", help="where models are kept")
    parser.add_argument("--make", action="store_true", help="only write the models")
    parser.add_argument("--json", metavar="FILE", help="all figures, every round's too")
    options = parser.parse_args()
    names = options.only.split(",")
    if unknown := [name for name in names if name not in FORMATS]:
        parser.error(f"unknown: {', '.join(unknown)}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or temporary
        os.makedirs(folder, exist_ok=True)
        models = {name: model_of(options, folder, name) for name in names}
        if options.make:
            return
        told = {name: [] for name in names}
        for number in range(options.rounds):
            for name in names:
                print(f"\r\x1b[Kround {number + 1} of {options.rounds}: {name}", end="", file=sys.stderr, flush=True)
                told[name].append(bench(options, models[name]))
        print("\r\x1b[K", end="", file=sys.stderr)
    some = told[names[0]][0]
    cores = sorted(x["threads_worth_cores"] for rounds in told.values() for x in rounds)
    print(f"{some['cpu']}, {some['kernels']}, {options.layers} layers of TinyLlama's shape, prompt {options.prompt}, "
          f"generation {options.generate}, {options.threads} threads worth {cores[0]:.1f} to {cores[-1]:.1f} cores, "
          f"median of {options.rounds}")
    rates = {name: tuple(statistics.median(x[key] for x in rounds) for key in
                         ("prompt_tokens_per_second", "generated_tokens_per_second")) for name, rounds in told.items()}
    for name, (first, then) in rates.items():
        base = FORMATS[name][0]
        beside = f"   {first / rates[base][0]:.2f} and {then / rates[base][1]:.2f} of {base}" if base in rates else ""
        print(f"{name:16}{first:9.1f}{then:9.1f} tokens/s{beside}")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as out:
            json.dump(told, out, indent=1)


if __name__ == "__main__":
    main()
