#!/usr/bin/env python3
"""What every format costs in quality: bits per weight against KL divergence, as a table and a drawing.

    bench/quality.py MODEL --madang build/madang --text TEXT --calibration OTHER-TEXT
                     [--tokens 2048] [--json quality.json] [--docs docs] [--only NAME ...] [--threads 2]

MODEL is a small Llama that madang opens (smollm2-135m-instruct). Its weights are first decoded to float32 and written
as another checkpoint of the same function, on which formats can be compared:
  - Every width becomes a multiple of 256, as the widths of larger models are: channels and heads of zeros are added
    behind (norms are rescaled for the mean over more channels). 576 channels hold no whole block of a k-quant.
  - Channels are shuffled. Published GGUF weights lie on the grid of their own format, block by block; left in place, a
    format of the same grid would seem to lose nothing.
It is checked against MODEL before anything else. Then it is quantized to every type that `madang quantize` knows, and to
each block format without a type, with and without an importance matrix of the calibration text, and each file is held
against the float32 checkpoint by `madang perplexity --kl` on the first tokens of the text. Fast computing against exact
follows for every file, and each --kv-type.

Results are kept in --json as they come; a run that was stopped goes on from there. Needs Python 3.9 and numpy.
"""
import argparse
import json
import math
import os
import re
import subprocess
import sys
import tempfile
import textwrap

import numpy as np

from charts import Chart, document, powers_of_ten
from checkpoints import as_float32, read_float32, write_folder

BLOCK = 256
NO_TYPE = ["MXFP4", "NVFP4", "Q2_0", "Q1_0"]  # block formats that no type is named after, or not for all matrices
KV_TYPES = ["f16", "bf16", "q8"]


# ---- the checkpoint

def whole(n):
    return -(-n // BLOCK) * BLOCK


class WholeBlocks:
    """A Llama's tensors with widths of whole blocks and shuffled channels; the same function."""

    def __init__(self, config, seed=1):
        self.config, self.random = config, np.random.default_rng(seed)
        self.width, self.heads, self.kv_heads = (config[k] for k in ("hidden_size", "num_attention_heads", "num_key_value_heads"))
        self.head = config.get("head_dim") or self.width // self.heads
        group = self.heads // self.kv_heads
        self.new_width = whole(self.width)
        self.new_heads = self.heads
        while self.new_heads % group or self.new_heads * self.head % BLOCK:
            self.new_heads += 1
        self.new_kv_heads = self.new_heads // group
        self.channels = self.random.permutation(self.width)

    def placed(self, t, rows, columns):
        """Into the upper left of a matrix of zeros."""
        out = np.zeros((rows, columns), np.float32)
        out[:t.shape[0], :t.shape[1]] = t
        return out

    def norm(self, t):
        out = np.zeros(self.new_width, np.float32)
        out[:self.width] = t[self.channels] * math.sqrt(self.width / self.new_width)
        return out

    def layer(self, t):
        names = [k for k in t if k.endswith("proj.weight")]
        short = {k.split(".")[-2]: k for k in names}
        new = dict(t)
        inner = t[short["up_proj"]].shape[0]
        order = self.random.permutation(inner)
        inside = self.random.permutation(self.head)  # of values within a head
        values = (np.arange(self.kv_heads)[:, None] * self.head + inside).ravel()
        outputs = (np.arange(self.heads)[:, None] * self.head + inside).ravel()
        q, kv = self.new_heads * self.head, self.new_kv_heads * self.head
        in_channels = {"q_proj": (slice(None), q), "k_proj": (slice(None), kv), "v_proj": (values, kv),
                       "gate_proj": (order, whole(inner)), "up_proj": (order, whole(inner))}
        for name, (rows, n) in in_channels.items():
            new[short[name]] = self.placed(t[short[name]][rows][:, self.channels], n, self.new_width)
        for name, (columns, n) in {"o_proj": (outputs, q), "down_proj": (order, whole(inner))}.items():
            new[short[name]] = self.placed(t[short[name]][self.channels][:, columns], self.new_width, n)
        return new

    def tensors(self, old):
        new, layers = {}, {}
        for name, t in old.items():
            found = re.match(r"model\.layers\.(\d+)\.", name)
            if found:
                layers.setdefault(int(found.group(1)), {})[name] = t
            elif t.ndim == 2:  # embedding and head
                new[name] = self.placed(t[:, self.channels], t.shape[0], self.new_width)
            else:
                new[name] = self.norm(t)
        for _, t in sorted(layers.items()):
            new.update({k: self.norm(v) if v.ndim == 1 else v for k, v in self.layer(t).items()})
        return new

    def new_config(self):
        inner = whole(self.config["intermediate_size"])
        return self.config | {"hidden_size": self.new_width, "num_attention_heads": self.new_heads, "head_dim": self.head,
                              "num_key_value_heads": self.new_kv_heads, "intermediate_size": inner,
                              "rms_norm_eps": self.config["rms_norm_eps"] * self.width / self.new_width}


# ---- runs

class Bench:
    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.done = {}
        if options.json and os.path.exists(options.json):
            with open(options.json, encoding="utf-8") as f:
                self.done = json.load(f)

    def call(self, *words):
        done = subprocess.run([self.options.madang, *map(str, words)], capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"madang {' '.join(map(str, words))}: exit {done.returncode}\n{done.stderr[-2000:]}")
        return done.stdout

    def path(self, name):
        return os.path.join(self.folder, name)

    def once(self, name, work):
        """The result of `work`, from an earlier run if there is one."""
        if name not in self.done:
            print(name, file=sys.stderr, flush=True)
            self.done[name] = work()
            if self.options.json:
                with open(self.options.json, "w", encoding="utf-8") as f:
                    json.dump(self.done, f, indent=1)
        return self.done[name]

    def divergence(self, model, base, *more):
        o = self.options
        return json.loads(self.call("perplexity", model, "--kl", base, "-f", o.text, "--tokens", o.tokens, "--json",
                                    "--threads", o.threads, *more))

    def prepare(self):
        plain, base = self.path("plain"), self.path("base")
        if not os.path.exists(base):
            self.call("convert", self.options.model, plain, "--type", "f32", "--force")
            with open(os.path.join(plain, "config.json"), encoding="utf-8") as f:
                config = json.load(f)
            if config.get("model_type") != "llama":
                raise SystemExit(f"{self.options.model} is a {config.get('model_type')}; only Llamas are taken")
            made = WholeBlocks(config)
            tensors = made.tensors(read_float32(os.path.join(plain, "model.safetensors")))
            write_folder(base + ".part", made.new_config(), as_float32(tensors))
            for name in os.listdir(plain):
                if name not in ("config.json", "model.safetensors"):
                    os.link(os.path.join(plain, name), os.path.join(base + ".part", name))
            os.rename(base + ".part", base)
        same = self.once("base", lambda: self.divergence(base, plain))
        if same["kl_divergence"]["mean"] > 1e-7:
            raise SystemExit(f"the checkpoint with whole blocks is another model: KL {same['kl_divergence']['mean']}")
        imatrix = self.path("imatrix.gguf")
        whole_file = self.path("base.gguf")
        if not os.path.exists(whole_file):
            self.call("convert", base, whole_file, "--type", "f32")
        if not os.path.exists(imatrix):
            self.call("imatrix", whole_file, "-f", self.options.calibration, "-o", imatrix, "--tokens",
                      self.options.calibration_tokens, "--threads", self.options.threads, "--compute", "fast")
        return whole_file, imatrix

    def file(self, base, name, imatrix):
        """A quantized file; (path, bits per weight)."""
        out = self.path("quantized.gguf")
        words = ["quantize", base, out, "--force", "--json", "--threads", self.options.threads]
        if name in NO_TYPE:
            words += ["--type", "Q8_0", "--tensor", f"blk.*.weight={name}"]
        else:
            words += ["--type", name]
        words += ["--imatrix", imatrix] if imatrix else ["--without-imatrix"]
        return out, json.loads(self.call(*words))["bits_per_weight"]

    def one(self, base, name, imatrix):
        out, bits = self.file(base, name, imatrix)
        result = {"bits": bits, "exact": self.divergence(out, base)}
        if not imatrix:
            result["fast"] = self.divergence(out, out, "--compute", "fast")
        os.remove(out)
        return result

    def run(self):
        base, imatrix = self.prepare()
        types = [line.split()[0] for line in self.call("quantize", "--types").splitlines() if line.strip()]
        names = [n for n in types if n not in ("F32", "MXFP4")] + NO_TYPE
        for name in names:
            if self.options.only and name not in self.options.only:
                continue
            self.once(name, lambda: self.one(base, name, None))
            if self.done[name]["bits"] < 8:
                self.once(name + " imatrix", lambda: self.one(base, name, imatrix))
        for kv in KV_TYPES:
            self.once("kv " + kv, lambda: self.divergence(base, base, "--kv-type", kv))
        return names


# ---- what is told

PAGES = {"quality.md": """# What every format costs

A smaller file answers a little differently. How differently is measured here by the KL divergence: how far, in nats a
token, the probabilities of the next token lie from those of the unquantized weights. Below 0.001 nobody will tell the
two apart; at 0.01 the likeliest token changes now and then; at 0.1 the model has become another, weaker one.

![Bits per weight against KL divergence](quality.svg)

*type*: as `madang quantize --type` takes it; a recipe that gives more bits to the tensors that matter most, except for
MXFP4, NVFP4, Q2_0 and Q1_0, which are block formats alone, for all matrices of all layers (`--tensor`). *With imatrix*:
with an importance matrix of another text. *Fast against exact*: what `--compute fast` adds on the same file, with keys
and values in float32. ±: standard error of the mean over tokens.

{table}
{missing}
How it was measured, by `bench/quality.py`, which writes this page:

- The model is SmolLM2 135M Instruct, the text the first {tokens} tokens of {text}, in windows of 512; the
  importance matrix comes from {calibration_tokens} tokens of {calibration}.
- Its published weights are 4-bit and its rows 576 wide. So that formats can be compared at all, the weights are decoded
  and written as another checkpoint of the same function (the divergence between both is below 10⁻⁷): channels
  shuffled, so that no format finds its own grid in them again, and channels of zeros added up to whole blocks of 256.
- A model of 135 million parameters feels every bit. Larger ones lose far less to the same format: take the order of the
  rows from here, not the values.
- Below four bits an importance matrix decides: without one, what IQ2 leaves of this model no longer speaks.
- Types for models trained with three values a weight (TQ1_0, TQ2_0) and of one or two bits (Q1_0, Q2_0) are no use to
  a model that was not trained so.
""", "quality.ko.md": """# 형식마다 무엇을 잃는가

파일이 작아지면 답이 조금 달라집니다. 얼마나 달라지는지를 여기서는 KL 발산으로 잽니다. 다음 토큰의 확률이 양자화하지 않은
가중치의 확률에서 토큰마다 몇 nat 떨어져 있는지를 나타내는 값입니다. 0.001보다 작으면 둘을 구별할 사람이 없고, 0.01이면 가장
그럴듯한 토큰이 가끔 바뀌며, 0.1이면 더 약한 다른 모델이 된 것입니다.

![가중치당 비트 수와 KL 발산](quality.svg)

*type*: `madang quantize --type`이 받는 이름입니다. 가장 중요한 텐서에 비트를 더 주는 처방이며, MXFP4, NVFP4, Q2_0, Q1_0만 블록
형식 하나를 모든 층의 모든 행렬에 씁니다(`--tensor`). *KL with imatrix*: 다른 글에서 얻은 중요도 행렬을 썼을 때입니다.
*fast against exact*: 같은 파일에서 `--compute fast`가 더하는 몫으로, 키와 값은 float32입니다. ±: 토큰에 대한 평균의 표준오차입니다.

{table}
{missing}
어떻게 쟀는가(이 쪽은 `bench/quality.py`가 씁니다):

- 모델은 SmolLM2 135M Instruct, 글은 {text}의 처음 {tokens} 토큰을 512씩 나눈 것이고, 중요도 행렬은 {calibration}의
  {calibration_tokens} 토큰에서 얻었습니다.
- 공개된 가중치는 4비트이고 행의 너비는 576입니다. 형식을 서로 비교할 수 있도록 가중치를 풀어 같은 함수의 다른 체크포인트로
  적었습니다(둘 사이의 발산은 10⁻⁷보다 작습니다). 채널을 섞어 어느 형식도 제 격자를 다시 만나지 못하게 하고, 0인 채널을 더해
  너비를 256의 배수로 맞췄습니다.
- 매개변수가 1억 3500만 개인 모델은 비트 하나하나에 민감합니다. 더 큰 모델은 같은 형식에서 훨씬 적게 잃습니다. 여기서는 값이
  아니라 순서를 보십시오.
- 4비트 아래에서는 중요도 행렬이 좌우합니다. 없이 IQ2로 줄인 이 모델은 더는 말을 하지 못합니다.
- 가중치마다 세 값으로 훈련한 모델을 위한 형식(TQ1_0, TQ2_0)과 1~2비트 형식(Q1_0, Q2_0)은 그렇게 훈련하지 않은 모델에는
  쓸모가 없습니다.
"""}


NOT_MEASURED = {"quality.md": "Not measured", "quality.ko.md": "재지 않은 형식"}


def number(x):
    return f"{x:.2g}" if 0 < x < 0.001 else f"{x:.4f}"


def kl(d):
    return f"{number(d['kl_divergence']['mean'])} ± {number(d['kl_divergence']['standard_error'])}"


def table(done, names):
    rows = ["| type | bits per weight | KL divergence | perplexity ratio | same top token | KL with imatrix | fast against exact |",
            "|---|---:|---:|---:|---:|---:|---:|"]
    for name in sorted((n for n in names if n in done), key=lambda n: -done[n]["bits"]):
        d, e, w = done[name], done[name]["exact"], done.get(name + " imatrix")
        rows.append(f"| {name} | {d['bits']:.2f} | {kl(e)} | {math.exp(e['log_ratio']['mean']):.4f} | "
                    f"{100 * e['same_top_token']['mean']:.1f} % | {kl(w['exact']) if w else ''} | {kl(d['fast'])} |")
    rows += ["", "| keys and values | KL divergence | same top token |", "|---|---:|---:|"]
    rows += [f"| {kv} | {kl(done['kv ' + kv])} | {100 * done['kv ' + kv]['same_top_token']['mean']:.2f} % |" for kv in KV_TYPES]
    return "\n".join(rows)


class Drawing:
    """Bits per weight against KL divergence: points are (name, bits, divergence, with an imatrix)."""
    size, margins = (860, 560), (70, 20, 20, 50)
    families = [("Q8_0|F16|BF16", "#777777", "plain"), (r"Q\d_[01]", "#c2553d", "Q*_0, Q*_1"), (r"Q\d_K.*", "#1f6fb2", "k-quants"),
                (r"IQ.*", "#2f8f5b", "IQ"), (r"TQ.*|.*FP4", "#8a5fb0", "TQ, float4")]

    def __init__(self, points):
        self.points, self.most = points, max(p[1] for p in points) + 0.5
        self.chart = Chart(self.size, self.margins, (1, self.most), powers_of_ten([p[2] for p in points]), even=True)

    def colour(self, name):
        return next((c for pattern, c, _ in self.families if re.fullmatch(pattern, name)), "#000")

    def marks(self):
        taken, names = [], []
        for name, bits, value, important in sorted(self.points, key=lambda p: p[2]):
            x, y, colour = self.chart.x(bits), self.chart.y(value), self.colour(name)
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour if important else "none"}" stroke="{colour}"/>'
            taken.append((x - 5, y - 5, x + 5, y + 5))
            if not important:
                names.append((name, x, y, colour))
        for name, x, y, colour in names:
            left, base = self.place(x, y, 6.4 * len(name), taken)
            yield f'<text x="{left:.1f}" y="{base:.1f}" class="name" fill="{colour}">{name}</text>'

    @staticmethod
    def place(x, y, width, taken):
        """Where a name stands beside its mark without touching what is there: the nearest place that is free."""
        spots = [(x + 7 if side > 0 else x - 7 - width, y + 4 + away * turn)
                 for away in range(0, 200, 3) for side in (1, -1) for turn in (-1, 1)]
        for left, base in spots:
            box = (left, base - 9, left + width, base + 1)
            if not any(box[0] < t[2] and t[0] < box[2] and box[1] < t[3] and t[1] < box[3] for t in taken):
                break
        taken.append(box)
        return left, base

    def legend(self):
        left, y = self.size[0] - 160, self.chart.top + 20
        for _, colour, text in self.families:
            yield f'<text x="{left}" y="{y}" fill="{colour}">{text}</text>'
            y += 17
        for fill, text in (("none", "as it is"), ("#333", "with an imatrix")):
            yield f'<circle cx="{left + 5}" cy="{y - 4}" r="4" fill="{fill}" stroke="#333"/><text x="{left + 15}" y="{y}">{text}</text>'
            y += 17

    def svg(self, title):
        style = ".name{font-size:10px}" + "".join(f'[fill="{c}"]{{fill:{c}}}' for _, c, _ in self.families)
        grid = self.chart.grid(range(1, int(self.most) + 1), "bits per weight", "KL divergence, nats a token")
        return document(title, self.size, [*grid, *self.marks(), *self.legend()], style)


def write_docs(options, done, names):
    points = [(n, done[n + more]["bits"], done[n + more]["exact"]["kl_divergence"]["mean"], bool(more))
              for n in names for more in ("", " imatrix") if n + more in done]
    with open(os.path.join(options.docs, "quality.svg"), "w", encoding="utf-8") as f:
        f.write(Drawing([p for p in points if p[1] < 10]).svg("What every format of fewer than ten bits costs"))
    o = options
    for name, page in PAGES.items():
        with open(os.path.join(o.docs, name), "w", encoding="utf-8") as f:
            left_out = [n for n in names if n not in done]
            missing = textwrap.fill(f"{NOT_MEASURED[name]}: {', '.join(left_out)}.", 120) if left_out else ""
            f.write(page.format(table=table(done, names), missing=missing and f"\n{missing}\n", tokens=o.tokens,
                                text=os.path.basename(o.text), calibration_tokens=o.calibration_tokens,
                                calibration=os.path.basename(o.calibration)))


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("model")
    ap.add_argument("--madang", default="build/madang")
    ap.add_argument("--text", required=True)
    ap.add_argument("--calibration", required=True)
    ap.add_argument("--tokens", type=int, default=2048)
    ap.add_argument("--calibration-tokens", type=int, default=16384)
    ap.add_argument("--threads", type=int, default=os.cpu_count())
    ap.add_argument("--only", nargs="+", help="these types alone")
    ap.add_argument("--json", help="where results are kept")
    ap.add_argument("--docs", help="a folder for quality.svg, quality.md and quality.ko.md")
    ap.add_argument("--work", help="a folder for the checkpoints (else a temporary one)")
    options = ap.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.work or temporary
        os.makedirs(folder, exist_ok=True)
        bench = Bench(options, folder)
        names = bench.run()
        print(table(bench.done, names))
        if options.docs:
            write_docs(options, bench.done, names)


if __name__ == "__main__":
    main()
