"""A reverse proxy that passes every request on as it is and writes down what came back, one JSON line per exchange.

So that all clients, whatever their language and HTTP library, can be held to the same published description.
Refuses: nothing; what the server does wrong is passed on wrong.
"""
import http.client
import http.server
import json
import threading

HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "proxy-connection"}


class Recorder(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, upstream_port, tape_path):
        super().__init__(("127.0.0.1", 0), Handler)
        self.upstream_port = upstream_port
        self.tape = open(tape_path, "a", encoding="utf-8")
        self.lock = threading.Lock()

    @property
    def port(self):
        return self.server_address[1]

    def record(self, entry):
        with self.lock:
            self.tape.write(json.dumps(entry, ensure_ascii=False) + "\n")
            self.tape.flush()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def body(self):
        length = self.headers.get("content-length")
        if length is not None:
            return self.rfile.read(int(length))
        pieces = []
        if "chunked" in self.headers.get("transfer-encoding", ""):
            while size := int(self.rfile.readline().split(b";")[0], 16):
                pieces.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
        return b"".join(pieces)

    def exchange(self):
        sent = self.body()
        upstream = http.client.HTTPConnection("127.0.0.1", self.server.upstream_port, timeout=600)
        headers = {k: v for k, v in self.headers.items() if k.lower() not in HOP_BY_HOP | {"content-length", "host"}}
        headers["Host"] = f"127.0.0.1:{self.server.upstream_port}"
        upstream.request(self.command, self.path, body=sent or None, headers=headers)
        answer = upstream.getresponse()
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in HOP_BY_HOP:
                self.send_header(name, value)
        chunked = answer.getheader("content-length") is None and answer.status not in (204, 304)
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        got = []
        try:
            while piece := answer.read1(65536):
                got.append(piece)
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if chunked else piece)
                self.wfile.flush()
            if chunked:
                self.wfile.write(b"0\r\n\r\n")
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True  # the client stopped reading; what came so far is on the tape
        finally:
            upstream.close()
        self.server.record({
            "method": self.command, "path": self.path, "status": answer.status,
            "type": answer.getheader("content-type", ""),
            "sent": sent.decode("utf-8", "replace")[:100_000],
            "got": b"".join(got).decode("utf-8", "surrogateescape").encode("utf-8", "replace").decode("utf-8"),
        })

    do_GET = do_POST = do_DELETE = do_PUT = do_OPTIONS = exchange
