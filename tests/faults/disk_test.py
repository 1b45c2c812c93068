"""Each of three brokers loses its disk, one after the other, while rows come: with three replicas of every topic nothing is lost,
neither in results nor in what a server rebuilds that has lost its own state as well."""
import json
import os
import shutil
import subprocess
import unittest

from anywhere_test import KEYS, Numbers
from server import BROKER, Server, eventually

DIRECTORY = os.environ.get("MILLRACE_TEST_BROKER_DIR", "")
TOOL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "kafka", "broker.sh")
STATEMENTS = """
SET 'auto.offset.reset' = 'earliest';
CREATE STREAM numbers (k STRING KEY, n BIGINT) WITH (kafka_topic = 'disk_numbers', value_format = 'JSON', partitions = 6, replicas = 3);
CREATE TABLE counts WITH (kafka_topic = 'disk_counts', replicas = 3) AS SELECT k, COUNT(*) AS c, MAX(n) AS n FROM numbers GROUP BY k;
CREATE TABLE totals WITH (kafka_topic = 'disk_totals', replicas = 3) AS SELECT c % 10 AS d, COUNT(*) AS c FROM counts GROUP BY c % 10;
"""


def broker(what, node):
    subprocess.run([TOOL, what, DIRECTORY, str(node)], check=True, timeout=180, stdout=subprocess.DEVNULL)


def partitions():
    """Of all topics: how many replicas each has, and how many of them are in sync."""
    listed = json.loads(subprocess.run(["kcat", "-L", "-J", "-b", BROKER], capture_output=True, check=True, timeout=30).stdout)
    return {(topic["topic"], part["partition"]): (len(part["replicas"]), len(part["isrs"]))
            for topic in listed["topics"] for part in topic["partitions"]}


class DiskTest(unittest.TestCase):
    def setUp(self):
        settings = {"ksql.service.id": "disk", "ksql.internal.topic.replicas": "3", "ksql.internal.topic.min.insync.replicas": "2",
                    "commit.interval.ms": "200"}
        self.server = Server(BROKER, settings)
        self.addCleanup(self.server.close)

    def test_a_disk_that_is_lost_loses_nothing(self):
        self.server.start().sql(STATEMENTS)
        numbers = Numbers("disk_numbers")
        numbers.thread.start()
        try:
            eventually(lambda: len(self.server.rows("SELECT k, c FROM counts;")) == KEYS, 60, "every key has come")
            ours = {topic: counts for (topic, _), counts in partitions().items() if "disk" in topic}
            self.assertGreater(len(ours), 5)
            self.assertEqual({replicas for replicas, _ in ours.values()}, {3}, ours)
            for node in (1, 2, 3):
                broker("kill", node)
                sent = numbers.sent
                eventually(lambda: numbers.sent > sent + 3, 60, "rows come without it")
                broker("replace", node)
                eventually(lambda: all(insync == 3 for _, insync in partitions().values()), 180, "it has all replicas again", 1)
        finally:
            numbers.stop()
        want = {f"k{i}": (numbers.sent, numbers.sent) for i in range(KEYS)}
        found = lambda: {k: (c, n) for k, c, n in self.server.rows("SELECT k, c, n FROM counts;")}  # noqa: E731
        all_there = lambda: found() == want and self.server.rows("SELECT d, c FROM totals;") == [[numbers.sent % 10, KEYS]]  # noqa: E731
        eventually(all_there, 120, "all rows are counted", 0.2)
        self.server.kill()
        shutil.rmtree(os.path.join(self.server.data, "state"))
        self.server.start()
        eventually(all_there, 120, "the state is built again from the changelogs", 0.2)


if __name__ == "__main__":
    unittest.main(verbosity=2)
