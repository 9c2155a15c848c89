#!/usr/bin/env python3
"""Makes tests/data/gguf/llama-wide-q4_k_m: the one model of tests/data whose matrices fast mode multiplies in integers.

    wide.py MADANG [FOLDER]

A random Llama of one layer, quantized by madang, with the logits and greedy ids that transformers gives for the values
madang decodes from the file. That decoding is right is tested elsewhere (tests/quant). Needs torch and transformers.
"""
import pathlib
import subprocess
import sys
import tempfile

import torch
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaForCausalLM

LENGTH, GREEDY = 24, 24


def call(*words):
    subprocess.run([str(w) for w in words], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@torch.no_grad()
def answers(model, ids):
    out = {"input_ids": ids, "logits": model(ids[None]).logits[0]}
    greedy, margins, all_ids = [], [], ids
    for _ in range(GREEDY):
        best = model(all_ids[None]).logits[0, -1].topk(2)
        greedy.append(best.indices[0]), margins.append(best.values[0] - best.values[1])
        all_ids = torch.cat([all_ids, best.indices[:1]])
    return out | {"greedy_ids": torch.stack(greedy), "greedy_margin": torch.stack(margins)}


def main():
    madang, folder = sys.argv[1], pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else "tests/data/gguf")
    torch.manual_seed(20)
    config = LlamaConfig(hidden_size=256, intermediate_size=256, num_hidden_layers=1, num_attention_heads=4,
                         num_key_value_heads=2, vocab_size=160, max_position_embeddings=512, initializer_range=0.08,
                         bos_token_id=1, eos_token_id=2, tie_word_embeddings=False, attn_implementation="eager")
    out = folder / "llama-wide-q4_k_m.gguf"
    with tempfile.TemporaryDirectory() as temporary:
        LlamaForCausalLM(config).save_pretrained(f"{temporary}/model")
        call(madang, "quantize", f"{temporary}/model", out, "--type", "Q4_K_M", "--force")
        call(madang, "convert", out, f"{temporary}/decoded", "--type", "f32")
        model = LlamaForCausalLM.from_pretrained(f"{temporary}/decoded", dtype=torch.float32, attn_implementation="eager")
    found = answers(model.eval(), torch.randint(3, 160, (LENGTH,)))
    save_file({name: t.contiguous() for name, t in found.items()}, out.with_suffix(".expected.safetensors"))


main()
