"""A small asynchronous client for servers that speak OpenAI's API: streams one chat and notes when tokens came.

Plain asyncio, no library between the clock and the socket. Used by serve_load.py and serve_soak.py.
"""
import asyncio
import dataclasses
import json
import time


@dataclasses.dataclass
class Told:
    text: str = ""
    first: float = 0.0  # seconds until the first token
    seconds: float = 0.0
    prompt_tokens: int = 0
    answer_tokens: int = 0
    status: int = 0
    gaps: list = dataclasses.field(default_factory=list)  # seconds between pieces
    error: str = ""


async def send(writer, method, path, body=None, key=None, keep=False):
    payload = b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(payload)}",
             "Content-Type: application/json", f"Connection: {'keep-alive' if keep else 'close'}"]
    if key:
        lines.append(f"Authorization: Bearer {key}")
    writer.write("\r\n".join(lines).encode() + b"\r\n\r\n" + payload)
    await writer.drain()


async def read_head(reader):
    head = await reader.readuntil(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:] if ": " in line)
    return int(lines[0].split()[1]), headers


async def read_body(reader, headers):
    """The body's pieces as they come, whatever their framing."""
    if headers.get("transfer-encoding") == "chunked":
        while size := int(await reader.readline(), 16):
            yield await reader.readexactly(size)
            await reader.readline()
        await reader.readline()
    elif "content-length" in headers:
        yield await reader.readexactly(int(headers["content-length"]))
    else:
        while piece := await reader.read(65536):
            yield piece


async def chat(port, body, key=None):
    """One streamed chat completion."""
    told = Told()
    begin = last = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)
    try:
        await send(writer, "POST", "/v1/chat/completions",
                   {**body, "stream": True, "stream_options": {"include_usage": True}}, key)
        told.status, headers = await read_head(reader)
        buffered = b""
        async for piece in read_body(reader, headers):
            if told.status != 200:
                told.error += piece.decode("utf-8", "replace")
                continue
            buffered += piece
            while b"\n\n" in buffered:
                event, buffered = buffered.split(b"\n\n", 1)
                data = event.removeprefix(b"data: ")
                if not data.startswith(b"{"):
                    continue
                chunk = json.loads(data)
                if "error" in chunk:
                    told.error = json.dumps(chunk)
                if usage := chunk.get("usage"):
                    told.prompt_tokens, told.answer_tokens = usage["prompt_tokens"], usage["completion_tokens"]
                for choice in chunk.get("choices", []):
                    if content := choice["delta"].get("content"):
                        now = time.perf_counter()
                        if not told.text:
                            told.first = now - begin
                        else:
                            told.gaps.append(now - last)
                        last = now
                        told.text += content
    except (OSError, asyncio.IncompleteReadError, ValueError) as fault:
        told.error = repr(fault)
    finally:
        writer.close()
    told.seconds = time.perf_counter() - begin
    return told


async def get(port, path, key=None):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        await send(writer, "GET", path, key=key)
        status, headers = await read_head(reader)
        return status, b"".join([piece async for piece in read_body(reader, headers)])
    finally:
        writer.close()
