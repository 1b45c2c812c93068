#!/usr/bin/env python3
"""Several processes of one service on Kafka.

  bench/processes.py reads   [--binary build/millrace] --kafka HOST:PORT [--keys 1000] [--seconds 8] [--connections 32]
  bench/processes.py queries --kafka HOST:PORT [--queries 1000] [--partitions 16] [--tables]
  bench/processes.py share   --kafka HOST:PORT [--events 500000] [--only processes|queries|partitions]
  bench/processes.py moves   --kafka HOST:PORT [--keys 1000000] [--standbys 1]

reads: look-ups by key with one process and with two, at each of the two, half of the keys being the other's; CPU of the
process asked and of the other for each request. queries: how long a process takes until so many queries run, and
until they do again after kill -9 and start, and how long a second process takes to get its half. share: CPU per event
of windowed aggregates over a topic that is filled as fast as it goes, of all processes together: for 1, 2 and 4 processes, 1, 10 and 100 queries,
1, 16 and 256 partitions, each with one of the others. moves: a table of so many keys that rows keep coming to: how long no new result came of any key when a process is killed, ends, is added,
and what copies cost.
"""

import argparse
import os
import shutil
import subprocess
import tempfile
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
    """Without --tables queries put no topic of their own on the broker: what is measured is not its work."""
    with Server(options.binary, options.kafka) as first:
        first.start()
        first.sql("CREATE STREAM source (id BIGINT KEY, v BIGINT) WITH (kafka_topic='%ssource', partitions=%d, "
                  "value_format='JSON'); CREATE STREAM sink (id BIGINT KEY, v BIGINT) WITH (kafka_topic='%ssink', "
                  "partitions=1, value_format='JSON');" % (first.service, options.partitions, first.service))
        made, cpu = time.monotonic(), first.cpu_seconds()
        for start in range(0, options.queries, 100):
            text = "CREATE TABLE t%d AS SELECT id, COUNT(*) AS n FROM source GROUP BY id;" if options.tables else \
                "INSERT INTO sink SELECT id, v FROM source WHERE v = %d;"
            first.sql("".join(text % i for i in range(start, min(start + 100, options.queries))))
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


def totals(servers, name):
    return sum(float(line.rsplit(" ", 1)[1]) for server in servers
               for line in server.request("GET", "/metrics", None).decode().splitlines() if line.startswith("millrace_" + name))


def share_once(options, processes, queries, partitions, events):
    """What `processes` servers take to work off `events` events with each of `queries` queries."""
    settings = ["--threads", str(max(1, os.cpu_count() // processes))]
    with Server(options.binary, options.kafka, options=settings) as first:
        first.start()
        others = [second(options, first, *settings) for _ in range(processes - 1)]
        servers = [first, *others]
        try:
            for other in others:
                other.start()
            wait_for(lambda: spread(servers), 60, "all own slots", 0.1)
            first.sql("CREATE STREAM source (k STRING KEY, v BIGINT, t STRING) WITH (kafka_topic='%ssource', partitions=%d, "
                      "value_format='JSON');" % (first.service, partitions))
            text = "CREATE TABLE t%d AS SELECT k, COUNT(*) AS n, SUM(v) AS s FROM source WINDOW TUMBLING (SIZE 1 HOUR) GROUP BY k;"
            began = [server.cpu_seconds() for server in servers]
            first.sql("".join(text % i for i in range(queries)))
            load(options, first.service + "source", 10000)  # every key has its state

            def worked_off(all_events):
                wait_for(lambda: totals(servers, "query_rows_in_total") >= all_events * queries and
                         totals(servers, "query_lag_records") == 0, 600, "all is worked off", 0.1)
                return [server.cpu_seconds() for server in servers]
            ready, since = worked_off(10000), time.monotonic()
            load(options, first.service + "source", events)
            cpu = [now - was for now, was in zip(worked_off(10000 + events), ready)]
            print("%d processes, %4d queries, %3d partitions: %5.2f us of CPU per event and query (%d events in %.1f s, CPU of each %s s), "
                  "%.1f s of CPU until they ran" % (
                      processes, queries, partitions, sum(cpu) / events / queries * 1e6, events, time.monotonic() - since,
                      " + ".join("%.2f" % one for one in cpu), sum(ready) - sum(began)), flush=True)
        finally:
            for other in others:
                other.stop()


def load(options, topic, events, keys=10000):
    """Events of about 100 bytes, spread over the keys."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        for i in range(events):
            file.write('k%d\t{"v":%d,"t":"%s"}\n' % (i * 7919 % keys, i % 1000, "0123456789" * 6))
        file.flush()
        subprocess.run(["kcat", "-P", "-q", "-b", options.kafka, "-t", topic, "-K", "\t", "-X", "partitioner=murmur2_random", "-X",
                        "linger.ms=50", "-l", file.name], check=True, stderr=subprocess.DEVNULL)


def share(options):
    turns = {"processes": [(p, 1, 16, options.events) for p in (1, 2, 4)],
             "queries": [(1, q, 16, max(options.events // q, 20000)) for q in (1, 10, 100, 1000) if q <= options.queries],
             "partitions": [(1, 1, n, options.events) for n in (1, 16, 256)]}
    for what, all_of in turns.items():
        if options.only in (None, what):
            for one in all_of:
                share_once(options, *one)


class Probe:
    """Sends rows to some keys through one server, each with the time, and sees when they come out as results."""

    KEYS, EVERY = 64, 0.02

    def __init__(self, options, server, partitions):
        self.partitions = partitions
        self.server, self.over, self.seen, self.lock = server, threading.Event(), [], threading.Lock()
        self.reader = subprocess.Popen(
            ["kcat", "-C", "-u", "-q", "-b", options.kafka, "-t", server.service + "counts", "-o", "end",
             "-X", "isolation.level=read_committed", "-X", "fetch.wait.max.ms=10", "-f", "%p %s\\n"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.threads = [threading.Thread(target=self.send), threading.Thread(target=self.read)]
        for thread in self.threads:
            thread.start()

    def send(self):
        connection, at = self.server.connection(), 0
        while not self.over.is_set():
            began = time.monotonic()
            self.server.insert("events", ['{"id":%d,"v":"probe %.4f"}' % (at % self.KEYS + i, began)
                                          for i in range(0, self.KEYS, 8)], connection)
            at += 1
            time.sleep(max(0.0, began + self.EVERY - time.monotonic()))

    def read(self):
        for line in self.reader.stdout:
            partition, value = line.split(" ", 1)
            if '"probe ' in value:
                now = time.monotonic()
                with self.lock:
                    self.seen.append((int(partition), now, now - float(value.split('"probe ')[1].split('"')[0])))

    def watch(self, seconds, since):
        """The longest that nothing came out since then, or that what came had taken, of each partition, the longest
        first. (Of rows that waited, only the newest of each key comes out.)"""
        time.sleep(seconds)
        longest, last = {}, {}
        with self.lock:
            seen, now = list(self.seen), time.monotonic()
        seen += [(partition, now, 0.0) for partition in range(self.partitions)]
        for partition, now, took in seen:
            if now >= since:
                gap = now - max(last.get(partition, since), since)
                longest[partition] = max(longest.get(partition, 0.0), took, gap)
            last[partition] = now
        return sorted(longest.values(), reverse=True)

    def close(self):
        self.over.set()
        self.threads[0].join()
        self.reader.terminate()
        self.threads[1].join()


def warm(servers, partitions):
    lags = [float(line.rsplit(" ", 1)[1]) for server in servers
            for line in server.request("GET", "/metrics", None).decode().splitlines()
            if line.startswith("millrace_standby_lag_records{")]
    return len(lags) >= partitions and max(lags) < 1000


def moves(options):
    partitions, settings = 8, ["--set", "num.standby.replicas=%d" % options.standbys]
    with Server(options.binary, options.kafka, options=settings) as first:
        first.start()
        first.load_counts(options.keys, partitions)
        other = second(options, first, *settings)
        other.own_directory = False  # it outlives its processes

        def settle():
            return wait_for(lambda: spread([first, other]) and (options.standbys == 0 or warm([first, other], partitions)),
                            300, "both own slots and have copies", 0.1)

        def told(what, longest):
            print("%-22s longest time without a row, by partition: %s s" % (
                what, " ".join("%.2f" % one for one in longest)), flush=True)

        probe = None
        try:
            began = time.monotonic()
            other.start()
            settle()
            print("%d keys; two processes share them and have their copies %.1f s after the second was started" % (
                options.keys, time.monotonic() - began), flush=True)
            probe = Probe(options, first, partitions)
            time.sleep(5)
            told("nothing happens", probe.watch(5, time.monotonic()))
            for what, end, seconds in (("kill -9", other.kill, 20), ("SIGTERM", lambda: other.process.terminate(), 10)):
                began = time.monotonic()
                end()
                told(what, probe.watch(seconds, began))
                other.process.wait(60)
                began = time.monotonic()
                other.start()
                settled = settle()
                told("it is started again", probe.watch(5, began))
                print("%-22s all have their slots and copies after %.1f s" % ("", settled), flush=True)
        finally:
            if probe:
                probe.close()
            other.stop()
            shutil.rmtree(other.directory, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["reads", "queries", "share", "moves"])
    parser.add_argument("--binary", default=HERE + "/../build/millrace")
    parser.add_argument("--kafka", default=os.environ.get("MILLRACE_TEST_BROKER"))
    parser.add_argument("--keys", type=int)
    parser.add_argument("--seconds", type=int, default=8)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--standbys", type=int, default=1)
    parser.add_argument("--queries", type=int, default=1000)
    parser.add_argument("--partitions", type=int, default=16)
    parser.add_argument("--events", type=int, default=500000)
    parser.add_argument("--only", choices=["processes", "queries", "partitions"])
    parser.add_argument("--tables", action="store_true", help="queries with state")
    options = parser.parse_args()
    if options.what == "reads":
        options.keys = options.keys or 1000
        reads(options)
    elif options.what == "queries":
        queries(options)
    elif options.what == "share":
        share(options)
    else:
        options.keys = options.keys or 1000000
        moves(options)


if __name__ == "__main__":
    main()
