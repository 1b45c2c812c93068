#!/usr/bin/env python3
"""CREATE OR REPLACE on a running server: rows before and after it, and kill -9 right after its answer."""
import os
import random
import unittest

from server import BROKER, Refused, Server, eventually

SUFFIX = f"{os.getpid()}_{random.randrange(1 << 30)}"  # topics of a broker outlive a run


class Replace(unittest.TestCase):
    crash = False

    def setUp(self):
        self.name = f"{self._testMethodName}_{self.crash}_{SUFFIX}"
        settings = {"ksql.service.id": f"{self.name}_", "ksql.streams.auto.offset.reset": "earliest"}
        self.server = Server(BROKER, settings).start()
        self.addCleanup(self.server.close)
        self.server.sql(
            f"CREATE STREAM s (k STRING KEY, g STRING, a INT, b INT) WITH (kafka_topic='s_{self.name}', value_format='JSON', partitions=2);"
            f"CREATE TABLE t (k STRING PRIMARY KEY, g STRING, a INT, b INT) WITH (kafka_topic='t_{self.name}', value_format='JSON', partitions=2);")

    def create(self, text, replace=True):
        """Statements with {o} for the name of the topic."""
        self.server.sql(("CREATE OR REPLACE " if replace else "CREATE ") + text.replace("{o}", f"o_{self.name}"))
        if replace and self.crash:
            self.server.kill()
            self.server.start()

    def insert(self, *rows, into="s"):
        for time_ms, k, g, a, b in rows:
            self.server.sql(f"INSERT INTO {into} (rowtime, k, g, a, b) VALUES ({time_ms}, '{k}', '{g}', {a}, {b});")

    def expect(self, wanted, query="SELECT * FROM o;"):
        def found():
            rows = sorted(self.server.rows(query), key=str)
            return rows if rows == sorted(wanted, key=str) else None

        try:
            eventually(found, 30, query)
        except AssertionError as error:
            raise AssertionError(f"{wanted} expected, {sorted(self.server.rows(query), key=str)} found, "
                                 f"{self.server.sql('SHOW QUERIES;')}") from error

    def test_stream(self):
        self.create("STREAM o WITH (kafka_topic='{o}') AS SELECT * FROM s;", replace=False)
        self.insert((1, "x", "p", 1, 1))
        self.expect([["x", "p", 1, 1]])
        self.create("STREAM o WITH (kafka_topic='{o}') AS SELECT * FROM s WHERE a > 1;")
        self.insert((2, "x", "p", 1, 2), (3, "y", "p", 2, 2))
        self.expect([["x", "p", 1, 1], ["y", "p", 2, 2]])
        self.create("STREAM o WITH (kafka_topic='{o}') AS SELECT * FROM s WHERE a > 2;")
        self.insert((4, "y", "p", 2, 3), (5, "z", "p", 3, 3))
        self.expect([["x", "p", 1, 1], ["y", "p", 2, 2], ["z", "p", 3, 3]])
        self.create("STREAM o WITH (kafka_topic='{o}') AS SELECT k, UCASE(g) AS g, a, b, a + b AS c FROM s;")
        self.insert((6, "u", "q", 0, 4))
        self.expect([["x", "p", 1, 1, None], ["y", "p", 2, 2, None], ["z", "p", 3, 3, None], ["u", "Q", 0, 4, 4]])

    def test_stream_with_another_key(self):
        self.create("STREAM o WITH (kafka_topic='{o}') AS SELECT g, a FROM s PARTITION BY g;", replace=False)
        self.insert(*[(i, "x", f"p{i % 3}", i, i) for i in range(30)])
        # Rows may be under way between the two halves of the query; they must arrive.
        self.create("STREAM o WITH (kafka_topic='{o}') AS SELECT g, a, b FROM s WHERE b < 100 PARTITION BY g;")
        self.insert(*[(100 + i, "x", f"p{i % 3}", i, 90 + i) for i in range(20)])
        self.expect([[f"p{i % 3}", i] for i in range(30)] + [[f"p{i % 3}", i] for i in range(10)],
                    "SELECT g, a FROM o;")

    def test_table(self):
        self.create("TABLE o WITH (kafka_topic='{o}') AS SELECT k, a FROM t;", replace=False)
        self.insert((1, "x", "p", 1, 1), (2, "y", "q", 2, 2), (3, "z", "q", 9, 9), into="t")
        self.expect([["x", 1], ["y", 2], ["z", 9]])
        self.create("TABLE o WITH (kafka_topic='{o}') AS SELECT k, a FROM t WHERE b > 1;")
        self.insert((4, "x", "p", 3, 1), (5, "y", "q", 4, 2), into="t")
        self.expect([["y", 4], ["z", 9]])
        self.create("TABLE o WITH (kafka_topic='{o}') AS SELECT k, a, g FROM t;")
        self.insert((6, "x", "r", 5, 0), into="t")
        self.expect([["x", 5, "r"], ["y", 4, None], ["z", 9, None]])

    def test_aggregate(self):
        self.create("TABLE o WITH (kafka_topic='{o}') AS SELECT g, COUNT(*) AS n, SUM(a) AS a FROM s GROUP BY g;", replace=False)
        self.insert((1, "x", "p", 1, 1), (2, "y", "p", 2, 9), (3, "y", "q", 3, 1))
        self.expect([["p", 2, 3], ["q", 1, 3]])
        self.create("TABLE o WITH (kafka_topic='{o}') AS SELECT g, COUNT(*) AS n, SUM(a) AS a, SUM(a) * 2 AS twice FROM s WHERE b < 5 GROUP BY g;")
        self.insert((4, "x", "p", 4, 1), (5, "y", "p", 5, 9))
        self.expect([["p", 3, 7, 14], ["q", 1, 3, 6]])
        self.create("TABLE o WITH (kafka_topic='{o}') AS SELECT g, COUNT(*) AS n, SUM(a) AS a, SUM(a) * 3 AS twice FROM s GROUP BY g HAVING COUNT(*) > 1;")
        self.insert((6, "x", "p", 1, 9))
        self.expect([["p", 4, 8, 24]])

    def test_windowed_aggregate(self):
        window = "WINDOW TUMBLING (SIZE 10 SECONDS, RETENTION 1 DAY, GRACE PERIOD 5 SECONDS)"
        self.create(f"TABLE o WITH (kafka_topic='{{o}}') AS SELECT g, COUNT(*) AS n FROM s {window} GROUP BY g;", replace=False)
        self.insert((1000, "x", "p", 1, 1), (2000, "x", "p", 2, 9), (25000, "x", "p", 3, 1))
        self.expect([["p", 0, 10000, 2], ["p", 20000, 30000, 1]])
        self.create(f"TABLE o WITH (kafka_topic='{{o}}') AS SELECT g, COUNT(*) AS n, COUNT(*) + 1 AS more FROM s {window} WHERE b < 5 GROUP BY g;")
        # The first is late for its window still, the second does not pass.
        self.insert((3000, "x", "p", 4, 1), (26000, "x", "p", 5, 9), (27000, "x", "p", 6, 1))
        self.expect([["p", 0, 10000, 2, 3], ["p", 20000, 30000, 2, 3]])
        self.create(f"TABLE o WITH (kafka_topic='{{o}}') AS SELECT g, COUNT(*) AS n, COUNT(*) + 1 AS more FROM s {window} GROUP BY g;")
        self.insert((3000, "x", "p", 4, 9), (28000, "x", "p", 5, 9))
        self.expect([["p", 0, 10000, 2, 3], ["p", 20000, 30000, 3, 4]])

    def test_table_that_is_counted(self):
        self.create("TABLE o WITH (kafka_topic='{o}') AS SELECT g, COUNT(*) AS n FROM t GROUP BY g;", replace=False)
        self.insert((1, "x", "p", 1, 1), (2, "y", "p", 2, 2), into="t")
        self.expect([["p", 2]])
        with self.assertRaises(Refused):
            self.create("TABLE o WITH (kafka_topic='{o}') AS SELECT g, COUNT(*) AS n FROM t WHERE a > 1 GROUP BY g;")
        self.create("TABLE o WITH (kafka_topic='{o}') AS SELECT g, COUNT(*) AS n, COUNT(*) * 2 AS twice FROM t GROUP BY g;")
        self.insert((3, "x", "q", 1, 1), into="t")
        self.expect([["p", 1, 2], ["q", 1, 2]])


class ReplaceAndCrash(Replace):
    crash = True


class ReplaceWhileAWorkerIsSlow(unittest.TestCase):
    """The worker stands in a commit of the query for longer than statements wait for it."""

    def test_rows_come_once(self):
        name = f"slow_{SUFFIX}"
        settings = {"ksql.service.id": f"{name}_", "ksql.streams.auto.offset.reset": "earliest"}
        server = Server(BROKER, settings, options=["--threads", "1"])
        self.addCleanup(server.close)
        server.start({"MILLRACE_FAILPOINTS": "progress.write=wait@0"})
        server.sql(f"CREATE STREAM s (k STRING KEY, a INT) WITH (kafka_topic='s_{name}', value_format='JSON', partitions=1);")
        server.insert("s", [{"k": f"k{i}", "a": i} for i in range(10)])
        text = f"STREAM o WITH (kafka_topic='o_{name}') AS SELECT * FROM s WHERE a"
        server.sql(f"CREATE {text} >= 0;")
        eventually(lambda: "failpoint progress.write waits" in server.log(), 30, "it commits")
        self.assertEqual(server.metric("query_rows_in_total"), 10)
        status = server.sql(f"CREATE OR REPLACE {text} < 1000;")[0]["commandStatus"]
        self.assertEqual(status["status"], "EXECUTING", status)
        server.insert("s", [{"k": "k10", "a": 10}, {"k": "k11", "a": 1000}])
        eventually(lambda: [10] in server.rows("SELECT a FROM o;"), 60, "the new query goes on")
        self.assertEqual(sorted(server.rows("SELECT a FROM o;")), [[i] for i in range(11)])


if __name__ == "__main__":
    unittest.main(verbosity=2)
