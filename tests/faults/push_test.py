"""Push queries beside each other: an idle one costs no thread and no client of the log, one that fails, or whose client
does not read, holds up no other. On the broker of with_broker.sh where there is one, else embedded."""
import http.client
import json
import os
import random
import socket
import threading
import time
import unittest

from server import BROKER, Refused, Server, eventually

MANY = 200
READERS = 3


class Push:
    """A push query and what has come of it."""

    def __init__(self, server, sql, reading=True, room=None):
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        self.connection.connect()
        self.socket = self.connection.sock
        if room:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        self.connection.request("POST", "/query-stream", json.dumps({"sql": sql, "properties": {}}))
        self.answer = self.connection.getresponse()
        self.status, self.rows, self.ended = self.answer.status, [], False
        if self.status == 200:
            self.header = json.loads(self.answer.readline())
        if self.status == 200 and reading:
            self.read()

    def read(self):
        threading.Thread(target=self.run, daemon=True).start()

    def run(self):
        try:
            for line in self.answer:
                self.rows.append(json.loads(line))
        except (OSError, ValueError, AttributeError, http.client.HTTPException):  # closed meanwhile
            pass
        self.ended = True

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)  # else it waits for whoever reads
        except OSError:
            pass
        self.connection.close()


class PushTest(unittest.TestCase):
    def setUp(self):
        self.server = Server(BROKER, {"ksql.max.push.queries": 2 * MANY, "millrace.push.memory.bytes": 4 << 20,
                                      "millrace.topic.readers.max": READERS,
                                      "ksql.service.id": f"push{random.randrange(1 << 30)}_"})
        self.addCleanup(self.server.close)
        self.server.start()
        self.tag = f"t{random.randrange(1 << 30)}"
        self.server.sql(f"CREATE STREAM s (k STRING KEY, v INT, t STRING) WITH (kafka_topic='{self.tag}s', value_format='JSON', "
                        "partitions=4);")

    def push(self, sql, **how):
        push = Push(self.server, sql, **how)
        self.addCleanup(push.close)
        self.assertEqual(push.status, 200, sql)
        return push

    def send(self, first, count, text=""):
        self.server.insert("s", [{"k": f"k{i}", "v": i, "t": text} for i in range(first, first + count)])

    def held(self):
        """Threads, and sockets that are not of the API."""
        process = f"/proc/{self.server.process.pid}"
        sockets = 0
        for number in os.listdir(process + "/fd"):
            try:
                sockets += os.readlink(f"{process}/fd/{number}").startswith("socket:")
            except OSError:
                pass
        return len(os.listdir(process + "/task")), sockets

    def resident(self):
        with open(f"/proc/{self.server.process.pid}/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def test_two_hundred_idle_ones(self):
        kinds = ["SELECT * FROM s EMIT CHANGES;", "SELECT k, v FROM s WHERE v % 7 = {0} EMIT CHANGES;",
                 "SELECT v % 5 AS m, COUNT(*) AS n FROM s GROUP BY v % 5 EMIT CHANGES;"]
        first = [self.push(kind.format(0)) for kind in kinds]  # the first of each may have to open something
        time.sleep(1)
        threads, sockets = self.held()
        before = self.resident()
        pushes = [self.push(kinds[i % 3].format(i % 7)) for i in range(MANY)]
        time.sleep(1)
        more_threads, more_sockets = self.held()
        print(f"{MANY} push queries: {more_threads - threads} threads, {more_sockets - sockets - MANY} sockets of their own, "
              f"{(self.resident() - before) / MANY / 1e3:.0f} KB each", flush=True)
        # As many as there are cores; a broker's client has a thread for each broker, and two more.
        self.assertLess(more_threads - threads, 16)
        self.assertLess(more_sockets - sockets - MANY, 8)
        self.send(0, 70)
        for i, push in enumerate([*pushes, *first]):
            kind = (i if i < MANY else i - MANY) % 3
            if kind < 2:
                eventually(lambda: len(push.rows) == (70 if kind == 0 else 10), 20, f"rows of query {i}")
            else:
                eventually(lambda: sum(n for m, n in {m: n for m, n in push.rows}.items()) >= 0 and
                           sorted({m: n for m, n in push.rows}.values()) == [14] * 5, 20, f"counts of query {i}")
        for push in pushes:
            push.close()
        eventually(lambda: self.held()[1] < sockets + 20, 20, "they are gone")
        self.send(70, 7)
        eventually(lambda: len(first[0].rows) == 77, 20, "the others go on")

    def test_a_client_that_does_not_read(self):
        slow = self.push("SELECT * FROM s EMIT CHANGES;", reading=False, room=1 << 17)
        quick = self.push("SELECT v FROM s EMIT CHANGES;")
        counts = self.push("SELECT v % 2 AS m, COUNT(*) AS n FROM s GROUP BY v % 2 EMIT CHANGES;")
        for turn in range(40):
            self.send(turn * 100, 100, "x" * 10_000)
            began = time.monotonic()
            eventually(lambda: len(quick.rows) == (turn + 1) * 100, 10, "the other client's rows", 0.002)
            self.assertLess(time.monotonic() - began, 3)
        eventually(lambda: {m: n for m, n in counts.rows} == {0: 2000, 1: 2000}, 10, "counts")
        slow.read()
        eventually(lambda: len(slow.rows) == 4000, 30, "it gets all of its rows when it reads")
        self.assertEqual(sorted(row[1] for row in slow.rows), list(range(4000)))

    def test_those_with_a_reader_of_their_own(self):
        """Each PRINT, and each pull query on a stream, has a thread and a client of the log: there are only so many."""
        self.send(0, 5)
        prints = []
        for _ in range(READERS):
            connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
            connection.request("POST", "/query", json.dumps({"ksql": f"PRINT '{self.tag}s' FROM BEGINNING;"}))
            prints.append((connection, connection.getresponse()))
            self.assertEqual(prints[-1][1].status, 200)
        for attempt in (lambda: self.server.rows("SELECT * FROM s;"),
                        lambda: self.server.request("POST", "/query", json.dumps({"ksql": f"PRINT '{self.tag}s' LIMIT 1;"}))):
            try:
                status, answer = attempt()
                refused = status, json.loads(answer)
            except Refused as error:
                refused = error.status, error.answer
            self.assertEqual(refused[0], 503, refused)
            self.assertIn("millrace.topic.readers.max", refused[1]["message"])
        self.assertIn(b"rowtime", prints[0][1].readline() + prints[0][1].readline() + prints[0][1].readline())
        for connection, answer in prints:
            answer.close()
            connection.close()
        eventually(lambda: len(self.server.rows("SELECT * FROM s;")) == 5, 20, "there is room again")

    def test_one_that_fails(self):
        quick = self.push("SELECT v FROM s EMIT CHANGES;")
        large = self.push("SELECT t, COUNT(*) AS n FROM s GROUP BY t EMIT CHANGES;")
        small = self.push("SELECT v % 2 AS m, COUNT(*) AS n FROM s GROUP BY v % 2 EMIT CHANGES;")
        sent = 0
        while not large.ended and sent < 40_000:
            self.server.insert("s", [{"k": "a", "v": i, "t": f"{i:0500}"} for i in range(sent, sent + 1000)])
            sent += 1000
        self.assertIn("millrace.push.memory.bytes", json.dumps(eventually(lambda: large.ended and large.rows[-1:], 20, "it ends")))
        eventually(lambda: len(quick.rows) == sent, 20, "rows of the other")
        eventually(lambda: {m: n for m, n in small.rows} == {0: sent // 2, 1: sent // 2}, 20, "counts of the other")
        self.assertEqual([row[0] for row in quick.rows if isinstance(row, list)], list(range(sent)))  # none twice


if __name__ == "__main__":
    unittest.main(verbosity=2)
