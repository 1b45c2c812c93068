#!/usr/bin/env python3
"""HTTP/2 frame by frame, RFC 9113 section by section, and what the API promises of it: http2_test.py MILLRACE."""
import base64
import json
import os
import select
import signal
import socket
import struct
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from wire import Server, need_http2, request as http1  # noqa: E402
need_http2()
from http2_wire import *  # noqa: E402,F403
from http2_wire import Connection, Closed, frame  # noqa: E402

MILLRACE = ""
V1, JSON, DELIMITED = "application/vnd.ksql.v1+json", "application/json", "application/vnd.ksqlapi.delimited.v1"
EARLIEST = {"auto.offset.reset": "earliest"}


def setUpModule():
    global server
    server = Server(MILLRACE)
    run("CREATE STREAM s (k STRING KEY, v INT) WITH (kafka_topic='s', value_format='JSON', partitions=1);")
    run("CREATE TABLE t AS SELECT k, COUNT(*) AS n FROM s GROUP BY k;")
    for key, value in (("a", 1), ("b", 2), ("a", 3)):
        run(f"INSERT INTO s (ROWTIME, k, v) VALUES ({value}, '{key}', {value});")


def tearDownModule():
    server.finish()


def run(text):
    return server.run(text)


def connect(**options):
    return Connection(server.port, **options)


def post(path, body, more=()):
    with connect() as connection:
        return connection.answer(connection.request("POST", path, body, more))


def wait_for(condition, seconds=20):
    deadline = time.time() + seconds
    while not condition():
        assert time.time() < deadline, "it never came true"
        time.sleep(0.02)


class Api(unittest.TestCase):
    def test_statement(self):
        answer = post("/ksql", {"ksql": "SHOW STREAMS;"}, [("accept", JSON)])
        self.assertEqual((answer.status, answer.headers["content-type"]), (200, JSON))
        self.assertEqual(answer.json()[0]["@type"], "streams")

    def test_errors(self):
        answer = post("/ksql", {"ksql": "DROP STREAM nope;"})
        self.assertEqual((answer.status, answer.json()["error_code"]), (400, 40001))
        self.assertEqual(post("/nothing", {}).status, 404)
        self.assertEqual(post("/ksql", b"{").status, 400)
        self.assertEqual(post("/query-stream", {"sql": "SELECT n FROM t;"}, [("accept", "text/html")]).status, 406)

    def test_pull_query(self):
        wait_for(lambda: post("/query-stream", {"sql": "SELECT n FROM t WHERE k = 'a';"}).body.endswith(b"\n[2]\n"))
        answer = post("/query", {"ksql": "SELECT * FROM t WHERE k = 'a';"})
        self.assertTrue(answer.body.endswith(b'{"row":{"columns":["a",2]}}]'), answer.body)

    def test_each_row_of_a_pull_query_is_a_frame(self):
        wait_for(lambda: len(post("/query-stream", {"sql": "SELECT n FROM t;"}).pieces) > 2)
        answer = post("/query-stream", {"sql": "SELECT k, n FROM t;"})
        self.assertEqual(json.loads(answer.pieces[0])["columnNames"], ["K", "N"])
        self.assertEqual(sorted(json.loads(piece)[0] for piece in answer.pieces[1:]), ["a", "b"])
        self.assertEqual(len(post("/query-stream", {"sql": "SELECT n FROM t;"}, [("accept", JSON)]).pieces), 1)

    def test_rows_larger_than_half_a_window(self):
        run("CREATE STREAM large (v STRING) WITH (kafka_topic='large', value_format='JSON', partitions=1);")
        rows = ["x" * size for size in (8000, 13000, 9000, 15000, 10)]
        post("/inserts-stream", b'{"target":"large"}\n' + b"".join(b'{"v":"%s"}\n' % row.encode() for row in rows))
        with Connection(server.port, settings=[(4, 20000)], windows=False) as connection:
            for sql in ("SELECT * FROM large;", "SELECT * FROM large EMIT CHANGES LIMIT 5;"):
                stream = connection.request("POST", "/query-stream", {"sql": sql, "properties": EARLIEST})
                got, open_again, ended = b"", 0, False
                while not ended:
                    frame_ = connection.take(stream)
                    ended = frame_.flags & END_STREAM
                    if frame_.kind != HEADERS:
                        got, open_again = got + frame_.payload, open_again + len(frame_.payload)
                    if open_again >= 10000 and not ended:  # as many clients do
                        for place in (0, stream):
                            connection.send(frame(WINDOW_UPDATE, 0, place, struct.pack(">I", open_again)))
                        open_again = 0
                self.assertEqual([json.loads(line)[0] for line in got.splitlines()[1:]], rows)
        run("DROP STREAM large DELETE TOPIC;")

    def test_each_row_of_a_push_query_is_a_frame(self):
        answer = post("/query-stream", {"sql": "SELECT v FROM s WHERE v > 0 EMIT CHANGES LIMIT 3;", "properties": EARLIEST})
        self.assertEqual([json.loads(piece) for piece in answer.pieces[1:]], [[1], [2], [3]])
        self.assertEqual(json.loads(answer.pieces[0])["columnNames"], ["V"])

    def test_reset_ends_a_push_query_at_once(self):
        with connect() as connection:
            stream = connection.request("POST", "/query-stream", {"sql": "SELECT * FROM s EMIT CHANGES;"})
            connection.take(stream)
            query = json.loads(connection.take(stream).payload)["queryId"]
            connection.send(frame(RST_STREAM, 0, stream, struct.pack(">I", CANCEL)))
            wait_for(lambda: post("/close-query", {"queryId": query}).status == 400, 2)
            self.assertEqual(connection.answer(connection.request("GET", "/info")).status, 200)

    def test_close_query(self):
        with connect() as connection:
            stream = connection.request("POST", "/query-stream", {"sql": "SELECT * FROM s EMIT CHANGES;"})
            connection.take(stream)
            query = json.loads(connection.take(stream).payload)["queryId"]
            closed = connection.answer(connection.request("POST", "/close-query", {"queryId": query}))
            self.assertEqual((closed.status, closed.body), (200, b""))
            self.assertTrue(connection.take(stream).flags & END_STREAM)

    def test_each_insert_is_confirmed_as_it_comes(self):
        run("CREATE STREAM ins (k STRING KEY, v INT) WITH (kafka_topic='ins', value_format='JSON', partitions=1);")
        with connect() as connection:
            stream = connection.request("POST", "/inserts-stream", b'{"target":"ins"}\n{"k":"a","v":1}\n', end=False)
            self.assertEqual(connection.take(stream).headers[":status"], "200")
            self.assertEqual(connection.take(stream).payload, b'{"status":"ok","seq":0}\n')
            connection.data(stream, b'{"k":"b",')
            connection.data(stream, b'"v":2}\n{"k":"c"}\n')
            self.assertEqual(connection.take(stream).payload, b'{"status":"ok","seq":1}\n')
            self.assertEqual(connection.take(stream).payload, b'{"status":"ok","seq":2}\n')
            connection.data(stream, b'{"v":"x"}\n')
            error = json.loads(connection.take(stream).payload)
            self.assertEqual((error["status"], error["seq"], error["error_code"]), ("error", 3, 40000))
        answer = post("/inserts-stream", b'{"target":"nope"}\n{"k":"a"}\n')
        self.assertEqual((answer.status, answer.json()["error_code"]), (400, 40001))
        answer = post("/inserts-stream", b'{"target":"ins"}\n{"k":"a"}\n{"k":"b"}', [("accept", JSON)])
        self.assertEqual(answer.json(), [{"status": "ok", "seq": 0}, {"status": "ok", "seq": 1}])
        run("DROP STREAM ins DELETE TOPIC;")

    def test_a_slow_stream_suspends_only_its_own_query(self):
        run("CREATE STREAM many (v STRING) WITH (kafka_topic='many', value_format='JSON', partitions=1);")
        rows, size = 3000, 1000
        body = b'{"target":"many"}\n' + b"".join(b'{"v":"%s"}\n' % (b"x" * size) for _ in range(rows))
        self.assertEqual(http1(server.port, "POST", "/inserts-stream", body).body.count(b'"ok"'), rows)
        query = {"sql": f"SELECT * FROM many EMIT CHANGES LIMIT {rows};", "properties": EARLIEST}
        with connect(windows=False, settings=[(4, 20000)]) as connection:
            connection.send(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1 << 24)))
            slow = connection.request("POST", "/query-stream", query)
            time.sleep(0.5)  # its window is used up now
            fast = connection.request("POST", "/query-stream", query)
            got = 0
            while True:
                piece = connection.take(fast)
                if piece.kind == DATA and piece.payload:
                    got += 1
                    connection.send(frame(WINDOW_UPDATE, 0, fast, struct.pack(">I", len(piece.payload))))
                if piece.flags & END_STREAM:
                    break
            self.assertEqual(got, rows + 1)
            got = 0
            while True:
                piece = connection.take(slow)
                if piece.kind == DATA and piece.payload:
                    got += 1
                    self.assertTrue(piece.payload.endswith(b"\n"), "a row was cut in two")
                    connection.send(frame(WINDOW_UPDATE, 0, slow, struct.pack(">I", len(piece.payload))))
                if piece.flags & END_STREAM:
                    break
            self.assertEqual(got, rows + 1)
        run("DROP STREAM many DELETE TOPIC;")

    def test_many_streams_at_once(self):
        with connect() as connection:
            streams = [connection.request("POST", "/ksql", {"ksql": "SHOW TYPES;"}) for _ in range(200)]
            self.assertEqual({connection.answer(stream).status for stream in streams}, {200})

    def test_head(self):
        with connect() as connection:
            answer = connection.answer(connection.request("HEAD", "/info"))
            self.assertEqual((answer.status, answer.body), (200, b""))
            self.assertGreater(int(answer.headers["content-length"]), 0)

    def test_oversized(self):
        with connect() as connection:
            fields = connection.block(connection.headers("POST", "/ksql", [("x", "a" * 14000)] * 5))
            pieces = [fields[i:i + 16000] for i in range(0, len(fields), 16000)]
            connection.send(frame(HEADERS, 0, 1, pieces[0]) + b"".join(frame(CONTINUATION, 0, 1, piece) for piece in pieces[1:]) +
                            frame(CONTINUATION, 4, 1))
            self.assertEqual(connection.answer(1).status, 431)
        with connect() as connection:
            stream = connection.open(connection.headers("POST", "/ksql"), end=False)
            answer, sent, allowed = None, 0, 1 << 20
            while answer is None and sent < 80 << 20:
                if sent + 16384 <= allowed and not select.select([connection.socket], [], [], 0)[0]:
                    connection.data(stream, b" " * 16384)
                    sent += 16384
                    continue
                got = connection.read()
                if got.kind == HEADERS:
                    answer = got.headers[":status"]
                elif got.kind == WINDOW_UPDATE and got.stream == stream:
                    allowed += struct.unpack(">I", got.payload)[0]
            self.assertEqual(answer, "413")
            self.assertEqual(connection.answer(connection.request("GET", "/info")).status, 200)


class Upgrade(unittest.TestCase):
    def test_without_the_connection_option_it_is_passed_over(self):
        answer = http1(server.port, "GET", "/info", headers=[("Upgrade", "h2c"), ("HTTP2-Settings", "AAQAAP__")])
        self.assertEqual(answer.status, 200)

    def upgrade(self, settings=b""):
        body = json.dumps({"ksql": "SHOW TYPES;"}).encode()
        sock = socket.create_connection(("127.0.0.1", server.port), 10)
        sock.sendall(b"POST /ksql HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
                     b"HTTP2-Settings: " + base64.urlsafe_b64encode(settings).rstrip(b"=") +
                     b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        return sock

    def test_offer_is_taken(self):
        sock = self.upgrade(struct.pack(">HI", 4, 65535))
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += sock.recv(1)
        self.assertTrue(head.startswith(b"HTTP/1.1 101"), head)
        with Connection(None, sock=sock) as connection:
            answer = connection.answer(1)
            self.assertEqual((answer.status, answer.json()[0]["@type"]), (200, "type_list"))
            connection.next = 3
            self.assertEqual(connection.answer(connection.request("GET", "/info")).status, 200)

    def test_other_offers_are_passed_over(self):
        answer = http1(server.port, "GET", "/info", headers=[("Connection", "Upgrade"), ("Upgrade", "foo/2")])
        self.assertEqual(answer.status, 200)
        answer = http1(server.port, "GET", "/info", headers=[("Connection", "Upgrade"), ("Upgrade", "h2c")])
        self.assertEqual(answer.status, 200)


class Rfc9113(unittest.TestCase):
    """Named by section; each sends what the section forbids, or allows."""

    def check(self, send, *expected, settle=True):
        with connect() as connection:
            if settle:
                while not (got := connection.read()).kind == SETTINGS or not got.flags & ACK:
                    pass
            try:
                send(connection)
            except Closed:
                pass
            self.assertIn(connection.ended_with(), (*expected, "closed"))
        self.assertEqual(http1(server.port, "GET", "/info").status, 200)

    def good(self, connection, **options):
        return connection.headers("GET", "/info", **options)

    def test_3_4_wrong_preface(self):
        with connect(preface=b"PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n") as connection:
            self.assertIn(b"400", connection.socket.recv(100))

    def test_3_4_settings_come_first(self):
        with connect() as connection:
            self.assertEqual(connection.read().kind, SETTINGS)
        with connect(preface=PREFACE + frame(PING, 0, 0, b"12345678")) as connection:
            self.assertIn(connection.ended_with(), (PROTOCOL_ERROR, "closed"))

    def test_4_1_unknown_frame_is_ignored(self):
        with connect() as connection:
            connection.send(frame(0xF0, 0xFF, 0, b"whatever"))
            self.assertEqual(connection.answer(connection.request("GET", "/info")).status, 200)

    def test_4_1_undefined_flags_and_reserved_bit_are_ignored(self):
        with connect() as connection:
            connection.send(frame(PING, 0x16, 0x80000000, b"12345678"))
            while (got := connection.read()).kind != PING:
                pass
            self.assertEqual((got.flags, got.payload), (ACK, b"12345678"))

    def test_4_2_frame_sizes(self):
        self.check(lambda c: (c.open(c.headers("POST", "/ksql"), end=False), c.send(frame(DATA, 0, 1, b"x" * 16385))), FRAME_SIZE_ERROR)
        self.check(lambda c: c.send(frame(HEADERS, 5, 1, b"x" * 16385)), FRAME_SIZE_ERROR)
        self.check(lambda c: c.send(frame(PING, 0, 0, b"1234567")), FRAME_SIZE_ERROR)
        self.check(lambda c: c.send(frame(SETTINGS, 0, 0, b"12345")), FRAME_SIZE_ERROR)
        self.check(lambda c: c.send(frame(SETTINGS, ACK, 0, b"123456")), FRAME_SIZE_ERROR)
        self.check(lambda c: (c.open(c.headers("POST", "/ksql"), end=False), c.send(frame(RST_STREAM, 0, 1, b"123"))), FRAME_SIZE_ERROR)
        self.check(lambda c: c.send(frame(WINDOW_UPDATE, 0, 0, b"123")), FRAME_SIZE_ERROR)
        self.check(lambda c: (c.open(c.headers("POST", "/ksql"), end=False), c.send(frame(PRIORITY, 0, 1, b"1234"))), FRAME_SIZE_ERROR)

    def test_4_3_broken_header_block(self):
        self.check(lambda c: c.send(frame(HEADERS, 5, 1, b"\xff\xff\xff\xff\xff\xff\xff")), COMPRESSION_ERROR, PROTOCOL_ERROR)

    def test_5_1_idle_streams(self):
        self.check(lambda c: c.send(frame(DATA, 1, 1, b"x")), PROTOCOL_ERROR, STREAM_CLOSED)
        self.check(lambda c: c.send(frame(RST_STREAM, 0, 1, struct.pack(">I", CANCEL))), PROTOCOL_ERROR)
        self.check(lambda c: c.send(frame(WINDOW_UPDATE, 0, 1, struct.pack(">I", 1))), PROTOCOL_ERROR)
        self.check(lambda c: c.send(frame(CONTINUATION, 4, 1, b"")), PROTOCOL_ERROR)

    def test_5_1_half_closed(self):
        def late(c):
            stream = c.request("POST", "/query-stream", {"sql": "SELECT * FROM s EMIT CHANGES;"})
            c.data(stream, b"more")
        self.check(late, STREAM_CLOSED)

    def test_5_1_1_stream_numbers(self):
        self.check(lambda c: c.open(self.good(c), stream=2), PROTOCOL_ERROR)
        self.check(lambda c: (c.answer(c.open(self.good(c), stream=5)), c.open(self.good(c), stream=3)), PROTOCOL_ERROR, STREAM_CLOSED, "nothing")
        self.check(lambda c: c.send(frame(HEADERS, 5, 0, c.block(self.good(c)))), PROTOCOL_ERROR)

    def test_5_1_2_too_many_streams(self):
        with connect() as connection:
            connection.read()
            streams = [connection.open(connection.headers("POST", "/ksql"), end=False) for _ in range(1100)]
            self.assertIn(connection.ended_with(), (REFUSED_STREAM, PROTOCOL_ERROR))
            self.assertEqual(len(streams), 1100)

    def test_5_5_and_6_2_interrupted_header_block(self):
        self.check(lambda c: c.send(frame(HEADERS, 1, 1, c.block(self.good(c))[:5]) + frame(PING, 0, 0, b"12345678")), PROTOCOL_ERROR)
        self.check(lambda c: c.send(frame(HEADERS, 1, 1, c.block(self.good(c))[:5]) + frame(CONTINUATION, 4, 3, b"")), PROTOCOL_ERROR)

    def test_6_1_data(self):
        self.check(lambda c: c.send(frame(DATA, 0, 0, b"x")), PROTOCOL_ERROR)
        self.check(lambda c: (c.open(c.headers("POST", "/ksql"), end=False), c.send(frame(DATA, PADDED, 1, b"\x0512"))), PROTOCOL_ERROR)

    def test_6_1_padding_is_left_out(self):
        with connect() as connection:
            stream = connection.open(connection.headers("POST", "/ksql"), end=False)
            body = b'{"ksql":"SHOW TYPES;"}'
            connection.send(frame(DATA, PADDED | END_STREAM, stream, bytes([10]) + body + b"\0" * 10))
            self.assertEqual(connection.answer(stream).status, 200)

    def test_6_2_headers_in_pieces(self):
        with connect() as connection:
            block = connection.block(self.good(connection))
            connection.send(frame(HEADERS, 1, 1, block[:3]) + frame(CONTINUATION, 0, 1, block[3:9]) + frame(CONTINUATION, 4, 1, block[9:]))
            self.assertEqual(connection.answer(1).status, 200)

    def test_6_3_priority_is_taken(self):
        with connect() as connection:
            connection.send(frame(PRIORITY, 0, 5, struct.pack(">IB", 3, 10)))
            self.assertEqual(connection.answer(connection.request("GET", "/info")).status, 200)

    def test_6_4_and_6_5_and_6_7_only_on_their_streams(self):
        self.check(lambda c: c.send(frame(RST_STREAM, 0, 0, struct.pack(">I", 8))), PROTOCOL_ERROR)
        self.check(lambda c: (c.open(c.headers("POST", "/ksql"), end=False), c.send(frame(SETTINGS, 0, 1))), PROTOCOL_ERROR)
        self.check(lambda c: c.send(frame(PING, 0, 1, b"12345678")), PROTOCOL_ERROR)
        self.check(lambda c: c.send(frame(GOAWAY, 0, 1, b"\0" * 8)), PROTOCOL_ERROR)
        self.check(lambda c: c.send(frame(PUSH_PROMISE, 4, 1, b"\0\0\0\2")), PROTOCOL_ERROR)

    def test_6_5_2_settings_values(self):
        self.check(lambda c: c.send(frame(SETTINGS, 0, 0, struct.pack(">HI", 2, 2))), PROTOCOL_ERROR)
        self.check(lambda c: c.send(frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 1 << 31))), FLOW_CONTROL_ERROR)
        self.check(lambda c: c.send(frame(SETTINGS, 0, 0, struct.pack(">HI", 5, 100))), PROTOCOL_ERROR)
        with connect() as connection:
            connection.send(frame(SETTINGS, 0, 0, struct.pack(">HI", 0xFFF0, 1)))
            self.assertEqual(connection.answer(connection.request("GET", "/info")).status, 200)

    def test_6_9_flow_control(self):
        self.check(lambda c: c.send(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 0))), PROTOCOL_ERROR)
        self.check(lambda c: c.send(frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 0x7FFFFFFF)) * 2), FLOW_CONTROL_ERROR)

    def test_6_9_2_windows_of_nothing(self):
        with connect(windows=False, settings=[(4, 0)]) as connection:
            stream = connection.request("GET", "/info")
            self.assertEqual(connection.take(stream).kind, HEADERS)
            with self.assertRaises(TimeoutError):
                connection.take(stream, timeout=0.3)
            connection.send(frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", 5)))
            self.assertEqual(len(connection.take(stream).payload), 5)
            connection.send(frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 1 << 16)))
            self.assertEqual(connection.take(stream).payload[-1:], b"}")

    def test_8_1_and_8_2_malformed_requests(self):
        for fields in ([(":method", "GET"), (":scheme", "http"), ("x", "y"), (":path", "/info")],
                       [(":method", "GET"), (":scheme", "http")],
                       [(":method", "GET"), (":path", "/info")],
                       [(":scheme", "http"), (":path", "/info")],
                       [(":method", "GET"), (":scheme", "http"), (":path", "")],
                       [(":method", "GET"), (":method", "GET"), (":scheme", "http"), (":path", "/info")],
                       [(":method", "GET"), (":scheme", "http"), (":path", "/info"), (":status", "200")],
                       [(":method", "GET"), (":scheme", "http"), (":path", "/info"), (":other", "1")],
                       [(":method", "GET"), (":scheme", "http"), (":path", "/info"), ("Upper", "1")],
                       [(":method", "GET"), (":scheme", "http"), (":path", "/info"), ("connection", "keep-alive")],
                       [(":method", "GET"), (":scheme", "http"), (":path", "/info"), ("te", "gzip")]):
            with self.subTest(fields):
                self.check(lambda c: c.open(fields), PROTOCOL_ERROR)

    def test_8_1_1_content_length(self):
        def wrong(c):
            stream = c.open(c.headers("POST", "/ksql", [("content-length", "1")]), end=False)
            c.data(stream, b"{}", end=True)
        self.check(wrong, PROTOCOL_ERROR)

    def test_8_1_trailers(self):
        with connect() as connection:
            stream = connection.open(connection.headers("POST", "/ksql"), end=False)
            connection.data(stream, b'{"ksql":"SHOW TYPES;"}')
            connection.send(frame(HEADERS, 5, stream, connection.block([("x-sum", "1")])))
            self.assertEqual(connection.answer(stream).status, 200)

    def test_empty_header_values(self):
        with connect() as connection:
            answer = connection.answer(connection.request("GET", "/info", more=[("x-empty", ""), ("accept", "")]))
            self.assertEqual(answer.status, 200)


class Abuse(unittest.TestCase):
    def test_rapid_reset(self):
        with connect() as connection:
            try:
                for _ in range(3000):
                    stream = connection.open(connection.headers("GET", "/info"))
                    connection.send(frame(RST_STREAM, 0, stream, struct.pack(">I", CANCEL)))
            except Closed:
                pass
            self.assertIn(connection.ended_with(), (ENHANCE_YOUR_CALM, "closed"))
        self.assertEqual(http1(server.port, "GET", "/info").status, 200)

    def test_floods_of_pings_and_settings(self):
        for flood in (frame(PING, 0, 0, b"12345678"), frame(SETTINGS, 0, 0)):
            with connect() as connection:
                try:
                    for _ in range(200):
                        connection.send(flood * 1000)  # the answers are never read
                except (Closed, TimeoutError, OSError):
                    pass
            self.assertEqual(http1(server.port, "GET", "/info").status, 200)

    def test_header_bomb(self):
        with connect() as connection:
            block = connection.block(connection.headers("GET", "/info"))
            try:
                connection.send(frame(HEADERS, 1, 1, block))
                for _ in range(200000):  # never complete, each with one more field
                    connection.send(frame(CONTINUATION, 0, 1, b"\x00\x01a\x01b" * 100))
            except Closed:
                pass
        self.assertEqual(http1(server.port, "GET", "/info").status, 200)


class ZStop(unittest.TestCase):  # last: the server goes away
    def test_answers_are_given_and_push_queries_ended(self):
        with connect() as connection:
            push = connection.request("POST", "/query-stream", {"sql": "SELECT * FROM s EMIT CHANGES;"})
            connection.take(push)
            connection.take(push)
            server.process.send_signal(signal.SIGTERM)
            last = json.loads(connection.take(push).payload)
            self.assertEqual(last["error_code"], 50303)
            self.assertIn(connection.ended_with(), (NO_ERROR, "closed"))
        self.assertEqual(server.process.wait(20), 0)


if __name__ == "__main__":
    MILLRACE = sys.argv.pop(1)
    unittest.main()
