"""Filters, windows, joins, ranks and functions over windows under load while processes are killed and stopped, brokers
die, connections are cut, held back and slowed down, and statements come and go; at the end every output must be what the
input alone says. On the broker of with_broker.sh (with three nodes best) where there is one, else embedded.

MILLRACE_CHAOS_SECONDS is the time for faults (20), MILLRACE_FAULT_SEED repeats the choices of a run."""
import http.client
import json
import os
import random
import signal
import subprocess
import threading
import time
import unittest
from collections import Counter, defaultdict

from model import differences
from proxy import ADD_OFFSETS, COMMIT_OFFSETS, END_TXN, PRODUCE, in_front_of
from server import BROKER, BROKERS, Refused, Server, broker, eventually
from topics import produce

SEED = int(os.environ.get("MILLRACE_FAULT_SEED", random.SystemRandom().randrange(1 << 32)))
SECONDS = float(os.environ.get("MILLRACE_CHAOS_SECONDS", 20))
PARTITIONS, KEYS, GROUPS, BATCH = 4, 200, 50, 200
WINDOW, GAP, WITHIN = 10_000, 300, 40
FIRST, BEST, KINDS = 3, 10, 20
TUMBLING = f"WINDOW TUMBLING (SIZE {WINDOW} MILLISECONDS, RETENTION 1000 DAYS, GRACE PERIOD 900 DAYS)"
FAILED = (OSError, http.client.HTTPException, Refused, ValueError, AssertionError)

SOURCE = "(k STRING KEY, id BIGINT, g STRING, v BIGINT, ts BIGINT) WITH (kafka_topic='{0}', value_format='JSON', " \
         f"partitions={PARTITIONS}, replicas={{1}}, timestamp='ts')"
STATEMENTS = [
    "SET 'auto.offset.reset' = 'earliest'; CREATE STREAM ev " + SOURCE.format("ev", "{0}") + ";",
    "CREATE STREAM other " + SOURCE.format("other", "{0}") + ";",
    f"CREATE TABLE users (k STRING PRIMARY KEY, name STRING) WITH (kafka_topic='users', value_format='JSON', "
    f"partitions={PARTITIONS}, replicas={{0}});",
]
QUERIES = [
    "CREATE STREAM f WITH (kafka_topic='f') AS SELECT k, id, v FROM ev WHERE v % 3 = 0;",
    # Two in one request, which share how they come to their rows.
    f"CREATE TABLE w WITH (kafka_topic='w') AS SELECT g, COUNT(*) AS c, SUM(v) AS s FROM ev {TUMBLING} GROUP BY g;"
    f"CREATE TABLE w2 AS SELECT g, COUNT(*) AS c, SUM(v) AS s FROM ev {TUMBLING} GROUP BY g HAVING COUNT(*) > 0;",
    f"CREATE TABLE se WITH (kafka_topic='se') AS SELECT k, COUNT(*) AS c, SUM(v) AS s FROM ev WINDOW SESSION ({GAP} "
    f"MILLISECONDS, RETENTION 1000 DAYS, GRACE PERIOD 900 DAYS) GROUP BY k;",
    "CREATE STREAM j WITH (kafka_topic='j') AS SELECT ev.k AS k, ev.id AS id, u.name AS name FROM ev LEFT JOIN users u "
    "ON ev.k = u.k;",
    f"CREATE STREAM p WITH (kafka_topic='p') AS SELECT a.k AS k, a.id AS id, b.id AS bid FROM ev a JOIN other b WITHIN "
    f"{WITHIN} MILLISECONDS GRACE PERIOD 900 DAYS ON a.k = b.k;",
    # First rows of a stream and of a table, groups of windows, pairs of two tables, functions over windows of both kinds.
    f"CREATE TABLE top AS SELECT g, v, id, ROW_NUMBER() OVER (PARTITION BY g ORDER BY v DESC, id) AS rn FROM ev "
    f"QUALIFY rn <= {FIRST};",
    "CREATE TABLE first AS SELECT g, v, id FROM ev QUALIFY ROW_NUMBER() OVER (PARTITION BY g ORDER BY v DESC, id) = 1;",
    f"CREATE TABLE best AS SELECT g, s FROM (SELECT g, SUM(v) AS s FROM ev GROUP BY g) q "
    f"QUALIFY ROW_NUMBER() OVER (ORDER BY s DESC, g) <= {BEST};",
    f"CREATE TABLE levels AS SELECT ws, COUNT(*) AS m, SUM(c) AS n FROM (SELECT WINDOWSTART AS ws, g, COUNT(*) AS c FROM ev WINDOW "
    f"TUMBLING (SIZE {WINDOW} MILLISECONDS, RETENTION 1000 DAYS, GRACE PERIOD 900 DAYS) GROUP BY g) q GROUP BY ws;",
    f"CREATE TABLE pairs AS SELECT a.g AS ag, b.g AS bg, a.c AS ac, b.c AS bc FROM (SELECT g, COUNT(*) AS c FROM ev GROUP BY g) a "
    f"JOIN (SELECT g, COUNT(*) AS c FROM other GROUP BY g) b ON a.c % {KINDS} = b.c % {KINDS};",
    f"CREATE TABLE placed AS SELECT g, s, RANK() OVER (ORDER BY s DESC) AS r, s - LAG(s, 1, s) OVER (ORDER BY g) AS d, "
    f"COUNT(*) OVER (PARTITION BY c % {KINDS}) AS n FROM (SELECT g, SUM(v) AS s, COUNT(*) AS c FROM ev GROUP BY g) q;",
    "CREATE STREAM run AS SELECT k, id, SUM(v) OVER (PARTITION BY k) AS s FROM ev;",
]
# Of each table how many of its columns are its key.
TABLES = {"top": (2, "g, rn, v, id"), "first": (1, "g, v, id"), "best": (1, "g, s"), "levels": (1, "ws, m, n"), "pairs": (2, "ag, bg, ac, bc"),
          "placed": (1, "g, s, r, d, n")}
REPLACED = "CREATE OR REPLACE STREAM r WITH (kafka_topic='r') AS SELECT k, id, v FROM ev WHERE id >= -{0};"
POISON = ['{"id": "many"}', "{broken", '{"id": -1, "g": "g", "v": 1, "ts": 9223372036854775807}', '{"id": -1, "ts": -5}',
          '{"id": -1, "g": "g", "v": 1, "ts": 253402300800000}']


def ranks(events, others):
    """Ranks, groups of windows, pairs and functions over windows: of rows (k, id, g, v, ts), those of a key as they came."""
    run, sums = Counter(), Counter()
    by_group, windows = defaultdict(list), defaultdict(Counter)
    for k, i, g, v, ts in events:
        sums[k] += v
        run[k, i, sums[k]] += 1
        by_group[g].append((-v, i))
        windows[ts // WINDOW * WINDOW][g] += 1
    top = {(g, rn + 1): (-v, i) for g, rows in by_group.items() for rn, (v, i) in enumerate(sorted(rows)[:FIRST])}
    levels = {ws: (len(counts), sum(counts.values())) for ws, counts in windows.items()}
    groups = {g: (-sum(v for v, _ in rows), len(rows)) for g, rows in by_group.items()}
    best = {g: groups[g][0] for g in sorted(groups, key=lambda g: (-groups[g][0], g))[:BEST]}
    other = Counter(g for _, _, g, _, _ in others)
    pairs = {(a, b): (c, other[b]) for a, (_, c) in groups.items() for b in other if c % KINDS == other[b] % KINDS}
    placed, before = {}, None
    kinds = Counter(c % KINDS for _, c in groups.values())
    for g in sorted(groups):
        s, c = groups[g]
        rank = 1 + sum(more > s for more, _ in groups.values())
        placed[g] = (s, rank, s - (s if before is None else before), kinds[c % KINDS])
        before = s
    first = {g: top[g, 1] for g in by_group}
    return {"run": run, "top": top, "first": first, "best": best, "levels": levels, "pairs": pairs, "placed": placed}


class Model:
    """What must come of rows (k, id, g, v, ts) of both streams, those of a key as they came."""

    def __init__(self, events, others):
        self.ranks = ranks(events, others)
        self.run = self.ranks.pop("run")
        self.f = Counter((k, i, v) for k, i, _, v, _ in events if v % 3 == 0)
        self.r = Counter((k, i, v) for k, i, _, v, _ in events)
        self.j = Counter((k, i, f"user of {k}") for k, i, _, _, _ in events)
        self.w = {}
        for _, _, g, v, ts in events:
            count, total = self.w.get((g, ts // WINDOW * WINDOW), (0, 0))
            self.w[g, ts // WINDOW * WINDOW] = (count + 1, total + v)
        by_key = defaultdict(list)
        for k, _, _, v, ts in events:
            by_key[k].append((ts, v))
        self.se = {}
        for k, rows in by_key.items():
            rows.sort()
            first = last = rows[0][0]
            count = total = 0
            for ts, v in rows:
                if ts - last > GAP:
                    self.se[k, first, last] = (count, total)
                    first, count, total = ts, 0, 0
                last, count, total = ts, count + 1, total + v
            self.se[k, first, last] = (count, total)
        right = defaultdict(list)
        for k, i, _, _, ts in others:
            right[k].append((ts, i))
        self.p = Counter((k, i, b) for k, i, _, _, ts in events for at, b in right[k] if abs(at - ts) <= WITHIN)


class ChaosTest(unittest.TestCase):
    def setUp(self):
        print(f"seed {SEED}", flush=True)
        self.own = threading.local()
        self.own.rng = random.Random(SEED)
        self.began, self.kinds, self.broken = time.monotonic(), Counter(), threading.Event()
        self.proxies, address = in_front_of(BROKERS) if BROKERS else ([], BROKER)
        for proxy in self.proxies:
            self.addCleanup(proxy.close)
        self.nodes = max(1, len(self.proxies))
        replicas = min(3, self.nodes)
        settings = {"commit.interval.ms": 300, "ksql.query.retry.backoff.initial.ms": 200,
                    "ksql.query.retry.backoff.max.ms": 1000}
        if BROKER:
            settings |= {"kafka.session.timeout.ms": "3000", "ksql.internal.topic.replicas": replicas}
        self.replicas = replicas
        count = self.rng.randrange(1, 4) if BROKER else 1
        self.servers = [Server(address if BROKER else "", settings) for _ in range(count)]
        for server in self.servers:
            self.addCleanup(server.close)
        self.down_broker = None
        self.next_id, self.clock = 0, 1_000_000
        self.stop_feeding = threading.Event()

    @property
    def rng(self):
        """Each hand's own, so that a seed repeats its choices."""
        return self.own.rng

    def note(self, text):
        print(f"{time.monotonic() - self.began:6.1f} s {text}", flush=True)

    # Load

    def batch(self):
        rows = []
        for _ in range(BATCH):
            self.clock += self.rng_feed.randrange(4)
            rows.append({"k": f"k{self.rng_feed.randrange(KEYS)}", "id": self.next_id, "g": f"g{self.rng_feed.randrange(GROUPS)}",
                         "v": self.rng_feed.randrange(1000), "ts": self.clock - self.rng_feed.randrange(500)})
            self.next_id += 1
        return rows

    def feed(self):
        self.rng_feed = random.Random(SEED + 1)
        while not self.stop_feeding.is_set():
            for stream in ("ev", "ev", "other"):
                self.send(stream, self.batch())
            time.sleep(0.05)

    def send(self, stream, rows):
        while not self.stop_feeding.is_set():
            try:
                if BROKER:
                    lines = [row["k"] + "\t" + json.dumps({n: row[n] for n in ("id", "g", "v", "ts")}) for row in rows]
                    if self.rng_feed.random() < 0.1:
                        lines.insert(self.rng_feed.randrange(len(lines)), "k1\t" + self.rng_feed.choice(POISON))
                    return produce(stream, lines)
                return self.servers[0].insert(stream, rows, 10)
            except (*FAILED, subprocess.SubprocessError):
                time.sleep(0.1)

    # Faults

    def kill(self):
        server = self.rng.choice(self.servers)
        server.kill()
        time.sleep(self.rng.random() * 0.5)
        server.spawn()

    def stop_cleanly(self):
        server = self.rng.choice(self.servers)
        if server.process.poll() is None:
            # Of one that was spawned a moment ago the signal may end the process before it has reached main.
            self.assertIn(server.stop(60), (0, -signal.SIGTERM), server.log()[-2000:])
        server.spawn()

    def freeze(self):
        server = self.rng.choice(self.servers)
        server.process.send_signal(signal.SIGSTOP)
        time.sleep(self.rng.choice([0.05, 0.3, 1.0, 5.0 if BROKER else 1.0]))
        server.process.send_signal(signal.SIGCONT)

    def statement(self, *texts):
        server = self.rng.choice(self.servers)
        for text in texts:
            try:
                server.sql(text, {"auto.offset.reset": "earliest"} if text.startswith("CREATE") else {}, 20)
            except FAILED:
                pass  # the server is down, or somebody was faster

    def pause_and_resume(self):
        ids = self.query_ids()
        if ids:
            chosen = self.rng.choice(ids)
            self.statement(f"PAUSE {chosen};")
            time.sleep(self.rng.random() * 0.3)
            self.statement(f"RESUME {chosen};")

    def come_and_go(self):
        name = f"x{self.rng.randrange(1000)}"
        groups = "AS SELECT g, COUNT(*) AS c FROM ev GROUP BY g"
        self.statement(f"CREATE TABLE {name} {groups}; CREATE TABLE y{name} {groups} HAVING COUNT(*) > 5;")
        for one in self.rng.sample([name, "y" + name], 2):
            time.sleep(self.rng.random() * 0.5)
            self.statement(f"DROP TABLE {one} DELETE TOPIC;")

    def replace(self):
        self.statement(REPLACED.format(self.rng.randrange(1, 50)))

    def query_ids(self):
        for server in self.servers:
            try:
                return [query["id"] for query in server.sql("SHOW QUERIES;", seconds=5)[0]["queries"]]
            except FAILED:
                continue
        return []

    def kill_broker(self):
        if self.nodes < 3:
            return
        node = self.rng.randrange(1, self.nodes + 1)
        broker("kill", node)
        time.sleep(self.rng.random() * 2)
        broker("restart", node)
        time.sleep(1)  # replicas catch up

    def end_broker(self):
        """In good order: it hands its partitions over."""
        if self.nodes < 3:
            return
        node = self.rng.randrange(1, self.nodes + 1)
        broker("end", node)
        broker("restart", node)
        time.sleep(1)

    def freeze_broker(self):
        with open(os.path.join(BROKERS, str(self.rng.randrange(1, self.nodes + 1)), "pid")) as file:
            pid = int(file.read())
        os.kill(pid, signal.SIGSTOP)
        time.sleep(self.rng.choice([0.1, 0.5, 2.0]))
        os.kill(pid, signal.SIGCONT)

    def cut(self):
        self.rng.choice(self.proxies).cut()

    def slow(self):
        proxy = self.rng.choice(self.proxies)
        proxy.delay = self.rng.choice([0.005, 0.05, 0.2])
        time.sleep(self.rng.random())
        proxy.delay = 0.0

    def stall(self):
        proxy = self.rng.choice(self.proxies)
        proxy.stalled = True
        time.sleep(self.rng.choice([0.1, 1.0, 3.0]))
        proxy.stalled = False
        if self.rng.random() < 0.5:
            proxy.cut()

    def hold_answers(self):
        """The outcome of commits is not known for a while, and sometimes never."""
        for proxy in self.proxies:
            proxy.held = {self.rng.choice([END_TXN, END_TXN, COMMIT_OFFSETS, PRODUCE])}
        time.sleep(self.rng.choice([0.2, 1.0, 4.0]))
        if self.rng.random() < 0.5:
            for proxy in self.proxies:
                proxy.cut()
        for proxy in self.proxies:
            proxy.held = set()

    def lose_answers(self):
        """The brokers have done what was asked, and nobody hears of it."""
        lost = {self.rng.choice([END_TXN, END_TXN, COMMIT_OFFSETS, ADD_OFFSETS, PRODUCE])}
        for proxy in self.proxies:
            proxy.lost = lost
        time.sleep(self.rng.choice([0.1, 0.5, 2.0]))
        for proxy in self.proxies:
            proxy.lost = set()

    def refuse(self):
        """A broker that cannot be reached, though the others see it."""
        proxy = self.rng.choice(self.proxies)
        proxy.refusing = True
        proxy.cut()
        time.sleep(self.rng.choice([0.2, 1.0, 4.0]))
        proxy.refusing = False

    def hands(self):
        """Faults that come one after the other, of several kinds at the same time: of processes and statements, of
        brokers, of connections."""
        ours = [self.kill] * 3 + [self.freeze] * 2 + [self.stop_cleanly, self.pause_and_resume, self.come_and_go, self.replace]
        if not self.proxies:
            return [ours]
        brokers = [self.freeze_broker] * 3 + [self.kill_broker, self.end_broker] if self.nodes > 1 else [self.freeze_broker]
        return [ours, brokers, [self.cut] * 3 + [self.slow, self.stall, self.refuse] + [self.hold_answers, self.lose_answers] * 2]

    def all_alive(self):
        for server in self.servers:
            if server.process.poll() is not None:
                self.fail(f"a server ended with {server.process.returncode}:\n{server.log()[-3000:]}")

    def hand(self, faults, seed, until, alive=lambda: None):
        self.own.rng = random.Random(seed)
        try:
            while time.monotonic() < until and not self.broken.is_set():
                alive()
                fault = self.rng.choice(faults)
                fault()
                self.kinds[fault.__name__] += 1  # a hand has kinds of its own
                time.sleep(self.rng.random() * 0.6)
        except BaseException:
            self.broken.set()
            raise

    # The run

    def declare(self):
        def run(text):
            return eventually(lambda: self.servers[0].sql(text, {"auto.offset.reset": "earliest"}), 60, text, 0.2)

        for text in STATEMENTS:
            run(text.format(self.replicas))
        users = [{"k": f"k{i}", "name": f"user of k{i}"} for i in range(KEYS)]
        if BROKER:
            produce("users", (row["k"] + "\t" + json.dumps({"name": row["name"]}) for row in users))
        else:
            self.servers[0].insert("users", users)
        for text in QUERIES + [REPLACED.format(0)]:
            run(text)

    def test_every_output_is_that_of_the_input(self):
        for server in self.servers:
            server.start()
        self.declare()
        self.note(f"{len(self.servers)} processes, {self.nodes if BROKER else 0} brokers")
        feeder = threading.Thread(target=self.feed, daemon=True)
        feeder.start()
        try:
            until = time.monotonic() + SECONDS
            ours, *others = self.hands()
            threads = [threading.Thread(target=self.hand, args=(faults, SEED + 2 + i, until), daemon=True)
                       for i, faults in enumerate(others)]
            for thread in threads:
                thread.start()
            self.hand(ours, SEED, until, self.all_alive)
            for thread in threads:
                thread.join(180)
            self.assertFalse(self.broken.is_set(), "a fault could not be done")
        finally:
            self.stop_feeding.set()
            feeder.join(120)
        self.note(f"survived {sum(self.kinds.values())} faults: {dict(self.kinds)}; {self.next_id} records sent")
        self.check()

    def check(self):
        # The last one standing owns everything, so it can be asked.
        for server in self.servers:
            server.wait_ready(120)
        for server in self.servers[1:]:
            self.assertEqual(server.stop(60), 0)
        server = self.servers[0]
        eventually(lambda: server.metric("owned_slots") == 64, 60, "it owns all slots")
        server.sql("RESUME ALL;")
        try:
            eventually(lambda: server.metric("query_lag_records") == 0, 120, "the queries catch up", 0.2)
        except AssertionError as error:
            lags = [line for line in server.request("GET", "/metrics")[1].decode().splitlines() if "lag_records{" in line]
            queries = server.sql("SHOW QUERIES;")[0]["queries"]
            states = {query["id"]: query.get("error", query["state"]) for query in queries}
            self.fail(f"{error}\n{lags}\n{states}\n{server.log()[-6000:]}")
        deadline = time.monotonic() + 60
        while True:
            try:
                problem = self.compare(server)
            except FAILED as error:
                problem = str(error)
            if problem is None or time.monotonic() > deadline:
                break
            time.sleep(1)
        self.assertIsNone(problem, server.log()[-5000:])
        for query in server.sql("SHOW QUERIES;")[0]["queries"]:
            self.assertEqual(query["state"], "RUNNING", query)

    def compare(self, server):
        def rows(text):
            return [tuple(row) for row in server.rows(text)]

        model = Model(rows("SELECT k, id, g, v, ts FROM ev;"), rows("SELECT k, id, g, v, ts FROM other;"))
        ids = Counter(i for _, i, _ in model.r.elements())
        if BROKER and max(ids.values()) > 1:
            self.note("records were sent twice by the test's own producer")
        for name, columns in {"f": "k, id, v", "r": "k, id, v", "j": "k, id, name", "p": "k, id, bid", "run": "k, id, s"}.items():
            found, expected = Counter(rows(f"SELECT {columns} FROM {name};")), getattr(model, name)
            if found != expected:
                lost, more = expected - found, found - expected
                return (f"{name}: {sum(lost.values())} lost {list(lost.items())[:3]}, "
                        f"{sum(more.values())} too many {list(more.items())[:3]}")
        windows, again = ({(g, start): (c, s) for g, start, c, s in rows(f"SELECT g, windowstart, c, s FROM {name};")}
                          for name in ("w", "w2"))
        sessions = {(k, start, end): (c, s) for k, start, end, c, s in
                    rows("SELECT k, windowstart, windowend, c, s FROM se;")}
        for name, (keys, columns) in TABLES.items():
            found = {row[0] if keys == 1 else row[:keys]: row[keys] if len(row) == keys + 1 else row[keys:]
                     for row in rows(f"SELECT {columns} FROM {name};")}
            if problem := differences(name, found, model.ranks[name]):
                return problem
        return differences("windows", windows, model.w) or differences("again", again, model.w) or differences("sessions", sessions, model.se)


if __name__ == "__main__":
    unittest.main(verbosity=2)
