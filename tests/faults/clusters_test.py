"""Topics of a second Kafka cluster: what is copied there and back while the server is killed, and while that cluster is
away. MILLRACE_FAULT_SEED repeats a run."""
import json
import os
import random
import subprocess
import threading
import time
import unittest
from collections import Counter

from server import BROKER, Refused, Server, broker, eventually
from topics import fold, produce, read_committed

OTHER = os.environ.get("MILLRACE_TEST_OTHER_BROKER", "")
SEED = int(os.environ.get("MILLRACE_FAULT_SEED", random.SystemRandom().randrange(1 << 32)))
ROWS = int(os.environ.get("MILLRACE_CLUSTER_ROWS", 30_000))
KEYS = 300

EARLY = {"auto.offset.reset": "earliest"}
# `e` lies over there, `h` here; each is copied to the other side, as rows and as a table.
STATEMENTS = """
CREATE STREAM e (k STRING KEY, id BIGINT) WITH (kafka_topic = 'e{0}', kafka_cluster = 'eu', value_format = 'JSON', partitions = 3);
CREATE STREAM h (k STRING KEY, id BIGINT) WITH (kafka_topic = 'h{0}', value_format = 'JSON', partitions = 3);
CREATE STREAM e_here WITH (kafka_topic = 'e_here{0}') AS SELECT k, id FROM e WHERE id % 10 <> 3;
CREATE TABLE e_sums WITH (kafka_topic = 'e_sums{0}') AS SELECT k, COUNT(*) AS n, SUM(id) AS s FROM e GROUP BY k;
CREATE STREAM h_there WITH (kafka_topic = 'h_there{0}', kafka_cluster = 'eu') AS SELECT k, id * 2 AS d FROM h;
CREATE TABLE h_sums WITH (kafka_topic = 'h_sums{0}', kafka_cluster = 'eu') AS SELECT k, COUNT(*) AS n, MAX(id) AS m FROM h GROUP BY k;
CREATE TABLE alone WITH (kafka_topic = 'alone{0}') AS SELECT k, COUNT(*) AS n FROM h GROUP BY k;
"""


def other_broker(verb):
    broker(verb, directory=os.environ["MILLRACE_TEST_OTHER_BROKER_DIR"])


def rows_of(records, field):
    """(key, field) of each record, in the order of partitions and offsets."""
    return [(key.decode(), json.loads(value)[field]) for _, _, key, value in records]


class ClustersTest(unittest.TestCase):
    def setUp(self):
        print(f"seed {SEED}", flush=True)
        self.rng = random.Random(SEED)
        self.name = f"x{random.SystemRandom().randrange(1 << 40)}"
        settings = {"commit.interval.ms": 200, "ksql.service.id": self.name, "millrace.cluster.eu.bootstrap.servers": OTHER,
                    "ksql.query.retry.backoff.max.ms": 1000}
        self.server = Server(BROKER, settings)
        self.addCleanup(self.server.close)

    def declare(self):
        self.server.sql(STATEMENTS.format(self.name), EARLY)

    def topic(self, name):
        return f"{name}{self.name}"

    def model(self, count):
        """Keys of the rows 0..count, and what tables over them hold."""
        keys = [f"k{i * 7919 % KEYS}" for i in range(count)]
        counts, sums, last = Counter(keys), Counter(), {}
        for i, key in enumerate(keys):
            sums[key] += i
            last[key] = i
        return keys, counts, sums, last

    def send(self, first, count, keys):
        for topic, address in (("e", OTHER), ("h", BROKER)):
            produce(self.topic(topic), [f'{keys[i]}\t{{"id": {i}}}' for i in range(first, first + count)], address)

    def check_here(self, keys):
        """Exactly once, in order, whatever has happened."""
        wanted = {i for i in range(len(keys)) if i % 10 != 3}
        eventually(lambda: len(read_committed(self.topic("e_here"))) >= len(wanted), 90, "the copy from there", 0.5)
        found = rows_of(read_committed(self.topic("e_here")), "ID")
        ids = [number for _, number in found]
        self.assertEqual(Counter(ids).most_common(1)[0][1], 1, "a row was written twice")
        self.assertEqual(set(ids), wanted)
        for key in set(keys):
            own = [number for k, number in found if k == key]
            self.assertEqual(own, sorted(own))

    def check_sums_here(self, counts, sums):
        def right():
            return {k: (n, s) for k, n, s in self.server.rows("SELECT k, n, s FROM e_sums;")} == {
                k: (counts[k], sums[k]) for k in counts}
        eventually(right, 90, "the table from there is right", 0.5)

    def check_there(self, keys, counts, last):
        """Nothing lost; what is there more than once is there in the same order, so that tables are right."""
        wanted = Counter((keys[i], i * 2) for i in range(len(keys)))
        eventually(lambda: set(rows_of(read_committed(self.topic("h_there"), OTHER), "D")) == set(wanted), 90,
                   "the copy over there", 0.5)
        found = rows_of(read_committed(self.topic("h_there"), OTHER), "D")
        again = len(found) - len(wanted)
        print(f"{again} of {len(found)} rows over there were written again", flush=True)
        final = {}
        for key, number in found:
            final[key] = number
        self.assertEqual(final, {key: number * 2 for key, number in last.items()})

        def table_right():
            table = fold(read_committed(self.topic("h_sums"), OTHER))
            return {k.decode(): (json.loads(v)["N"], json.loads(v)["M"]) for k, v in table.items()} == {
                k: (counts[k], last[k]) for k in counts}
        eventually(table_right, 90, "the table over there is right", 0.5)
        return again

    def check(self, count):
        keys, counts, sums, last = self.model(count)
        self.check_here(keys)
        self.check_sums_here(counts, sums)
        return self.check_there(keys, counts, last)

    def refused(self, text, saying):
        with self.assertRaises(Refused) as caught:
            self.server.sql(text)
        self.assertIn(saying, str(caught.exception))

    def test_both_ways(self):
        self.server.start()
        self.declare()
        keys, _, _, _ = self.model(2000)
        self.send(0, 2000, keys)
        if self.check(2000) > 0:
            self.assertIn("a commit failed", self.server.log(), "nothing went wrong, so nothing is written again")
        self.look_at_it()
        self.write_and_ask()
        self.make_and_drop()
        self.assertEqual(self.server.stop(), 0)

    def look_at_it(self):
        queries = self.server.sql("SHOW QUERIES;")[0]["queries"]
        explained = {query["sinks"][0]: self.server.sql(f"EXPLAIN {query['id']};")[0]["queryDescription"]["topology"]
                     for query in queries}
        self.assertIn(f"guarantee: exactly-once, from eu/{self.topic('e')}", explained["E_HERE"])
        self.assertIn(f"guarantee: at-least-once into eu/{self.topic('h_there')}", explained["H_THERE"])
        self.assertNotIn("guarantee", explained["ALONE"])
        described = self.server.sql("DESCRIBE H_SUMS EXTENDED;")[0]["sourceDescription"]
        self.assertEqual((described["topic"], described["partitions"]), (f"eu/{self.topic('h_sums')}", 3))
        self.assertIn("at-least-once", described["guarantee"])
        status, text = self.server.request("POST", "/query", json.dumps(
            {"ksql": f"PRINT 'eu/{self.topic('e')}' FROM BEGINNING LIMIT 2;"}))
        self.assertEqual((status, text.count(b"rowtime")), (200, 2))

    def write_and_ask(self):
        self.server.sql("INSERT INTO e (k, id) VALUES ('one', 100003);")
        rows = [{"k": "more", "id": 100013 + i} for i in range(50)]
        self.assertEqual(self.server.insert("E", rows), 50)
        there = [key for _, _, key, _ in read_committed(self.topic("e"), OTHER)]
        self.assertEqual((there.count(b"one"), there.count(b"more")), (1, 50))
        self.assertEqual(len(self.server.rows("SELECT * FROM e WHERE k = 'more';")), 50)
        self.assertEqual(len(self.server.rows("SELECT * FROM e WHERE k = 'more' EMIT CHANGES LIMIT 7;", EARLY)), 7)

    def make_and_drop(self):
        self.refused("CREATE STREAM no (k STRING KEY) WITH (kafka_topic='no', kafka_cluster='us', format='JSON', partitions=1);",
                     "knows no Kafka cluster 'us'")
        self.refused(f"CREATE OR REPLACE STREAM h_there WITH (kafka_topic = 'h_there{self.name}') AS SELECT k, id * 2 AS d FROM h;",
                     "topic")
        self.refused("CREATE STREAM no (k STRING KEY) WITH (kafka_topic='nowhere', kafka_cluster='eu', format='JSON');",
                     "'eu/nowhere' does not exist")
        # Of one name on both sides, and joined: partitions are those over there.
        self.server.sql(f"CREATE TABLE names (k STRING PRIMARY KEY, name STRING) WITH (kafka_topic='h{self.name}', "
                        "kafka_cluster='eu', value_format='JSON', partitions=3); "
                        "CREATE STREAM joined AS SELECT h.k AS k, id, name FROM h JOIN names ON h.k = names.k;", EARLY)
        self.server.sql("INSERT INTO names VALUES ('known', 'n');")
        produce(self.topic("h"), ['known\t{"id": 100023}'])
        eventually(lambda: len(read_committed("JOINED")) == 1, 30, "it is joined with what lies over there")
        self.server.sql("DROP STREAM joined DELETE TOPIC; DROP TABLE names DELETE TOPIC;")
        listed = subprocess.run(["kcat", "-L", "-b", OTHER], capture_output=True, check=True, timeout=60).stdout.decode()
        self.assertNotIn(f'"h{self.name}"', listed)
        self.assertIn(f'"h_there{self.name}" with 3 partitions', listed)
        self.assertGreater(len(read_committed(self.topic("h"))), 2000)

    def test_kills(self):
        self.server.start()
        self.declare()
        keys, _, _, _ = self.model(ROWS)

        def feed():
            for at in range(0, ROWS, 500):
                self.send(at, 500, keys)
        feeding = threading.Thread(target=feed)
        feeding.start()
        for _ in range(6):
            time.sleep(self.rng.uniform(0.5, 3))
            self.server.kill()
            self.server.start()
        feeding.join()
        self.check(ROWS)

    def test_it_ends_between_the_commits(self):
        """Over there it is committed, here it is not."""
        self.server.start({"MILLRACE_FAILPOINTS": "commit.others_ended=crash@8"})
        self.declare()
        keys, _, _, _ = self.model(2000)
        for at in range(0, 2000, 100):
            self.send(at, 100, keys)
        eventually(lambda: self.server.process.poll() is not None, 60, "it crashes")
        self.server.start()
        self.assertGreater(self.check(2000), 0)

    def states(self):
        return {query["sinks"][0]: query["state"] for query in self.server.sql("SHOW QUERIES;")[0]["queries"]}

    def errors(self, sink):
        query = next(q for q in self.server.sql("SHOW QUERIES;")[0]["queries"] if q["sinks"] == [sink])
        return json.dumps(self.server.sql(f"EXPLAIN {query['id']};")[0]["queryDescription"]["queryErrors"])

    def counts_here(self):
        return sum(n for _, n in self.server.rows("SELECT k, n FROM alone;"))

    def test_the_other_one_goes_and_returns(self):
        self.server.start()
        self.declare()
        keys, _, _, _ = self.model(4000)
        self.send(0, 1000, keys)
        self.check(1000)
        other_broker("kill")
        try:
            half = [f'{keys[i]}\t{{"id": {i}}}' for i in range(1000, 2000)]
            produce(self.topic("h"), half)
            eventually(lambda: self.counts_here() == 2000, 60, "what does not concern it goes on")
            eventually(lambda: self.states()["H_THERE"] == "ERROR", 60, "what writes there says so")
            self.assertIn("Kafka cluster 'eu'", self.errors("H_THERE"))
            self.assertEqual(self.states()["ALONE"], "RUNNING")
            self.refused("INSERT INTO e (k, id) VALUES ('one', 1);", "Kafka cluster 'eu'")
            self.assertEqual(self.server.metric("cluster_available"), 0)
            # A start without it.
            self.server.kill()
            self.server.start()
            produce(self.topic("h"), [f'{keys[i]}\t{{"id": {i}}}' for i in range(2000, 3000)])
            eventually(lambda: self.counts_here() == 3000, 60, "what does not concern it starts at once")
            eventually(lambda: self.states()["E_HERE"] == "ERROR", 60, "what reads there says so")
            self.assertIn("Kafka cluster 'eu' does not answer", self.errors("E_HERE"))
        finally:
            other_broker("restart")
        produce(self.topic("e"), [f'{keys[i]}\t{{"id": {i}}}' for i in range(1000, 3000)], OTHER)
        self.check(3000)
        self.send(3000, 1000, keys)
        self.check(4000)
        self.assertEqual(self.server.metric("cluster_available"), 1)
        self.assertEqual(self.server.stop(), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
