#!/usr/bin/env python3
"""The same request gives the same bytes: alone, under a load of 32 others, streamed or not, cold and warm.

Usage: same_bytes.py URL MODEL KEY [REQUESTS]      (standard library only)
"""
import concurrent.futures
import http.client
import json
import random
import sys
import threading
import urllib.parse

WORDS = "마당 꽃 비 바람 house river stone winter bread 편지 음악 섬 candle forest 부엌 다리 여름 mirror 의사 마을".split()


def body_of(seed):
    draw = random.Random(seed)
    text = " ".join(draw.choice(WORDS) for _ in range(draw.randrange(3, 120)))
    return {"messages": [{"role": "user", "content": text}], "seed": seed, "max_tokens": draw.randrange(8, 40),
            "temperature": draw.choice([0, 0.7, 1.2]), "n": draw.choice([1, 1, 2])}


class Asker:
    def __init__(self, url, model, key):
        self.host, self.model, self.key = urllib.parse.urlsplit(url).netloc, model, key

    def ask(self, body, stream):
        connection = http.client.HTTPConnection(self.host, timeout=600)
        connection.request("POST", "/v1/chat/completions", json.dumps({"model": self.model, **body, "stream": stream}),
                           {"Content-Type": "application/json", "Authorization": f"Bearer {self.key}"})
        answer = connection.getresponse()
        raw = answer.read().decode("utf-8")
        connection.close()
        if answer.status != 200:
            raise SystemExit(f"{answer.status}: {raw[:500]}")
        texts = {}
        if stream:
            for line in raw.split("\n\n"):
                if line.startswith("data: {"):
                    for choice in json.loads(line[6:])["choices"]:
                        texts[choice["index"]] = texts.get(choice["index"], "") + (choice["delta"].get("content") or "")
        else:
            for choice in json.loads(raw)["choices"]:
                texts[choice["index"]] = choice["message"]["content"]
        return texts


def main(url, model, key, requests="24"):
    asker = Asker(url, model, key)
    bodies = [body_of(1000 + i) for i in range(int(requests))]
    alone = [asker.ask(body, stream=False) for body in bodies]
    faults = 0

    def hold(kind, body, expected, got):
        nonlocal faults
        if got != expected:
            faults += 1
            print(f"{kind}: seed {body['seed']}: {expected} became {got}")

    for body, expected in zip(bodies, alone):
        hold("warm, streamed", body, expected, asker.ask(body, stream=True))
    done = threading.Event()

    def company(number):
        draw = random.Random(number)
        while not done.is_set():
            asker.ask(body_of(draw.randrange(1 << 30)), stream=draw.random() < 0.5)

    with concurrent.futures.ThreadPoolExecutor(40) as pool:
        others = [pool.submit(company, i) for i in range(32)]
        try:
            for stream in (False, True):
                results = list(pool.map(lambda body: asker.ask(body, stream), bodies))
                for body, expected, got in zip(bodies, alone, results):
                    hold(f"under load, {'streamed' if stream else 'whole'}", body, expected, got)
        finally:
            done.set()
        for other in others:
            other.result()
    print(f"{len(bodies)} requests, each alone, warm, and twice beside 32 others: {faults} differ")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
