"""HTTP/2 over a socket, frame by frame: a connection with python3-h2's encoder that also sends what no library would."""
import json
import socket
import struct
import time

import hpack

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED = 1, 1, 4, 8
NO_ERROR, PROTOCOL_ERROR, INTERNAL_ERROR, FLOW_CONTROL_ERROR, SETTINGS_TIMEOUT, STREAM_CLOSED, FRAME_SIZE_ERROR, \
    REFUSED_STREAM, CANCEL, COMPRESSION_ERROR, CONNECT_ERROR, ENHANCE_YOUR_CALM = range(12)


class Closed(Exception):
    pass


def frame(kind, flags, stream, payload=b"", length=None):
    return struct.pack(">I", len(payload) if length is None else length)[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


class Frame:
    def __init__(self, kind, flags, stream, payload):
        self.kind, self.flags, self.stream, self.payload = kind, flags, stream, payload

    def __repr__(self):
        return f"Frame({self.kind}, {self.flags}, {self.stream}, {self.payload[:60]!r})"

    @property
    def error(self):
        return struct.unpack(">I", self.payload[-4:] if self.kind == RST_STREAM else self.payload[4:8])[0]


class Connection:
    """`settings`: pairs sent with the preface. Windows are opened as data comes unless `windows` is false."""

    def __init__(self, port, settings=(), preface=PREFACE, windows=True, timeout=20, sock=None):
        self.socket = sock or socket.create_connection(("127.0.0.1", port), timeout)
        self.encoder, self.decoder = hpack.Encoder(), hpack.Decoder()
        self.windows, self.buffer, self.next, self.frames = windows, b"", 1, []
        if preface:
            self.send(preface + frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", *s) for s in settings)))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise Closed() from error
        return self

    def headers(self, method, path, more=(), authority="x", scheme="http"):
        return [(":method", method), (":scheme", scheme), (":path", path), (":authority", authority), *more]

    def block(self, fields):
        return self.encoder.encode(fields, huffman=False)

    def open(self, fields, end=True, stream=None, flags=END_HEADERS):
        stream = stream or self.next
        self.next = max(self.next, stream + 2)
        self.send(frame(HEADERS, flags | (END_STREAM if end else 0), stream, self.block(fields)))
        return stream

    def request(self, method, path, body=None, more=(), end=True):
        stream = self.open(self.headers(method, path, more), end=end and body is None)
        if body is not None:
            self.data(stream, body if isinstance(body, bytes) else json.dumps(body).encode(), end)
        return stream

    def data(self, stream, data, end=False):
        while len(data) > 16384:
            self.send(frame(DATA, 0, stream, data[:16384]))
            data = data[16384:]
        self.send(frame(DATA, END_STREAM if end else 0, stream, data))

    def read(self, timeout=None):
        """The next frame; Closed at the end, TimeoutError when none comes."""
        if timeout is not None:
            self.socket.settimeout(timeout)
        try:
            while len(self.buffer) < 9 or len(self.buffer) < 9 + int.from_bytes(self.buffer[:3], "big"):
                more = self.socket.recv(65536)
                if not more:
                    raise Closed()
                self.buffer += more
        except ConnectionError as error:
            raise Closed() from error
        size = int.from_bytes(self.buffer[:3], "big")
        kind, flags, stream = self.buffer[3], self.buffer[4], struct.unpack(">I", self.buffer[5:9])[0] & 0x7FFFFFFF
        got = Frame(kind, flags, stream, self.buffer[9:9 + size])
        self.buffer = self.buffer[9 + size:]
        if kind == SETTINGS and not flags & ACK:
            self.send(frame(SETTINGS, ACK, 0))
        if kind == HEADERS:
            got.headers = dict(self.decoder.decode(got.payload))
        if kind == DATA and size and self.windows:
            self.send(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", size)))
            if not flags & END_STREAM:
                self.send(frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", size)))
        return got

    def take(self, stream, kinds=(HEADERS, DATA, RST_STREAM), timeout=20):
        """The next frame of the stream; those of others are kept."""
        for i, kept in enumerate(self.frames):
            if kept.stream == stream and kept.kind in kinds:
                return self.frames.pop(i)
        deadline = time.time() + timeout
        while time.time() < deadline:
            got = self.read(max(0.01, deadline - time.time()))
            if got.stream == stream and got.kind in kinds:
                return got
            self.frames.append(got)
        raise TimeoutError()

    def answer(self, stream):
        head = self.take(stream)
        result = Answer(head)
        while not head.flags & END_STREAM and head.kind != RST_STREAM:
            head = self.take(stream)
            if head.kind == DATA and head.payload:
                result.pieces.append(head.payload)
        return result

    def ended_with(self, timeout=5):
        """How the server took it: the code of GOAWAY or of RST_STREAM, or "closed"."""
        deadline = time.time() + timeout
        try:
            while time.time() < deadline:
                got = self.read(max(0.01, deadline - time.time()))
                if got.kind in (GOAWAY, RST_STREAM):
                    return got.error
        except Closed:
            return "closed"
        except TimeoutError:
            pass
        return "nothing"


class Answer:
    def __init__(self, head):
        self.status = int(head.headers[":status"]) if head.kind == HEADERS else None
        self.headers = getattr(head, "headers", {})
        self.pieces = []

    @property
    def body(self):
        return b"".join(self.pieces)

    def json(self):
        return json.loads(self.body)
