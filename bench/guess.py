#!/usr/bin/env python3
"""Times answers with and without guessing ahead, in alternation, on texts that repeat and on texts that do not.

    bench/guess.py MODEL --madang build/madang [--draft-model SMALLER] [--draft-max 16] [--threads 2] [--tokens 200]
                   [--rounds 5] [--json FILE]

Without --draft-model it is --prompt-lookup that is timed. A round answers every prompt once without and once with
guessing, each in a process of its own; the first round warms the files and is not counted; the median of the others is
told, from the first token of the answer to its last. The two answers must be the same ids: if not, it ends with 1.
Models with a chat template are asked, others go on with the text. Needs Python 3.9 and nothing else.
"""
import argparse
import json
import shlex
import statistics
import subprocess
import sys

LETTER = """Dear neighbours,

the water in our street will be turned off on Tuesday from nine in the morning until about two in the afternoon, because
the old pipe in front of number twelve is to be replaced. Please fill a few bottles the evening before. The workers ask
you to leave the parking places in front of numbers ten to sixteen free. If it rains hard, the work will begin a day
later. Should the water be brown afterwards, let it run for a few minutes, and it will be clear again.

With kind regards,
the water works"""

CODE = """def mean(values):
    total = 0
    for value in values:
        total += value
    return total / len(values)


def variance(values):
    center = mean(values)
    total = 0
    for value in values:
        total += (value - center) ** 2
    return total / len(values)
"""

# name: (what a chat model is asked, what a model without chat goes on with)
TEXTS = {
    "repeat": (f"Repeat this letter, word for word:\n\n{LETTER}", f"{LETTER}\n\nThe same letter once more:\n\n"),
    "correct": ("Correct the spelling in this letter and write it out again:\n\n" +
                LETTER.replace("bottles", "botles").replace("minutes", "minuts"),
                f"{LETTER}\n\n{LETTER.split('.')[0]}."),
    "code": (f"Add a docstring to each function of this file and show the whole file:\n\n{CODE}",
             f"{CODE}\n\n# The same with the name numbers in place of values:\n\ndef mean(numbers):\n"),
    "story": ("Write a short story about a lighthouse keeper who finds a letter.",
              "The lighthouse keeper found a letter on the beach. "),
    "explain": ("Explain why the sky is blue and sunsets are red.", "The sky is blue because"),
}


def answer(options, prompt, raw, guessing):
    words = [options.madang, "run", options.model, "--json", "--temperature", "0", "--max-tokens", str(options.tokens),
             "--threads", str(options.threads), "--prompt", prompt]
    words += ["--raw"] if raw else []
    if guessing:
        words += ["--draft-max", str(options.draft_max)]
        words += ["--draft-model", options.draft_model] if options.draft_model else ["--prompt-lookup"]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{shlex.join(words)}: exit {done.returncode}\n{done.stderr[-2000:]}")
    return json.loads(done.stdout)


def has_template(options):
    return subprocess.run([options.madang, "template", options.model, "--input", "-"], capture_output=True, text=True,
                          input='{"messages": [{"role": "user", "content": "Hi"}]}').returncode == 0


def measure(options, name, raw):
    prompt = TEXTS[name][1 if raw else 0]
    rates = {False: [], True: []}
    for number in range(options.rounds + 1):
        print(f"\r{name}: round {number} of {options.rounds}", end="", file=sys.stderr, flush=True)
        told = {guessing: answer(options, prompt, raw, guessing) for guessing in rates}
        if told[True]["ids"] != told[False]["ids"]:
            raise SystemExit(f"{name}: the answers differ, with and without guessing")
        for guessing in rates if number else ():
            rates[guessing].append(told[guessing]["tokens_per_second"])
    print("\r\x1b[K", end="", file=sys.stderr)
    without, having = (statistics.median(rates[guessing]) for guessing in (False, True))
    last = told[True]
    return {"text": name, "tokens": last["answer_tokens"], "without": without, "with": having,
            "ratio": having / without, "guesses": last.get("guesses", 0), "right": last.get("guesses_right", 0)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--madang", default="build/madang")
    parser.add_argument("--draft-model")
    parser.add_argument("--draft-max", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--tokens", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json")
    options = parser.parse_args()
    raw = not has_template(options)
    rows = [measure(options, name, raw) for name in TEXTS]
    print(f"{'text':10}{'tokens':>8}{'without':>10}{'with':>10}{'ratio':>8}{'guesses':>10}{'right':>8}")
    for r in rows:
        print(f"{r['text']:10}{r['tokens']:8}{r['without']:10.1f}{r['with']:10.1f}{r['ratio']:8.2f}{r['guesses']:10}"
              f"{r['right']:8}")
    if options.json:
        with open(options.json, "w", encoding="utf-8") as out:
            json.dump(rows, out, indent=2)


if __name__ == "__main__":
    main()
