#!/usr/bin/env python3
"""Data directories of 0.1.0 with what the other tests here do not hold: joins of tables, by foreign keys and of both streams' kept rows, ranked
rows, distinct values, texts that are joined, and schemas in the log. joins_killed.tar.xz is of a server that was killed, the other of one that was
stopped. --write DIRECTORY made them, with the program of that time."""
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
CREATE TABLE lots (id INT PRIMARY KEY, seller STRING, price INT) WITH (kafka_topic='lots', format='JSON', partitions=2);
CREATE TABLE sellers (name STRING PRIMARY KEY, town STRING) WITH (kafka_topic='sellers', format='JSON', partitions=2);
CREATE TABLE reserves (id INT PRIMARY KEY, least INT) WITH (kafka_topic='reserves', format='JSON', partitions=2);
CREATE STREAM bids (id INT KEY, bidder STRING, amount DECIMAL(9, 2)) WITH (kafka_topic='bids', key_format='JSON', value_format='AVRO', partitions=2);
CREATE STREAM asks (id INT KEY, amount INT) WITH (kafka_topic='asks', format='JSON', partitions=2);
CREATE TABLE at_home AS SELECT l.id AS id, l.price, s.town FROM lots l LEFT JOIN sellers s ON l.seller = s.name;
CREATE TABLE reserved AS SELECT ROWKEY AS id, l.price, r.least FROM lots l FULL JOIN reserves r ON l.id = r.id;
CREATE TABLE best AS SELECT id, bidder, amount, ROW_NUMBER() OVER (PARTITION BY id ORDER BY amount DESC) AS place FROM bids QUALIFY ROW_NUMBER() OVER (PARTITION BY id ORDER BY amount DESC) <= 2;
CREATE TABLE bidders AS SELECT id, COUNT(DISTINCT bidder) AS n, STRING_AGG(bidder, '+') AS all_of, MAX_BY(bidder, amount) AS most FROM bids GROUP BY id;
CREATE STREAM met AS SELECT b.id AS id, b.bidder, a.amount AS asked FROM bids b JOIN asks a WITHIN 10 SECONDS GRACE PERIOD 1 HOUR ON b.id = a.id;
"""


def bid(time_ms, lot, bidder, amount):
    return f"INSERT INTO bids (ROWTIME, id, bidder, amount) VALUES ({time_ms}, {lot}, '{bidder}', {amount});"


ROWS = ("INSERT INTO sellers VALUES ('ann', 'Bern'); INSERT INTO sellers VALUES ('bob', 'Basel');"
        "INSERT INTO lots VALUES (1, 'ann', 10); INSERT INTO lots VALUES (2, 'bob', 20); INSERT INTO lots VALUES (3, 'cid', 30);"
        "INSERT INTO reserves VALUES (1, 5); INSERT INTO reserves VALUES (4, 40);"
        + bid(1000, 1, "eve", 1.50) + bid(2000, 1, "fay", 2.50) + bid(3000, 1, "eve", 3.00) + bid(3000, 2, "gus", 7.25)
        + "INSERT INTO asks (ROWTIME, id, amount) VALUES (4000, 1, 9);")
HELD = {
    "SELECT id, price, town FROM at_home;": [[1, 10, "Bern"], [2, 20, "Basel"], [3, 30, None]],
    "SELECT id, price, least FROM reserved;": [[1, 10, 5], [2, 20, None], [3, 30, None], [4, None, 40]],
    "SELECT id, bidder, amount FROM best;": [[1, "eve", 3.0], [1, "fay", 2.5], [2, "gus", 7.25]],
    "SELECT id, n, all_of, most FROM bidders;": [[1, 2, "eve+fay+eve", "eve"], [2, 1, "gus", "gus"]],
    "SELECT id, bidder, asked FROM met;": [[1, "eve", 9], [1, "eve", 9], [1, "fay", 9]],
}
MORE = ("INSERT INTO sellers VALUES ('cid', 'Chur'); INSERT INTO sellers VALUES ('ann', 'Brig'); INSERT INTO reserves VALUES (2, 50);"
        "INSERT INTO lots VALUES (4, 'ann', 40);" + bid(5000, 1, "hal", 2.75) + bid(6000, 2, "gus", 1.00)
        + "INSERT INTO asks (ROWTIME, id, amount) VALUES (6500, 2, 3);")
THEN = {
    "SELECT id, price, town FROM at_home;": [[1, 10, "Brig"], [2, 20, "Basel"], [3, 30, "Chur"], [4, 40, "Brig"]],
    "SELECT id, price, least FROM reserved;": [[1, 10, 5], [2, 20, 50], [3, 30, None], [4, 40, 40]],
    "SELECT id, bidder, amount FROM best;": [[1, "eve", 3.0], [1, "hal", 2.75], [2, "gus", 1.0], [2, "gus", 7.25]],
    "SELECT id, n, all_of, most FROM bidders;": [[1, 3, "eve+fay+eve+hal", "eve"], [2, 1, "gus+gus", "gus"]],
    "SELECT id, bidder, asked FROM met;": [[1, "eve", 9], [1, "eve", 9], [1, "fay", 9], [1, "hal", 9], [2, "gus", 3], [2, "gus", 3]],
}


def gives(server, expected):
    for sql, rows in expected.items():
        eventually(lambda: sorted(server.rows(sql), key=str) == sorted(rows, key=str), 20, f"{sql} gives {rows}")


class Joins(unittest.TestCase):
    def goes_on(self, name):
        work = tempfile.TemporaryDirectory(prefix="millrace-compat-")
        self.addCleanup(work.cleanup)
        with tarfile.open(os.path.join(HERE, f"joins_{name}.tar.xz")) as archive:
            archive.extractall(work.name)
        server = Server(data=os.path.join(work.name, name))
        self.addCleanup(server.close)
        server.start()
        gives(server, HELD)
        server.sql(MORE)
        gives(server, THEN)
        self.assertNotIn("ERROR", str(server.sql("SHOW QUERIES;")))
        server.kill()
        server.start()
        gives(server, THEN)

    def test_of_a_killed_server(self):
        self.goes_on("killed")

    def test_of_a_stopped_server(self):
        self.goes_on("stopped")


def write(directory):
    for name in ("killed", "stopped"):
        server = Server(data=os.path.join(directory, name)).start()
        server.sql(STATEMENTS, EARLIEST)
        server.sql(ROWS)
        gives(server, HELD)
        time.sleep(2)
        server.stop() if name == "stopped" else server.kill()
        with tarfile.open(os.path.join(directory, f"joins_{name}.tar.xz"), "w:xz") as archive:
            archive.add(server.data, name)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--write"]:
        write(sys.argv[2])
    else:
        unittest.main(verbosity=2)
