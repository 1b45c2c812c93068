"""A server is stopped while the brokers do not answer: it ends with exit 0 all the same, and has lost nothing. On three
brokers of with_broker.sh. MILLRACE_FAULT_SEED repeats a run."""
import os
import random
import signal
import threading
import time
import unittest

from proxy import ADD_OFFSETS, COMMIT_OFFSETS, END_TXN, PRODUCE, in_front_of
from scenario import Kafka, make_events
from server import BROKERS, broker

SEED = int(os.environ.get("MILLRACE_FAULT_SEED", random.SystemRandom().randrange(1 << 32)))
PART = 2000


class StopTest(unittest.TestCase):
    def setUp(self):
        print(f"seed {SEED}", flush=True)
        self.rng = random.Random(SEED)
        self.proxies, address = in_front_of(BROKERS)
        for proxy in self.proxies:
            self.addCleanup(proxy.close)
        self.scenario = Kafka({"commit.interval.ms": 100, "ksql.internal.topic.replicas": len(self.proxies),
                               "ksql.service.id": f"stop{self.rng.randrange(1 << 30)}_"})
        self.server, self.sent = self.scenario.server, 0
        self.server.kafka = address
        self.addCleanup(self.server.close)
        self.server.start()
        self.scenario.declare()

    def set_all(self, **what):
        for proxy in self.proxies:
            for name, value in what.items():
                setattr(proxy, name, value)

    def unreachable(self):
        self.set_all(refusing=True)
        for proxy in self.proxies:
            proxy.cut()

    def without_leaders(self):
        """Most brokers have died, the one that is left answers, but has no say."""
        for node in range(2, len(self.proxies) + 1):
            broker("kill", node)

    def with_leaders(self):
        for node in range(2, len(self.proxies) + 1):
            broker("restart", node)

    def send(self):
        self.scenario.send(make_events(self.rng, PART, self.sent))
        self.sent += PART

    def stop_during(self, name, fault, undo):
        feeding = threading.Thread(target=self.send)
        feeding.start()
        feeding.join(self.rng.random())
        fault()
        time.sleep(self.rng.choice([0, 0.5, 3]))
        began = time.monotonic()
        self.server.process.send_signal(signal.SIGTERM)
        try:
            status = self.server.process.wait(60)
            self.scenario.note(f"{name}: ended with {status} after {time.monotonic() - began:.1f} s")
        finally:
            undo()
        self.assertEqual(status, 0, self.server.log()[-3000:])
        feeding.join()
        self.server.start()

    def test_it_ends_whatever_the_brokers_do(self):
        faults = [("nothing goes on", lambda: self.set_all(stalled=True), lambda: self.set_all(stalled=False)),
                  ("nobody is reached", self.unreachable, lambda: self.set_all(refusing=False))]
        for kind in (END_TXN, ADD_OFFSETS, COMMIT_OFFSETS, PRODUCE):
            faults.append((f"no answer to requests {kind}", lambda kind=kind: self.set_all(held={kind}),
                           lambda: self.set_all(held=set())))
        if len(self.proxies) > 2:
            faults.append(("no leaders", self.without_leaders, self.with_leaders))
        for fault in faults:
            self.stop_during(*fault)
        self.send()
        problem = self.scenario.check(self.sent, 120)
        self.assertIsNone(problem, self.server.log()[-3000:])


if __name__ == "__main__":
    unittest.main(verbosity=2)
