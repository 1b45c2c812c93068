"""A server that runs a windowed aggregation, a repartitioned one and a stream-table join is killed again and again while
events come in. In the end nothing is lost and nothing doubled. MILLRACE_FAULT_SEED repeats a run."""
import os
import random
import threading
import time
import unittest

from scenario import make_events, this_log

EVENTS = int(os.environ.get("MILLRACE_FAULT_EVENTS", 300_000))
KILLS = int(os.environ.get("MILLRACE_FAULT_KILLS", 12))
SEED = int(os.environ.get("MILLRACE_FAULT_SEED", random.SystemRandom().randrange(1 << 32)))


class Feeder(threading.Thread):
    """Sends events while the server comes and goes, so many for every life that it has."""

    def __init__(self, scenario, events):
        super().__init__(daemon=True)
        self.scenario, self.events = scenario, events
        self.lives, self.error = 0, None

    def run(self):
        try:
            for at in range(0, len(self.events), self.scenario.chunk):
                while at >= (self.lives + 1) / (KILLS + 1) * len(self.events):
                    time.sleep(0.01)
                self.scenario.send(self.events[at:at + self.scenario.chunk])
        except Exception as error:  # the test shows it
            self.error = error


class CrashTest(unittest.TestCase):
    def setUp(self):
        print(f"seed {SEED}", flush=True)
        self.rng = random.Random(SEED)
        self.scenario = this_log({"millrace.state.memory.bytes": 2 << 20})
        self.addCleanup(self.scenario.server.close)

    def live_and_die(self):
        server, rng = self.scenario.server, self.rng
        server.settings["commit.interval.ms"] = rng.choice([20, 100, 500, 2000])
        server.spawn()
        if rng.random() < 0.25:
            time.sleep(rng.random() * 0.5)
        else:
            server.wait_ready()
            time.sleep(0.1 + rng.random() * 1.9)
        server.kill()

    def test_nothing_is_lost_or_doubled(self):
        scenario = self.scenario
        server = scenario.server.start()
        scenario.declare()
        feeder = Feeder(scenario, make_events(self.rng, EVENTS))
        feeder.start()
        time.sleep(0.5)
        server.kill()
        for kill in range(KILLS):
            feeder.lives = kill
            self.live_and_die()
        scenario.note(f"killed {KILLS + 1} times")
        feeder.lives = KILLS
        server.start()
        feeder.join(60)
        self.assertIsNone(feeder.error)
        self.assertFalse(feeder.is_alive(), "all events are sent")
        scenario.note("all events sent")
        problem = scenario.check(EVENTS)
        self.assertIsNone(problem, server.log()[-2000:])
        self.assertEqual(server.metric("query_bad_records_total"), 0)
        scenario.note("checked")


if __name__ == "__main__":
    unittest.main(verbosity=2)
