#!/usr/bin/env python3
"""Random configurations of every architecture against Hugging Face transformers: the longer test of src/models.

    random_shapes.py MADANG GOLDEN [--count 200] [--seed N] [--only NAME ...]

GOLDEN holds make_models.py, which draws a configuration of one of its cases and asks transformers for logits, and
check.py, which holds `madang logits --compute exact` against them by the rule of MODELS.md: whole, in pieces, token by
token and from the older style of config.json. Cases take turns, so that --count 200 sees each of 74 at least twice.
A configuration that the maker refuses to answer for is told as such and is neither passed nor failed; another one is
drawn for it, until as many were refused as asked for. What fails is kept, and the folder is named. Needs torch and
transformers 5; not part of the normal tests.
"""
import argparse, os, random, shutil, subprocess, sys, tempfile


def last_line(process):
    text = (process.stdout + process.stderr).decode(errors="replace").strip()
    return text.splitlines()[-1] if text else f"exit status {process.returncode}"


def run(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("madang"), p.add_argument("golden")
    p.add_argument("--count", type=int, default=200)
    p.add_argument("--seed", type=int, default=int(os.environ.get("MADANG_SEED", random.SystemRandom().randrange(10**6))))
    p.add_argument("--only", nargs="*")
    a = p.parse_args()
    make, check = (os.path.join(a.golden, name) for name in ("make_models.py", "check.py"))
    listed = run(sys.executable, make, "--list")
    if listed.returncode:
        sys.exit(f"{make} lists no cases: {last_line(listed)}")
    names = a.only or [line.split()[0] for line in listed.stdout.decode().splitlines() if line]
    print(f"seed {a.seed}", flush=True)
    random.Random(a.seed).shuffle(names)
    root = tempfile.mkdtemp(prefix="madang-shapes-")
    passed = failed = refused = drawn = 0
    while passed + failed < a.count and refused < a.count:
        name, seed = names[drawn % len(names)], a.seed * 1000 + drawn  # a case comes back with another seed
        drawn += 1
        folder = os.path.join(root, str(seed))
        made = run(sys.executable, make, "--out", folder, "--only", name, "--random-shapes", str(seed))
        if made.returncode:
            refused += 1
            lines = made.stdout.decode(errors="replace").splitlines()
            print(f"refused by the maker: {name}, shapes {seed}: {lines[0] if lines else last_line(made)}", flush=True)
        else:
            held = run(sys.executable, check, "--bin", a.madang, "models", folder)
            if held.returncode == 0:
                passed += 1
            else:
                failed += 1
                print(f"FAILED {name}, shapes {seed}, in {folder}\n{held.stdout.decode(errors='replace').strip()}", flush=True)
                continue
        shutil.rmtree(folder, ignore_errors=True)
    if not failed:
        shutil.rmtree(root, ignore_errors=True)
    print(f"{passed} passed, {failed} failed" + (f"; {refused} refused by the maker" if refused else ""), flush=True)
    sys.exit(failed > 0 or passed < a.count)


if __name__ == "__main__":
    main()
