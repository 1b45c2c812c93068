#!/usr/bin/env python3
"""Data directories with plans of JSON form 1 and progress records by position: the queries go on where they were, and
what is late stays late. plan_form_1_killed.tar.xz is of a server that was killed (everything in the log), the other of
one that was stopped (state in RocksDB); plans_1.jsonl has the plans of their command log for the unit tests.
--write DIRECTORY made them, with the program of that time."""
import os
import sys
import tarfile
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "faults"))
from server import Server, eventually  # noqa: E402

EARLIEST = {"ksql.streams.auto.offset.reset": "earliest"}

STATEMENTS = """
CREATE STREAM clicks (id INT KEY, page STRING, n BIGINT, amount DECIMAL(10,2)) WITH (kafka_topic='clicks', value_format='JSON', key_format='KAFKA', partitions=2);
CREATE STREAM visits (id INT KEY, place STRING) WITH (kafka_topic='visits', value_format='JSON', key_format='KAFKA', partitions=2);
CREATE TABLE pages (page STRING PRIMARY KEY, title STRING, rank INT) WITH (kafka_topic='pages', value_format='JSON', key_format='KAFKA', partitions=2);
CREATE STREAM passed AS SELECT id, UCASE(page) AS page, n FROM clicks WHERE n > 1;
CREATE STREAM by_page AS SELECT page, id, n FROM clicks PARTITION BY page;
CREATE TABLE totals AS SELECT page, COUNT(*) AS c, SUM(n) AS s, SUM(amount) AS a FROM clicks GROUP BY page;
CREATE TABLE wide AS SELECT page, COUNT(*) AS c FROM clicks WINDOW TUMBLING (SIZE 10 SECONDS, GRACE PERIOD 5 SECONDS) GROUP BY page;
CREATE TABLE sessions AS SELECT id, COUNT(*) AS c FROM clicks WINDOW SESSION (5 SECONDS) GROUP BY id;
CREATE TABLE kept AS SELECT page, title FROM pages WHERE rank > 2;
CREATE TABLE ranks AS SELECT rank, COUNT(*) AS c FROM pages GROUP BY rank;
CREATE STREAM both AS SELECT c.id AS id, c.page, v.place FROM clicks c LEFT JOIN visits v WITHIN 5 SECONDS GRACE PERIOD 1 SECOND ON c.id = v.id;
CREATE STREAM eager AS SELECT c.id AS id, c.page, v.place FROM clicks c LEFT JOIN visits v WITHIN 5 SECONDS ON c.id = v.id;
CREATE STREAM titled AS SELECT c.page, p.title, c.n FROM clicks c JOIN pages p ON c.page = p.page;
"""


def click(time_ms, key, page, n, amount):
    return f"INSERT INTO clicks (rowtime, id, page, n, amount) VALUES ({time_ms}, {key}, '{page}', {n}, {amount});"


def first_rows():
    rows = []
    for i in range(40):
        rows.append(click(1000 + i * 500, i % 5, f"p{i % 3}", i % 4, f"{i}.25"))
        if i % 4 == 0:
            rows.append(f"INSERT INTO visits (rowtime, id, place) VALUES ({1000 + i * 500}, {i % 5}, 'x{i}');")
    for i in range(4):
        rows.append(f"INSERT INTO pages (rowtime, page, title, rank) VALUES (500, 'p{i}', 't{i}', {i + 1});")
    return "".join(rows)


HELD = {
    "totals": [["p0", 14, 21, 276.5], ["p1", 13, 19, 250.25], ["p2", 13, 20, 263.25]],
    "wide": [["p0", 0, 10000, 6], ["p0", 10000, 20000, 7], ["p0", 20000, 30000, 1], ["p1", 0, 10000, 6],
             ["p1", 10000, 20000, 7], ["p2", 0, 10000, 6], ["p2", 10000, 20000, 6], ["p2", 20000, 30000, 1]],
    "sessions": [[0, 1000, 18500, 8], [1, 1500, 19000, 8], [2, 2000, 19500, 8], [3, 2500, 20000, 8], [4, 3000, 20500, 8]],
    "kept": [["p2", "t2"], ["p3", "t3"]],
    "ranks": [[1, 1], [2, 1], [3, 1], [4, 1]],
}


def held(server, table):
    return sorted(server.rows(f"SELECT * FROM {table};"))


def count(server, stream):
    return len(server.rows(f"SELECT * FROM {stream};"))


class Compat(unittest.TestCase):
    def open(self, name):
        work = tempfile.TemporaryDirectory(prefix="millrace-compat-")
        self.addCleanup(work.cleanup)
        with tarfile.open(os.path.join(HERE, f"plan_form_{name}.tar.xz")) as archive:
            archive.extractall(work.name, filter="data") if sys.version_info >= (3, 12) else archive.extractall(work.name)
        server = Server(data=os.path.join(work.name, name.split("_")[1]))
        self.addCleanup(server.close)
        return server.start()

    def goes_on(self, name):
        server = self.open(name)
        for table, rows in HELD.items():
            eventually(lambda: held(server, table) == rows, 20, f"{table} as it was")
        streams = {stream: count(server, stream) for stream in ("passed", "by_page", "titled", "both", "eager")}
        self.assertEqual((streams["passed"], streams["by_page"]), (20, 40))
        # A row of a window that was closed then is still late: stream time came along.
        server.sql(click(1000, 0, "p0", 3, 1) + click(20600, 0, "p0", 3, 1) + click(20700, 1, "p1", 0, 1) +
                   "INSERT INTO pages (rowtime, page, title, rank) VALUES (30000, 'p2', 'new', 1);"
                   "INSERT INTO pages (rowtime, page, title, rank) VALUES (30000, 'p0', 'newer', 9);")
        eventually(lambda: held(server, "totals") == [["p0", 16, 27, 278.5], ["p1", 14, 19, 251.25],
                                                      ["p2", 13, 20, 263.25]], 20, "totals with new rows")
        eventually(lambda: held(server, "kept") == [["p0", "newer"], ["p3", "t3"]], 20, "kept with new rows")
        eventually(lambda: held(server, "ranks") == [[1, 1], [2, 1], [3, 0], [4, 1], [9, 1]], 20, "ranks with new rows")
        wide = [row for row in HELD["wide"] if row[0] != "p0" and row[:2] != ["p1", 20000]]
        wide += [["p0", 0, 10000, 6], ["p0", 10000, 20000, 7], ["p0", 20000, 30000, 2], ["p1", 20000, 30000, 1]]
        eventually(lambda: held(server, "wide") == sorted(wide), 20, "wide with new rows and without the late one")
        eventually(lambda: count(server, "passed") == streams["passed"] + 2, 20, "passed with new rows")
        eventually(lambda: count(server, "titled") == streams["titled"] + 3, 20, "titled with new rows")
        self.assertGreaterEqual(count(server, "eager"), streams["eager"] + 3)
        answer = server.sql("SHOW QUERIES;")
        self.assertNotIn("ERROR", str(answer))
        # What this version writes, it reads again.
        server.kill()
        server.start()
        eventually(lambda: held(server, "wide") == sorted(wide), 20, "wide after a crash")
        server.sql(click(1000, 0, "p0", 3, 1) + click(20600, 0, "p0", 3, 1))
        eventually(lambda: ["p0", 20000, 30000, 3] in held(server, "wide"), 20, "wide after a crash and a row")
        self.assertIn(["p0", 0, 10000, 6], held(server, "wide"))

    def test_of_a_killed_server(self):
        self.goes_on("1_killed")

    def test_of_a_stopped_server(self):
        self.goes_on("1_stopped")


def write(directory):
    for name in ("killed", "stopped"):
        server = Server(data=os.path.join(directory, name)).start()
        server.sql(STATEMENTS, EARLIEST)
        server.sql(first_rows())
        for table, rows in HELD.items():
            eventually(lambda: held(server, table) == rows, 20, table)
        time.sleep(2)
        server.stop() if name == "stopped" else server.kill()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--write"]:
        write(sys.argv[2])
    else:
        unittest.main(verbosity=2)
