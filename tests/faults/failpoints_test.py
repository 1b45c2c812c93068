"""The server fails and dies at the places where a transaction or a spill can be cut in two (exec/log/failpoint.h). Whatever
happens there, the results are those of a computation from the input alone. MILLRACE_FAULT_SEED repeats a run."""
import os
import random
import unittest

from scenario import make_events, this_log
from server import eventually

PLACES = ["progress.write", "commit.fenced", "commit.ended", "state.spill"]
PARTS = {"state.spill": 100_000}  # enough that state does not fit into memory
PART = 8000
SEED = int(os.environ.get("MILLRACE_FAULT_SEED", random.SystemRandom().randrange(1 << 32)))


class FailpointTest(unittest.TestCase):
    def setUp(self):
        print(f"seed {SEED}", flush=True)
        self.rng = random.Random(SEED)
        self.scenario = this_log({"millrace.state.memory.bytes": 1 << 20, "commit.interval.ms": 100})
        self.addCleanup(self.scenario.server.close)
        self.sent = 0

    def send_part(self, place):
        size = PARTS.get(place, PART)
        self.scenario.send_to_nobody(make_events(self.rng, size, self.sent))
        self.sent += size

    def start_armed(self, place, kind):
        own = place.startswith("commit.")  # RESUME is a commit too, and the first
        self.scenario.server.spawn({"MILLRACE_FAILPOINTS": f"{place}={kind}@{self.rng.randrange(2) + own}"})

    def fails(self, place):
        server = self.scenario.server
        self.send_part(place)
        self.start_armed(place, "error")
        server.wait_ready()
        self.scenario.go_on()
        eventually(lambda: f"failpoint {place}" in server.log(), 60, f"it fails at {place}")
        eventually(lambda: server.metric("query_lag_records") == 0, 60, "the queries go on", 0.1)
        self.assertEqual(server.stop(), 0)

    def dies(self, place):
        server = self.scenario.server
        self.send_part(place)
        self.start_armed(place, "crash")
        self.scenario.go_on()
        self.assertEqual(server.process.wait(60), 42, f"it dies at {place}")

    def check(self):
        problem = self.scenario.check(self.sent)
        self.assertIsNone(problem, self.scenario.server.log()[-2000:])

    def test_every_place(self):
        server = self.scenario.server
        server.start()
        self.scenario.declare()
        self.assertEqual(server.stop(), 0)
        for place in PLACES:
            self.fails(place)
            self.scenario.note(f"failed at {place}")
            self.dies(place)
            self.scenario.note(f"died at {place}")
            server.start()
            self.scenario.go_on()
            self.check()
            self.assertEqual(server.stop(), 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
