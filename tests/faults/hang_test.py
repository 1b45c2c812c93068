"""A worker that comes to no end, and one that has much to do: what others ask of the server is answered, and it ends when it
is told to. On the broker of with_broker.sh where there is one, else embedded."""
import random
import time
import unittest

from push_test import Push
from server import BROKER, Server, eventually
from topics import produce

ROWS = 2000


class HangTest(unittest.TestCase):
    def setUp(self):
        self.tag = f"t{random.randrange(1 << 30)}"
        self.server = Server(BROKER, {"ksql.service.id": self.tag + "_", "commit.interval.ms": 100}, options=["--threads", "1"])
        self.addCleanup(self.server.close)

    def declare(self, environment=None):
        self.server.start(environment)
        self.server.sql(f"CREATE STREAM s (k STRING KEY, t STRING) WITH (kafka_topic='{self.tag}s', value_format='JSON', partitions=1);"
                        f"CREATE TABLE n WITH (kafka_topic='{self.tag}n') AS SELECT k, COUNT(*) AS n FROM s GROUP BY k;")

    def hang(self):
        """The only worker stands still in the middle of a commit."""
        self.declare({"MILLRACE_FAILPOINTS": "progress.write=hang@3"})
        before = -1
        for i in range(100):
            self.server.insert("s", [{"k": "a", "t": "x"}])
            time.sleep(0.3)
            now = self.server.metric("query_rows_in_total")
            if now == before and i > 3:
                return
            before = now
        self.fail("it does not hang")

    def test_what_others_ask_is_answered(self):
        self.hang()
        for path in ("/metrics", "/info", "/healthcheck", "/status", "/clusterStatus", "/debug/tasks"):
            began = time.monotonic()
            self.assertEqual(self.server.request("GET", path, seconds=10)[0], 200, path)
            self.assertLess(time.monotonic() - began, 3, path)
        for statement in ("SHOW QUERIES;", "SHOW STREAMS EXTENDED;", "DESCRIBE n EXTENDED;", "EXPLAIN $;"):
            id_ = self.server.sql("SHOW QUERIES;", seconds=10)[0]["queries"][0]["id"]
            began = time.monotonic()
            self.server.sql(statement.replace("$", id_), seconds=10)
            self.assertLess(time.monotonic() - began, 5, statement)

    def test_statements_go_on(self):
        """They are carried out when the worker comes to them, and say that it has not yet."""
        self.hang()

        def status(text):
            return self.server.sql(text, seconds=20)[-1]["commandStatus"]

        for text in (f"CREATE TABLE m WITH (kafka_topic='{self.tag}m') AS SELECT k, COUNT(*) AS n FROM s GROUP BY k;",
                     "PAUSE ALL;", "RESUME ALL;", f"CREATE STREAM o (k STRING KEY) WITH (kafka_topic='{self.tag}o', "
                     "value_format='JSON', partitions=1);", "DROP TABLE m DELETE TOPIC;"):
            found = status(text)
            if text.startswith("CREATE STREAM"):
                self.assertEqual(found["status"], "SUCCESS", found)
            else:
                self.assertEqual(found["status"], "EXECUTING", found)
                self.assertIn("Worker 0 is at a commit", found["message"])
        ids = [query["id"] for query in self.server.sql("SHOW QUERIES;", seconds=20)[0]["queries"]]
        self.assertEqual(len(ids), 1, ids)

    def test_it_ends(self):
        self.hang()
        began = time.monotonic()
        self.assertEqual(self.server.stop(45), 70)
        print(f"ended after {time.monotonic() - began:.1f} s", flush=True)
        self.server.start()  # nor does it keep it from starting
        eventually(lambda: self.server.metric("query_lag_records") == 0, 20, "it does what it had not")

    def test_a_row_that_takes_its_time(self):
        """A regular expression takes its time limit for each of many rows: the others get their turns."""
        self.declare()
        self.server.sql(f"CREATE STREAM slow WITH (kafka_topic='{self.tag}slow') AS SELECT k, REGEXP_EXTRACT('^(a|aa)+$', t) AS r "
                        "FROM s;")
        self.server.insert("s", [{"k": "a", "t": "a" * 60 + "b"}] * ROWS)
        eventually(lambda: self.server.rows("SELECT n FROM n WHERE k = 'a';") == [[ROWS]], 20, "they are counted")
        for i in range(20):
            began = time.monotonic()
            self.server.insert("s", [{"k": f"b{i}", "t": "b"}])
            eventually(lambda: self.server.rows(f"SELECT n FROM n WHERE k = 'b{i}';") == [[1]], 10, "the other query", 0.01)
            self.assertLess(time.monotonic() - began, 2)
        self.assertGreater(self.server.metric("query_lag_records"), 0, "the slow one was quick")
        self.assertEqual(self.server.stop(), 0)


@unittest.skipUnless(BROKER, "the embedded log has one thread for all commits, those of inserts among them")
class SlowCommitTest(unittest.TestCase):
    """A commit takes long to end, and as much as may be has come in behind it."""

    def test_pull_queries_are_answered(self):
        tag = f"t{random.randrange(1 << 30)}"
        server = Server(BROKER, {"ksql.service.id": tag + "_", "commit.interval.ms": 100, "millrace.state.memory.bytes": 1 << 20},
                        options=["--threads", "1"])
        self.addCleanup(server.close)
        server.start({"MILLRACE_FAILPOINTS": "commit.fenced=wait@5"})
        server.sql(f"CREATE STREAM s (k STRING KEY, t STRING) WITH (kafka_topic='{tag}s', value_format='JSON', partitions=1);"
                   f"CREATE STREAM c WITH (kafka_topic='{tag}c') AS SELECT * FROM s;"
                   f"CREATE TABLE n WITH (kafka_topic='{tag}n') AS SELECT k, COUNT(*) AS n FROM s GROUP BY k;")

        def send(count):
            produce(f"{tag}s", (f'a\t{{"t":"{"x" * 1000}"}}' for _ in range(count)))

        def waits():
            send(1)
            return "failpoint commit.fenced waits" in server.log()

        eventually(waits, 60, "it waits", 0.2)
        send(4000)
        for _ in range(20):
            began = time.monotonic()
            self.assertGreater(server.rows("SELECT n FROM n WHERE k = 'a';")[0][0], 0)
            self.assertLess(time.monotonic() - began, 1)
            time.sleep(0.1)
        self.assertLess(server.rows("SELECT n FROM n WHERE k = 'a';")[0][0], 1000, "it has waited in vain")
        eventually(lambda: server.rows("SELECT n FROM n WHERE k = 'a';")[0][0] > 4000, 60, "it goes on")


class HungPushTest(unittest.TestCase):
    """The thread that push queries share stands still: their clients hear of it, and others run beside it."""

    def setUp(self):
        self.tag = f"t{random.randrange(1 << 30)}"
        self.server = Server(BROKER, {"ksql.service.id": self.tag + "_", "ksql.max.push.queries": 3}, options=["--threads", "1"])
        self.addCleanup(self.server.close)
        self.server.start({"MILLRACE_FAILPOINTS": "progress.write=hang@0"})
        self.server.sql(f"CREATE STREAM s (k STRING KEY, v INT) WITH (kafka_topic='{self.tag}s', value_format='JSON', partitions=1);")

    def push(self, sql):
        push = Push(self.server, sql)
        self.addCleanup(push.close)
        self.assertEqual(push.status, 200, sql)
        return push

    def send(self, v):
        self.server.insert("s", [{"k": "a", "v": v}])

    def test_push_queries_on_it(self):
        hung = [self.push("SELECT v FROM s EMIT CHANGES;"), self.push("SELECT v + 1 AS v FROM s EMIT CHANGES;")]
        self.send(1)
        eventually(lambda: self.server.metric("push_queries_total") == 2, 5, "they run")
        began = time.monotonic()
        beside = self.push("SELECT v FROM s EMIT CHANGES;")
        self.assertLess(time.monotonic() - began, 8)
        self.send(2)
        eventually(lambda: beside.rows == [[2]], 10, "the one beside them")
        for push in hung:
            eventually(lambda: push.ended, 30, "their clients are told")
            self.assertIn("The thread that runs the query has been at", str(push.rows[-1]))
        # They are no longer counted, and so is whoever leaves after them.
        more = [self.push("SELECT v FROM s EMIT CHANGES;") for _ in range(2)]
        for push in [beside, *more]:
            push.close()

        def another():
            push = Push(self.server, "SELECT v FROM s EMIT CHANGES;")
            self.addCleanup(push.close)
            return push if push.status == 200 else None

        again = eventually(another, 10, "there is room")
        self.send(3)
        eventually(lambda: again.rows == [[3]], 10, "it runs")


if __name__ == "__main__":
    unittest.main(verbosity=2)
