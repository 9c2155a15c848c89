#!/usr/bin/env python3
"""Random configurations of every architecture against Hugging Face transformers: the longer test of src/models.

    random_shapes.py MADANG GOLDEN [--count 200] [--seed N] [--only NAME ...]
    random_shapes.py --ready GOLDEN       only whether all that it needs is here

GOLDEN holds make_models.py, which draws a configuration of each of its cases, and of those that more_models.py here
adds, and asks transformers for logits, and check.py, which holds `madang logits --compute exact` against them by the rule of MODELS.md: whole, in pieces, token by
token and from the older style of config.json. Round after round all cases are drawn, each round with a seed of its own,
until --count configurations were held. One that the maker refuses to answer for, or that madang refuses by name, is told
as such and is neither passed nor failed. What fails is kept, and the folder is named. Not part of the normal tests.

Needs torch 2.13 and transformers 5.23, with which the reference answers were made. Another transformers gives other
answers where it has other faults: 5.24 ignores Mamba-2's cache when it is given back as past_key_values, which makes
case mamba2 fail or the maker refuse it.
"""
import argparse, importlib.metadata, os, random, re, shutil, subprocess, sys, tempfile

MADE_WITH = "5.23."


def need_packages():
    lacking = []
    for name in ("torch", "transformers", "safetensors", "numpy"):
        try:
            importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            lacking.append(name)
    if lacking:
        sys.exit(f"{sys.executable} has no {', '.join(lacking)}. Make a Python that has them, and name it:\n"
                 "  python3 -m venv shapes-python\n"
                 "  shapes-python/bin/pip install torch==2.13.0 'transformers==5.23.*' safetensors numpy\n"
                 "  PYTHON=shapes-python/bin/python ./go shapes")
    version = importlib.metadata.version("transformers")
    if not version.startswith(MADE_WITH):
        print(f"transformers {version}: the reference answers were made with {MADE_WITH}*; a failure may be its own",
              flush=True)


def need_makers(golden):
    paths = [os.path.join(golden, name) for name in ("make_models.py", "check.py")]
    for path in paths:
        if not os.path.isfile(path):
            sys.exit(f"{path} is not there. GOLDEN is a folder with make_models.py and check.py, which make madang's "
                     "reference answers and hold a binary against them; they lie beside the repository, not in it "
                     "(CONTRIBUTING.md, Tests).")
    return paths


class Tally:
    passed = failed = refused = unsupported = 0

    def text(self):
        parts = [f"{self.passed} passed, {self.failed} failed"]
        if self.unsupported:
            parts.append(f"{self.unsupported} refused by madang")
        if self.refused:
            parts.append(f"{self.refused} refused by the maker")
        return "; ".join(parts)


def draw_round(a, maker_command, check, names, seed, root, tally):
    """One configuration of each case in turn, as long as any are wanted. A process of the maker draws all of them:
    what it loads takes longer than a case."""
    folder = os.path.join(root, str(seed))
    maker = subprocess.Popen([*maker_command, "--out", folder, "--only", *names, "--random-shapes", str(seed)],
                             stdout=subprocess.PIPE, text=True, errors="replace")
    told = 0
    for line in maker.stdout:
        name, *rest = line.split() or [""]
        if name not in names:
            continue
        told += 1
        if rest[:1] == ["FAILED"]:
            tally.refused += 1
            print(f"refused by the maker: shapes {seed}, {line.strip()}", flush=True)
            continue
        where = os.path.join(folder, name)
        held = subprocess.run([sys.executable, check, "--bin", a.madang, "models", where],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
        if held.returncode == 0:
            tally.passed += 1
            shutil.rmtree(where, ignore_errors=True)
        elif re.search("exit [45]: ", held.stdout):  # Kind::format, Kind::unsupported
            tally.unsupported += 1
            print(f"refused by madang: {name}, shapes {seed}: {held.stdout.splitlines()[0]}", flush=True)
        else:
            tally.failed += 1
            print(f"FAILED {name}, shapes {seed}, in {where}\n{held.stdout.strip()}", flush=True)
        if tally.passed + tally.failed == a.count:
            maker.terminate()
            return
    if maker.wait() and told < len(names):
        sys.exit(f"{maker_command[-1]} stopped after {told} of {len(names)} cases, with exit status {maker.returncode}")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("madang", nargs="?"), p.add_argument("golden")
    p.add_argument("--ready", action="store_true")
    p.add_argument("--count", type=int, default=200)
    p.add_argument("--seed", type=int, default=int(os.environ.get("MADANG_SEED", random.SystemRandom().randrange(10**6))))
    p.add_argument("--only", nargs="*")
    a = p.parse_args()
    make, check = need_makers(a.golden)
    need_packages()
    if a.ready:
        return
    if not a.madang or not os.access(a.madang, os.X_OK):
        sys.exit(f"{a.madang} is no program; ./go build makes build/madang")
    maker = [sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), "more_models.py"), make]
    listed = subprocess.run([*maker, "--list"], stdout=subprocess.PIPE, text=True, check=True).stdout
    names = [line.split()[0] for line in listed.splitlines() if line]
    unknown = [name for name in a.only or [] if name not in names]
    if unknown:
        sys.exit(f"no case is called {', '.join(unknown)}; the cases: {', '.join(names)}")
    names = a.only or names
    print(f"seed {a.seed}", flush=True)
    random.Random(a.seed).shuffle(names)
    root = tempfile.mkdtemp(prefix="madang-shapes-")
    tally = Tally()
    rounds = 0
    while tally.passed + tally.failed < a.count and tally.refused + tally.unsupported < a.count:
        draw_round(a, maker, check, names, a.seed * 1000 + rounds, root, tally)  # a case comes back with another seed
        rounds += 1
    if not tally.failed:
        shutil.rmtree(root, ignore_errors=True)
    print(tally.text(), flush=True)
    sys.exit(tally.failed > 0 or tally.passed < a.count)


if __name__ == "__main__":
    main()
