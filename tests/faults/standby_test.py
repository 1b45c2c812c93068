"""Three servers on Kafka keep a warm copy of each other's state, and are asked without a pause while one is killed, stopped for a
while (SIGSTOP), ended and started again at random. Half of the askers take a copy's answer: theirs may be old, but is whole and
right as of some moment; the others' are no older than what anybody was told before. How long nobody answered is printed.
MILLRACE_FAULT_SEED repeats a run; MILLRACE_STANDBY_SECONDS says how long it takes."""
import json
import os
import random
import signal
import threading
import time
import unittest

from asking import Asker, Numbers
from proxy import in_front_of
from server import BROKER, Server, eventually, own_all_slots

KEYS = 60
SEED = int(os.environ.get("MILLRACE_FAULT_SEED", random.SystemRandom().randrange(1 << 32)))
SECONDS = float(os.environ.get("MILLRACE_STANDBY_SECONDS", "45"))
SETTINGS = {"commit.interval.ms": "100", "num.standby.replicas": "1"}
STATEMENTS = """
SET 'auto.offset.reset' = 'earliest';
CREATE STREAM numbers (k STRING KEY, n BIGINT) WITH (kafka_topic = '{topic}', value_format = 'JSON', partitions = 6);
CREATE TABLE counts WITH (kafka_topic = '{topic}_counts') AS SELECT k, COUNT(*) AS c, MAX(n) AS n FROM numbers GROUP BY k;
"""
COPIES = {"ksql.query.pull.enable.standby.reads": "true"}


class Question(Asker):
    """For keys, lists of keys and the whole table; of a copy, or of owners alone."""

    def __init__(self, test, server, seed, copies):
        super().__init__(server, test.over, COPIES if copies else {})
        self.test, self.rng, self.copies = test, random.Random(seed), copies

    def ask(self):
        kind = self.rng.choice(["key"] * 8 + ["list", "scan"])
        if kind == "key":
            keys = [f"k{self.rng.randrange(KEYS)}"]
            where = f" WHERE k = '{keys[0]}'"
        elif kind == "list":
            keys = [f"k{i}" for i in self.rng.sample(range(KEYS), 5)]
            where = " WHERE k IN (" + ", ".join(f"'{key}'" for key in keys) + ")"
        else:
            keys, where = list(self.test.seen), ""
        least = {key: self.test.seen[key] for key in keys}
        rows = self.rows(f"SELECT k, c, n FROM counts{where};")
        if rows is not None:
            self.check(where, keys, least, rows)

    def check(self, where, keys, least, rows):
        found = {k: (c, n) for k, c, n in rows}
        if len(found) != len(rows) or set(found) != set(keys):
            self.wrong.append(f"{where}: {len(rows)} rows of {len(keys)}: missing {sorted(set(keys) - set(found))[:5]}")
        for key, (c, n) in found.items():
            if c != n or c > self.test.numbers.sent or c < (1 if self.copies else least.get(key, 0)):
                self.wrong.append(f"{where}: {key} is {c}, {n}, was {least.get(key)} and may be {self.test.numbers.sent}")
            if not self.copies:
                with self.test.lock:
                    self.test.seen[key] = max(self.test.seen[key], c)


class StandbyTest(unittest.TestCase):
    def setUp(self):
        print(f"seed {SEED}", flush=True)
        self.rng = random.Random(SEED)
        name = self.id().rsplit(".", 1)[1]  # the tests share a broker, and nothing on it
        self.statements = STATEMENTS.replace("{topic}", name)
        self.servers = [Server(BROKER, {**SETTINGS, "ksql.service.id": name}) for _ in range(3)]
        self.numbers, self.over, self.lock = Numbers(name, KEYS), threading.Event(), threading.Lock()
        self.seen = {}
        for server in self.servers:
            self.addCleanup(server.close)

    def warm(self, servers):
        """Every partition has a copy that lacks little."""
        partitions = set()
        for server in servers:
            for line in server.request("GET", "/metrics")[1].decode().splitlines():
                if line.startswith("millrace_standby_lag_records{") and float(line.rsplit(" ", 1)[1]) < 1000:
                    partitions.add(line.split('partition="')[1].split('"')[0])
        return len(partitions) == 6

    def settled(self):
        eventually(lambda: own_all_slots(self.servers) and self.warm(self.servers), 60, "all own slots and keep copies")

    def fault(self, kind, askers):
        server = self.rng.choice(self.servers)
        rest = [other for other in self.servers if other is not server]
        began = time.monotonic()
        if kind == "kill":
            server.kill()
        elif kind == "end":
            self.assertEqual(server.stop(), 0, server.log()[-2000:])
        else:
            os.kill(server.process.pid, signal.SIGSTOP)
        try:
            eventually(lambda: own_all_slots(rest), 30, "the others take its slots", 0.02)
            taken = time.monotonic() - began
            time.sleep(0.5)
        finally:
            if kind == "stop":
                os.kill(server.process.pid, signal.SIGCONT)
        others = [asker for asker in askers if asker.server is not server]
        pauses = [max(asker.longest(began) for asker in others if asker.copies == copies) for copies in (False, True)]
        print(f"{kind}: slots taken over after {taken:.2f} s; longest time without an answer {pauses[0]:.2f} s, "
              f"with copies {pauses[1]:.2f} s", flush=True)
        if kind != "stop":
            server.start()
        self.settled()

    def test_answers_are_right_whatever_happens(self):
        self.servers[0].start().sql(self.statements)
        for server in self.servers[1:]:
            server.start()
        eventually(lambda: own_all_slots(self.servers), 60, "all own slots")
        self.numbers.thread.start()
        self.addCleanup(self.numbers.stop)
        eventually(lambda: len(self.servers[2].rows("SELECT k, c FROM counts;")) == KEYS, 60, "every key has come")
        self.seen = {f"k{i}": 1 for i in range(KEYS)}
        self.settled()
        self.copies_are_told()
        askers = [Question(self, server, SEED + i, copies) for copies in (False, True) for i, server in enumerate(self.servers)]
        for asker in askers:
            asker.start()
        try:
            end = time.monotonic() + SECONDS
            kinds = []
            while time.monotonic() < end or len(kinds) < 3:
                kind = ("kill", "end", "stop")[len(kinds)] if len(kinds) < 3 else self.rng.choice(("kill", "end", "stop"))
                kinds.append(kind)
                self.fault(kind, askers)
        finally:
            self.over.set()
            for asker in askers:
                asker.join()
            self.numbers.stop()
        for asker in askers:
            print(f"{'copies ' if asker.copies else ''}{asker.answers} answers, {len(asker.refused)} refused, such as "
                  f"{asker.refused[:1]}, {asker.cut} not answered", flush=True)
            self.assertEqual(asker.wrong[:5], [])
        print(f"{sum(asker.answers for asker in askers)} answers, none wrong", flush=True)
        want = {f"k{i}": self.numbers.sent for i in range(KEYS)}
        for server in self.servers:
            eventually(lambda: {k: c for k, c in server.rows("SELECT k, c FROM counts;")} == want, 60, "it has all rows", 0.2)

    def copies_are_told(self):
        def told():
            hosts = self.servers[0].get("/clusterStatus")["clusterStatus"]
            stores = [query for host in hosts.values() for query in host["activeStandbyPerQuery"].values()]
            copied = [place["partition"] for query in stores for place in query["standByPartitions"]]
            return sorted(copied) == [0, 1, 2, 3, 4, 5] and \
                all(query["standByStores"] for query in stores if query["standByPartitions"])
        # A copy that another process keeps from now on is told twice until the first has let go of it.
        eventually(told, 30, "each partition has one copy")

    def test_an_owner_that_is_gone_is_read_from_its_copy(self):
        first, second = self.servers[:2]
        first.start().sql(self.statements)
        second.start()
        eventually(lambda: own_all_slots([first, second]), 60, "both own slots")
        self.numbers.thread.start()
        eventually(lambda: len(first.rows("SELECT k, c FROM counts;")) == KEYS, 60, "every key has come")
        time.sleep(1)
        self.numbers.stop()
        want = {f"k{i}": self.numbers.sent for i in range(KEYS)}
        found = lambda properties: {k: c for k, c in first.rows("SELECT k, c FROM counts;", properties)}  # noqa: E731
        eventually(lambda: found({}) == want and self.warm_all(first, second), 60, "all is counted and copied")
        time.sleep(1)
        slots = first.metric("owned_slots")
        second.kill()
        # Its session is not over.
        eventually(lambda: found(COPIES) == want, 3, "the copies answer", 0.01)
        self.assertEqual(found({**COPIES, "ksql.query.pull.max.allowed.offset.lag": "0"}), want)
        one = lambda properties: {k: c for key in want for k, c in first.rows(f"SELECT k, c FROM counts WHERE k = '{key}';", properties)}  # noqa: E731
        self.assertEqual(one(COPIES), want)
        status, answer = first.request("POST", "/query-stream", json.dumps({"sql": "SELECT k, c FROM counts;"}))
        self.assertIn(b"50305", answer)
        self.assertEqual(first.metric("owned_slots"), slots, "the session was over too early for this test")
        eventually(lambda: found({}) == want, 30, "the slots are taken over")

    def warm_all(self, *servers):
        lags = [float(line.rsplit(" ", 1)[1]) for server in servers
                for line in server.request("GET", "/metrics")[1].decode().splitlines() if line.startswith("millrace_standby_lag_records{")]
        return len(lags) == 6 and max(lags) == 0


class CutOffTest(StandbyTest):
    """One server stays in reach of its clients, but not of the broker."""

    test_answers_are_right_whatever_happens = test_an_owner_that_is_gone_is_read_from_its_copy = None

    def test_it_answers_nothing_that_others_have_gone_past(self):
        proxies, behind = in_front_of(os.environ["MILLRACE_TEST_BROKER_DIR"])
        for proxy in proxies:
            self.addCleanup(proxy.close)
        first, second = self.servers[:2]
        second.kafka = behind
        first.start().sql(self.statements)
        second.start()
        eventually(lambda: own_all_slots([first, second]), 60, "both own slots")
        self.numbers.thread.start()
        self.addCleanup(self.numbers.stop)
        eventually(lambda: len(second.rows("SELECT k, c FROM counts;")) == KEYS, 60, "every key has come")
        self.seen = {f"k{i}": 1 for i in range(KEYS)}
        askers = [Question(self, server, SEED + i, False) for i, server in enumerate((first, second))]
        for asker in askers:
            asker.start()
        try:
            for _ in range(2):
                time.sleep(2)
                for proxy in proxies:
                    proxy.stalled = True
                eventually(lambda: first.metric("owned_slots") == 64, 30, "the other takes its slots", 0.02)
                turned_away = lambda: len(askers[1].refused) + askers[1].cut  # noqa: E731
                before = turned_away()
                eventually(lambda: turned_away() > before, 10, "the other answers no more")
                time.sleep(1)
                for proxy in proxies:
                    proxy.stalled = False
                eventually(lambda: own_all_slots([first, second]), 60, "it joins again")
        finally:
            self.over.set()
            for asker in askers:
                asker.join()
            self.numbers.stop()
        for asker in askers:
            print(f"{asker.answers} answers, {len(asker.refused)} refused, such as {asker.refused[-1:]}", flush=True)
            self.assertEqual(asker.wrong[:5], [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
