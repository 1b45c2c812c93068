"""Two servers share the queries of one service on Kafka. One is stopped (SIGSTOP) past its session while the other takes
its slots over, and then goes on: nothing that it had begun may show in the results. MILLRACE_FAULT_SEED repeats a run."""
import os
import random
import signal
import unittest

from scenario import Kafka, make_events
from server import BROKER, Server, eventually

EVENTS = int(os.environ.get("MILLRACE_ZOMBIE_EVENTS", 60_000))
ROUNDS = 3
SEED = int(os.environ.get("MILLRACE_FAULT_SEED", random.SystemRandom().randrange(1 << 32)))
SETTINGS = {"kafka.session.timeout.ms": "2000", "commit.interval.ms": "200"}


def rows_in(server):
    return server.metric("query_rows_in_total")


class ZombieTest(unittest.TestCase):
    def setUp(self):
        print(f"seed {SEED}", flush=True)
        self.rng = random.Random(SEED)
        self.scenario = Kafka(SETTINGS)
        self.first = self.scenario.server
        self.second = Server(BROKER, SETTINGS)
        for server in (self.first, self.second):
            self.addCleanup(server.close)

    def feed(self, part):
        """One more part of the events, in `ROUNDS` * 3 equal ones."""
        size = EVENTS // (ROUNDS * 3)
        events = make_events(self.rng, size, part * size)
        for at in range(0, size, 500):
            self.scenario.send(events[at:at + 500])

    def take_over(self, zombie, heir, part):
        """Stops `zombie` in the middle of its work until `heir` has done it, then lets it go on."""
        self.feed(part)
        zombie.process.send_signal(signal.SIGSTOP)
        try:
            self.feed(part + 1)
            eventually(lambda: owned(heir) == 64, 60, "the other takes all slots")
            before = rows_in(heir)
            self.feed(part + 2)
            eventually(lambda: rows_in(heir) > before and heir.metric("query_lag_records") == 0, 60, "it does the work", 0.2)
        finally:
            zombie.process.send_signal(signal.SIGCONT)

    def test_a_stopped_server_changes_nothing_when_it_wakes(self):
        self.first.start()
        self.scenario.declare()
        self.second.start()
        eventually(lambda: owned(self.first) > 0 and owned(self.second) > 0, 60, "both own slots")
        pairs = [(self.first, self.second), (self.second, self.first)]
        for turn in range(ROUNDS):
            zombie, heir = pairs[turn % 2]
            self.take_over(zombie, heir, turn * 3)
            eventually(lambda: owned(zombie) > 0 and owned(zombie) + owned(heir) == 64, 60, "it joins again")
            self.scenario.note(f"{zombie.port} was stopped and woke")
        # Pull queries are answered by the one that owns everything.
        self.assertEqual(self.second.stop(), 0)
        eventually(lambda: owned(self.first) == 64, 60, "the first owns everything")
        problem = self.scenario.check(EVENTS // (ROUNDS * 3) * ROUNDS * 3)
        self.assertIsNone(problem, self.first.log()[-2000:])


def owned(server):
    return server.metric("owned_slots")


if __name__ == "__main__":
    unittest.main(verbosity=2)
