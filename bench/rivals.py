#!/usr/bin/env python3
"""Times madang and its rivals on the same file, in alternation, and prints the ratios.

    bench/rivals.py MODEL.gguf [MODEL.gguf ...] --madang build/madang --rival llama.cpp=PATH/llama-bench
                    [--rival ik=PATH/llama-bench] [--threads 2] [--prompt 512] [--generate 64] [--rounds 5]
                    [--long 8192] [--batch 16 --batched PATH/llama-batched-bench] [--json FILE]

A round runs every program once, each with a warm-up of its own; the first round warms the file and is not counted; the
median of the others is told. Both sides generate after a prompt of the same length (llama-bench's -d); --from-nothing
lets the rivals generate from an empty context, for builds that know no -d: that is a handicap for madang, which always
generates after the prompt. Keys and values are float16 on both sides, the defaults of both.

"of the reads" is the share of the memory bandwidth, measured by madang in the same rounds, that a program's generation
uses: tokens/s times the bytes of weights that a token reads. On a virtual machine two threads may share a core, for a
time or always; what they were worth in the rounds, by float32 products, stands beside. Needs Python 3.9 and nothing else.
"""
import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys


def run(command):
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{shlex.join(command)}: exit {done.returncode}\n{done.stderr[-2000:]}")
    return done.stdout


def madang(options, model, prompt, generate, batch=1):
    """One round: prompt and generation in tokens/s, and all that madang bench tells beside them."""
    words = [options.madang, "bench", model, "--threads", str(options.threads), "--prompt", str(prompt),
             "--generate", str(generate), "--repeat", "1", "--json"]
    if batch > 1:
        words += ["--batch", str(batch)]
    told = json.loads(run(words + shlex.split(options.madang_arguments)))
    return told["prompt_tokens_per_second"], told["generated_tokens_per_second"], told


def llama_bench(options, program, model, prompt, generate):
    common = [program, "-m", model, "-t", str(options.threads), "-r", "1", "-o", "json"]
    common += shlex.split(options.rival_arguments)
    depth = [] if options.from_nothing else ["-d", str(prompt)]
    (first,) = json.loads(run(common + ["-p", str(prompt), "-n", "0"]))
    (then,) = json.loads(run(common + ["-p", "0", "-n", str(generate)] + depth))
    return first["avg_ts"], then["avg_ts"]


def batched_bench(options, model, prompt, generate, batch):
    """Tokens/s of all sequences together while `batch` of them generate."""
    context = batch * (prompt + generate) + 64
    told = run([options.batched, "-m", model, "-t", str(options.threads), "-c", str(context), "-npp", str(prompt), "-ntg",
                str(generate), "-npl", str(batch), "--output-format", "jsonl"])
    (line,) = [json.loads(x) for x in told.splitlines() if x.startswith("{")]
    return line["speed_tg"]


def rounds_of(options, model, prompt, generate):
    """{program: [(prompt, generation), ...]} over the counted rounds, and what madang told in them."""
    times, told = {"madang": []} | {name: [] for name, _ in options.rivals}, []
    for number in range(options.rounds + 1):
        print(f"\r{os.path.basename(model)}: round {number} of {options.rounds}", end="", file=sys.stderr, flush=True)
        first, then, all_of_it = madang(options, model, prompt, generate)
        others = {name: llama_bench(options, program, model, prompt, generate) for name, program in options.rivals}
        if number == 0:
            continue
        times["madang"].append((first, then))
        told.append(all_of_it)
        for name, pair in others.items():
            times[name].append(pair)
    print("\r\x1b[K", end="", file=sys.stderr)
    return times, told


def compare(options, model, prompt, generate):
    times, told = rounds_of(options, model, prompt, generate)
    medians = {name: tuple(statistics.median(column) for column in zip(*pairs)) for name, pairs in times.items()}
    reads = statistics.median(x["memory_read_bytes_per_second"] for x in told)
    # Bytes of weights a token reads: what madang bench divided the bandwidth by.
    a_token = told[0]["memory_read_bytes_per_second"] / told[0]["limit_generated_tokens_per_second"]
    print(f"\n{os.path.basename(model)}: prompt {prompt}, generation {generate}, {options.threads} threads, "
          f"median of {options.rounds}")
    cores = sorted(x["threads_worth_cores"] for x in told)
    print(f"{told[0]['cpu']}, madang's kernels {told[0]['kernels']}, memory reads {reads / 1e9:.1f} GB/s, "
          f"{a_token / 1e6:.1f} MB of weights a token; {options.threads} threads were worth {cores[0]:.1f} to "
          f"{cores[-1]:.1f} cores")
    print(f"{'':14}{'prompt':>10}{'generation':>12}   tokens/s{'of the reads':>16}   madang is")
    ours = medians["madang"]
    result = {"model": os.path.basename(model), "cpu": told[0]["cpu"], "kernels": told[0]["kernels"],
              "threads": options.threads, "prompt": prompt, "generate": generate, "rounds": options.rounds,
              "memory_read_bytes_per_second": reads, "threads_worth_cores": cores, "weight_bytes_per_token": a_token,
              "programs": {}}
    for name, (first, then) in medians.items():
        share = then * a_token / reads
        beside = "" if name == "madang" else f"{ours[0] / first:.2f}x on the prompt, {ours[1] / then:.2f}x in generation"
        print(f"{name:14}{first:10.1f}{then:12.1f}           {100 * share:15.0f}%   {beside}")
        result["programs"][name] = {"prompt_tokens_per_second": first, "generated_tokens_per_second": then,
                                    "share_of_reads": share, "rounds": times[name]}
    return result


def compare_batch(options, model):
    """The rate of many sequences beside that of one; and the rival's, where its batched program is at hand."""
    ones, many, rival = [], [], []
    for number in range(options.rounds + 1):
        told = madang(options, model, options.batch_prompt, options.generate, options.batch)[2]
        other = options.batched and batched_bench(options, model, options.batch_prompt, options.generate, options.batch)
        if number:
            ones.append(told["generated_tokens_per_second"])
            many.append(told["batch_generated_tokens_per_second"])
            rival.append(other)
    one, all_of_them = statistics.median(ones), statistics.median(many)
    print(f"\n{os.path.basename(model)}: {options.batch} sequences at once {all_of_them:.1f} tokens/s, "
          f"{all_of_them / one:.2f} times one ({one:.1f})")
    result = {"model": os.path.basename(model), "batch": options.batch, "one": one, "all": all_of_them}
    if options.batched:
        result["rival"] = statistics.median(rival)
        print(f"llama.cpp's batched-bench {result['rival']:.1f}: madang is {all_of_them / result['rival']:.2f}x")
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+")
    parser.add_argument("--madang", required=True)
    parser.add_argument("--rival", action="append", default=[], metavar="NAME=PATH", help="a llama-bench")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--prompt", type=int, default=512)
    parser.add_argument("--generate", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--long", type=int, metavar="N", help="also a prompt of N tokens")
    parser.add_argument("--batch", type=int, metavar="N", help="also N sequences at once")
    parser.add_argument("--batch-prompt", type=int, default=64, help="tokens of each of their prompts")
    parser.add_argument("--batched", metavar="PATH", help="a llama-batched-bench")
    parser.add_argument("--from-nothing", action="store_true", help="rivals generate from an empty context")
    parser.add_argument("--madang-arguments", default="", help="more words for madang bench")
    parser.add_argument("--rival-arguments", default="", help="more words for llama-bench, as '-rtr 1'")
    parser.add_argument("--json", metavar="FILE", help="all figures, every round's too")
    options = parser.parse_args()
    options.rivals = [tuple(x.split("=", 1)) if "=" in x else (os.path.basename(x), x) for x in options.rival]
    results = []
    for model in options.models:
        results.append(compare(options, model, options.prompt, options.generate))
        if options.long:
            results.append(compare(options, model, options.long, options.generate))
        if options.batch:
            results.append(compare_batch(options, model))
    if options.json:
        with open(options.json, "w", encoding="utf-8") as out:
            json.dump(results, out, indent=1)


if __name__ == "__main__":
    main()
