#!/usr/bin/env python3
"""What a conversation takes of memory after 100 to 1,000,000 tokens, of released sizes that remember in different ways.

    bench/state.py --madang build/madang [--kv-type f16] [--json state.json] [--svg docs/state.svg]

`madang inspect --config` is asked of each; the sizes are those of the published configurations, weights are not needed.
Needs Python 3.9.
"""
import argparse
import json
import os
import subprocess
import tempfile

from charts import Panel, document

LLAMA = {"model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32,
         "num_key_value_heads": 32, "intermediate_size": 11008, "vocab_size": 32000, "max_position_embeddings": 4096,
         "rms_norm_eps": 1e-5}
MODELS = {
    "Llama 2 7B: every head keeps keys": ("#c2553d", LLAMA),
    "Llama 3.1 8B: four heads share them": ("#d9902f", LLAMA | {"num_key_value_heads": 8, "intermediate_size": 14336,
                                                               "vocab_size": 128256, "max_position_embeddings": 131072}),
    "Gemma 2 9B: windows in every second layer": ("#8a6fc2", {
        "model_type": "gemma2", "hidden_size": 3584, "num_hidden_layers": 42, "num_attention_heads": 16,
        "num_key_value_heads": 8, "head_dim": 256, "intermediate_size": 14336, "vocab_size": 256000,
        "max_position_embeddings": 8192, "rms_norm_eps": 1e-6, "sliding_window": 4096, "query_pre_attn_scalar": 256}),
    "Mistral 7B 0.1: windows of 4,096": ("#1f6fb2", LLAMA | {"model_type": "mistral", "num_key_value_heads": 8,
                                                             "intermediate_size": 14336, "sliding_window": 4096,
                                                             "max_position_embeddings": 32768}),
    "DeepSeek V2 Lite: latents": ("#3a9a9a", {
        "model_type": "deepseek_v2", "hidden_size": 2048, "num_hidden_layers": 27, "num_attention_heads": 16,
        "num_key_value_heads": 16, "intermediate_size": 10944, "vocab_size": 102400, "max_position_embeddings": 163840,
        "rms_norm_eps": 1e-6, "first_k_dense_replace": 1, "kv_lora_rank": 512, "q_lora_rank": None,
        "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128, "n_routed_experts": 64,
        "n_shared_experts": 2, "num_experts_per_tok": 6, "moe_intermediate_size": 1408, "n_group": 1, "topk_group": 1,
        "topk_method": "greedy", "norm_topk_prob": False, "routed_scaling_factor": 1.0}),
    "Falcon Mamba 7B: a state": ("#2f8f5b", {
        "model_type": "falcon_mamba", "hidden_size": 4096, "intermediate_size": 8192, "num_hidden_layers": 64,
        "state_size": 16, "conv_kernel": 4, "time_step_rank": 256, "vocab_size": 65024, "use_bias": False,
        "use_conv_bias": True, "layer_norm_epsilon": 1e-5}),
}
LENGTHS = [100, 300, 1000, 2000, 4096, 10_000, 30_000, 100_000, 300_000, 1_000_000]


def asked(options, config):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "config.json")
        with open(path, "w", encoding="utf-8") as f:
            json.dump(config, f)
        words = [options.madang, "inspect", "--config", path, "--kv-type", options.kv_type, "--json"]
        for length in LENGTHS:
            words += ["--length", str(length)]
        done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}: exit {done.returncode}\n{done.stderr[-2000:]}")
    return {int(length): size for length, size in json.loads(done.stdout)["state"]["bytes_at"].items()}


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--madang", default="build/madang")
    ap.add_argument("--kv-type", default="f16")
    ap.add_argument("--json")
    ap.add_argument("--svg")
    options = ap.parse_args()
    results = {name: asked(options, config) for name, (_, config) in MODELS.items()}
    for name, sizes in results.items():
        print(f"{name:42}", "  ".join(f"{length:,}: {size / 1e6:,.1f} MB" for length, size in sizes.items()))
    if options.json:
        with open(options.json, "w", encoding="utf-8") as f:
            json.dump(results, f, indent=1)
    if options.svg:
        curves = {name: [(length, size / 1e9) for length, size in sizes.items()] for name, sizes in results.items()}
        panel = Panel("GB that a conversation takes", "tokens", curves, {name: m[0] for name, m in MODELS.items()}, size=(640, 420))
        with open(options.svg, "w", encoding="utf-8") as f:
            f.write(document("Memory of a conversation", (640, 420), panel.svg()))


if __name__ == "__main__":
    main()
