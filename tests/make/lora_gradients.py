#!/usr/bin/env python3
"""One LoRA step by PyTorch's autograd, for every small checkpoint that transformers opens.

    lora_gradients.py MODELS OUT [--only WORD]

MODELS holds folders as golden/models has them. For each, OUT/NAME becomes an adapter as peft writes it (every linear
layer but the head and routers, and experts that are one tensor; B is not zero), with answers.safetensors beside it: input_ids
[3, 20], loss [1], and the gradient of each of the adapter's tensors by its name. test_train compares with them where
MADANG_LORA_GRADIENTS names OUT. Needs torch, transformers 5, peft; float32, eager attention.
"""
import argparse, json, os, zlib
import torch
from peft import LoraConfig, get_peft_model
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM
from transformers.pytorch_utils import Conv1D

EXPERTS = ("gate_up_proj", "down_proj")  # of modules named experts


def targets(model):
    """Full names of linear modules, the ones whose weights transformers multiplies by itself left out."""
    head = model.get_output_embeddings()
    names, parameters = [], set()
    mamba = "mamba" in model.config.model_type or model.config.model_type == "jamba"
    for name, module in model.named_modules():
        leaf = name.rsplit(".", 1)[-1]
        if isinstance(module, (torch.nn.Linear, Conv1D)) and module is not head:
            if leaf not in ("router", "gate") and not (mamba and leaf in ("dt_proj", "out_proj", "conv1d")):
                names.append(name)
        if leaf == "experts":
            parameters.update(f"{leaf}.{p}" for p in EXPERTS if getattr(getattr(module, p, None), "ndim", 0) == 3)
    return names, sorted(parameters)


def one(folder, out, name):
    torch.manual_seed(zlib.crc32(name.encode()))
    kind = json.load(open(os.path.join(folder, "config.json")))["model_type"]
    # Falcon's eager path adds ALiBi's bias twice.
    attention = "sdpa" if kind == "falcon" else "eager"
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation=attention).eval()
    names, parameters = targets(model)
    if kind == "llama4_text":  # peft takes in for out there: factors of the transpose, which madang refuses
        parameters = []
    conv = any(isinstance(m, Conv1D) for m in model.modules())
    config = LoraConfig(r=4, lora_alpha=6, target_modules=names, target_parameters=parameters or None,
                        fan_in_fan_out=conv, task_type="CAUSAL_LM")
    tuned = get_peft_model(model, config).eval()
    trained = {n: p for n, p in tuned.named_parameters() if p.requires_grad}
    with torch.no_grad():
        for n, p in trained.items():
            p.normal_(0, 0.1 if "lora_B" in n else 0.2)
    ids = torch.randint(0, model.config.vocab_size, (3, 20))
    logits = tuned(input_ids=ids, use_cache=False).logits
    loss = torch.nn.functional.cross_entropy(logits[:, :-1].reshape(-1, logits.shape[-1]).float(), ids[:, 1:].reshape(-1))
    loss.backward()
    where = os.path.join(out, name)
    tuned.save_pretrained(where)
    gradients = get_peft_model_state_dict(tuned, state_dict={n: torch.zeros_like(p) if p.grad is None else p.grad
                                                             for n, p in trained.items()})
    answers = {k: v.contiguous() for k, v in gradients.items()}
    answers["input_ids"], answers["loss"] = ids.to(torch.int32), loss.detach().reshape(1)
    save_file(answers, os.path.join(where, "answers.safetensors"))
    return loss.item(), len(names), len(parameters)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("models"), p.add_argument("out"), p.add_argument("--only", default="")
    a = p.parse_args()
    torch.set_num_threads(1)
    for name in sorted(os.listdir(a.models)):
        folder = os.path.join(a.models, name)
        if a.only not in name or not os.path.exists(os.path.join(folder, "config.json")):
            continue
        try:
            print(name, *one(folder, a.out, name), flush=True)
        except Exception as e:  # what transformers or peft cannot do is told and left out
            print(name, "left out:", type(e).__name__, str(e)[:200].replace("\n", " "), flush=True)


if __name__ == "__main__":
    main()
