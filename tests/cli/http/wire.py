"""A server to test and raw HTTP/1.1 over sockets: tests see the bytes and the chunks as they come."""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time


def need_http2():
    """Skips the test where Python's h2 is not installed."""
    try:
        import http2_wire  # noqa: F401
    except ImportError as missing:
        print(f"skipped: {missing}")
        sys.exit(77)


class Server:
    """`ready`: tells whether the server answers, where a plain request does not."""

    def __init__(self, millrace, *options, listen=None, ready=None, directory=None):
        self.millrace, self.options, self.listen, self.ready = millrace, options, listen or "127.0.0.1:{}", ready
        self.kept = directory is not None
        self.directory = directory or tempfile.mkdtemp()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.start()

    def start(self):
        with open(self.directory + "/log", "ab") as log:
            self.process = subprocess.Popen(
                [self.millrace, "server", "--data", self.directory + "/data", "--listen", self.listen.format(self.port), *self.options],
                stdout=subprocess.DEVNULL, stderr=log)
        deadline = time.time() + 30
        while time.time() < deadline:
            try:
                if self.ready(self.port) if self.ready else b"RUNNING" in request(self.port, "GET", "/info").body:
                    return
            except OSError:
                time.sleep(0.02)
            if self.process.poll() is not None:
                break
        raise RuntimeError("the server did not start: " + self.log())

    def log(self):
        with open(self.directory + "/log") as log:
            return log.read()

    def stop(self, sig=signal.SIGTERM):
        self.process.send_signal(sig)
        return self.process.wait(30)

    def close(self):
        if self.process.poll() is None:
            self.stop()
        if not self.kept:
            shutil.rmtree(self.directory)

    def finish(self):
        """Ends a server that should still be there."""
        if self.process.poll() is not None:
            print(f"the server died ({self.process.returncode}):", self.log()[-2000:])
        self.close()

    def ksql(self, text, **more):
        return request(self.port, "POST", "/ksql", {"ksql": text, **more})

    def run(self, text, **more):
        """What statements that succeed answer."""
        answer = self.ksql(text, **more)
        assert answer.status == 200, answer.body
        return answer.json()


class Answer:
    """Status, headers (names in lower case), body; `chunks` when it was sent in chunks."""

    def __init__(self, stream):
        line = stream.readline()
        if not line:
            raise ConnectionError("closed without an answer")
        self.status = int(line.split()[1])
        self.headers = {}
        while (line := stream.readline().rstrip(b"\r\n")):
            name, value = line.decode().split(":", 1)
            self.headers[name.lower()] = value.strip()
        self.stream, self.chunks, self.complete = stream, None, False
        self.whole = None
        if self.headers.get("transfer-encoding") == "chunked":
            self.chunks = []
        else:
            self.whole = stream.read(int(self.headers.get("content-length", 0)))
            self.complete = True

    @property
    def body(self):
        """What has come so far."""
        return b"".join(self.chunks) if self.whole is None else self.whole

    def chunk(self):
        """The next chunk; empty at the end."""
        size = int(self.stream.readline(), 16)
        data = self.stream.read(size)
        assert self.stream.readline() == b"\r\n"
        if size == 0:
            self.complete = True
        else:
            self.chunks.append(data)
        return data

    def rest(self):
        while not self.complete:
            self.chunk()
        return self

    def json(self):
        return json.loads(self.body)


def message(method, path, body=b"", headers=()):
    if not isinstance(body, bytes):
        body = (body if isinstance(body, str) else json.dumps(body)).encode()
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
    return (head + "".join(f"{n}: {v}\r\n" for n, v in headers) + "\r\n").encode() + body


class Connection:
    def __init__(self, port, timeout=20):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.stream = self.socket.makefile("rb")

    def send(self, data):
        self.socket.sendall(data)
        return self

    def answer(self):
        return Answer(self.stream)

    def close(self):
        self.stream.close()
        self.socket.close()


def request(port, method, path, body=b"", headers=(), wait=True):
    """One request on a connection of its own. `wait` false: chunks are left to the caller, who closes `.connection`."""
    connection = Connection(port).send(message(method, path, body, headers))
    answer = connection.answer()
    answer.connection = connection
    if wait:
        answer.rest()
        connection.close()
    return answer
