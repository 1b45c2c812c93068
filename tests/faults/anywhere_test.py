"""Three servers are one service on Kafka, and every one of them is asked for every key, for lists of keys and for whole tables.

First quiet and in order. Then under a steady load of events, while processes are killed, stopped for a while (SIGSTOP), ended and
started again at random, and brokers die: an answer may be refused for the moment (503); one that is given must be whole, and no older
than what anybody was told before; and every output must be what the events make. For each kind of fault the longest time is told
that nothing came of a key that has rows all the time.

On three brokers of with_broker.sh. MILLRACE_FAULT_SEED repeats the choices of a run, MILLRACE_ANYWHERE_SECONDS (60) is the time for
faults, MILLRACE_ANYWHERE_RATE (5000) the events a second, MILLRACE_ANYWHERE_SETTINGS more settings, as name=value with commas."""
import json
import os
import random
import signal
import threading
import time
import unittest
from collections import defaultdict

from asking import Asker
from load import Load, Watch, produce_users, rows_sent, statements
from model import differences
from server import BROKER, Server, broker, eventually, own_all_slots
from topics import all_in_sync, fold, produce, read_committed

KEYS = 60
SEED = int(os.environ.get("MILLRACE_FAULT_SEED", random.SystemRandom().randrange(1 << 32)))
SECONDS = float(os.environ.get("MILLRACE_ANYWHERE_SECONDS", 60))
RATE = int(os.environ.get("MILLRACE_ANYWHERE_RATE", 5000))
MORE = dict(one.split("=", 1) for one in os.environ.get("MILLRACE_ANYWHERE_SETTINGS", "").split(",") if one)
NODES = BROKER.count(",") + 1
STATEMENTS = """
SET 'auto.offset.reset' = 'earliest';
CREATE STREAM numbers (k STRING KEY, n BIGINT) WITH (kafka_topic = '{topic}', value_format = 'JSON', partitions = 6);
CREATE TABLE counts WITH (kafka_topic = '{topic}_counts') AS SELECT k, COUNT(*) AS c, MAX(n) AS n FROM numbers GROUP BY k;
"""


class Question(Asker):
    """For keys, lists, ranges and all of a table of counts, and for the windows of a group."""

    def __init__(self, test, server, seed):
        super().__init__(server, test.over)
        self.test, self.rng = test, random.Random(seed)

    def ask(self):
        time.sleep(0.002)
        kind = self.rng.choice(["key"] * 12 + ["list", "range", "scan", "windows", "windows"])
        known = self.test.seen_counts
        if kind == "windows":
            return self.ask_for_windows(f"g{self.rng.randrange(50)}")
        if kind == "key":
            keys = [self.rng.choice(list(known))]
            where = f" WHERE k = '{keys[0]}'"
        elif kind == "list":
            keys = self.rng.sample(list(known), 12)
            where = " WHERE k IN (" + ", ".join(f"'{key}'" for key in keys) + ")"
        elif kind == "range":
            keys = [key for key in known if "k2" <= key <= "k4"]
            where = " WHERE k >= 'k2' AND k <= 'k4'"
        else:
            keys, where = list(known), ""
        least = {key: known[key] for key in keys}
        rows = self.rows(f"SELECT k, c, n FROM counts{where};")
        if rows is None:
            return None
        found = {k: (c, n) for k, c, n in rows}
        if len(found) != len(rows) or set(found) != set(keys):
            self.wrong.append(f"{where}: {len(rows)} rows of {len(keys)}: missing {sorted(set(keys) - set(found))[:5]}")
        for key, (c, n) in found.items():
            most = self.test.load.numbers.get(int(key[1:]), 0)
            if c != n or not least.get(key, 0) <= c <= most:
                self.wrong.append(f"{where}: {key} is {c}, {n}, was {least.get(key)} and may be {most}")
        return self.test.saw(known, {key: c for key, (c, _) in found.items()})

    def ask_for_windows(self, group):
        least = dict(self.test.seen_windows[group])
        rows = self.rows(f"SELECT windowstart, c FROM w WHERE g = '{group}';")
        if rows is None:
            return
        found = dict(rows)
        for start in set(least) | set(found):
            most, _ = self.test.load.windows.get((int(group[1:]), start), (0, 0))
            if not least.get(start, 0) <= found.get(start, -1) <= most:
                self.wrong.append(f"{group} at {start} is {found.get(start)}, was {least.get(start)} and may be {most}")
        self.test.saw(self.test.seen_windows[group], found)


class AnywhereTest(unittest.TestCase):
    def setUp(self):
        print(f"seed {SEED}", flush=True)
        self.topic = self._testMethodName  # the tests share a broker: each is a service with a topic of its own
        self.rng = random.Random(SEED)
        settings = {"ksql.service.id": self.topic + "_", "ksql.internal.topic.replicas": min(3, NODES), "commit.interval.ms": "200"} | MORE
        self.servers = [Server(BROKER, settings) for _ in range(3)]
        self.over, self.lock = threading.Event(), threading.Lock()
        self.seen_counts, self.seen_windows = {}, defaultdict(dict)
        self.pauses = defaultdict(list)
        for server in self.servers:
            self.addCleanup(server.close)

    def saw(self, known, found):
        with self.lock:
            for key, value in found.items():
                known[key] = max(known.get(key, 0), value)

    def states(self, server):
        """The states of the query as a server counts them, and the hosts that it knows to be alive."""
        hosts = server.get("/clusterStatus")["clusterStatus"]
        return (server.sql("SHOW QUERIES;")[0]["queries"][0]["statusCount"],
                sorted(host for host, status in hosts.items() if status["hostAlive"]), len(hosts))

    def test_what_is_counted_where_it_is(self):
        """Groups, filters, first rows and indexes over what three processes keep, quiet and in order."""
        self.servers[0].start().sql(STATEMENTS.format(topic=self.topic))
        for server in self.servers[1:]:
            server.start()
        eventually(lambda: own_all_slots(self.servers), 60, "all own slots")
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

    # Under load

    def test_answers_and_results_are_right_whatever_happens(self):
        self.declare()
        self.watch = Watch(*(self.topic + name for name in ("j", "w", "se")))
        self.addCleanup(self.watch.close)
        self.load.thread.start()
        self.addCleanup(self.load.stop)
        eventually(lambda: len(self.servers[2].rows("SELECT k FROM counts;")) == 200, 60, "every key has come")
        self.seen_counts = {f"k{i}": 1 for i in range(200)}
        self.all_know_of_all()
        askers = [Question(self, server, SEED + i) for i, server in enumerate(self.servers * 2)]
        for asker in askers:
            asker.start()
        try:
            self.quiet()
            until, turn = time.monotonic() + SECONDS, 0
            kinds = [self.kill, self.end, self.stand_still] + [self.kill_broker, self.kill_both] * (NODES >= 3)
            while time.monotonic() < until or turn < len(kinds):
                self.flowing("again")
                (kinds[turn] if turn < len(kinds) else self.rng.choice(kinds))(askers)
                turn += 1
        finally:
            self.over.set()
            for asker in askers:
                asker.join()
        self.assertEqual(self.load.stop(), 0)
        self.told(askers)
        self.check()

    def declare(self):
        first = self.servers[0].start()
        sources, queries = statements(self.topic, min(3, NODES)).split("CREATE TABLE counts")
        first.sql(sources)
        produce_users(self.topic + "users")
        first.sql("CREATE TABLE counts" + queries, {"auto.offset.reset": "earliest"})
        for server in self.servers[1:]:
            server.start()
        eventually(lambda: own_all_slots(self.servers), 60, "all own slots")
        self.load = Load(self.topic + "ev", RATE)

    def all_know_of_all(self):
        all_there = {"RUNNING": 3}, sorted(f"127.0.0.1:{server.port}" for server in self.servers), 3
        for server in self.servers:
            def knows():
                if (known := self.states(server)) != all_there:
                    raise ValueError(known)
                return True
            eventually(knows, 30, "it knows of all")
            rows = server.rows("SELECT k, c FROM counts EMIT CHANGES LIMIT 20;", {"auto.offset.reset": "earliest"})
            self.assertEqual(len([row for row in rows if isinstance(row, list)]), 20)

    def quiet(self):
        """What the longest pauses are when nothing happens."""
        time.sleep(5)
        began = time.monotonic()
        time.sleep(5)
        self.note("nothing happens", began)

    def flowing(self, when):
        usual = max(1.0, 2 * self.pauses["nothing happens"][0])
        eventually(lambda: self.watch.quietest() < usual, 60, f"results of all keys come {when}")

    def note(self, what, began):
        longest = self.watch.longest(began)
        self.pauses[what].append(max(longest.values()))
        print(f"{what}: nothing of a key for " + ", ".join(f"{name[len(self.topic):]} {gap:.2f} s" for name, gap in
                                                          sorted(longest.items())), flush=True)

    def without(self, index, what, began, then):
        """The others take over from one; then it comes back."""
        rest = [server for server in self.servers if server is not self.servers[index]]
        try:
            eventually(lambda: own_all_slots(rest), 60, f"{what}: the others take its slots", 0.02)
            taken = time.monotonic() - began
            time.sleep(2)
            print(f"{what}: slots taken over after {taken:.2f} s", flush=True)
            self.note(what, began)
        finally:
            began = time.monotonic()
            then()
        eventually(lambda: own_all_slots(self.servers), 60, "it joins again")
        time.sleep(2)
        self.note("going on" if what == "SIGSTOP" else "a start", began)

    def kill(self, askers, what="kill -9"):
        index, began = self.rng.randrange(3), time.monotonic()
        self.servers[index].kill()
        if what == "kill -9" and not self.pauses[what]:
            counts, alive, known = self.states(self.servers[(index + 1) % 3])
            self.assertEqual((len(alive), known, counts.get("UNRESPONSIVE")), (2, 3, 1), counts)
        self.without(index, what, began, self.servers[index].start)

    def end(self, askers):
        index, began = self.rng.randrange(3), time.monotonic()
        process = self.servers[index].process
        process.send_signal(signal.SIGTERM)

        def again():
            self.assertEqual(process.wait(30), 0, self.servers[index].log()[-2000:])
            self.servers[index].start()
        self.without(index, "SIGTERM", began, again)

    def stand_still(self, askers):
        index, began = self.rng.randrange(3), time.monotonic()
        process = self.servers[index].process
        process.send_signal(signal.SIGSTOP)
        self.without(index, "SIGSTOP", began, lambda: process.send_signal(signal.SIGCONT))

    def kill_broker(self, askers, also=None):
        eventually(all_in_sync, 120, "the replicas are in sync", 0.2)
        node, began = self.rng.randrange(1, NODES + 1), time.monotonic()
        broker("kill", node)
        if also:
            also(askers, what="kill -9 of a broker and a process")
        else:
            time.sleep(self.rng.uniform(3, 6))
        self.flowing("while a broker is away")
        if not also:
            self.note("kill -9 of a broker", began)
        broker("restart", node)

    def kill_both(self, askers):
        self.kill_broker(askers, self.kill)

    def told(self, askers):
        for asker in askers:
            print(f"{asker.answers} answers, {len(asker.refused)} refused, such as {asker.refused[:1]}, {asker.cut} not answered",
                  flush=True)
            self.assertEqual(asker.wrong[:5], [])
            self.assertGreater(asker.answers, 100)
        print(f"{self.load.sent} events, {sum(asker.answers for asker in askers)} answers, none wrong; longest pauses: " + "; ".join(
            f"{what} {max(all_of):.2f} s (of {len(all_of)}, median {sorted(all_of)[len(all_of) // 2]:.2f})"
            for what, all_of in self.pauses.items()), flush=True)

    def check(self):
        load = self.load
        self.assertEqual(rows_sent(load.topic), load.sent, "the producer of this test has not sent each event once")
        want = {f"k{key}": number for key, number in load.numbers.items()}
        for server in self.servers:
            eventually(lambda: {k: c for k, c in server.rows("SELECT k, c FROM counts;")} == want, 120, "counts are right", 0.5)
            eventually(lambda: differences("windows", {(g, start): (c, s) for g, start, c, s in server.rows(
                "SELECT g, windowstart, c, s FROM w;")}, load.final_windows()) is None, 60, "windows are right", 0.5)
            eventually(lambda: differences("sessions", {(k, start, end): (c, s) for k, start, end, c, s in server.rows(
                "SELECT k, windowstart, windowend, c, s FROM se;")}, load.final_sessions()) is None, 60, "sessions are right", 0.5)
        self.check_topics(want)

    def check_topics(self, counts):
        def results(name):
            return read_committed(self.topic + name)

        def bounds(key, count):
            """The text of a key and the bounds of its window, of which the end stands first."""
            text = key[:-8 * count]
            return (text.decode(), *(int.from_bytes(key[at:at + 8], "big") for at in reversed(range(len(text), len(key), 8))))

        ids = [json.loads(value)["ID"] for _, _, _, value in results("j")]
        self.assertEqual((len(ids), set(ids)), (len(set(ids)), self.load.joined()), "each row that joins comes out once")
        found = {key.decode(): json.loads(value)["C"] for key, value in fold(results("counts")).items()}
        self.assertIsNone(differences("counts, topic", found, counts))
        for name, count, expected in (("w", 1, self.load.final_windows()), ("se", 2, self.load.final_sessions())):
            found = {bounds(key, count): (row["C"], row["S"]) for key, row in
                     ((key, json.loads(value)) for key, value in fold(results(name)).items())}
            self.assertIsNone(differences(name + ", topic", found, expected))


if __name__ == "__main__":
    unittest.main(verbosity=2)
