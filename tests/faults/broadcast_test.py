"""Two servers share queries that join a stream with a table of which each holds all, while the table changes and they are killed,
ended and stopped (SIGSTOP) in turn: every row comes out once, and meets nothing older than what rows before it met, whoever worked
on them. MILLRACE_FAULT_SEED repeats a run."""
import json
import os
import random
import signal
import threading
import unittest

from server import BROKER, Server, eventually, own_all_slots
from topics import produce, read_committed

SEED = int(os.environ.get("MILLRACE_FAULT_SEED", random.SystemRandom().randrange(1 << 32)))
PARTITIONS, KEYS, BANDS, WIDTH = 6, 60, 20, 50
NAME = "broadcast"
# The topmost amounts are in no band.
SOURCES = f"""
CREATE STREAM tx (k STRING KEY, id BIGINT, amt INT) WITH (kafka_topic = '{NAME}_tx', value_format = 'JSON', partitions = {PARTITIONS});
CREATE TABLE bands (b INT PRIMARY KEY, lo INT, hi INT, version INT) WITH (kafka_topic = '{NAME}_bands', value_format = 'JSON',
  key_format = 'JSON', partitions = 3);
CREATE TABLE shared (b INT PRIMARY KEY, lo INT, hi INT, version INT) WITH (kafka_topic = '{NAME}_bands', value_format = 'JSON',
  key_format = 'JSON', broadcast = true);
"""
QUERIES = f"""
SET 'auto.offset.reset' = 'earliest';
CREATE STREAM banded WITH (kafka_topic = '{NAME}_banded') AS
  SELECT t.k AS k, id, amt, b, version FROM tx t LEFT JOIN BROADCAST(bands) x ON t.amt BETWEEN x.lo AND x.hi;
CREATE TABLE sums WITH (kafka_topic = '{NAME}_sums') AS
  SELECT b, COUNT(*) AS n, SUM(amt) AS s FROM tx t JOIN shared x ON t.amt >= x.lo AND t.amt <= x.hi GROUP BY b;
"""


class BroadcastTest(unittest.TestCase):
    def setUp(self):
        print(f"seed {SEED}", flush=True)
        settings = {"ksql.service.id": NAME, "commit.interval.ms": 100}
        self.servers = [Server(BROKER, settings) for _ in range(2)]
        for server in self.servers:
            self.addCleanup(server.close)
        self.over, self.feeding = threading.Event(), threading.Thread(target=self.feed)
        self.amounts, self.least, self.known = [], [], 0  # of each row sent; what rows sent from now on have to meet

    def feed(self):
        rng = random.Random(SEED)
        while not self.over.is_set():
            self.send([rng.randrange((BANDS + 1) * WIDTH) for _ in range(200)])
            self.over.wait(0.05)

    def send(self, amounts):
        first = len(self.amounts)
        self.least += [self.known] * len(amounts)
        self.amounts += amounts
        produce(f"{NAME}_tx", (f"k{i % KEYS}\t" + json.dumps({"id": i, "amt": amounts[i - first]})
                               for i in range(first, first + len(amounts))))

    def stop_feeding(self):
        self.over.set()
        self.feeding.join()

    def set_table(self, version):
        produce(f"{NAME}_bands", (f"{b}\t" + json.dumps({"lo": b * WIDTH, "hi": b * WIDTH + WIDTH - 1, "version": version})
                                  for b in range(BANDS)))

    def change_table(self, version):
        """From its end on, all tasks have met the new rows: rows of every partition have come out with them."""
        self.set_table(version)

        def met():
            newest = {}
            for partition, _, _, value in read_committed(f"{NAME}_banded"):
                row = json.loads(value)
                newest.setdefault((partition, row["B"]), set()).add(row["VERSION"])
            return all(version in newest.get((p, b), ()) for p in range(PARTITIONS) for b in range(BANDS))
        eventually(met, 60, f"rows of all partitions meet version {version}", 0.3)
        self.known = version

    def take_down(self, server, other, how):
        if how == "kill":
            server.kill()
        elif how == "end":
            self.assertEqual(server.stop(), 0, server.log()[-2000:])
        else:
            server.process.send_signal(signal.SIGSTOP)
        try:
            eventually(lambda: own_all_slots([other]), 60, f"{how}: the other takes all slots")
            self.change_table(self.known + 1)  # who comes back has to catch up with it
        finally:
            if how == "stop":
                server.process.send_signal(signal.SIGCONT)
        if how != "stop":
            server.start()
        eventually(lambda: own_all_slots([server, other]), 60, "it joins again")
        self.change_table(self.known + 1)

    def test_it_is_the_same_table_everywhere(self):
        first, second = self.servers
        first.start().sql(SOURCES)
        self.set_table(0)
        first.sql(QUERIES)
        self.feeding.start()
        self.addCleanup(self.stop_feeding)
        second.start()
        eventually(lambda: own_all_slots([first, second]), 60, "both own slots")
        self.change_table(1)
        for server, other, how in ((first, second, "kill"), (second, first, "end"), (first, second, "stop"), (second, first, "kill")):
            self.take_down(server, other, how)
        self.stop_feeding()
        eventually(lambda: len(read_committed(f"{NAME}_banded")) >= len(self.amounts), 60, "all rows have come out", 0.3)
        self.check_rows()
        for server in self.servers:
            eventually(lambda: {b: (n, s) for b, n, s in server.rows("SELECT b, n, s FROM sums;")} == self.sums(), 60,
                       "sums are right", 0.3)
        print(f"{len(self.amounts)} rows, {self.known} versions of the table", flush=True)

    def check_rows(self):
        rows = [json.loads(value) for _, _, _, value in read_committed(f"{NAME}_banded")]
        self.assertEqual(sorted(row["ID"] for row in rows), list(range(len(self.amounts))), "each row comes out once")
        for row in rows:
            i, band = row["ID"], row["AMT"] // WIDTH
            self.assertEqual((row["AMT"], row["B"]), (self.amounts[i], band if band < BANDS else None), row)
            if band < BANDS:
                self.assertTrue(self.least[i] <= row["VERSION"] <= self.known, f"{row} met an older table than {self.least[i]}")

    def sums(self):
        sums = {}
        for amount in self.amounts:
            if amount // WIDTH < BANDS:
                n, s = sums.get(amount // WIDTH, (0, 0))
                sums[amount // WIDTH] = (n + 1, s + amount)
        return sums


if __name__ == "__main__":
    unittest.main(verbosity=2)
