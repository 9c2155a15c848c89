#!/usr/bin/env python3
"""Small Phi-3-small checkpoints and what they answer, in numpy and float64: transformers has no class for them.

    phi3_small.py OUT

Written from the paper (Abdin et al. 2024, section 2) and the keys of the published config.json, apart from src/. Fills
OUT/tiny-phi3small and OUT/tiny-phi3small-long as golden/models has its cases: config.json, model.safetensors and
expected.safetensors (input_ids, logits, greedy_ids, greedy_margin). They differ in whatever the 8k and the 128k model
differ in, and between them take every branch: heads with one pattern or each with its own, a clamp that bites or not,
muP's scale of scores or the usual. Needs numpy and safetensors.
"""
import json, math, os, sys
import numpy as np
from safetensors.numpy import save_file

GREEDY = 24

COMMON = {
    "architectures": ["Phi3SmallForCausalLM"], "model_type": "phi3small", "hidden_act": "gegelu",
    "layer_norm_epsilon": 1e-5, "blocksparse_block_size": 64, "blocksparse_triton_kernel_block_size": 64,
    "dense_attention_every_n_layers": 2, "ff_dim_multiplier": None, "gegelu_pad_to_256": True,
    "mup_attn_multiplier": 1.0, "mup_embedding_multiplier": 10.0, "mup_width_multiplier": 8.0,
    "rope_position_scale": 1.0, "bos_token_id": 1, "eos_token_id": 2, "torch_dtype": "float32",
}
CASES = {
    "tiny-phi3small": dict(
        COMMON, vocab_size=40, hidden_size=16, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
        ff_intermediate_size=12, gegelu_limit=20.0, blocksparse_num_local_blocks=1, blocksparse_vert_stride=3,
        blocksparse_homo_head_pattern=False, mup_use_scaling=True, rope_embedding_base=1000000,
        max_position_embeddings=512),
    "tiny-phi3small-long": dict(
        COMMON, vocab_size=36, hidden_size=24, num_hidden_layers=2, num_attention_heads=3, num_key_value_heads=1,
        ff_intermediate_size=20, gegelu_limit=0.75, blocksparse_num_local_blocks=2, blocksparse_vert_stride=2,
        blocksparse_homo_head_pattern=True, mup_use_scaling=False, rope_embedding_base=10000,
        max_position_embeddings=512,
        rope_scaling={"type": "su", "short_factor": [1.0, 1.1, 1.2, 1.4], "long_factor": [1.0, 1.3, 2.5, 4.0],
                      "short_mscale": 1.0, "long_mscale": 1.19, "original_max_position_embeddings": 64}),
}
TOKENS = {"tiny-phi3small": 240, "tiny-phi3small-long": 250}


def random_weights(c, rng):
    d, hd = c["hidden_size"], c["hidden_size"] // c["num_attention_heads"]
    qkv, ff = (c["num_attention_heads"] + 2 * c["num_key_value_heads"]) * hd, c["ff_intermediate_size"]
    shapes = {"model.embed_tokens.weight": (c["vocab_size"], d), "model.final_layernorm": (d,)}
    for i in range(c["num_hidden_layers"]):
        layer = f"model.layers.{i}."
        shapes |= {layer + "input_layernorm": (d,), layer + "post_attention_layernorm": (d,),
                   layer + "self_attn.query_key_value": (qkv, d), layer + "self_attn.dense": (d, d),
                   layer + "mlp.up_proj": (2 * ff, d), layer + "mlp.down_proj": (d, ff)}
    w = {}
    for name, shape in shapes.items():
        if name.endswith("embed_tokens.weight"):
            w[name] = rng.normal(0, 0.05, shape)
        elif len(shape) == 1:
            w[name + ".weight"], w[name + ".bias"] = rng.normal(1, 0.2, shape), rng.normal(0, 0.2, shape)
        else:
            w[name + ".weight"] = rng.normal(0, 2.5 / math.sqrt(shape[1]), shape)
            w[name + ".bias"] = rng.normal(0, 0.2, shape[0])
    return {name: x.astype(np.float32) for name, x in w.items()}


def layer_norm(x, w, name, eps):
    x = x - x.mean(-1, keepdims=True)
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + eps) * w[name + ".weight"] + w[name + ".bias"]


def linear(x, w, name):
    return x @ w[name + ".weight"].T + w[name + ".bias"]


def rotated(x, c):  # [T, heads, hd]
    T, _, hd = x.shape
    stretch, size = np.ones(hd // 2), 1.0
    if long := c.get("rope_scaling"):
        kind = "long" if T > long["original_max_position_embeddings"] else "short"
        stretch, size = np.array(long[kind + "_factor"]), long[kind + "_mscale"]
    angle = np.arange(T)[:, None] / (stretch * c["rope_embedding_base"] ** (np.arange(0, hd, 2) / hd))
    cos, sin = (size * f(angle)[:, None] for f in (np.cos, np.sin))
    first, second = x[..., : hd // 2], x[..., hd // 2 :]
    return np.concatenate([first * cos - second * sin, second * cos + first * sin], -1)


def seen(T, head, layer, c):
    """[query, key]: whether it sees it."""
    q, k = np.arange(T)[:, None], np.arange(T)[None]
    every = c["dense_attention_every_n_layers"]
    if every and (layer + 1) % every == 0:
        return k <= q
    block, stride = c["blocksparse_block_size"], c["blocksparse_vert_stride"]
    shift = 0 if c["blocksparse_homo_head_pattern"] else head * max(1, stride // c["num_attention_heads"])
    near = q // block - k // block < c["blocksparse_num_local_blocks"]
    return (k <= q) & (near | ((k // block + shift + 1) % stride == 0))


def attention(x, w, layer, c):
    T, heads, groups = len(x), c["num_attention_heads"], c["num_key_value_heads"]
    hd, each = c["hidden_size"] // heads, heads // groups
    qkv = linear(x, w, f"model.layers.{layer}.self_attn.query_key_value").reshape(T, groups, each + 2, hd)
    q = rotated(qkv[:, :, :each].reshape(T, heads, hd), c)
    k, v = rotated(qkv[:, :, each], c), qkv[:, :, each + 1]
    scale = c["mup_attn_multiplier"] / hd if c["mup_use_scaling"] else hd**-0.5
    out = np.empty((T, heads, hd))
    for h in range(heads):
        score = np.where(seen(T, h, layer, c), q[:, h] @ k[:, h // each].T * scale, -np.inf)
        p = np.exp(score - score.max(-1, keepdims=True))
        out[:, h] = p / p.sum(-1, keepdims=True) @ v[:, h // each]
    return linear(out.reshape(T, -1), w, f"model.layers.{layer}.self_attn.dense")


def gegelu(x, w, layer, c):
    up = linear(x, w, f"model.layers.{layer}.mlp.up_proj")
    limit = c["gegelu_limit"]
    gate, up = np.minimum(up[:, ::2], limit), np.clip(up[:, 1::2], -limit, limit)
    return linear(gate / (1 + np.exp(-1.702 * gate)) * (up + 1), w, f"model.layers.{layer}.mlp.down_proj")


def logits(ids, w, c):
    eps = c["layer_norm_epsilon"]
    x = w["model.embed_tokens.weight"][ids] * c["mup_embedding_multiplier"]
    for i in range(c["num_hidden_layers"]):
        x = x + attention(layer_norm(x, w, f"model.layers.{i}.input_layernorm", eps), w, i, c)
        x = x + gegelu(layer_norm(x, w, f"model.layers.{i}.post_attention_layernorm", eps), w, i, c)
    return layer_norm(x, w, "model.final_layernorm", eps) @ w["model.embed_tokens.weight"].T / c["mup_width_multiplier"]


def make(name, out):
    c, rng = CASES[name], np.random.default_rng(sum(map(ord, name)))
    stored = random_weights(c, rng)
    w = {n: x.astype(np.float64) for n, x in stored.items()}
    ids = rng.integers(3, c["vocab_size"], TOKENS[name])
    answer, greedy, margins, text = logits(ids, w, c), [], [], ids
    row = answer[-1]
    for _ in range(GREEDY):
        second, first = np.sort(row)[-2:]
        greedy.append(int(row.argmax())), margins.append(first - second)
        text = np.append(text, greedy[-1])
        row = logits(text, w, c)[-1]
    folder = os.path.join(out, name)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "config.json"), "w") as f:
        json.dump(c, f, indent=2, sort_keys=True)
        f.write("\n")
    save_file(stored, os.path.join(folder, "model.safetensors"), metadata={"format": "pt"})
    save_file({"input_ids": ids.astype(np.int64), "logits": answer.astype(np.float32),
               "greedy_ids": np.array(greedy, np.int64), "greedy_margin": np.array(margins, np.float32)},
              os.path.join(folder, "expected.safetensors"), metadata={"case": name})
    print(f"{name}: largest logit {abs(answer).max():.2f}, smallest margin {min(margins):.1e}, "
          f"{len(set(greedy))} kinds of greedy ids")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for each in CASES:
        make(each, sys.argv[1])
