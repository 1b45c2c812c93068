"""Three servers are one service on Kafka: every one of them is asked for every key, for lists of keys and for the whole table,
while rows come, one is killed, one is stopped and both come back. An answer may be refused for the moment (503); one that is given
must be whole, and no older than what anybody was told before. MILLRACE_FAULT_SEED repeats a run."""
import http.client
import json
import os
import random
import threading
import time
import unittest

from server import BROKER, Refused, Server, eventually
from topics import produce

KEYS = 60
SEED = int(os.environ.get("MILLRACE_FAULT_SEED", random.SystemRandom().randrange(1 << 32)))
SETTINGS = {"commit.interval.ms": "100"}
STATEMENTS = """
SET 'auto.offset.reset' = 'earliest';
CREATE STREAM numbers (k STRING KEY, n BIGINT) WITH (kafka_topic = '{topic}', value_format = 'JSON', partitions = 6);
CREATE TABLE counts WITH (kafka_topic = '{topic}_counts') AS SELECT k, COUNT(*) AS c, MAX(n) AS n FROM numbers GROUP BY k;
"""


class Numbers:
    """Sends each key the numbers 1, 2, 3 ...: a right row has as many rows counted as its highest number says."""

    def __init__(self, topic):
        self.topic, self.sent, self.stopping = topic, 0, threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.stopping.is_set():
            self.sent += 1
            produce(self.topic, (f"k{i}\t" + json.dumps({"n": self.sent}) for i in range(KEYS)))
            self.stopping.wait(0.1)

    def stop(self):
        self.stopping.set()
        self.thread.join()


class Asker(threading.Thread):
    """Asks one server without a pause."""

    def __init__(self, test, server, seed):
        super().__init__()
        self.test, self.server, self.rng = test, server, random.Random(seed)
        self.answers, self.refusals, self.wrong = 0, [], []
        self.longest = 0.0

    def run(self):
        good = time.monotonic()
        while not self.test.over.is_set():
            try:
                self.ask()
                self.answers += 1
                self.longest, good = max(self.longest, time.monotonic() - good), time.monotonic()
            except Refused as error:
                if error.status == 503 or "503" in str(error.answer) or error.answer.get("error_code") == 50305:
                    self.refusals.append(str(error))
                else:
                    self.wrong.append(str(error))
            except (OSError, http.client.HTTPException, ValueError):
                if self.server not in self.test.down:
                    # Its last answers were cut off.
                    self.refusals.append("no answer")
                good = time.monotonic()
                time.sleep(0.05)

    def ask(self):
        kind = self.rng.choice(["key", "key", "key", "list", "scan", "range"])
        if kind == "key":
            keys = [f"k{self.rng.randrange(KEYS)}"]
            where = f" WHERE k = '{keys[0]}'"
        elif kind == "list":
            keys = [f"k{i}" for i in self.rng.sample(range(KEYS), 12)]
            where = " WHERE k IN (" + ", ".join(f"'{key}'" for key in keys) + ")"
        elif kind == "range":
            keys = [key for key in self.test.seen if "k2" <= key <= "k4"]
            where = " WHERE k >= 'k2' AND k <= 'k4'"
        else:
            keys, where = list(self.test.seen), ""
        least = {key: self.test.seen[key] for key in keys}
        rows = self.server.rows(f"SELECT k, c, n FROM counts{where};", seconds=20)
        found = {k: (c, n) for k, c, n in rows}
        most = self.test.numbers.sent
        if len(found) != len(rows) or set(found) != set(keys):
            self.wrong.append(f"{where}: {len(rows)} rows of {len(keys)}: missing {sorted(set(keys) - set(found))[:5]}")
        for key, (c, n) in found.items():
            if c != n or not least.get(key, 0) <= c <= most:
                self.wrong.append(f"{where}: {key} is {c}, {n}, was {least.get(key)} and may be {most}")
            with self.test.lock:
                self.test.seen[key] = max(self.test.seen[key], c)


class AnywhereTest(unittest.TestCase):
    def setUp(self):
        print(f"seed {SEED}", flush=True)
        self.topic = self._testMethodName  # the tests share a broker: each is a service with a topic of its own
        self.servers = [Server(BROKER, SETTINGS | {"ksql.service.id": self.topic + "_"}) for _ in range(3)]
        self.numbers, self.over, self.lock = Numbers(self.topic), threading.Event(), threading.Lock()
        self.down, self.seen = set(), {}
        for server in self.servers:
            self.addCleanup(server.close)

    def spread(self, servers):
        owned = [server.metric("owned_slots") for server in servers]
        return sum(owned) == 64 and min(owned) > 0

    def states(self, server):
        """The states of the query as a server counts them, and the hosts that it knows to be alive."""
        hosts = server.get("/clusterStatus")["clusterStatus"]
        return (server.sql("SHOW QUERIES;")[0]["queries"][0]["statusCount"],
                sorted(host for host, status in hosts.items() if status["hostAlive"]), len(hosts))

    def all_agree(self, servers):
        want = {f"k{i}": self.numbers.sent for i in range(KEYS)}
        return all({k: c for k, c in server.rows("SELECT k, c FROM counts;")} == want for server in servers)

    def take_down(self, index, how, askers, sessions):
        rest = [server for server in self.servers if server is not self.servers[index]]
        for asker in askers:
            asker.longest = 0.0
        self.down.add(self.servers[index])
        began = time.monotonic()
        if how == "kill":
            self.servers[index].kill()
        else:
            self.assertEqual(self.servers[index].stop(), 0, self.servers[index].log()[-2000:])
        if how == "kill":
            counts, alive, known = self.states(rest[0])
            self.assertEqual((len(alive), known), (2, 3))
            self.assertEqual(counts.get("UNRESPONSIVE"), 1, counts)
        eventually(lambda: self.spread(rest), 30, "the others take its slots", 0.02)
        taken = time.monotonic() - began
        time.sleep(1)
        longest = max(asker.longest for asker in askers if asker.server in rest)
        print(f"{how}: slots taken over after {taken:.2f} s, longest time without an answer {longest:.2f} s", flush=True)
        self.servers[index].start()
        self.down.discard(self.servers[index])
        eventually(lambda: self.spread(self.servers), 30, "it joins again")
        self.assertLess(taken, sessions)

    def test_what_is_counted_where_it_is(self):
        """Groups, filters, first rows and indexes over what three processes keep, quiet and in order."""
        self.servers[0].start().sql(STATEMENTS.format(topic=self.topic))
        for server in self.servers[1:]:
            server.start()
        eventually(lambda: self.spread(self.servers), 60, "all own slots")
        produce(self.topic, (f"k{i}\t" + json.dumps({"n": n}) for i in range(KEYS) for n in range(i % 4 + 1)))
        self.servers[0].sql("CREATE INDEX by_c ON counts (c);")
        by_count = [[c, KEYS // 4] for c in range(1, 5)]
        for server in self.servers:
            def rows(query):
                return server.rows(query, seconds=20)
            eventually(lambda: rows("SELECT COUNT(*) AS n, SUM(c) AS s FROM counts;") == [[KEYS, KEYS * 10 // 4]], 60, "all is counted")
            self.assertEqual(rows("SELECT c, COUNT(*) AS n FROM counts GROUP BY c ORDER BY c;"), by_count)
            self.assertEqual(rows("SELECT c, COUNT(*) AS n FROM counts GROUP BY c HAVING c > 2 ORDER BY c;"), by_count[2:])
            self.assertEqual(rows("SELECT k, n FROM counts ORDER BY n DESC, k LIMIT 3 OFFSET 1;"), [["k15", 3], ["k19", 3], ["k23", 3]])
            self.assertEqual(sorted(rows("SELECT k FROM counts WHERE c = 1 AND n < 1;")), sorted([f"k{i}"] for i in range(0, KEYS, 4)))
            self.assertEqual(len(rows("SELECT k FROM counts WHERE n > 0 LIMIT 7;")), 7)
            self.assertEqual(rows("SELECT COUNT(DISTINCT c) AS d, MAX(k) AS m FROM counts WHERE c <> 4;"), [[3, "k9"]])
            self.assertEqual(rows("SELECT COUNT(*) AS n FROM counts a JOIN counts b ON a.c = b.c;"), [[KEYS * KEYS // 4]])
            self.assertEqual(rows("SELECT DISTINCT c FROM counts ORDER BY c DESC;"), [[4], [3], [2], [1]])

    def test_every_server_answers_for_all(self):
        self.servers[0].start().sql(STATEMENTS.format(topic=self.topic))
        for server in self.servers[1:]:
            server.start()
        eventually(lambda: self.spread(self.servers), 60, "all own slots")
        self.numbers.thread.start()
        self.addCleanup(self.numbers.stop)
        eventually(lambda: len(self.servers[2].rows("SELECT k, c FROM counts;")) == KEYS, 60, "every key has come")
        self.seen = {f"k{i}": 1 for i in range(KEYS)}
        addresses = sorted(f"127.0.0.1:{server.port}" for server in self.servers)
        for server in self.servers:
            eventually(lambda: self.states(server) == ({"RUNNING": 3}, addresses, 3), 30, "it knows of all")
            rows = server.rows("SELECT k, c FROM counts EMIT CHANGES LIMIT 20;", {"auto.offset.reset": "earliest"})
            self.assertEqual(len([row for row in rows if isinstance(row, list)]), 20)
        askers = [Asker(self, server, SEED + i) for i, server in enumerate(self.servers)]
        for asker in askers:
            asker.start()
        try:
            time.sleep(2)
            self.take_down(1, "kill", askers, 15)
            self.take_down(2, "stop", askers, 15)
            time.sleep(1)
        finally:
            self.over.set()
            for asker in askers:
                asker.join()
            self.numbers.stop()
        for asker in askers:
            print(f"{asker.answers} answers, {len(asker.refusals)} refused, such as {asker.refusals[:1]}", flush=True)
            self.assertEqual(asker.wrong[:5], [])
            self.assertGreater(asker.answers, 100)
        eventually(lambda: self.all_agree(self.servers), 60, "all servers have all rows", 0.2)


if __name__ == "__main__":
    unittest.main(verbosity=2)
