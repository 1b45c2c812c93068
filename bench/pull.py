#!/usr/bin/env python3
"""Pull queries by key over HTTP keep-alive, with wrk.

  bench/pull.py [--binary build/millrace] [--kafka HOST:PORT] [--keys 1000000] [--seconds 10] [--connections 32]
                [--ingest ROWS_PER_SECOND] [--restart] [--profile FILE] [--h2c STREAMS]

Builds a table of KEYS rows (id BIGINT, COUNT(*), the newest text), then asks for random keys on /query and
/query-stream; then again while rows are inserted. --restart also kills the server (kill -9) and measures until the
first good answer of a pull query. --h2c compares HTTP/1.1 with HTTP/2 over as many connections, STREAMS requests at a
time on each, with h2load (Debian's nghttp2-client).
"""

import argparse
import json
import os
import re
import subprocess
import threading
import time

from millrace_server import Server

HERE = os.path.dirname(os.path.abspath(__file__))


def load(server, keys):
    server.load_counts(keys)
    for i in (0, keys // 2, keys - 1):
        server.wait_for("SELECT * FROM counts WHERE id = %d;" % i, [[i, 1, "value %d" % i]])


class Ingest(threading.Thread):
    """Inserts rows at a steady rate until told to stop."""

    def __init__(self, server, keys, rate):
        super().__init__()
        self.server, self.rate, self.done, self.rows = server, rate, threading.Event(), 0
        self.chunk = max(1, min(10000, rate // 20))
        # Made once: the generator must not take the processor from the server.
        self.body = [('{"target":"events"}\n' + "".join(
            '{"id":%d,"v":"value %d"}\n' % (i * 7919 % keys, i * 7919 % keys)
            for i in range(k * self.chunk, (k + 1) * self.chunk))) for k in range(8)]

    def run(self):
        connection, began, turn = self.server.connection(), time.monotonic(), 0
        while not self.done.is_set():
            self.server.request("POST", "/inserts-stream", self.body[turn % 8], connection=connection)
            turn += 1
            self.rows += self.chunk
            time.sleep(max(0, began + self.rows / self.rate - time.monotonic()))
        self.seconds = time.monotonic() - began


def wrk(server, path, options):
    """Requests a second, the median, the 99th percentile, all requests, and how many answers were bad."""
    out = subprocess.run(
        ["wrk", "-t1", "-c%d" % options.connections, "-d%ds" % options.seconds, "--latency", "-s", HERE + "/pull.lua",
         "http://127.0.0.1:%d" % server.port, "--", path, str(options.keys)],
        capture_output=True, text=True, check=True).stdout
    rate = float(re.search(r"Requests/sec:\s*([\d.]+)", out).group(1))
    p50, p99 = (re.search(r"\b%d%%\s+([\d.]+\w+)" % p, out).group(1) for p in (50, 99))
    total = int(re.search(r"(\d+) requests in", out).group(1))
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", out)
    return rate, p50, p99, total, int(bad.group(1)) if bad else 0


def measure(server, path, options):
    cpu = server.cpu_seconds()
    rate, p50, p99, total, bad = wrk(server, path, options)
    cpu = server.cpu_seconds() - cpu
    print("%-14s %8.0f requests/s  p50 %8s  p99 %8s  server CPU %5.1f us/request%s" % (
        path, rate, p50, p99, cpu / total * 1e6, "  BAD ANSWERS %d" % bad if bad else ""), flush=True)


def h2load(server, name, options, *arguments):
    """One key, again and again: h2load sends one body."""
    body = os.path.join(server.directory, "body.json")
    with open(body, "w") as file:
        json.dump({"sql": "SELECT * FROM counts WHERE id = %d;" % (options.keys // 2)}, file)
    cpu = server.cpu_seconds()
    out = subprocess.run(
        ["h2load", "-t1", "-c%d" % options.connections, "-D%d" % options.seconds, "-d", body, "-H",
         "content-type: application/json", *arguments, "http://127.0.0.1:%d/query-stream" % server.port],
        capture_output=True, text=True, check=True).stdout
    cpu = server.cpu_seconds() - cpu
    rate = float(re.search(r"([\d.]+) req/s", out).group(1))
    done, failed = (int(re.search(r"(\d+) %s" % what, out).group(1)) for what in ("succeeded", "failed"))
    print("%-14s %8.0f requests/s  server CPU %5.1f us/request%s" % (
        name, rate, cpu / max(1, done) * 1e6, "  FAILED %d" % failed if failed else ""), flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=HERE + "/../build/millrace")
    parser.add_argument("--kafka")
    parser.add_argument("--keys", type=int, default=1000000)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--ingest", type=int, default=20000)
    parser.add_argument("--restart", action="store_true")
    parser.add_argument("--profile", help="perf record -g of the first run, into FILE")
    parser.add_argument("--h2c", type=int, metavar="STREAMS")
    parser.add_argument("--set", action="append", default=[])
    options = parser.parse_args()
    extra = [part for one in options.set for part in ("--set", one)]
    with Server(options.binary, options.kafka, options=extra) as server:
        server.start()
        began = time.monotonic()
        load(server, options.keys)
        print("loaded %d keys in %.1f s, RSS %.0f MB" % (options.keys, time.monotonic() - began,
                                                         server.status("VmRSS") / 1e6), flush=True)
        perf = None
        if options.profile:
            perf = subprocess.Popen(["perf", "record", "-q", "-g", "-F", "499", "-o", options.profile, "-p",
                                     str(server.process.pid), "--", "sleep", str(options.seconds)])
        for path in ("/query", "/query-stream"):
            measure(server, path, options)
            if perf:
                perf.wait()
                perf = None
        if options.h2c:
            h2load(server, "HTTP/1.1", options, "--h1")
            h2load(server, "h2c, 1 stream", options, "-m1")
            h2load(server, "h2c, %d streams" % options.h2c, options, "-m%d" % options.h2c)
        if options.ingest:
            ingest = Ingest(server, options.keys, options.ingest)
            ingest.start()
            time.sleep(1)
            print("while rows come in:")
            for path in ("/query", "/query-stream"):
                measure(server, path, options)
            ingest.done.set()
            ingest.join()
            print("%.0f rows/s came in" % (ingest.rows / ingest.seconds))
        if options.restart:
            restart(server, options.keys)


def restart(server, keys):
    time.sleep(3)
    server.kill()
    began = time.monotonic()
    ready = server.start()
    while True:
        try:
            rows = server.rows("SELECT id FROM counts WHERE id = %d;" % (keys - 1))
            if rows == [[keys - 1]]:
                break
        except SystemExit:
            pass
        time.sleep(0.005)
    print("after kill -9: HTTP ready in %.2f s, the table answers after %.2f s" % (ready, time.monotonic() - began))


if __name__ == "__main__":
    main()
