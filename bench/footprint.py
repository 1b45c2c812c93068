#!/usr/bin/env python3
"""What a server costs before it does anything.

  bench/footprint.py [--binary build/millrace] [--kafka HOST:PORT] [--queries 200] [--runs 5]

Time from exec to the first good answer of /info on an empty directory, time of `millrace --version`, resident memory
when idle, memory of each further idle query, and the time that a CREATE TABLE AS takes until its query runs.

  bench/footprint.py --kafka HOST:PORT --partitions 64 [--events 2000000] [--only filter | count]

The most memory that a server takes which reads so many partitions from their start: a filter and a windowed count, or
one of them alone.
"""

import argparse
import os
import statistics
import subprocess
import time

from millrace_server import Server

HERE = os.path.dirname(os.path.abspath(__file__))
WIDE = {
    "filter": "CREATE STREAM some AS SELECT k, v, text FROM wide WHERE v % 100 = 0;",
    "count": "CREATE TABLE n AS SELECT v % 10 AS d, COUNT(*) AS n FROM wide WINDOW TUMBLING (SIZE 1 HOUR) GROUP BY v % 10;",
}


def version(binary):
    times = []
    for _ in range(10):
        began = time.monotonic()
        subprocess.run([binary, "--version"], stdout=subprocess.DEVNULL, check=True)
        times.append(time.monotonic() - began)
    print("--version: %.1f ms" % (min(times) * 1e3))


def produce(kafka, topic, partitions, events):
    """Rows of about 200 bytes, the same number in each partition."""
    padding = "x" * 120
    for partition in range(partitions):
        rows = "".join('%d\t{"v":%d,"ts":%d,"text":"%s"}\n' % (i * partitions + partition, i, 1000 * i, padding)
                       for i in range(events // partitions))
        subprocess.run(["kcat", "-P", "-b", kafka, "-t", topic, "-p", str(partition), "-K", "\t"],
                       input=rows.encode(), check=True, timeout=300)


def many_partitions(options):
    with Server(options.binary, options.kafka) as server:
        server.start()
        topic = server.service + "wide"
        server.sql("CREATE STREAM wide (k STRING KEY, v BIGINT, ts BIGINT, text STRING) WITH (kafka_topic='%s', "
                   "partitions=%d, key_format='KAFKA', value_format='JSON', timestamp='ts');" % (topic, options.partitions))
        produce(options.kafka, topic, options.partitions, options.events)
        idle = server.status("VmRSS")
        queries = [text for name, text in WIDE.items() if options.only in (None, name)]
        server.sql("".join(queries))
        began, cpu = time.monotonic(), server.cpu_seconds()
        most, end = 0, began + 300
        while time.monotonic() < end:
            most = max(most, server.status("VmRSS"))
            status = server.request("GET", "/metrics", None).decode()
            lags = [float(line.split()[-1]) for line in status.splitlines()
                    if line.startswith("millrace_query_lag_records")]
            if len(lags) == len(queries) and all(lag == 0 for lag in lags):
                break
            time.sleep(0.05)
        else:
            raise SystemExit("the queries do not catch up: lags %s" % lags)
        print("%d partitions, %d events: RSS %.1f MB before, %.1f MB at most (peak %.1f MB); %.1f s, CPU %.2f s" % (
            options.partitions, options.events, idle / 1e6, most / 1e6, server.status("VmHWM") / 1e6,
            time.monotonic() - began, server.cpu_seconds() - cpu), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=HERE + "/../build/millrace")
    parser.add_argument("--kafka")
    parser.add_argument("--queries", type=int, default=200)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--partitions", type=int)
    parser.add_argument("--events", type=int, default=2000000)
    parser.add_argument("--only", choices=list(WIDE))
    options = parser.parse_args()
    if options.partitions:
        if not options.kafka:
            parser.error("--partitions is measured on Kafka")
        return many_partitions(options)
    version(options.binary)
    ready = []
    for _ in range(options.runs):
        with Server(options.binary, options.kafka) as server:
            ready.append(server.start())
    print("ready after exec: best %.0f ms, median %.0f ms" % (min(ready) * 1e3, statistics.median(ready) * 1e3))
    with Server(options.binary, options.kafka) as server:
        server.start()
        time.sleep(2)
        print("idle: RSS %.1f MB (anonymous %.1f MB)" % (server.status("VmRSS") / 1e6, server.status("RssAnon") / 1e6),
              flush=True)
        server.sql("CREATE STREAM s (k STRING KEY, v BIGINT) WITH (kafka_topic='s', partitions=1, value_format='JSON');"
                   "CREATE TABLE t0 AS SELECT k, COUNT(*) AS n FROM s GROUP BY k;")
        time.sleep(2)
        before, cpu = server.status("VmRSS"), server.cpu_seconds()
        times = []
        for i in range(1, options.queries + 1):
            began = time.monotonic()
            server.sql("CREATE TABLE t%d AS SELECT k, COUNT(*) AS n, SUM(v) AS s FROM s GROUP BY k;" % i)
            times.append(time.monotonic() - began)
        spent = server.cpu_seconds() - cpu
        time.sleep(5)
        after = server.status("VmRSS")
        print("%d more queries: %.2f MB each; a statement takes p50 %.1f ms, p99 %.1f ms, CPU %.1f ms" % (
            options.queries, (after - before) / 1e6 / options.queries, statistics.median(times) * 1e3,
            sorted(times)[int(len(times) * 0.99)] * 1e3, spent / options.queries * 1e3), flush=True)
        cpu = server.cpu_seconds()
        time.sleep(5)
        print("idle with %d queries: %.2f %% of a core" % (options.queries, (server.cpu_seconds() - cpu) / 5 * 100))
        server.kill()
        print("ready again after kill -9: %.0f ms" % (server.start() * 1e3))


if __name__ == "__main__":
    main()
