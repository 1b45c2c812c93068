#!/usr/bin/env python3
"""Whether a server that runs for long keeps growing.

  bench/soak.py [MINUTES] [--binary build/millrace] [--memory MB] [--rate ROWS] [--kafka HOST:PORT]

Mixed load on the embedded log, or on Kafka, at a third of what the machine can do (measured first, --rate skips that): windows and
sessions that expire, a stream-stream join of keys that come once, a join with a table, a foreign-key join, a filter.
Event time runs sixty times as fast as the clock. Resident memory, state on disk and all of the data directory every ten
seconds; at the end how they grew over the second half, in MB a minute. Fails when what was held at the end is more than
a tenth above what was held at half time. On Kafka it is told what the internal topics have on the broker's disk as well: at
half time, at the end, and what an hour of the same would leave if they kept growing as they did in between.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import time

from millrace_server import Server

HERE = os.path.dirname(os.path.abspath(__file__))
SPEED = 60
USERS, STEP = 5000, 4000
KEEP = "retention_ms=60000"
KEEP_KAFKA = "retention_ms=-1"  # of rows that are years old a broker keeps nothing
QUERIES = """
CREATE STREAM shown (id BIGINT KEY, who STRING, price INT, ts BIGINT)
  WITH (kafka_topic='shown', partitions=2, key_format='KAFKA', value_format='JSON', timestamp='ts', {keep});
CREATE STREAM clicked (id BIGINT KEY, place INT, ts BIGINT)
  WITH (kafka_topic='clicked', partitions=2, key_format='KAFKA', value_format='JSON', timestamp='ts', {keep});
CREATE TABLE people (who STRING PRIMARY KEY, team STRING)
  WITH (kafka_topic='people', partitions=2, key_format='KAFKA', value_format='JSON');
CREATE TABLE teams (team STRING PRIMARY KEY, boss STRING)
  WITH (kafka_topic='teams', partitions=2, key_format='KAFKA', value_format='JSON');
CREATE TABLE per_minute WITH ({keep}) AS SELECT who, COUNT(*) AS n, SUM(price) AS total FROM shown
  WINDOW TUMBLING (SIZE 1 MINUTE, RETENTION 20 MINUTES, GRACE PERIOD 1 MINUTE) GROUP BY who;
CREATE TABLE visits WITH ({keep}) AS SELECT who, COUNT(*) AS n FROM shown
  WINDOW SESSION (2 MINUTES, RETENTION 20 MINUTES, GRACE PERIOD 1 MINUTE) GROUP BY who EMIT FINAL;
CREATE STREAM followed WITH ({keep}) AS SELECT s.id AS id, s.who AS who, c.place AS place FROM shown s
  LEFT JOIN clicked c WITHIN 5 MINUTES GRACE PERIOD 1 MINUTE ON s.id = c.id;
CREATE STREAM by_who WITH ({keep}) AS SELECT * FROM shown PARTITION BY who;
CREATE STREAM named WITH ({keep}) AS SELECT b.who AS who, b.price AS price, p.team AS team FROM by_who b
  LEFT JOIN people p ON b.who = p.who;
CREATE TABLE bosses AS SELECT p.who AS who, p.team AS team, t.boss AS boss FROM people p JOIN teams t ON p.team = t.team;
CREATE STREAM dear WITH ({keep}) AS SELECT id, price FROM shown WHERE price > 990;
"""


def directory_bytes(path):
    total = 0
    for folder, _, files in os.walk(path):
        for name in files:
            try:
                total += os.stat(os.path.join(folder, name)).st_blocks * 512
            except OSError:
                pass  # gone meanwhile
    return total


class Load:
    """Rows of both streams and changes of the tables, STEP rows at a time."""

    def __init__(self, server):
        self.server, self.connection = server, server.connection()
        self.random, self.next, self.sent = random.Random(5), 0, 0
        self.began = time.monotonic()
        self.epoch = 1_700_000_000_000

    def people(self, count):
        pick = self.random
        self.server.insert("people", ['{"who":"u%d","team":"t%d"}' % (pick.randrange(USERS), pick.randrange(50))
                                      for _ in range(count)], self.connection)
        self.server.insert("teams", ['{"team":"t%d","boss":"b%d"}' % (pick.randrange(50), pick.randrange(99))],
                           self.connection)

    def step(self):
        pick, now = self.random, self.epoch + int((time.monotonic() - self.began) * 1000 * SPEED)
        ids = range(self.next, self.next + STEP // 2)
        self.next += STEP // 2
        self.server.insert("shown", ['{"id":%d,"who":"u%d","price":%d,"ts":%d}' % (
            i, pick.randrange(USERS), pick.randrange(1000), now - pick.randrange(30000)) for i in ids], self.connection)
        # Half of the keys meet nobody, and those that come have not been shown.
        self.server.insert("clicked", ['{"id":%d,"place":%d,"ts":%d}' % (
            i if i % 2 == 0 else -i, i % 9, now - pick.randrange(30000)) for i in ids], self.connection)
        self.people(20)
        self.sent += STEP


def lag(server):
    lines = server.request("GET", "/metrics", None).decode().splitlines()
    lags = [float(line.split()[-1]) for line in lines if line.startswith("millrace_query_lag_records")]
    return sum(lags)


def capacity(server, load):
    """Rows a second that come in and are worked on, as fast as that goes."""
    began, sent = time.monotonic(), load.sent
    while time.monotonic() - began < 15:
        load.step()
    while lag(server) != 0:
        time.sleep(0.05)
    return (load.sent - sent) / (time.monotonic() - began)


def slope(samples, index):
    """Least squares, MB a minute."""
    times = [sample[0] / 60 for sample in samples]
    values = [sample[index] / 1e6 for sample in samples]
    middle, mean = sum(times) / len(times), sum(values) / len(values)
    spread = sum((t - middle) ** 2 for t in times)
    return sum((t - middle) * (v - mean) for t, v in zip(times, values)) / spread if spread else 0.0


def measure(server, began):
    return (time.monotonic() - began, server.status("VmRSS"),
            directory_bytes(os.path.join(server.directory, "state")), directory_bytes(server.directory))


NAMES = ("RSS", "state on disk", "data directory")


def internal_topics(server):
    """Bytes on the broker's disk of the server's own topics, by kind."""
    out = subprocess.run([os.path.join(HERE, "../tests/kafka/broker.sh"), "run", "org.apache.kafka.tools.LogDirsCommand",
                          "--bootstrap-server", server.kafka, "--describe"], capture_output=True, check=True, timeout=120)
    brokers = json.loads(next(line for line in out.stdout.decode().splitlines() if line.startswith("{")))["brokers"]
    sizes = {}
    for partition in (p for broker in brokers for directory in broker["logDirs"] for p in directory["partitions"]):
        topic = partition["partition"].rsplit("-", 1)[0]
        if server.service not in topic:
            continue
        kind = next((kind for kind in ("changelog", "repartition", "slots", "command") if kind in topic), "other")
        sizes[kind] = sizes.get(kind, 0) + partition["size"]
    return sizes


def tell_topics(half, end, minutes):
    for kind in sorted(end):
        before, after = half.get(kind, 0) / 1e6, end[kind] / 1e6
        print("internal topics, %s: %.1f MB at half time, %.1f MB at the end; an hour would leave %.0f MB" % (
            kind, before, after, after + max(0.0, after - before) / (minutes / 2) * (60 - minutes)), flush=True)


def run(server, load, minutes, rate, at_half):
    began = time.monotonic()
    first, samples, due = load.sent, [], 0.0
    while time.monotonic() - began < minutes * 60:
        if at_half and time.monotonic() - began > minutes * 30:
            at_half()
            at_half = None
        elapsed = time.monotonic() - began
        if load.sent - first < rate * elapsed:
            load.step()
        else:
            time.sleep(0.005)
        if elapsed >= due:
            due += 10
            samples.append(measure(server, began))
            print("%5.0f s  " % samples[-1][0] + "  ".join(
                "%s %7.1f MB" % (name, value / 1e6) for name, value in zip(NAMES, samples[-1][1:])) +
                "  behind %d" % lag(server), flush=True)
    return samples


def judge(samples):
    half = samples[len(samples) // 2:]
    middle, end = half[:max(1, len(half) // 4)], half[-max(1, len(half) // 4):]
    grown = False
    for i, name in enumerate(NAMES, 1):
        before, after = (sum(sample[i] for sample in part) / len(part) / 1e6 for part in (middle, end))
        grown = grown or after > before * 1.1 + 5
        print("%s: %+.2f MB a minute over the second half (%.1f MB then, %.1f MB at the end)" % (
            name, slope(half, i), before, after))
    return grown


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("minutes", nargs="?", type=float, default=30)
    parser.add_argument("--binary", default=HERE + "/../build/millrace")
    parser.add_argument("--memory", type=int, default=32, help="state in memory, MB")
    parser.add_argument("--rate", type=float, help="rows a second")
    parser.add_argument("--kafka")
    options = parser.parse_args()
    settings = ["--set", "millrace.state.memory.bytes=%d" % (options.memory << 20)]
    with Server(options.binary, options.kafka, options=settings) as server:
        server.start()
        server.sql(QUERIES.format(keep=KEEP_KAFKA if options.kafka else KEEP))
        load = Load(server)
        load.people(3 * USERS)
        rate = options.rate or capacity(server, load) / 3
        print("%.0f rows a second for %g minutes, %d MB for state" % (rate, options.minutes, options.memory), flush=True)
        half = {}
        at_half = (lambda: half.update(internal_topics(server))) if options.kafka else None
        grown = judge(run(server, load, options.minutes, rate, at_half))
        if options.kafka:
            tell_topics(half, internal_topics(server), options.minutes)
        states = [query["state"] for query in server.sql("SHOW QUERIES;")[0]["queries"]]
        print("queries: %s" % json.dumps({state: states.count(state) for state in set(states)}))
        return 1 if grown or set(states) != {"RUNNING"} else 0


if __name__ == "__main__":
    sys.exit(main())
