"""What a log refuses or has lost is the affair of the query concerned: it stops and says why, the others go on. On the
broker of with_broker.sh where there is one, else embedded."""
import os
import random
import signal
import time
import unittest

from proxy import SYNC_GROUP, in_front_of
from server import BROKER, Refused, Server, eventually

SETTINGS = {"commit.interval.ms": 200, "ksql.query.retry.backoff.initial.ms": 300, "ksql.query.retry.backoff.max.ms": 300}


class RefusedTest(unittest.TestCase):
    def setUp(self):
        self.server = Server(BROKER, SETTINGS | ({"ksql.service.id": f"refused{random.randrange(1 << 30)}_"} if BROKER else {}))
        self.addCleanup(self.server.close)
        self.server.start()
        self.tag = f"t{random.randrange(1 << 30)}"  # topics of the broker are shared by the tests

    def sql(self, text):
        return self.server.sql(text.replace("$", self.tag), {"auto.offset.reset": "earliest"})

    def query(self, sink):
        for query in self.server.sql("SHOW QUERIES;")[0]["queries"]:
            if sink in query["sinks"]:
                return query
        raise AssertionError(f"no query writes {sink}")

    def fails(self, sink, part):
        found = eventually(lambda: (q := self.query(sink))["state"] == "ERROR" and q, 20, f"{sink} fails")
        self.assertIn(part, found["error"])
        return found["id"]

    def refusal(self, sql):
        try:
            self.server.rows(sql)
        except Refused as refused:
            return str(refused)
        return ""

    def rows_of(self, stream):
        return len(self.server.rows(f"SELECT * FROM {stream};"))

    def declare(self):
        self.sql("CREATE STREAM s (k STRING KEY, v STRING) WITH (kafka_topic='$s', value_format='JSON', partitions=1);")
        self.sql("CREATE STREAM other WITH (kafka_topic='$other') AS SELECT k, LEN(v) AS n FROM s;")

    @unittest.skipUnless(BROKER, "a broker limits what a record may hold")
    def test_a_row_that_is_too_large(self):
        self.declare()
        self.sql("CREATE TABLE big WITH (kafka_topic='$big') AS SELECT k, COLLECT_LIST(v) AS all_of_it FROM s GROUP BY k;")
        for i in range(14):
            self.server.insert("s", [{"k": "a", "v": chr(97 + i) * 100_000}])
        id_ = self.fails("BIG", "max.message.bytes")
        eventually(lambda: self.rows_of("OTHER") == 14, 30, "the other query goes on")
        self.server.insert("s", [{"k": "b", "v": "x"}])
        eventually(lambda: self.rows_of("OTHER") == 15, 10, "the other query goes on", 0.02)
        self.assertEqual(self.query("OTHER")["state"], "RUNNING")
        # It is tried again and again, and runs until it fails again.
        eventually(lambda: "max.message.bytes" in self.server.request("GET", "/metrics")[1].decode(), 20, "metrics say why")
        errors = self.server.sql(f"EXPLAIN {id_};")[0]["queryDescription"]["queryErrors"]
        self.assertGreater(errors[0]["timestamp"], 0)
        eventually(lambda: "max.message.bytes" in self.refusal("SELECT * FROM big WHERE k = 'b';"), 20, "a pull query says why")

    def test_a_sink_that_is_deleted(self):
        self.declare()
        self.sql("CREATE STREAM lost WITH (kafka_topic='$lost') AS SELECT k, v FROM s;")
        self.server.insert("s", [{"k": "a", "v": "1"}])
        eventually(lambda: self.rows_of("LOST") == 1 and self.rows_of("OTHER") == 1, 30, "both work")
        self.sql("CREATE STREAM alias (k STRING KEY, v STRING) WITH (kafka_topic='$lost', value_format='JSON');")
        self.sql("DROP STREAM alias DELETE TOPIC;")
        self.server.insert("s", [{"k": "a", "v": "2"}])
        self.fails("LOST", f"{self.tag}lost")
        eventually(lambda: self.rows_of("OTHER") == 2, 30, "the other query goes on")

    def make_anew(self, rows, stopped=False, paused=False):
        """The topic of S2, of which LOST has read 20 rows, becomes another one with `rows` rows."""
        self.declare()
        self.sql("CREATE STREAM s2 (k STRING KEY, v STRING) WITH (kafka_topic='$s2', value_format='JSON', partitions=1);")
        self.sql("CREATE STREAM lost WITH (kafka_topic='$lost') AS SELECT k, v FROM s2;")
        self.server.insert("s2", [{"k": "a", "v": str(i)} for i in range(20)])
        eventually(lambda: self.rows_of("LOST") == 20, 10, "it works")
        id_ = self.query("LOST")["id"]
        if stopped or paused:
            self.sql(f"PAUSE {id_};")
        self.sql("CREATE STREAM alias (k STRING KEY, v STRING) WITH (kafka_topic='$s2', value_format='JSON');")
        self.sql("DROP STREAM alias DELETE TOPIC;")
        self.sql("CREATE STREAM alias (k STRING KEY, v STRING) WITH (kafka_topic='$s2', value_format='JSON', partitions=1);")
        self.server.insert("alias", [{"k": "b", "v": str(i)} for i in range(rows)])
        if stopped:
            self.assertEqual(self.server.stop(), 0)
            self.server.start()
        if stopped or paused:
            self.server.sql(f"RESUME {id_};")
        self.fails("LOST", "auto.offset.reset")
        return id_

    def goes_on(self, id_, rows):
        self.server.insert("s", [{"k": "a", "v": "1"}])
        eventually(lambda: self.rows_of("OTHER") == 1, 30, "the other query goes on")
        self.sql(f"RESUME {id_};")
        eventually(lambda: self.rows_of("LOST") == 20 + rows, 20, "it goes on with the first record that is there")
        self.assertEqual(self.query("LOST")["state"], "RUNNING")
        # It has arrived in the new topic for good.
        self.server.kill()
        self.server.start()
        self.server.insert("alias", [{"k": "c", "v": "1"}])
        eventually(lambda: self.rows_of("LOST") == 21 + rows, 20, "it reads on after a restart")
        self.assertEqual(self.rows_of("LOST"), 21 + rows)

    def test_a_source_that_is_made_anew_and_smaller(self):
        self.goes_on(self.make_anew(5), 5)

    @unittest.skipIf(BROKER, "a broker's client may not hear of it: it is noticed when the query begins to read again")
    def test_a_source_that_is_made_anew_and_larger(self):
        self.goes_on(self.make_anew(50), 50)

    def test_a_source_that_is_made_anew_while_the_server_is_away(self):
        self.goes_on(self.make_anew(50, stopped=True), 50)

    def test_a_source_that_is_made_anew_under_a_paused_query(self):
        self.goes_on(self.make_anew(50, paused=True), 50)

    def test_a_source_that_is_missing_at_a_start(self):
        self.declare()
        self.sql("CREATE STREAM s2 (k STRING KEY, v STRING) WITH (kafka_topic='$s2', value_format='JSON', partitions=1);")
        self.sql("CREATE STREAM lost WITH (kafka_topic='$lost') AS SELECT k, v FROM s2;")
        self.sql("CREATE STREAM alias (k STRING KEY, v STRING) WITH (kafka_topic='$s2', value_format='JSON');")
        self.sql("DROP STREAM alias DELETE TOPIC;")
        self.assertEqual(self.server.stop(), 0)
        self.server.start()
        self.fails("LOST", "does not exist")
        self.assertEqual(self.query("OTHER")["state"], "RUNNING")
        self.sql("CREATE STREAM alias (k STRING KEY, v STRING) WITH (kafka_topic='$s2', value_format='JSON', partitions=1);")
        self.server.insert("alias", [{"k": "b", "v": "1"}])
        eventually(lambda: self.query("LOST")["state"] == "RUNNING" and self.rows_of("LOST") == 1, 20, "it starts")

    def test_a_struct_nested_deep(self):
        self.declare()
        deep = "v"
        for _ in range(60):
            deep = f"STRUCT(a := {deep})"
        try:
            self.sql(f"CREATE STREAM deep WITH (kafka_topic='$deep') AS SELECT k, {deep} AS d FROM s;")
        except Refused:
            pass
        self.assertIsNone(self.server.process.poll())
        self.assertEqual(self.server.stop(), 0)
        self.server.start()

    def test_it_stops_at_any_moment(self):
        proxies, address = in_front_of(os.environ["MILLRACE_TEST_BROKER_DIR"]) if BROKER else ([], "")
        for proxy in proxies:
            self.addCleanup(proxy.close)
        server = Server(address, {"ksql.service.id": f"moments{random.randrange(1 << 30)}_"} if BROKER else {})
        self.addCleanup(server.close)
        early = 0
        for turn in range(30):
            for proxy in proxies:
                proxy.held = {SYNC_GROUP} if turn % 2 else set()
            server.spawn()
            time.sleep(random.random() ** 3)  # half of them in the first eighth
            loading = not self.takes_signals(server.process.pid)
            early += loading
            # What the loader gets is nobody's yet.
            self.assertIn(server.stop(), (0, -signal.SIGTERM) if loading else (0,), f"turn {turn}: {server.log()[-2000:]}")
        print(f"{early} of 30 while the program was being loaded", flush=True)
        self.assertLess(early, 30)

    @staticmethod
    def takes_signals(pid):
        with open(f"/proc/{pid}/status") as status:
            blocked = next(line.split()[1] for line in status if line.startswith("SigBlk:"))
        return int(blocked, 16) >> (signal.SIGTERM - 1) & 1


if __name__ == "__main__":
    unittest.main(verbosity=2)
