#!/usr/bin/env python3
"""How long a row takes from its append to a result, on a quiet system.

  bench/latency.py [--binary build/millrace] [--kafka HOST:PORT] [--seconds 10] [--rate 1000] [--warm-up 2]

RATE rows a second go in one by one by /inserts-stream (which answers when a row is in the log; the clock starts when
the request is sent). Measured: the row in a push query on the stream; the change it makes in a push query on a
CREATE TABLE AS; the change in a pull query on that table, asked by its key again and again.

  bench/latency.py --behind 5000000 ...

The stream holds so many rows before. The same is measured twice: while all is quiet, and while a new query, of the same
kind, reads the stream from its start. Fails when the median or the 99th percentile of a push query is three times as long.
"""

import argparse
import json
import os
import subprocess
import sys
import threading
import time

from millrace_server import Server

HERE = os.path.dirname(os.path.abspath(__file__))


def at(times, q):
    return sorted(times)[min(len(times) - 1, int(len(times) * q))] * 1e3


def show(name, times):
    if times:
        print("%-38s p50 %7.2f ms  p99 %7.2f ms  max %7.2f ms  (%d)" % (
            name, at(times, 0.5), at(times, 0.99), max(times) * 1e3, len(times)), flush=True)


class Push(threading.Thread):
    """Reads rows of a push query that end with the time they were sent."""

    def __init__(self, server, sql):
        super().__init__(daemon=True)
        self.times, self.seen = [], 0
        self.connection = server.connection()
        self.connection.request("POST", "/query-stream", json.dumps({"sql": sql}))
        self.answer = self.connection.getresponse()
        self.answer.readline()
        self.start()

    def run(self):
        while True:
            line = self.answer.readline()
            if not line:
                return
            now = time.monotonic()
            row = json.loads(line)
            if not isinstance(row, list):  # the server ends
                return
            sent = row[-1]
            if sent:
                self.times.append(now - sent / 1e6)


class Feeder(threading.Thread):
    def __init__(self, server, rate, share, until, acks):
        super().__init__(daemon=True)
        self.server, self.rate, self.share, self.until, self.acks = server, rate, share, until, acks
        self.start()

    def run(self):
        connection = self.server.connection()
        due, n = time.monotonic(), self.share
        while time.monotonic() < self.until:
            now = time.monotonic()
            self.server.insert("events", ['{"id":%d,"sent":%d}' % (n % 1000, now * 1e6)], connection)
            self.acks.append(time.monotonic() - now)
            n += 8
            due += 8 / self.rate
            time.sleep(max(0, due - time.monotonic()))


def pulls(server, until):
    """A new row for a key of its own, then pull queries until it shows."""
    times, insert, ask = [], server.connection(), server.connection()
    n = 1 << 40
    while time.monotonic() < until:
        n += 1
        began = time.monotonic()
        server.insert("events", ['{"id":%d,"sent":0}' % n], insert)
        while not server.rows("SELECT n FROM latest WHERE id = %d;" % n, ask):
            time.sleep(0.0005)
        times.append(time.monotonic() - began)
        time.sleep(0.013)
    return times


def fill(server, kafka, topic, rows):
    """Rows of some weight, as fast as they go in."""
    padding = "x" * 100
    for first in range(0, rows, 50000):
        numbers = range(first, min(first + 50000, rows))
        if kafka:
            # Placed by librdkafka's own partitioner: who counts them counts them by what they hold.
            lines = "".join('{"id":%d,"sent":0,"text":"%s"}\n' % (i % 1000, padding) for i in numbers)
            subprocess.run(["kcat", "-P", "-b", kafka, "-t", topic], input=lines.encode(), check=True)
        else:
            server.insert("events", ['{"id":%d,"sent":0,"text":"%s"}' % (i % 1000, padding) for i in numbers])


def lag(server, id_):
    lines = server.request("GET", "/metrics", None).decode().splitlines()
    found = [line for line in lines if line.startswith("millrace_query_lag_records{") and id_ in line]
    return float(found[0].split()[-1]) if found else float("nan")


def beside_one_behind(server, options):
    """Quiet, then beside a query that reads everything; whether that took too long."""
    stream = Push(server, "SELECT id, sent FROM events EMIT CHANGES;")
    table = Push(server, "SELECT id, sent FROM seen EMIT CHANGES;")
    stop, acks = threading.Event(), []

    def feed():
        connection = server.connection()
        while not stop.is_set():
            began = time.monotonic()
            server.insert("events", ['{"id":%d,"sent":%d}' % (i, began * 1e6) for i in range(4)], connection)
            acks.append(time.monotonic() - began)
            time.sleep(0.02)

    threading.Thread(target=feed, daemon=True).start()
    time.sleep(5)
    for times in (stream.times, table.times, acks):
        times.clear()
    time.sleep(options.seconds)
    show("quiet: append acknowledged", acks)
    quiet = [list(push.times) for push in (stream, table)]
    names = ("push query on the stream", "on a stream that a query writes")
    for name, times in zip(names, quiet):
        show("quiet: " + name, times)
    began = time.monotonic()
    made = server.sql("CREATE TABLE late AS SELECT id, COUNT(*) AS n, MAX(text) AS text FROM events GROUP BY id;")
    id_ = made[0]["commandStatus"].get("queryId") or "CTAS_LATE"
    for times in (stream.times, table.times, acks):
        times.clear()
    while not lag(server, id_) < options.behind * 0.01:
        time.sleep(0.05)
    took = time.monotonic() - began
    stop.set()
    show("beside one behind: append acknowledged", acks)
    worst = 0
    for name, before, push in zip(names, quiet, (stream, table)):
        times = list(push.times)
        show("beside one behind: " + name, times)
        for q in (0.5, 0.99):
            worst = max(worst, at(times, q) / at(before, q))
    print("the query behind read %d rows in %.1f s; at most %.2f times the quiet latency" % (options.behind, took, worst))
    return worst >= 3


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=HERE + "/../build/millrace")
    parser.add_argument("--kafka")
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--rate", type=int, default=1000)
    parser.add_argument("--behind", type=int, metavar="ROWS")
    parser.add_argument("--warm-up", type=int, help="seconds before it (default 2, on Kafka 20)")
    options = parser.parse_args()
    warm_up = options.warm_up or (20 if options.kafka else 2)
    with Server(options.binary, options.kafka) as server:
        server.start()
        if options.behind:
            topic = server.service + "events"
            server.sql("CREATE STREAM events (id BIGINT, sent BIGINT, text STRING) WITH (kafka_topic='%s', partitions=4, "
                       "value_format='JSON');" % topic)
            fill(server, options.kafka, topic, options.behind)
            server.sql("SET 'auto.offset.reset' = 'latest'; "
                       "CREATE STREAM seen AS SELECT id, sent FROM events WHERE sent > 0;")
            return sys.exit(beside_one_behind(server, options))
        server.sql("CREATE STREAM events (id BIGINT KEY, sent BIGINT) WITH (kafka_topic='%sevents', partitions=4, "
                   "key_format='KAFKA', value_format='JSON');"
                   "CREATE TABLE latest WITH (kafka_topic='%slatest') AS SELECT id, COUNT(*) AS n, "
                   "LATEST_BY_OFFSET(sent) AS sent FROM events GROUP BY id;" % (server.service, server.service))
        server.insert("events", ['{"id":-1,"sent":0}'])
        server.wait_for("SELECT n FROM latest WHERE id = -1;", [[1]])
        stream = Push(server, "SELECT id, sent FROM events EMIT CHANGES;")
        table = Push(server, "SELECT id, sent FROM latest EMIT CHANGES;")
        acks = []
        feeders = [Feeder(server, options.rate, i, time.monotonic() + warm_up + options.seconds, acks) for i in range(8)]
        time.sleep(warm_up)
        for measured in (stream.times, table.times, acks):
            measured.clear()
        cpu = server.cpu_seconds()
        found = pulls(server, time.monotonic() + options.seconds)
        cpu = server.cpu_seconds() - cpu
        for feeder in feeders:
            feeder.join()
        time.sleep(0.5)
        print("%.0f rows/s came in, server CPU %.0f %%" % (len(acks) / options.seconds, cpu / options.seconds * 100))
        show("append acknowledged", acks)
        show("append to push query on the stream", stream.times)
        show("append to push query on the table", table.times)
        show("append to pull query on the table", found)


if __name__ == "__main__":
    main()
