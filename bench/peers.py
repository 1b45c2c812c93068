"""The workloads on Kafka Streams and Flink: built by Maven, run on the topics that `millrace bench` filled."""

import json
import os
import shutil
import subprocess
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
CACHE = os.path.join(os.environ.get("MILLRACE_CACHE", os.path.expanduser("~/.cache/millrace")), "peers")
AUCTIONS = "bench-auctions-100000"
TIMEOUT = 1800  # seconds for one run


def topic(name, format):
    """As cli/bench_format.cpp names it."""
    return name if format == "JSON" else "%s-%s" % (name, format)


def bids(events, format="JSON"):
    """As bids_input() of cli/bench_inputs.cpp names it."""
    return topic("bench-bids-%d" % events, format)


def inputs(workload, events, format="JSON"):
    """The topics that a workload reads, the second empty if there is none, as cli/bench_inputs.cpp and
    cli/bench_joins.cpp name them for 100,000 keys; and how many events they hold."""
    half, late = events // 2, "-late" if workload == "w6-late" else ""
    lots = events * 9 // 10
    joined = {"w6": ("bids-on-%d-100000" % half, "asks-%d-100000" % half, 2 * half),
              "w7": ("lots-%d-100000" % half, "reserves-%d-100000" % half, 2 * half),
              "w8": ("lots-of-%d-100000" % lots, "sellers-%d-20000" % (events - lots), events),
              "w9": ("visits-%d-100000" % events, "", events)}
    if workload[:2] not in joined:
        return bids(events, format), topic(AUCTIONS, format), events
    left, right, count = joined[workload[:2]]
    return "bench-" + left + late, right and "bench-" + right + late, count


def result_of(command):
    """The line of JSON that a program of ours prints. What else it says matters only when it fails."""
    with tempfile.TemporaryFile("w+") as errors:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=errors, text=True, timeout=TIMEOUT)
        if done.returncode != 0:
            errors.seek(0)
            raise SystemExit("%s failed:\n%s" % (command[0], errors.read()[-5000:]))
    return json.loads(done.stdout.strip().splitlines()[-1])


def class_path(name):
    """Builds the peer unless it is there; its class path."""
    source, out = os.path.join(HERE, "peers", name), os.path.join(CACHE, name)
    jar = os.path.join(out, "target", name + "-peer-1.jar")
    newest = max(os.path.getmtime(os.path.join(folder, f)) for folder, _, files in os.walk(source) for f in files)
    if not os.path.exists(jar) or os.path.getmtime(jar) < newest:
        print("building the peer %s (Maven fetches its libraries the first time)" % name, flush=True)
        subprocess.run(["mvn", "-q", "-B", "-f", os.path.join(source, "pom.xml"), "package", "-Dout=" + out], check=True)
        os.utime(jar)
    return jar + ":" + os.path.join(out, "lib", "*")


class KafkaStreams:
    log = "kafka"

    def __init__(self, options, broker):
        self.options, self.broker, self.path = options, broker, class_path("kstreams")

    def run(self, workload):
        state = tempfile.mkdtemp(prefix="millrace-bench-kstreams-")
        first, second, events = inputs(workload, self.options.events, self.options.format)
        try:
            return result_of(["java", "-Xmx2g", "-cp", self.path, "peer.StreamsPeer", workload, self.broker, first,
                              "kstreams-%s-%d" % (workload, time.time()), str(events), "at-least-once", "2", state,
                              second, self.options.format])
        finally:
            shutil.rmtree(state, ignore_errors=True)


class Flink:
    log = "kafka"
    OPENS = ("lang", "util", "util.concurrent", "util.concurrent.atomic", "net", "time", "nio", "lang.reflect", "text",
             "io")

    def __init__(self, options, broker):
        self.options, self.broker, self.path = options, broker, class_path("flink")

    def java(self, program, arguments):
        """What the program says of a job; arguments(DIR) gives what it is called with."""
        state = tempfile.mkdtemp(prefix="millrace-bench-flink-")
        # A heap of eight gigabytes where the machine has it: with less it collects more.
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
        heap = ["-Xms%dm" % min(4096, memory // 4), "-Xmx%dm" % min(8192, memory // 2), "-XX:+UseG1GC"]
        opens = ["--add-opens=java.base/java.%s=ALL-UNNAMED" % name for name in self.OPENS]
        opens.append("--add-opens=java.base/sun.nio.ch=ALL-UNNAMED")
        try:
            return result_of(["java", *heap, *opens, "-cp", self.path, "peer." + program, *arguments(state)])
        finally:
            shutil.rmtree(state, ignore_errors=True)

    def run(self, workload):
        return self.java("FlinkPeer", lambda state: [
            workload, bids(self.options.events), "flink-%s-%d" % (workload, time.time()), str(self.options.events), "2",
            "--auctions", AUCTIONS, "--bootstrap", self.broker, "--checkpoint-dir", state, "--fresh", "--json"])

    def run_nexmark(self, query):
        return self.java("NexmarkPeer", lambda state: [
            query, "bench-nexmark-SOURCE-%d-10000" % self.options.events, "flink-%s-%d" % (query, time.time()), "2",
            self.broker, state])
