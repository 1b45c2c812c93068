"""Partitions that are added to topics of running queries, and records that somebody deletes, on the broker of
with_broker.sh."""
import json
import random
import subprocess
import tempfile
import time
import unittest
from collections import Counter

from push_test import Push
from server import BROKER, BROKER_SH, Server, eventually
from topics import produce


def kafka(tool, *arguments):
    subprocess.run([BROKER_SH, "run", tool, "--bootstrap-server", BROKER, *arguments],
                   check=True, timeout=60, stdout=subprocess.DEVNULL)


class PartitionsTest(unittest.TestCase):
    def setUp(self):
        self.tag = f"t{random.randrange(1 << 30)}"
        self.server = Server(BROKER, {"commit.interval.ms": 100, "ksql.service.id": self.tag + "_"})
        self.addCleanup(self.server.close)
        self.server.start()

    def sql(self, text, **properties):
        return self.server.sql(text.replace("$", self.tag), {"auto.offset.reset": "earliest"} | properties)

    def query(self, sink):
        return next(q for q in self.server.sql("SHOW QUERIES;")[0]["queries"] if sink in q["sinks"])

    def rows_of(self, stream):
        return len(self.server.rows(f"SELECT * FROM {stream};"))

    def produce(self, first, count):
        produce(f"{self.tag}s", (f"k{i % 100}\t" + json.dumps({"v": i}) for i in range(first, first + count)))

    def test_partitions_that_are_added(self):
        self.sql("CREATE STREAM s (k STRING KEY, v INT) WITH (kafka_topic='$s', value_format='JSON', partitions=4);")
        self.sql("CREATE STREAM passed WITH (kafka_topic='$passed') AS SELECT k, v FROM s;")
        self.sql("CREATE TABLE by_key WITH (kafka_topic='$by_key') AS SELECT k, COUNT(*) AS n FROM s GROUP BY k;")
        self.sql("CREATE TABLE moved WITH (kafka_topic='$moved') AS SELECT v % 10 AS m, COUNT(*) AS n FROM s GROUP BY v % 10;")
        push = Push(self.server, "SELECT v FROM s EMIT CHANGES;")
        self.addCleanup(push.close)
        self.produce(0, 1000)
        eventually(lambda: self.rows_of("passed") == 1000 and len(push.rows) == 1000, 30, "all work")
        eventually(lambda: self.server.rows("SELECT n FROM by_key WHERE k = 'k7';") == [[10]], 10, "it counts")
        kafka("org.apache.kafka.tools.TopicCommand", "--alter", "--topic", self.tag + "s", "--partitions", "8")
        began = time.monotonic()
        self.produce(1000, 500)
        eventually(lambda: self.rows_of("passed") == 1500, 20, "rows of all partitions are read")
        print(f"read after {time.monotonic() - began:.1f} s", flush=True)
        self.assertEqual(Counter(row[1] for row in self.server.rows("SELECT * FROM passed;")), Counter(range(1500)))
        # The rows of a key have left its state: it stops, and nothing that it wrote is wrong.
        failed = eventually(lambda: (q := self.query("BY_KEY"))["state"] == "ERROR" and q, 20, "it stops")
        self.assertIn("has got more partitions", failed["error"])
        ends = {}
        for key, value in [(r[0], r[1]) for r in self.changes("by_key")]:
            self.assertEqual(value, ends.get(key, 0) + value - ends.get(key, 0))
            self.assertGreater(value, ends.get(key, 0), "a count begins anew")
            ends[key] = value
        # What is moved by another key afterwards meets its state as before.
        eventually(lambda: sorted(map(tuple, self.server.rows("SELECT m, n FROM moved;"))) == [(m, 150) for m in range(10)], 20,
                   "rows that are moved are counted on")
        self.assertEqual(self.query("PASSED")["state"], "RUNNING")
        # A push query says that it does not read all.
        eventually(lambda: push.ended, 20, "it ends")
        self.assertIn("has got more partitions (8 now)", json.dumps(push.rows[-1]))
        again = Push(self.server, "SELECT v FROM s EMIT CHANGES;")
        self.addCleanup(again.close)
        self.produce(1500, 300)
        eventually(lambda: len(again.rows) == 300, 20, "one that is asked now reads all")

    def changes(self, table):
        """Keys and values of a table's topic in the order of its partitions."""
        from topics import read_committed
        for _, _, key, value in read_committed(self.tag + table):
            yield key.decode(), json.loads(value)["N"]

    def delete_before(self, topic, offsets):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump({"version": 1, "partitions": [{"topic": topic, "partition": p, "offset": o} for p, o in offsets]}, file)
            file.flush()
            kafka("org.apache.kafka.tools.DeleteRecordsCommand", "--offset-json-file", file.name)

    def test_records_deleted_under_a_paused_query(self):
        self.sql("CREATE STREAM s (k STRING KEY, v INT) WITH (kafka_topic='$s', value_format='JSON', partitions=1);")
        self.sql("CREATE STREAM passed WITH (kafka_topic='$passed') AS SELECT k, v FROM s;")
        self.sql("CREATE STREAM other WITH (kafka_topic='$other') AS SELECT k, v FROM s;")
        self.produce(0, 100)
        eventually(lambda: self.rows_of("passed") == 100, 30, "it works")
        id_ = self.query("PASSED")["id"]
        self.sql(f"PAUSE {id_};")
        self.produce(100, 100)
        eventually(lambda: self.rows_of("other") == 200, 20, "the other goes on")
        self.delete_before(self.tag + "s", [(0, 150)])
        self.sql(f"RESUME {id_};")
        failed = eventually(lambda: (q := self.query("PASSED"))["state"] == "ERROR" and q, 20, "it does not pass over them")
        self.assertIn("offsets 100 to 149 were removed before they were read", failed["error"])
        self.assertEqual((self.rows_of("passed"), self.query("OTHER")["state"]), (100, "RUNNING"))
        self.sql(f"RESUME {id_};", **{"auto.offset.reset": "earliest"})
        eventually(lambda: self.rows_of("passed") == 150, 20, "it goes on with what is left")
        self.produce(200, 10)
        eventually(lambda: self.rows_of("passed") == 160 and self.rows_of("other") == 210, 20, "both go on")


if __name__ == "__main__":
    unittest.main(verbosity=2)
