#!/usr/bin/env python3
"""Parallel chats against madang serve and a rival's server, in alternation, on the same file.

1, 8 and 32 chats with prompts of about 280 tokens and answers of 64, and 16 that share a prefix of 1,500: all tokens
(in and out) a second, and the time to the first token at the median and at worst. Every round's prompts are new, so
that nothing comes from a cache but what the round itself shares.
Usage: serve_load.py MODEL.gguf --madang build/madang [--rival "llama-server -m {model} --port {port} ..."] [--rounds 3]
"""
import argparse
import asyncio
import random
import shlex
import socket
import statistics
import subprocess
import time

import serve_http

WORDS = ("yard house river stone paper morning winter bread garden letter window music harbor candle silver orange "
         "forest market wooden bridge kitchen island summer thunder pencil blanket mirror castle village doctor").split()


def text(seed, words):
    draw = random.Random(seed)
    return " ".join(draw.choice(WORDS) for _ in range(words))


def bodies(scenario, round_number):
    count, words, shared = scenario
    prefix = text(f"shared {round_number}", shared) if shared else ""
    return [{
        "model": "model", "max_tokens": 64, "temperature": 0,
        "logit_bias": {"2": -100},  # <|im_end|> of SmolLM2: every answer is 64 tokens long, on both sides
        "messages": [{"role": "user", "content": f"{prefix} {text(f'{round_number} {i}', words)}"}],
    } for i in range(count)]


SCENARIOS = {"1 chat": (1, 245, 0), "8 chats": (8, 245, 0), "32 chats": (32, 245, 0),
             "16 chats, shared prefix": (16, 20, 1460)}


class Server:
    def __init__(self, name, command):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.name = name
        self.process = subprocess.Popen(shlex.split(command.format(port=self.port)), stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)

    async def ready(self):
        for _ in range(600):
            try:
                if (await serve_http.get(self.port, "/health"))[0] == 200:
                    return
            except OSError:
                pass
            if self.process.poll() is not None:
                raise SystemExit(f"{self.name} ended with {self.process.returncode}")
            await asyncio.sleep(0.1)
        raise SystemExit(f"{self.name} does not answer")


async def measure(server, scenario, round_number):
    begin = time.perf_counter()
    told = await asyncio.gather(*(serve_http.chat(server.port, body) for body in bodies(scenario, round_number)))
    seconds = time.perf_counter() - begin
    for t in told:
        if t.error or t.answer_tokens != 64:
            print(f"  {server.name}: {t.status} {t.answer_tokens} tokens {t.error[:300]}")
    firsts = [t.first for t in told]
    return {"rate": sum(t.prompt_tokens + t.answer_tokens for t in told) / seconds,
            "median": statistics.median(firsts), "worst": max(firsts), "prompt": told[0].prompt_tokens}


async def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--madang", default="build/madang")
    parser.add_argument("--rival")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", default="")
    asked = parser.parse_args()
    servers = [Server("madang", f"{asked.madang} serve model={asked.model} --port {{port}} --threads 2")]
    if asked.rival:
        servers.append(Server("rival", asked.rival.replace("{model}", asked.model)))
    try:
        for server in servers:
            await server.ready()
            await measure(server, (1, 20, 0), "warm-up")
        for name, scenario in SCENARIOS.items():
            if asked.only not in name:
                continue
            results = {server.name: [] for server in servers}
            for round_number in range(asked.rounds):
                for server in servers:
                    results[server.name].append(await measure(server, scenario, round_number))
            middle = {who: {k: statistics.median(r[k] for r in rows) for k in rows[0]} for who, rows in results.items()}
            print(f"{name} ({middle['madang']['prompt']:.0f} prompt tokens each)")
            for who, m in middle.items():
                print(f"  {who:7} {m['rate']:7.1f} tokens/s   first token {m['median']:6.2f} s median {m['worst']:6.2f} s worst")
            if asked.rival and middle["rival"]["rate"] > 0 and middle["rival"]["median"] > 0:
                ours, theirs = middle["madang"], middle["rival"]
                print(f"  ratio   {ours['rate'] / theirs['rate']:7.2f} x          first token "
                      f"{ours['median'] / theirs['median']:6.2f} x        {ours['worst'] / theirs['worst']:6.2f} x", flush=True)
    finally:
        for server in servers:
            server.process.terminate()
            server.process.wait()


if __name__ == "__main__":
    asyncio.run(main())
