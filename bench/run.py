#!/usr/bin/env python3
"""Runs the benchmarks and prints tables; ./mill bench builds what they need and calls this.

  run.py [WORKLOAD...] [--quick] [--events N] [--logs memory,embedded,kafka] [--peers] [--flink] [--runs N]
         [--format JSON|AVRO|PROTOBUF|JSON_SR] [--workers N] [--kafka HOST:PORT] [--json FILE [--add]]
  run.py latency|pull|footprint|restore|growth [--logs embedded,kafka] [ARGUMENTS OF bench/NAME.py]
  run.py soak [MINUTES] [ARGUMENTS OF bench/soak.py]
  run.py batch [WORKLOAD...] [ARGUMENTS OF bench/batch.py]
  run.py nexmark [QUERY...] [--quick] [--events N] [--logs embedded,kafka] [--flink] [--runs N] [--workers N]
         [--kafka HOST:PORT] [--json FILE [--add]]
  run.py table FILE

The first form runs w1-w9 (or those named): Millrace on each log; on Kafka also the same by hand on the client libraries
(the bound, w1-w5) and, with --peers, as Kafka Streams (w1-w9) and Flink (w1-w5) programs (--flink: only Flink; --kstreams:
only Kafka Streams), one after another on the same topics. With --format AVRO there is Kafka Streams (w1-w5) alone beside
it, with PROTOBUF and JSON_SR nothing. Without --kafka a broker is started for it. The second form runs a tool on each
log; --help after it tells its arguments. nexmark runs the queries of bench/nexmark (all, or q0 q5 ...), with --flink also
as Flink SQL, and tells which cost more than 8 µs an event or are less than five times cheaper than Flink; one that fails is
left out. table prints the tables of what --json wrote.
"""

import argparse
import contextlib
import datetime
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import nexmark
import peers
import tables

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.join(HERE, "..", "build")
WORKLOADS = ("w1", "w2", "w3", "w4", "w5", "w6", "w6-late", "w7", "w8", "w9")
BY_PEERS = WORKLOADS[:5]  # those that the bound and every peer have
TOOLS = ("latency", "pull", "footprint", "restore", "growth", "soak", "batch")


@contextlib.contextmanager
def broker_of(options, wanted):
    """HOST:PORT of the broker given, or of one that lives as long as this block; none when nothing needs it."""
    if options.kafka or not wanted:
        yield options.kafka
        return
    directory = tempfile.mkdtemp(prefix="millrace-bench-broker-")
    script = os.path.join(HERE, "..", "tests", "kafka", "broker.sh")
    try:
        # As brokers are run: one that stops for its collector would be measured instead.
        environment = {"MILLRACE_BROKER_JVM": "-Xmx1g -XX:+UseG1GC -XX:MaxGCPauseMillis=20", **os.environ}
        yield subprocess.run([script, "start", directory], check=True, stdout=subprocess.PIPE, text=True,
                             env=environment).stdout.strip()
    finally:
        subprocess.run([script, "stop", directory], check=False)
        shutil.rmtree(directory, ignore_errors=True)


class Millrace:
    def __init__(self, options, broker, log):
        self.options, self.log = options, log
        self.place = ["--kafka", broker] if log == "kafka" else ["--" + log]

    def run(self, workload, more=()):
        with tempfile.NamedTemporaryFile(suffix=".json") as result:
            command = [self.options.binary, "bench", workload, *self.place, "--events", str(self.options.events),
                       "--format", self.options.format, "--json", result.name, *more]
            if self.options.workers:
                command += ["--workers", str(self.options.workers)]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            return {"engine": "millrace", **json.load(open(result.name))}


class Bound:
    log = "kafka"

    def __init__(self, options, broker):
        self.options, self.broker = options, broker

    def run(self, workload):
        if workload == "w4":
            return None  # that of w1 and w3 together
        command = [os.path.join(self.options.build, "bound"), workload, self.broker, peers.bids(self.options.events),
                   "bound-%s-%d" % (workload, time.time()), str(self.options.events)]
        if workload == "w5":
            command += [peers.AUCTIONS, "100000"]
        return peers.result_of(command)


def engines(options, broker):
    """In the order in which they run; what is compared stands side by side in time."""
    for log in options.logs:
        yield Millrace(options, broker, log)
    if "kafka" in options.logs:
        if options.format == "JSON":
            yield Bound(options, broker)
        if (options.peers or options.kstreams) and options.format in ("JSON", "AVRO"):
            yield peers.KafkaStreams(options, broker)
        if (options.peers or options.flink) and options.format == "JSON":
            yield peers.Flink(options, broker)


def has(engine, workload, format):
    if isinstance(engine, Millrace) or workload in BY_PEERS:
        return True
    return isinstance(engine, peers.KafkaStreams) and format == "JSON"


def machine():
    names = {line.split(":")[0].strip(): line.split(":")[1].strip() for line in open("/proc/cpuinfo") if ":" in line}
    memory = int(open("/proc/meminfo").readline().split()[1]) / 1e6
    return "%s, %d cores, %.0f GB, Linux %s" % (names.get("model name", platform.machine()), os.cpu_count(), memory,
                                                 platform.release().split("-")[0])


def medians(results):
    """Of the runs of one engine, workload and log the one in the middle by processor time."""
    groups = {}
    for result in results:
        groups.setdefault((result["engine"], result["workload"], result["log"]), []).append(result)
    return [sorted(runs, key=lambda r: r["cpu_seconds_per_million"])[(len(runs) - 1) // 2] for runs in groups.values()]


def write(path, results, add):
    document = {"machine": machine(), "date": datetime.date.today().isoformat(), "results": results}
    if add and os.path.exists(path):
        known = {(r["engine"], r["workload"], r["log"]) for r in results}
        old = json.load(open(path))["results"]
        document["results"] = [r for r in old if (r["engine"], r["workload"], r["log"]) not in known] + results
    json.dump(document, open(path, "w"), indent=1)
    return document


def document_of(results, options):
    """The medians, written where --json says."""
    if options.json:
        return write(options.json, medians(results), options.add)
    return {"machine": machine(), "date": datetime.date.today().isoformat(), "results": medians(results)}


def run_workloads(options):
    workloads = options.what or list(WORKLOADS)
    results, began = [], time.monotonic()
    with broker_of(options, "kafka" in options.logs) as broker:
        todo = [(w, e) for w in workloads for e in engines(options, broker) for _ in range(options.runs)
                if has(e, w, options.format)]
        for number, (workload, engine) in enumerate(todo, 1):
            print("[%d/%d, %.0f s] %s %s %s" % (number, len(todo), time.monotonic() - began, workload,
                                                type(engine).__name__, engine.log), file=sys.stderr, flush=True)
            result = engine.run(workload)
            if result:
                results.append({**result, "log": engine.log})
                print("    %.2f CPU s per million events, %s events/s" % (
                    result["cpu_seconds_per_million"], format(int(result["events_per_second"]), ",")), file=sys.stderr)
    print(tables.all_of(document_of(results, options)))


def run_nexmark(options, queries):
    logs = [log for log in options.logs if log != "memory"]
    with broker_of(options, "kafka" in logs) as broker:
        engines = [Millrace(options, broker, log) for log in logs]
        if options.flink and "kafka" in logs:
            engines.append(peers.Flink(options, broker))
        results = list(nexmark.measure(queries or nexmark.QUERIES, engines, options.runs))
    print(nexmark.all_of(document_of(results, options), options.flink))


def run_batch(options, rest):
    python = os.path.join(options.build, "oracle_venv", "bin", "python")
    rest = ["--runs", str(options.runs), *rest]
    if options.quick:
        rest = ["--events", str(options.events), *rest]
    subprocess.run([sys.executable, os.path.join(HERE, "batch.py"), "--binary", options.binary, "--python", python, *rest],
                   check=True)


def run_tool(name, options, rest):
    """The tool on each log; it says itself what it measures."""
    logs = ["embedded"] if name == "soak" else [log for log in options.logs if log != "memory"]
    with broker_of(options, "kafka" in logs) as broker:
        for log in logs:
            place = ["--kafka", broker] if log == "kafka" else []
            print("== %s, %s" % (name, log), flush=True)
            if name == "latency":  # first without HTTP
                subprocess.run([options.binary, "bench", "latency", *(place or ["--embedded"])], check=True)
            subprocess.run([sys.executable, os.path.join(HERE, name + ".py"), "--binary", options.binary, *place, *rest],
                           check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     usage=argparse.SUPPRESS)
    parser.add_argument("what", nargs="*")
    parser.add_argument("--build", default=BUILD, help="directory of the programs")
    parser.add_argument("--quick", action="store_true", help="200,000 events")
    parser.add_argument("--events", type=int, default=3_000_000)
    parser.add_argument("--logs", type=lambda text: text.split(","), default=["memory", "embedded", "kafka"])
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--format", default="JSON", choices=["JSON", "AVRO", "PROTOBUF", "JSON_SR"],
                        help="of the values, in and out")
    parser.add_argument("--runs", type=int, default=1, help="the median of so many is shown")
    parser.add_argument("--peers", action="store_true", help="Kafka Streams and Flink as well")
    parser.add_argument("--kstreams", action="store_true")
    parser.add_argument("--flink", action="store_true")
    parser.add_argument("--kafka", help="HOST:PORT of a broker")
    parser.add_argument("--json", help="write the results there")
    parser.add_argument("--add", action="store_true", help="keep results of that file which this run does not replace")
    tool_help = len(sys.argv) > 2 and sys.argv[1] in TOOLS and "--help" in sys.argv
    if tool_help:
        os.execv(sys.executable, [sys.executable, os.path.join(HERE, sys.argv[1] + ".py"), "--help"])
    options, rest = parser.parse_known_args()
    options.binary = os.path.join(options.build, "millrace")
    if options.quick:
        options.events = 200_000
    if set(options.logs) - {"memory", "embedded", "kafka"}:
        parser.error("--logs names memory, embedded and kafka")
    first = options.what[0] if options.what else ""
    if first == "batch":
        return run_batch(options, options.what[1:] + rest)
    if first in TOOLS and len(options.what) <= (2 if first == "soak" else 1):
        return run_tool(first, options, options.what[1:] + rest)
    if rest:
        parser.error("unknown arguments: " + " ".join(rest))
    if first == "nexmark" and not set(options.what[1:]) - set(nexmark.QUERIES):
        return run_nexmark(options, options.what[1:])
    if first == "table" and len(options.what) == 2:
        return print(tables.all_of(json.load(open(options.what[1]))))
    if set(options.what) - set(WORKLOADS):
        parser.error("unknown workload; there are " + ", ".join(WORKLOADS + TOOLS + ("nexmark",)))
    return run_workloads(options)


if __name__ == "__main__":
    main()
