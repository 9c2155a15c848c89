#!/usr/bin/env python3
"""Korean answers keep their syllables: 500 answers, each streamed and whole, are equal, and none holds U+FFFD.

Reads of random sizes stand for the network's borders, so that characters are cut anywhere.
Usage: korean.py URL MODEL KEY [ANSWERS]      (standard library only; a model that writes Korean, without a template)
"""
import concurrent.futures
import http.client
import json
import random
import sys
import urllib.parse

BEGINNINGS = ["옛날 옛적에", "대한민국의 수도는", "오늘 아침에 나는", "김치를 담그는 방법은", "마당에 눈이 내리면",
              "우리 할머니께서는", "컴퓨터가 처음으로", "봄이 오면 산과 들에"]


def ask(host, model, key, seed, stream):
    body = {"model": model, "prompt": BEGINNINGS[seed % len(BEGINNINGS)], "max_tokens": 24, "temperature": 0.8,
            "top_p": 0.9, "seed": seed, "stream": stream}
    connection = http.client.HTTPConnection(host, timeout=600)
    connection.request("POST", "/v1/completions", json.dumps(body),
                       {"Content-Type": "application/json", "Authorization": f"Bearer {key}"})
    answer = connection.getresponse()
    draw, pieces = random.Random(seed), []
    while piece := answer.read(draw.randrange(1, 40)):
        pieces.append(piece)
    raw = b"".join(pieces).decode("utf-8")  # strict: broken UTF-8 is a fault
    if answer.status != 200:
        raise SystemExit(f"{answer.status}: {raw[:300]}")
    if not stream:
        return json.loads(raw)["choices"][0]["text"]
    events = [json.loads(line[6:]) for line in raw.split("\n\n") if line.startswith("data: {")]
    return "".join(choice["text"] for event in events for choice in event["choices"])


def main(url, model, key, answers="500"):
    host = urllib.parse.urlsplit(url).netloc
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        whole = list(pool.map(lambda seed: ask(host, model, key, seed, False), range(int(answers))))
        streamed = list(pool.map(lambda seed: ask(host, model, key, seed, True), range(int(answers))))
    differ = sum(a != b for a, b in zip(whole, streamed))
    broken = [text for text in streamed if "\ufffd" in text]
    syllables = sum("가" <= c <= "힣" for text in streamed for c in text)
    for text in broken[:5]:
        print("broken:", repr(text))
    print(f"{len(whole)} answers, {syllables} syllables of Hangul: {differ} differ between streamed and whole, "
          f"{len(broken)} hold U+FFFD")
    return 1 if differ or broken or syllables < 10 * len(whole) else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
