"""A Kafka broker that is not there when the server starts, or goes away while queries run. MILLRACE_FAULT_SEED repeats a
run."""
import os
import random
import threading
import time
import unittest

from proxy import CREATE_TOPICS, DELETE_TOPICS, DESCRIBE_CONFIGS, INIT_PRODUCER, in_front_of
from scenario import Kafka, make_events
from server import BROKER, BROKERS, Refused, Server, broker, eventually

SEED = int(os.environ.get("MILLRACE_FAULT_SEED", random.SystemRandom().randrange(1 << 32)))
PART = 20_000


class BrokerTest(unittest.TestCase):
    def setUp(self):
        print(f"seed {SEED}", flush=True)
        self.rng = random.Random(SEED)
        self.scenario = Kafka({"commit.interval.ms": 200})
        self.server = self.scenario.server
        self.addCleanup(self.server.close)
        self.sent = 0

    def send_part(self):
        self.scenario.send(make_events(self.rng, PART, self.sent))
        self.sent += PART

    def check(self):
        problem = self.scenario.check(self.sent)
        self.assertIsNone(problem, self.server.log()[-3000:])

    def refused(self, what, call):
        began = time.monotonic()
        with self.assertRaises(Refused) as caught:
            call()
        message = str(caught.exception)
        self.scenario.note(f"{what}, after {time.monotonic() - began:.1f} s: {message}")
        self.assertRegex(message, "Kafka|broker")

    def test_none_at_start(self):
        nowhere = Server("127.0.0.1:1", {"millrace.broker.wait.ms": 2500})
        self.addCleanup(nowhere.close)
        nowhere.spawn()
        self.assertEqual(nowhere.process.wait(60), 1)
        self.assertIn("no Kafka broker answers at 127.0.0.1:1 yet", nowhere.log())
        self.assertIn("millrace: no Kafka broker answers at 127.0.0.1:1:", nowhere.log())

    def test_connections_that_break_while_it_starts(self):
        proxies, address = in_front_of(BROKERS)
        for proxy in proxies:
            self.addCleanup(proxy.close)
            proxy.lost = {CREATE_TOPICS, INIT_PRODUCER, DESCRIBE_CONFIGS}
        server = Server(address, {"ksql.service.id": f"breaks{self.rng.randrange(1 << 30)}_"})
        self.addCleanup(server.close)
        server.spawn()
        eventually(lambda: "trying again" in server.log(), 30, "it notices")
        self.assertIsNone(server.process.poll())
        for proxy in proxies:
            proxy.lost = set()
        server.wait_ready()
        self.assertEqual(server.stop(), 0)

    def behind_proxies(self, settings=None):
        """A server that comes to the broker through proxies, and these."""
        proxies, address = in_front_of(BROKERS)
        for proxy in proxies:
            self.addCleanup(proxy.close)
        name = f"slow{random.SystemRandom().randrange(1 << 40)}_"
        server = Server(address, {"ksql.service.id": name, "commit.interval.ms": 200, **(settings or {})})
        self.addCleanup(server.close)
        server.start()
        return server, proxies, name

    def test_topics_that_a_slow_broker_has_made_already(self):
        server, proxies, name = self.behind_proxies()
        for proxy in proxies:
            proxy.lost = {CREATE_TOPICS}
        asked = threading.Thread(target=lambda: eventually(lambda: self.lost_answers(proxies), 30, "an answer was lost"))
        asked.start()
        made = server.sql(f"CREATE STREAM s (k STRING KEY, v INT) WITH (kafka_topic='{name}s', value_format='JSON', partitions=3); "
                          f"CREATE TABLE t WITH (kafka_topic='{name}t') AS SELECT v, COUNT(*) AS n FROM s GROUP BY v;")
        asked.join()
        self.assertEqual([one["commandStatus"]["status"] for one in made], ["SUCCESS", "SUCCESS"])
        self.assertEqual(server.stop(), 0)

    def lost_answers(self, proxies):
        """Once an answer was lost no other is."""
        if not any(proxy.lost_count for proxy in proxies):
            return False
        for proxy in proxies:
            proxy.lost = set()
        return True

    def test_a_drop_on_a_slow_broker_holds_up_no_rebalance(self):
        server, proxies, name = self.behind_proxies()
        server.sql(f"CREATE STREAM s (k STRING KEY, v INT) WITH (kafka_topic='{name}s', value_format='JSON', partitions=3); "
                   f"CREATE TABLE t WITH (kafka_topic='{name}t') AS SELECT v, COUNT(*) AS n FROM s GROUP BY v;")
        for proxy in proxies:
            proxy.held = {DELETE_TOPICS}
        dropping = threading.Thread(target=self.drop, args=(server,))
        dropping.start()
        eventually(lambda: not server.sql("SHOW QUERIES;")[0]["queries"], 30, "its query has ended")
        other = Server(BROKER, dict(server.settings))
        self.addCleanup(other.close)
        other.start()
        eventually(lambda: other.metric("owned_slots") > 0, 60, "slots move meanwhile")
        self.assertTrue(dropping.is_alive(), "the drop waits for the broker")
        for proxy in proxies:
            proxy.held = set()
        dropping.join()
        for one in (other, server):
            self.assertEqual(one.stop(), 0)

    @staticmethod
    def drop(server):
        try:
            server.sql("DROP TABLE t DELETE TOPIC;")
        except Refused:
            pass  # it has taken too long: the topic may be there still

    def test_it_comes_goes_and_returns(self):
        self.addCleanup(broker, "restart")  # for the tests after this one
        self.addCleanup(broker, "kill")
        broker("kill")
        self.server.spawn()
        time.sleep(1)
        self.assertIsNone(self.server.process.poll(), "it waits for the broker")
        broker("restart")
        self.server.wait_ready()
        self.scenario.declare()
        self.send_part()
        eventually(lambda: self.server.metric("query_rows_in_total") > 0, 60, "the queries work")
        broker("kill")
        self.scenario.note("the broker is gone")
        self.refused("CREATE", lambda: self.server.sql(
            "CREATE STREAM other (v INT) WITH (kafka_topic='other', value_format='JSON', partitions=1);"))
        self.refused("INSERT", lambda: self.server.sql(
            "INSERT INTO ev (k, id, g, v, ts) VALUES ('k', -1, 'g', 0, 0);", seconds=90))
        self.refused("SHOW TOPICS", lambda: self.server.sql("SHOW TOPICS;"))
        self.assertEqual(len(self.server.sql("SHOW QUERIES;")[0]["queries"]), 3)
        self.assertIsNone(self.server.process.poll())
        broker("restart")
        self.scenario.note("the broker is back")
        self.send_part()
        self.check()
        self.again_and_again()

    def again_and_again(self):
        for _ in range(2):
            self.send_part()
            time.sleep(self.rng.random())
            broker("kill")
            time.sleep(self.rng.random() * 2)
            broker("restart")
        self.send_part()
        self.check()
        broker("kill")
        self.assertEqual(self.server.stop(60), 0)
        self.scenario.note("stopped without a broker")


if __name__ == "__main__":
    unittest.main(verbosity=2)
