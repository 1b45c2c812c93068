#!/usr/bin/env python3
"""Several processes of one service on Kafka.

  bench/processes.py reads   [--binary build/millrace] --kafka HOST:PORT [--keys 1000] [--seconds 8] [--connections 32]
  bench/processes.py queries --kafka HOST:PORT [--queries 1000] [--partitions 16]
  bench/processes.py moves   --kafka HOST:PORT [--keys 1000000] [--standbys 1]

reads: look-ups by key with one process and with two, at each of the two, half of the keys being the other's; CPU of the
process asked and of the other for each request. queries: how long a process takes until so many queries run, and
until they do again after kill -9 and start, and how long a second process takes to get its half. moves: a table of so
many keys that rows keep coming to: how long no new result came of any key when a process is killed, ends, is added,
and what copies cost.
"""

import argparse
import os
import threading
import time

from millrace_server import Server
from pull import wrk

HERE = os.path.dirname(os.path.abspath(__file__))


def slots(server):
    for line in server.request("GET", "/metrics", None).decode().splitlines():
        if line.startswith("millrace_owned_slots "):
            return int(float(line.split()[1]))
    return 0


def wait_for(check, seconds, what, pause=0.01):
    began = time.monotonic()
    while not check():
        if time.monotonic() - began > seconds:
            raise SystemExit("%s: not within %d s" % (what, seconds))
        time.sleep(pause)
    return time.monotonic() - began


def second(options, first, *settings):
    """Another process of the service of `first`."""
    server = Server(options.binary, options.kafka, options=list(settings))
    server.service = first.service
    return server


def spread(servers):
    owned = [slots(server) for server in servers]
    return sum(owned) == 64 and max(owned) - min(owned) <= len(servers)


def look_ups(options, asked, others, name):
    before = [server.cpu_seconds() for server in [asked, *others]]
    rate, p50, p99, total, bad = wrk(asked, "/query-stream", options)
    cost = [(server.cpu_seconds() - was) / total * 1e6 for server, was in zip([asked, *others], before)]
    print("%-32s %8.0f requests/s  p50 %8s  p99 %8s  CPU us/request %s%s" % (
        name, rate, p50, p99, " + ".join("%.1f" % one for one in cost), "  BAD ANSWERS %d" % bad if bad else ""), flush=True)
    return rate, sum(cost)


def all_there(server, keys):
    try:
        return len(server.rows("SELECT id FROM counts;")) == keys
    except SystemExit:  # refused while slots move
        return False


def reads(options):
    with Server(options.binary, options.kafka) as first:
        first.start()
        first.load_counts(options.keys, partitions=8)
        for _ in range(options.rounds):
            wait_for(lambda: slots(first) == 64 and all_there(first, options.keys), 60, "the first has all")
            alone = look_ups(options, first, [], "one process")
            with second(options, first) as other:
                other.start()
                wait_for(lambda: spread([first, other]) and all_there(other, options.keys), 60, "both own slots")
                for name, asked, rest in (("two processes, the first asked", first, other),
                                          ("two processes, the second asked", other, first)):
                    rate, cost = look_ups(options, asked, [rest], name)
                    print("  %.0f %% of the rate of one; a look-up elsewhere costs %.2f times one here" % (
                        100 * rate / alone[0], (2 * cost - alone[1]) / alone[1]), flush=True)


def up(server):
    return sum(float(line.rsplit(" ", 1)[1]) for line in server.request("GET", "/metrics", None).decode().splitlines()
               if line.startswith("millrace_query_up{"))


def busy(server, began):
    return "%.1f s of CPU" % (server.cpu_seconds() - began)


def queries(options):
    """Queries that put no topic of their own on the broker: what is measured is not its work."""
    with Server(options.binary, options.kafka) as first:
        first.start()
        first.sql("CREATE STREAM source (id BIGINT KEY, v BIGINT) WITH (kafka_topic='%ssource', partitions=%d, "
                  "value_format='JSON'); CREATE STREAM sink (id BIGINT KEY, v BIGINT) WITH (kafka_topic='%ssink', "
                  "partitions=1, value_format='JSON');" % (first.service, options.partitions, first.service))
        made, cpu = time.monotonic(), first.cpu_seconds()
        for start in range(0, options.queries, 100):
            first.sql("".join("INSERT INTO sink SELECT id, v FROM source WHERE v = %d;" % i
                              for i in range(start, min(start + 100, options.queries))))
        wait_for(lambda: up(first) == options.queries, 120, "all run", 0.05)
        print("%d queries over %d partitions run %.2f s after the first was asked for, %s" % (
            options.queries, options.partitions, time.monotonic() - made, busy(first, cpu)), flush=True)
        first.kill()
        began = time.monotonic()
        first.start()
        ready = time.monotonic() - began
        wait_for(lambda: slots(first) == 64 and up(first) == options.queries, 120, "all run again", 0.05)
        print("started again: answers after %.2f s, all run after %.2f s, %s" % (
            ready, time.monotonic() - began, busy(first, 0)), flush=True)
        with second(options, first) as other:
            began, cpu = time.monotonic(), first.cpu_seconds()
            other.start()
            ready = time.monotonic() - began
            wait_for(lambda: spread([first, other]) and up(first) == up(other) == options.queries, 120, "both run", 0.05)
            print("a second process: answers after %.2f s, both run after %.2f s, %s, the first %s" % (
                ready, time.monotonic() - began, busy(other, 0), busy(first, cpu)), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["reads", "queries"])
    parser.add_argument("--binary", default=HERE + "/../build/millrace")
    parser.add_argument("--kafka", default=os.environ.get("MILLRACE_TEST_BROKER"))
    parser.add_argument("--keys", type=int)
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--partitions", type=int, default=16)
    options = parser.parse_args()
    if options.what == "reads":
        options.keys = options.keys or 1000
        reads(options)
    else:
        queries(options)


if __name__ == "__main__":
    main()
