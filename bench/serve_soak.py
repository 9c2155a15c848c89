#!/usr/bin/env python3
"""Many idle keep-alive connections and many active streams, for minutes: memory, errors, file handles.

Prints the server's resident memory every ten seconds; exit 1 if an answer failed, an idle connection was lost, or
memory grew after the first minute.
Usage: serve_soak.py MODEL.gguf [--madang build/madang] [--idle 1000] [--active 64] [--seconds 300]
"""
import argparse
import asyncio
import pathlib
import random
import time

import serve_http
from serve_load import Server, text


def resident_mb(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0


async def idle(port, opened):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    opened.append((reader, writer))
    await serve_http.send(writer, "GET", "/health", keep=True)
    status, headers = await serve_http.read_head(reader)
    async for _ in serve_http.read_body(reader, headers):
        pass
    assert status == 200


async def active(port, number, until, tally):
    draw = random.Random(number)
    while time.perf_counter() < until:
        told = await serve_http.chat(port, {
            "model": "model", "max_tokens": draw.randrange(8, 64), "temperature": 1,
            "messages": [{"role": "user", "content": text(draw.random(), draw.randrange(5, 60))}]})
        tally["answers"] += 1
        tally["tokens"] += told.answer_tokens
        if told.error or told.status != 200:
            tally["errors"] += 1
            print(f"  {told.status} {told.error[:200]}")


async def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--madang", default="build/madang")
    parser.add_argument("--idle", type=int, default=1000)
    parser.add_argument("--active", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=300)
    asked = parser.parse_args()
    server = Server("madang", f"{asked.madang} serve model={asked.model} --port {{port}} --threads 2")
    opened, tally, memory = [], {"answers": 0, "tokens": 0, "errors": 0}, []
    try:
        await server.ready()
        for _ in range(asked.idle):
            await idle(server.port, opened)
        begin = time.perf_counter()
        until = begin + asked.seconds
        streams = [asyncio.create_task(active(server.port, i, until, tally)) for i in range(asked.active)]
        while time.perf_counter() < until:
            await asyncio.sleep(10)
            memory.append((time.perf_counter() - begin, resident_mb(server.process.pid)))
            handles = len(list(pathlib.Path(f"/proc/{server.process.pid}/fd").iterdir()))
            print(f"{memory[-1][0]:5.0f} s  {memory[-1][1]:7.1f} MB  {handles} file handles  {tally}", flush=True)
        await asyncio.gather(*streams)
        lost = sum(reader.at_eof() for reader, _ in opened)
        settled = [mb for seconds, mb in memory if seconds >= 60]
        growth = max(settled) - settled[0] if settled else 0
        print(f"{tally['answers']} answers, {tally['errors']} errors, {lost} of {asked.idle} idle connections lost, "
              f"memory after the first minute {growth:+.1f} MB at most")
        return 1 if tally["errors"] or lost or growth > 0.01 * settled[0] else 0
    finally:
        server.process.terminate()
        server.process.wait()


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main()))
