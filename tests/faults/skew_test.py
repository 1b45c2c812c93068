"""Two processes share a query that reads hours of input from its start, moves rows between partitions and counts them in
windows with next to no grace. One of them stands still for a while, and starts anew later: the result is that of rows that
come in order, none is late."""
import json
import signal
import time
import unittest
from collections import Counter

from server import BROKER, Server, eventually
from topics import produce

PARTITIONS, SECONDS, PER_SECOND, GROUPS, WINDOW = 4, 2 * 3600, 8, 5, 300
STATEMENTS = f"""
CREATE STREAM ev (k STRING KEY, g STRING, ts BIGINT)
  WITH (kafka_topic = 'ev', value_format = 'JSON', partitions = {PARTITIONS}, timestamp = 'ts');
"""
QUERY = f"""
CREATE TABLE w AS SELECT g, COUNT(*) AS c FROM ev
  WINDOW TUMBLING (SIZE {WINDOW} SECONDS, RETENTION 10 DAYS, GRACE PERIOD 40 MILLISECONDS) GROUP BY g;
"""


class SkewTest(unittest.TestCase):
    def setUp(self):
        settings = {"commit.interval.ms": 200, "kafka.session.timeout.ms": 20000}
        self.servers = [Server(BROKER, settings) for _ in range(2)]
        for server in self.servers:
            self.addCleanup(server.close)

    def produce(self, first, seconds):
        """Rows in order of time; what must be counted."""
        counts, lines = Counter(), []
        for i in range(seconds * PER_SECOND):
            ts, group = first * 1000 + i * 1000 // PER_SECOND, f"g{i % GROUPS}"
            counts[group, ts // (WINDOW * 1000) * (WINDOW * 1000)] += 1
            lines.append(f"k{i % 97}\t" + json.dumps({"g": group, "ts": ts}))
        produce("ev", lines)
        return counts

    def stand_still(self, server, seconds):
        server.process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        server.process.send_signal(signal.SIGCONT)

    def caught_up(self):
        """Each process tells of its own tasks only."""
        return all(server.metric("query_lag_records") == 0 for server in self.servers)

    def late(self):
        return sum(server.metric("query_late_rows_total") for server in self.servers)

    def check(self, counts):
        eventually(lambda: self.caught_up() and self.rows() == counts, 90, "everything is counted", 0.2)

    def rows(self):
        rows = self.servers[0].rows("SELECT g, windowstart, c FROM w;")
        return {(group, start): count for group, start, count in rows}

    def test_nothing_is_late_in_a_catch_up(self):
        for server in self.servers:
            server.start()
        eventually(lambda: all(server.metric("owned_slots") > 0 for server in self.servers), 60, "both own slots")
        self.servers[0].sql(STATEMENTS)
        counts = self.produce(0, SECONDS)
        self.servers[0].sql(QUERY, {"auto.offset.reset": "earliest"})
        began = time.monotonic()
        self.stand_still(self.servers[1], 2)
        self.check(counts)
        print(f"caught up after {time.monotonic() - began:.1f} s, {self.late():.0f} late", flush=True)
        self.assertEqual(self.late(), 0)
        # One of them comes back to an hour that both have to read.
        for server in self.servers:
            self.assertEqual(server.stop(), 0, server.log()[-2000:])
        counts += self.produce(SECONDS, SECONDS // 2)
        self.servers[0].start()
        self.servers[1].start()
        self.stand_still(self.servers[1], 1)
        self.check(counts)
        self.assertEqual(self.late(), 0)
        # At the end nobody waits for long.
        counts += self.produce(3 * SECONDS // 2, 600)
        self.check(counts)
        self.assertEqual(self.late(), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
