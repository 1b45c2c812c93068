"""Each of three brokers loses its disk, one after the other, while a windowed aggregation, a repartitioned one and a join are fed
and their process is killed. In the end the process has lost its disk too: all that is left are copies of copies. On the brokers of
with_broker.sh -n 3. MILLRACE_FAULT_SEED repeats a run."""
import os
import random
import shutil
import subprocess
import threading
import time
import unittest

from scenario import Kafka, REPLICAS, make_events
from server import BROKER, BROKER_SH, broker, eventually
from topics import all_in_sync, topics_of_brokers

SEED = int(os.environ.get("MILLRACE_FAULT_SEED", random.SystemRandom().randrange(1 << 32)))
PART = 1000
SERVICE = "disk_"
# Those that are replaced all the time. Of the others nothing is ever removed, so that they are one segment for long.
SHORT = {"segment.bytes": "16777216", "segment.ms": "600000", "min.cleanable.dirty.ratio": "0.1"}


def settings_of_topics():
    """Of each topic the settings that are its own, as Kafka's own tool has them."""
    listed = subprocess.run([BROKER_SH, "run", "org.apache.kafka.tools.TopicCommand", "--bootstrap-server", BROKER, "--describe"],
                            capture_output=True, check=True, timeout=60).stdout.decode()
    topics = {}
    for line in listed.splitlines():
        fields = dict(part.split(": ", 1) for part in line.strip().split("\t") if ": " in part)
        if "Configs" in fields:
            topics[fields["Topic"]] = dict(one.split("=", 1) for one in fields["Configs"].split(",") if "=" in one)
    return topics


class DiskTest(unittest.TestCase):
    def setUp(self):
        print(f"seed {SEED}", flush=True)
        self.rng = random.Random(SEED)
        self.scenario = Kafka({"commit.interval.ms": 200, "ksql.service.id": SERVICE, "ksql.internal.topic.replicas": REPLICAS,
                               "ksql.internal.topic.min.insync.replicas": 2, "millrace.audit.enabled": "true"})
        self.server = self.scenario.server
        self.addCleanup(self.server.close)
        self.sent, self.feeding, self.over = 0, threading.Thread(target=self.feed), threading.Event()

    def feed(self):
        rng = random.Random(SEED + 1)
        while not self.over.is_set():
            self.scenario.send(make_events(rng, PART, self.sent))
            self.sent += PART
            self.over.wait(0.2)

    def stop_feeding(self):
        self.over.set()
        self.feeding.join()

    def replace_disk(self, node):
        eventually(all_in_sync, 120, "all replicas are in sync", 0.2)
        worked = self.server.metric("query_rows_in_total")
        eventually(lambda: self.server.metric("query_rows_in_total") > worked, 60, "the queries work")
        broker("kill", node)
        time.sleep(self.rng.random())
        self.server.kill()
        time.sleep(self.rng.random() * 2)
        broker("replace", node)
        self.server.start()
        self.scenario.note(f"broker {node} is back with an empty disk, {self.sent} events sent")

    def test_nothing_is_lost(self):
        self.server.start()
        self.scenario.declare()
        # Its schema is kept in a topic of the service.
        self.server.sql(f"CREATE STREAM with_schema (v INT) WITH (kafka_topic='with_schema', value_format='AVRO', partitions=1, "
                        f"replicas={REPLICAS});")
        self.feeding.start()
        self.addCleanup(self.stop_feeding)
        for node in self.rng.sample([1, 2, 3], 3):
            self.replace_disk(node)
        self.stop_feeding()
        eventually(all_in_sync, 120, "all replicas are in sync", 0.2)
        self.check()
        self.server.kill()
        shutil.rmtree(os.path.join(self.server.data, "state"))
        self.server.start()
        self.check()
        self.internal_topics()

    def check(self):
        problem = self.scenario.check(self.sent)
        self.assertIsNone(problem, self.server.log()[-3000:])

    def internal_topics(self):
        replicas, settings = topics_of_brokers(), settings_of_topics()
        own = [name for name in replicas if SERVICE in name and "processing_log" not in name]
        kept = [name for name in own if name.endswith(("_command_topic", "_schemas", "_audit"))]
        short = [name for name in own if name not in kept]
        self.assertEqual((len([name for name in short if name.endswith("-changelog")]) > 2,
                          len([name for name in short if name.endswith("-repartition")]),
                          len([name for name in short if name.endswith("_slots")]), len(kept)), (True, 1, 1, 3), own)
        for name in own:
            self.assertEqual(set(replicas[name]), {(REPLICAS, REPLICAS)}, name)
            self.assertEqual(settings[name].get("min.insync.replicas"), "2", name)
        for name in short:
            self.assertEqual({key: settings[name].get(key) for key in SHORT}, SHORT, name)


if __name__ == "__main__":
    unittest.main(verbosity=2)
