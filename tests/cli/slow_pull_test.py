#!/usr/bin/env python3
"""Full scans of a table whose clients do not read: others are answered meanwhile, and the server lets go of what such a
scan holds when its client has gone."""
import json
import os
import socket
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "faults"))
from server import Server, eventually  # noqa: E402

KEYS, READERS = 60_000, 12


class SlowPull(unittest.TestCase):
    def setUp(self):
        self.server = Server(settings={"ksql.streams.auto.offset.reset": "earliest"}).start()
        self.addCleanup(self.server.close)
        self.server.sql("CREATE STREAM s (k INT KEY, v STRING) WITH (kafka_topic='s', value_format='JSON', partitions=2);"
                        "CREATE TABLE t AS SELECT k, COUNT(*) AS n, LATEST_BY_OFFSET(v) AS v FROM s GROUP BY k;")
        for first in range(0, KEYS, 20_000):
            self.server.insert("s", [{"k": i, "v": "x" * 100} for i in range(first, first + 20_000)])
        eventually(lambda: len(self.server.rows("SELECT k FROM t;")) == KEYS, 60, "all keys")

    def reader(self, path="/query-stream", field="sql"):
        """A client that asks and does not read."""
        held = socket.socket()
        held.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 17)  # less than the answer by far
        held.connect(("127.0.0.1", self.server.port))
        body = json.dumps({field: "SELECT * FROM t;"}).encode()
        held.sendall(b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (path.encode(), len(body)) + body)
        self.addCleanup(held.close)
        return held

    def test_slow_readers_hold_up_nobody(self):
        readers = [self.reader() if i % 2 else self.reader("/query", "ksql") for i in range(READERS)]
        time.sleep(0.5)
        began = time.monotonic()
        self.assertEqual(self.server.rows("SELECT k, n FROM t WHERE k = 7;"), [[7, 1]])
        self.assertEqual(len(self.server.rows("SELECT k FROM t;")), KEYS)
        self.assertEqual(len(self.server.rows("SELECT k FROM t LIMIT 5;")), 5)
        self.assertLess(time.monotonic() - began, 20)
        # A scan sees its table as it was when it began, and one that waited goes on.
        self.server.insert("s", [{"k": KEYS + i, "v": "y"} for i in range(1000)])
        eventually(lambda: len(self.server.rows("SELECT k FROM t;")) == KEYS + 1000, 30, "new keys")
        for held in readers[1:]:
            held.close()
        text, slow = b"", readers[0]
        slow.settimeout(30)
        while not text.endswith(b"0\r\n\r\n"):
            piece = slow.recv(1 << 16)
            self.assertTrue(piece, "the answer is cut off")
            text += piece
        self.assertGreaterEqual(text.count(b'"row"'), KEYS)
        self.assertEqual(self.server.stop(), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
