#!/usr/bin/env python3
"""Clients that take all they can: limits_test.py MILLRACE [unittest arguments]. Others are served, memory is bounded."""
import json
import os
import resource
import select
import socket
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from wire import Connection, Server, message, need_http2, request  # noqa: E402
need_http2()
from http2_wire import Connection as Http2  # noqa: E402

MILLRACE = ""


def setUpModule():
    global server
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    server = Server(MILLRACE, "--set", "ksql.max.push.queries=2000")
    run("CREATE STREAM s (k STRING KEY, v INT) WITH (kafka_topic='s', value_format='JSON', partitions=1);")


def tearDownModule():
    server.finish()


def run(text):
    return server.run(text)


def memory():
    with open(f"/proc/{server.process.pid}/status") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) >> 10


def served():
    began = time.time()
    assert request(server.port, "GET", "/info").status == 200
    return time.time() - began


class Many(unittest.TestCase):
    def test_idle_connections(self):
        count = min(10000, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 200)
        before = memory()
        sockets = []
        for _ in range(count):
            one = socket.create_connection(("127.0.0.1", server.port), 20)
            sockets.append(one)
        sockets[0].sendall(message("GET", "/info"))
        self.assertIn(b"200 OK", sockets[0].recv(1000))
        took, used = served(), memory() - before
        print(f"{count} idle connections: {used} MB, a request takes {took * 1000:.1f} ms")
        self.assertLess(took, 2)
        self.assertLess(used, 150)
        for one in sockets:
            one.close()

    def test_push_queries(self):
        count, before = 1000, memory()
        with Http2(server.port) as connection:
            streams = [connection.request("POST", "/query-stream", {"sql": "SELECT * FROM s EMIT CHANGES;"}) for _ in range(count)]
            for stream in streams:
                self.assertEqual(connection.take(stream).headers[":status"], "200")
                connection.take(stream)
            time.sleep(1)
            run("INSERT INTO s (k, v) VALUES ('a', 1);")
            for stream in streams:
                self.assertEqual(json.loads(connection.take(stream).payload), ["a", 1])
            print(f"{count} push queries: {memory() - before} MB, a request takes {served() * 1000:.1f} ms")

    def test_slow_heads_and_bodies(self):
        sockets = []
        for i in range(300):
            one = socket.create_connection(("127.0.0.1", server.port), 20)
            one.sendall(b"POST /ksql HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n" + (b"\r\n{" if i % 2 else b"X-"))
            sockets.append(one)
        self.assertLess(served(), 2)
        deadline = time.time() + 45
        open_ones = set(sockets)
        while open_ones and time.time() < deadline:
            for one in list(open_ones):
                try:
                    one.send(b"a")
                except OSError:
                    open_ones.discard(one)
            for one in select.select(list(open_ones), [], [], 1)[0]:
                open_ones.discard(one)  # answered with 408, or closed
        self.assertEqual(len(open_ones), 0)

    def test_gigabyte_bodies(self):
        before = memory()
        for path, head in (("/ksql", b""), ("/inserts-stream", b'{"target":"s"}\n')):
            one = Connection(server.port)
            size = 1 << 30
            one.send(b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (path.encode(), size) + head)
            sent, piece = 0, b"\n" * (1 << 20)
            try:
                while sent < size - (2 << 20):
                    one.send(piece)
                    sent += len(piece)
            except OSError:
                pass
            if path == "/ksql":
                self.assertEqual(one.answer().status, 413)
            else:
                self.assertGreater(sent, size // 2)
            self.assertLess(memory() - before, 200)
            one.close()
        chunked = Connection(server.port).send(b"POST /ksql HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            for _ in range(1100):
                chunked.send(b"100000\r\n" + b" " * (1 << 20) + b"\r\n")
        except OSError:
            pass
        self.assertLess(memory() - before, 300)
        chunked.close()
        self.assertLess(served(), 2)

    def test_clients_that_do_not_read(self):
        run("CREATE STREAM big (v STRING) WITH (kafka_topic='big', value_format='JSON', partitions=1);")
        rows = b"".join(b'{"v":"%s"}\n' % (b"x" * 1000) for _ in range(20000))
        self.assertEqual(request(server.port, "POST", "/inserts-stream", b'{"target":"big"}\n' + rows).status, 200)
        before, kept = memory(), []
        for i in range(40):
            one = Connection(server.port)
            sql = "SELECT * FROM big EMIT CHANGES;" if i % 2 else "SELECT * FROM big;"
            one.send(message("POST", "/query-stream", {"sql": sql, "properties": {"auto.offset.reset": "earliest"}}))
            kept.append(one)
        time.sleep(3)
        used, took = memory() - before, served()
        print(f"40 clients that do not read 20 MB each: {used} MB, a request takes {took * 1000:.1f} ms")
        self.assertLess(used, 250)  # what is read ahead, for each query
        self.assertLess(took, 2)
        answer = request(server.port, "POST", "/query-stream", {"sql": "SELECT v FROM big LIMIT 1;"})
        self.assertEqual(len(answer.body.splitlines()), 2)
        for one in kept:
            one.close()


if __name__ == "__main__":
    MILLRACE = sys.argv.pop(1)
    unittest.main()
