"""Final results that travel: windows of windows and a join of windows, each with topics between its steps that carry how
far time has come, while the servers that run them are killed again and again. Every window comes out once, whole. Two
servers on the broker of with_broker.sh where there is one, else one, embedded. MILLRACE_FAULT_SEED repeats a run."""
import json
import os
import random
import threading
import time
import unittest
from collections import Counter, defaultdict

from model import PARTITIONS, partition_of
from server import BROKER, Server, eventually
from topics import produce

EVENTS = int(os.environ.get("MILLRACE_FAULT_EVENTS", 120_000))
KILLS = int(os.environ.get("MILLRACE_FAULT_KILLS", 10))
SEED = int(os.environ.get("MILLRACE_FAULT_SEED", random.SystemRandom().randrange(1 << 32)))
SIZE, GRACE, KEYS, GROUPS = 10_000, 2_000, 300, 40
CHUNK = 1_500 if BROKER else 300  # what is sent again, when nobody has answered, must not be late for its windows

COUNTS = f"SELECT g, COUNT(*) AS n FROM ev WINDOW TUMBLING (SIZE {SIZE} MILLISECONDS, GRACE PERIOD {GRACE} MILLISECONDS) GROUP BY g"
STATEMENTS = f"""
SET 'auto.offset.reset' = 'earliest';
CREATE STREAM ev (k STRING KEY, id BIGINT, g STRING, ts BIGINT)
  WITH (kafka_topic = 'ev', value_format = 'JSON', partitions = {PARTITIONS}, timestamp = 'ts');
CREATE STREAM levels WITH (kafka_topic = 'levels') AS
  SELECT WINDOWSTART AS ws, MAX(n) AS most, SUM(n) AS total, COUNT(*) AS groups FROM ({COUNTS}) c GROUP BY WINDOWSTART EMIT FINAL;
CREATE STREAM hot WITH (kafka_topic = 'hot') AS
  WITH counts AS ({COUNTS}),
       most AS (SELECT WINDOWSTART AS starts, WINDOWEND AS ends, MAX(n) AS n FROM counts GROUP BY WINDOWSTART, WINDOWEND)
  SELECT c.g AS g, c.n AS n FROM counts c JOIN most m
    ON c.WINDOWSTART = m.starts AND c.WINDOWEND = m.ends AND c.n = m.n EMIT FINAL;
"""


def make_events(rng):
    return [{"k": f"k{rng.randrange(KEYS)}", "id": i, "g": f"g{rng.randrange(GROUPS)}",
             "ts": 1_000_000 + i * 3 - rng.randrange(300)} for i in range(EVENTS)]


def closing(after):
    """A row for each partition of the stream and of the groups, of a time in which nothing before it is open any more."""
    names = {}
    for i in range(1000):
        names.setdefault(partition_of(f"z{i}"), f"z{i}")
    return [{"k": names[p], "id": -1, "g": names[p], "ts": after} for p in range(PARTITIONS)]


def expected(rows, end):
    """What (levels, hot) must have of windows that are over at `end`."""
    windows = defaultdict(Counter)
    for g, ts in rows:
        windows[ts // SIZE * SIZE][g] += 1
    levels, hot = Counter(), Counter()
    for start, counts in windows.items():
        if start + SIZE + GRACE > end:
            continue
        most = max(counts.values())
        levels[start, most, sum(counts.values()), len(counts)] += 1
        hot.update((start, g, n) for g, n in counts.items() if n == most)
    return levels, hot


class FinalsTest(unittest.TestCase):
    def setUp(self):
        print(f"seed {SEED}", flush=True)
        self.rng = random.Random(SEED)
        settings = {"commit.interval.ms": 200, "millrace.state.memory.bytes": 2 << 20}
        if BROKER:
            settings["kafka.session.timeout.ms"] = "3000"
        self.servers = [Server(BROKER, settings) for _ in range(2 if BROKER else 1)]
        for server in self.servers:
            self.addCleanup(server.close)
        self.sent = 0

    def send(self, events):
        if BROKER:
            return produce("ev", (e["k"] + "\t" + json.dumps({n: e[n] for n in ("id", "g", "ts")}) for e in events))
        # What a client has given up may still be taken, behind rows that make it late.
        eventually(lambda: self.servers[0].insert("ev", events, 240) == len(events), 240, "the server takes events", 0.02)

    def feed(self, events):
        for at in range(0, len(events), CHUNK):
            self.send(events[at:at + CHUNK])
            self.sent = at + CHUNK

    def kill_and_start(self, kill):
        """When so much has been sent."""
        eventually(lambda: self.sent >= (kill + 0.5) / (KILLS + 1) * EVENTS, 120, "events are sent", 0.01)
        time.sleep(self.rng.random() * 0.5)
        server = self.rng.choice(self.servers)
        server.kill()
        time.sleep(self.rng.choice([0, 0.3, 4 if BROKER else 0]))
        server.start()

    def found(self):
        server = self.servers[0]
        levels = Counter(map(tuple, server.rows("SELECT ws, most, total, groups FROM levels;")))
        hot = Counter(map(tuple, server.rows("SELECT windowstart, g, n FROM hot;")))
        return levels, hot

    def test_every_window_comes_out_once(self):
        for server in self.servers:
            server.start()
        self.servers[0].sql(STATEMENTS)
        events = make_events(self.rng)
        feeder = threading.Thread(target=self.feed, args=(events,), daemon=True)
        feeder.start()
        for kill in range(KILLS):
            self.kill_and_start(kill)
        feeder.join(120)
        self.assertFalse(feeder.is_alive(), "all events are sent")
        end = 1_000_000 + EVENTS * 3 + 10 * SIZE
        self.send(closing(end))
        rows = [tuple(row) for row in self.servers[0].rows("SELECT g, ts FROM ev;")]
        self.assertGreaterEqual(len(rows), EVENTS + PARTITIONS)
        levels, hot = expected(rows, end)
        self.assertGreater(len(levels), EVENTS * 3 // SIZE - 2)
        try:
            eventually(lambda: self.found() == (levels, hot), 90, "final results", 0.5)
        except AssertionError as error:
            found = self.found()
            told = [f"{name}: lost {list((should - is_).items())[:5]}, too many {list((is_ - should).items())[:5]}"
                    for name, is_, should in zip(("levels", "hot"), found, (levels, hot))]
            self.fail(f"{error}\n" + "\n".join(told) + "\n" + self.servers[0].log()[-3000:])
        # Nothing more comes of what was open when servers died.
        time.sleep(1)
        self.assertEqual(self.found(), (levels, hot))


if __name__ == "__main__":
    unittest.main(verbosity=2)
