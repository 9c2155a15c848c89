#!/usr/bin/env python3
"""Whether Hugging Face transformers opens the folders that `madang convert` writes, and answers as the reference does.

    converted_folders.py MADANG GOLDEN [--only WORD ...]

GOLDEN holds gguf/, quant/ and models/ with reference answers (expected.safetensors). Each file of gguf/ and quant/
becomes a folder; each folder of models/ becomes GGUF and a folder again, by which configuration and names must survive
both ways. transformers must find every weight it wants and want every weight that is there; its logits must be the
reference's within 1e-4 of the largest |logit|, its greedy answer by the folder's own generation defaults the
reference's ids, and its tokenizer, where the model has one, must cut texts as madang does. What madang refuses to
convert, and families that transformers does not have, are told and are neither passed nor failed. Needs torch and
transformers 5. Not part of the normal tests.
"""
import argparse, json, logging, os, subprocess, sys, tempfile, warnings
import torch, transformers
from safetensors.torch import load_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, CONFIG_MAPPING

TEXTS = ("Hello, world! It's 2026.\n\n  two  blanks", "안녕하세요, 마당입니다. 12345", "naïve ½ 日本語 🙂", " x", "")


class Refused(Exception):
    pass


def madang(*arguments, text=None):
    ran = subprocess.run([program, *arguments], input=text, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                         errors="replace")
    if ran.returncode in (4, 5):  # Kind::format, Kind::unsupported
        raise Refused(next(line for line in ran.stderr.splitlines() if line.startswith("madang:")))
    if ran.returncode:
        raise RuntimeError(f"{arguments[0]}, exit {ran.returncode}: {ran.stderr.strip()[-300:]}")
    return ran.stdout


def cases(golden):
    """Name, path, expected answers, whether it is to become GGUF first."""
    for name in sorted(os.listdir(os.path.join(golden, "gguf"))):
        stem = os.path.join(golden, "gguf", name.removesuffix(".expected.safetensors"))
        if name.endswith(".expected.safetensors"):
            whole = stem + ".gguf"
            yield "gguf/" + os.path.basename(stem), whole if os.path.exists(whole) else stem + "-00001-of-00002.gguf", os.path.join(golden, "gguf", name), False
    for kind, via in (("quant", False), ("models", True)):
        for at, _, files in sorted(os.walk(os.path.join(golden, kind))):
            if "config.json" in files and "expected.safetensors" in files:
                yield os.path.relpath(at, golden), at, os.path.join(at, "expected.safetensors"), via


def opened(folder):
    kind = json.load(open(os.path.join(folder, "config.json")))["model_type"]
    if kind not in CONFIG_MAPPING:
        raise Refused(f"transformers has no {kind}")
    model, told = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, output_loading_info=True,
                                                       attn_implementation="sdpa" if kind == "falcon" else "eager")
    faults = [f"{what}: {sorted(told[what])[:3]}" for what in ("missing_keys", "unexpected_keys", "mismatched_keys") if told[what]]
    return model.eval(), faults


def greedy(model, ids, count):
    model.generation_config.eos_token_id = None  # the reference does not stop
    out = model.generate(ids[None], max_new_tokens=count, do_sample=False, pad_token_id=0)
    return out[0, len(ids):].tolist()


def tokens_differ(folder):
    if not os.path.exists(os.path.join(folder, "tokenizer.json")):
        return []
    theirs = AutoTokenizer.from_pretrained(folder)
    lines = madang("tokenize", folder, "--jsonl", text="".join(json.dumps({"text": t}) + "\n" for t in TEXTS))
    ours = [json.loads(line)["ids"] for line in lines.splitlines()]
    return [f"tokens of {t!r}: {x}, transformers {y}" for t, x in zip(TEXTS, ours)
            if x != (y := theirs.encode(t, add_special_tokens=False))]


def hold(path, expected, via, work):
    if via:
        gguf = os.path.join(work, "there.gguf")
        madang("convert", path, gguf, "--type", "f32")
        path = gguf
    folder = os.path.join(work, "folder")
    madang("convert", path, folder, "--type", "f32")
    want = load_file(expected)
    model, faults = opened(folder)
    ids = want["input_ids"].reshape(-1)
    with torch.no_grad():
        logits = model(input_ids=ids[None]).logits[0].float()
        error = ((logits - want["logits"]).abs().max() / want["logits"].abs().max()).item()
        if not error <= 1e-4:
            faults.append(f"logits differ by {error:.2g} of the largest")
        elif "greedy_ids" in want:
            wanted = want["greedy_ids"].reshape(-1).tolist()
            answer = greedy(model, ids, len(wanted))
            if answer != wanted:
                faults.append(f"greedy ids: {answer}, expected {wanted}")
    return error, faults + tokens_differ(folder)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("madang"), p.add_argument("golden"), p.add_argument("--only", nargs="*", default=[""])
    a = p.parse_args()
    global program
    program = a.madang
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    counts, worst = dict(passed=0, failed=0, refused=0), 0.0
    for name, path, expected, via in cases(a.golden):
        if not any(word in name for word in a.only):
            continue
        with tempfile.TemporaryDirectory() as work:
            try:
                error, faults = hold(path, expected, via, work)
            except Refused as e:
                counts["refused"] += 1
                print(f"refused {name}: {e}", flush=True)
                continue
            except Exception as e:  # whatever transformers throws at a folder of ours is a fault of the folder
                error, faults = 0.0, [f"{type(e).__name__}: {str(e).strip()[:400]}"]
        counts["failed" if faults else "passed"] += 1
        worst = max(worst, error)
        print(f"{'FAILED' if faults else 'ok'} {name} {error:.1e}", *faults, sep="\n  " if faults else " ", flush=True)
    print(", ".join(f"{n} {what}" for what, n in counts.items()), f"; largest difference {worst:.1e}")
    sys.exit(counts["failed"] > 0 or not counts["passed"])


if __name__ == "__main__":
    main()
