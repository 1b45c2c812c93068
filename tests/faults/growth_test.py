"""What a service keeps on a broker does not grow with what has expired, and what is left restores the rest."""
import os
import random
import shutil
import subprocess
import unittest

from server import BROKER, Server, eventually

SETTINGS = {"commit.interval.ms": 100}
EVENTS = 400


def begin_of(topic):
    """The first offset of a topic of one partition."""
    out = subprocess.run(["kcat", "-Q", "-b", BROKER, "-t", f"{topic}:0:-2"], capture_output=True, check=True, timeout=30)
    return int(out.stdout.split()[-1])


class GrowthTest(unittest.TestCase):
    def setUp(self):
        self.service = f"growth{random.randrange(1 << 30)}_"
        self.server = Server(BROKER, SETTINGS | {"ksql.service.id": self.service})
        self.addCleanup(self.server.close)
        self.server.start()

    def changelogs(self):
        topics = self.server.sql("SHOW ALL TOPICS;")[0]["topics"]
        return [t["name"] for t in topics if self.service in t["name"] and t["name"].endswith("changelog")]

    def send(self, first, count):
        """In turns, so that neither stream is late for the other."""
        for i in range(first, first + count):
            for name in ("a", "b"):
                self.server.insert(name, [{"k": "x", "v": i, "ts": i * 500}])

    def count_at(self, start):
        return self.server.rows(f"SELECT n FROM w WHERE k = 'x' AND WINDOWSTART = {start};")

    def test_expired_windows_leave_the_changelogs(self):
        for name in ("a", "b"):
            self.server.sql(f"CREATE STREAM {name} (k STRING KEY, v INT, ts BIGINT) WITH "
                            f"(kafka_topic='{self.service}{name}', value_format='JSON', timestamp='ts', partitions=1);")
        self.server.sql("CREATE TABLE w AS SELECT k, COUNT(*) AS n FROM a WINDOW TUMBLING (SIZE 1 SECOND, "
                        "RETENTION 10 SECONDS, GRACE PERIOD 1 SECOND) GROUP BY k;"
                        "CREATE TABLE s AS SELECT k, COUNT(*) AS n FROM a WINDOW SESSION (100 MILLISECONDS, "
                        "RETENTION 10 SECONDS, GRACE PERIOD 1 SECOND) GROUP BY k;"
                        "CREATE STREAM j AS SELECT a.k AS k, a.v AS v, b.v AS w FROM a JOIN b WITHIN 100 MILLISECONDS "
                        "GRACE PERIOD 1 SECOND ON a.k = b.k;")
        changelogs = self.changelogs()
        self.assertEqual(len(changelogs), 4)
        sent = 0
        while sent < EVENTS:
            self.send(sent, 40)
            sent += 40
            eventually(lambda: self.count_at((sent - 2) * 500) == [[2]], 20, "rows are counted")
        eventually(lambda: (self.send(sent, 0), min(map(begin_of, changelogs)) > EVENTS / 4)[1], 20, "changelogs are cut off")
        # Without its state directory the service knows as much as before.
        self.server.kill()
        shutil.rmtree(os.path.join(self.server.data, "state"))
        self.server.start()
        self.assertEqual(eventually(lambda: self.count_at((sent - 2) * 500), 30, "it restores"), [[2]])
        self.server.insert("a", [{"k": "x", "v": 0, "ts": (sent - 2) * 500}])
        eventually(lambda: self.count_at((sent - 2) * 500) == [[3]], 20, "it counts on")
        eventually(lambda: len(self.server.rows("SELECT * FROM j;")) == EVENTS + 1, 20, "the row of b is there to be met")


if __name__ == "__main__":
    unittest.main(verbosity=2)
