#!/usr/bin/env python3
"""Writes a GGUF model with random weights in the shape of a real one, for measuring speed and memory.

    bench/make_model.py OUT.gguf [--shape tinyllama|llama-1b|smol|mixtral-4x160m|mamba-130m]
                        [--type F16|Q8_0|Q4_0|Q4_K|...] [--layers N] [--vocabulary N] [--pure] [--head TYPE]

tinyllama in F16 is 2.2 GB. The weights are noise of a sensible size, so that logits stay finite; the vocabulary is
bytes and made-up pieces. Needs Python 3 and nothing else. The same arguments give the same bytes.
"""
import argparse, random, struct, sys

SHAPES = {  # width, hidden, layers, heads, kv heads, vocabulary
    "tinyllama": (2048, 5632, 22, 32, 4, 32000),
    "llama-1b": (2048, 8192, 16, 32, 8, 128256),
    "smol": (576, 1536, 30, 9, 3, 49152),
    "mixtral-4x160m": (768, 2048, 12, 12, 4, 32000),
    "mamba-130m": (768, 1536, 24, 0, 0, 32000),
}
EXPERTS, EXPERTS_USED = 4, 2
STATE, CONVOLUTION, STEP_RANK = 16, 4, 48  # of the Mamba
# GGUF type id, weights in a block, bytes in a block
TYPES = {"F32": (0, 1, 4), "F16": (1, 1, 2), "Q4_0": (2, 32, 18), "Q8_0": (8, 32, 34), "Q4_K": (12, 256, 144), "Q6_K": (14, 256, 210),
         "IQ2_XXS": (16, 256, 66), "IQ1_S": (19, 256, 50), "IQ3_S": (21, 256, 110)}
STRING, ARRAY, U32, I32, F32 = 8, 9, 4, 5, 6


def half(x):
    return struct.pack("<e", x)


def noise_blocks(kind, rng, size=1 << 20):
    """About `size` bytes of whole random blocks with scales that give weights near 0.02."""
    _, _, bytes_ = TYPES[kind]
    n = max(1, size // bytes_)
    out = bytearray(rng.randbytes(n * bytes_))
    if kind == "F16":  # sign and fraction random, exponents of 2^-6 and 2^-7
        for i in range(1, len(out), 2):
            out[i] = (out[i] & 0x83) | 0x20 | (out[i] & 0x04)
    else:
        for b in range(0, len(out), bytes_):
            if kind in ("Q4_0", "Q8_0"):
                out[b:b + 2] = half(0.004 if kind == "Q4_0" else 0.0003)
            elif kind == "Q4_K":
                out[b:b + 4] = half(0.0001) + half(0.0008)
            elif kind == "Q6_K":
                out[b + 208:b + 210] = half(0.00001)
            else:  # grid points of up to 43, 15 and 1, times scales of up to 16, 31 and 15
                out[b:b + 2] = half({"IQ2_XXS": 0.0002, "IQ3_S": 0.0001, "IQ1_S": 0.003}[kind])
    return bytes(out)


def text(s):
    b = s.encode()
    return struct.pack("<Q", len(b)) + b


# ---- tensors: (name, shape as GGUF counts it, type, or for float32 the one value that all of it has)

def attention_tensors(p, opt, value_kind):
    width, _, _, heads, kv_heads, _ = SHAPES[opt.shape]
    kv_width = width // heads * kv_heads
    return [(p + "attn_norm.weight", (width,), 1.0), (p + "ffn_norm.weight", (width,), 1.0),
            (p + "attn_q.weight", (width, width), opt.type), (p + "attn_k.weight", (width, kv_width), opt.type),
            (p + "attn_v.weight", (width, kv_width), value_kind), (p + "attn_output.weight", (width, width), opt.type)]


def layer_tensors(i, opt):
    """The tensors of layer i; Q4_K gives values, and every second down, more bits, unless it is to be pure."""
    width, hidden = SHAPES[opt.shape][:2]
    p, better = f"blk.{i}.", "Q6_K" if opt.type == "Q4_K" and not opt.pure else opt.type
    down = better if i % 2 else opt.type
    if opt.shape.startswith("mamba"):
        return [(p + "attn_norm.weight", (width,), 1.0), (p + "ssm_in.weight", (width, 2 * hidden), opt.type),
                (p + "ssm_conv1d.weight", (CONVOLUTION, hidden), 0.25), (p + "ssm_conv1d.bias", (hidden,), 0.0),
                (p + "ssm_x.weight", (hidden, STEP_RANK + 2 * STATE), opt.type),
                (p + "ssm_dt.weight", (STEP_RANK, hidden), 0.02), (p + "ssm_dt.bias", (hidden,), -3.0),
                (p + "ssm_a", (STATE, hidden), -1.0), (p + "ssm_d", (hidden,), 1.0),
                (p + "ssm_out.weight", (hidden, width), opt.type)]
    if opt.shape.startswith("mixtral"):
        return attention_tensors(p, opt, better) + [
            (p + "ffn_gate_inp.weight", (width, EXPERTS), "F16"),
            (p + "ffn_gate_exps.weight", (width, hidden, EXPERTS), opt.type),
            (p + "ffn_up_exps.weight", (width, hidden, EXPERTS), opt.type),
            (p + "ffn_down_exps.weight", (hidden, width, EXPERTS), down)]
    return attention_tensors(p, opt, better) + [
        (p + "ffn_gate.weight", (width, hidden), opt.type), (p + "ffn_up.weight", (width, hidden), opt.type),
        (p + "ffn_down.weight", (hidden, width), down)]


def settings(opt, layers):
    """Of the architecture: (name, number)."""
    width, hidden, _, heads, kv_heads, vocabulary = SHAPES[opt.shape]
    common = [("block_count", layers), ("context_length", 8192), ("embedding_length", width), ("vocab_size", vocabulary),
              ("attention.layer_norm_rms_epsilon", 1e-5)]
    if opt.shape.startswith("mamba"):
        return "mamba", common + [("feed_forward_length", 0), ("attention.head_count", 0), ("ssm.conv_kernel", CONVOLUTION),
                                  ("ssm.inner_size", hidden), ("ssm.state_size", STATE), ("ssm.time_step_rank", STEP_RANK)]
    experts = [("expert_count", EXPERTS), ("expert_used_count", EXPERTS_USED)] if opt.shape.startswith("mixtral") else []
    return "llama", common + experts + [
        ("feed_forward_length", hidden), ("attention.head_count", heads), ("attention.head_count_kv", kv_heads),
        ("rope.dimension_count", width // heads), ("rope.freq_base", 10000.0)]


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("out")
    ap.add_argument("--shape", default="tinyllama", choices=SHAPES)
    ap.add_argument("--type", default="F16", choices=[t for t in TYPES if t != "F32"])
    ap.add_argument("--layers", type=int)
    ap.add_argument("--vocabulary", type=int, help="at least 400")
    ap.add_argument("--pure", action="store_true", help="all matrices of the layers in that type")
    ap.add_argument("--head", choices=[t for t in TYPES if t != "F32"], help="the type of embedding and head")
    opt = ap.parse_args()
    if opt.vocabulary:
        SHAPES[opt.shape] = (*SHAPES[opt.shape][:5], max(400, opt.vocabulary))
    width, hidden, layers, _, _, vocabulary = SHAPES[opt.shape]
    layers = opt.layers or layers
    rng = random.Random(1)
    if width % TYPES[opt.type][1] or hidden % TYPES[opt.type][1]:
        sys.exit(f"{opt.type} needs widths that are multiples of {TYPES[opt.type][1]}: {width}, {hidden}")

    tensors = [("token_embd.weight", (width, vocabulary), opt.head or opt.type)]
    for i in range(layers):
        tensors += layer_tensors(i, opt)
    tensors += [("output_norm.weight", (width,), 1.0),
                ("output.weight", (width, vocabulary), opt.head or ("Q6_K" if opt.type == "Q4_K" else opt.type))]

    pieces = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)] + [chr(b) for b in range(33, 127)] + ["\u2581"]
    pieces += [f"\u2581w{i}" for i in range(vocabulary - len(pieces))]
    types = [2, 3, 3] + [6] * 256 + [1] * (vocabulary - 259)
    meta = []

    def put(key, kind, payload):
        meta.append(text(key) + struct.pack("<I", kind) + payload)

    architecture, numbers = settings(opt, layers)
    put("general.architecture", STRING, text(architecture))
    put("general.name", STRING, text(f"random-{opt.shape}-{opt.type}"))
    for key, value in numbers:
        put(f"{architecture}.{key}", *((F32, struct.pack("<f", value)) if isinstance(value, float) else (U32, struct.pack("<I", value))))
    put("tokenizer.ggml.model", STRING, text("llama"))
    put("tokenizer.ggml.tokens", ARRAY, struct.pack("<IQ", STRING, vocabulary) + b"".join(map(text, pieces)))
    put("tokenizer.ggml.scores", ARRAY, struct.pack(f"<IQ{vocabulary}f", F32, vocabulary, *[-float(i) for i in range(vocabulary)]))
    put("tokenizer.ggml.token_type", ARRAY, struct.pack(f"<IQ{vocabulary}i", I32, vocabulary, *types))
    for key, value in (("bos_token_id", 1), ("eos_token_id", 2), ("unknown_token_id", 0)):
        put("tokenizer.ggml." + key, U32, struct.pack("<I", value))

    align = 32
    infos, offset, sizes = [], 0, []
    for name, shape, kind in tensors:
        id_, block, bytes_ = TYPES["F32" if isinstance(kind, float) else kind]
        n = 1
        for d in shape:
            n *= d
        sizes.append(n // block * bytes_)
        infos.append(text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, id_, offset))
        offset += (sizes[-1] + align - 1) // align * align

    blocks = {}
    with open(opt.out, "wb") as f:
        f.write(b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(meta)) + b"".join(meta) + b"".join(infos))
        f.write(b"\0" * (-f.tell() % align))
        for (name, shape, kind), size in zip(tensors, sizes):
            if isinstance(kind, float):
                f.write(struct.pack("<f", kind) * (size // 4))
            else:
                noise = blocks.setdefault(kind, noise_blocks(kind, rng))
                whole, rest = divmod(size, len(noise))
                for _ in range(whole):
                    f.write(noise)
                f.write(noise[:rest])
            f.write(b"\0" * (-size % align))
    print(f"{opt.out}: {offset / 1e6:.0f} MB, {opt.type}, {layers} layers")


if __name__ == "__main__":
    main()
