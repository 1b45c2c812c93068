#!/usr/bin/env python3
"""How long a table's state takes to come back after kill -9: from the state directory, and from its changelog.

  bench/restore.py [--binary build/millrace] [--kafka HOST:PORT] [--keys 5000000] [--set NAME=VALUE] [--profile FILE]

Builds a table of KEYS rows in 4 partitions (id BIGINT, COUNT(*), the newest text), kills the server, starts it again and
waits until the table answers in all partitions. On Kafka then once more without the state directory, so that the whole
changelog is read: records/s, CPU seconds of the process per million records, peak RSS. (An embedded log keeps only the
part of a changelog that the state directory may lack.) Every start checks KEYS at random.
"""

import argparse
import os
import random
import shutil
import subprocess
import time

from millrace_server import Server

HERE = os.path.dirname(os.path.abspath(__file__))


def answers(server, keys, built=True):
    """Whether every one of `keys` has the row it must have. An error is a no; once built, other rows end the run."""
    try:
        rows = server.rows("SELECT id, n, v FROM counts WHERE id IN (%s);" % ", ".join(map(str, keys)))
    except (SystemExit, OSError):
        return False
    if any(isinstance(row, dict) for row in rows):  # the end of an answer that broke off
        return False
    good = sorted(rows) == [[i, 1, "value %d" % i] for i in sorted(keys)]
    if built and not good:
        raise RuntimeError("rows are missing or wrong")
    return good


def wait_for(server, keys, began, built=True, wait=900):
    while not answers(server, keys, built):
        if time.monotonic() - began > wait:
            raise SystemExit("the table does not answer")
        time.sleep(0.01)
    return time.monotonic() - began


def check(server, keys, count=1000):
    sample = random.Random(1).sample(range(keys), min(count, keys))
    for at in range(0, len(sample), 100):
        if not answers(server, sample[at:at + 100]):
            raise RuntimeError("the table does not answer")


def reopen(server, keys, what, options):
    probe = random.Random(2).sample(range(keys), 32)  # some in every partition
    began = time.monotonic()
    ready = server.start()
    perf = None
    if options.profile:
        perf = subprocess.Popen(["perf", "record", "-q", "-g", "-F", "499", "-o", options.profile + "." + what.split()[0],
                                 "-p", str(server.process.pid)])
    seconds = wait_for(server, probe, began)
    cpu = server.cpu_seconds()
    if perf:
        perf.terminate()
        perf.wait()
    print("%s: HTTP ready in %.2f s, the table answers after %.2f s, CPU %.2f s, peak RSS %.0f MB" % (
        what, ready, seconds, cpu, server.status("VmHWM") / 1e6), flush=True)
    check(server, keys)
    return seconds, cpu


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=HERE + "/../build/millrace")
    parser.add_argument("--kafka")
    parser.add_argument("--keys", type=int, default=5000000)
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--profile", help="perf record -g of each start, into FILE.*")
    options = parser.parse_args()
    extra = [part for one in options.set for part in ("--set", one)]
    with Server(options.binary, options.kafka, options=extra) as server:
        server.start()
        began = time.monotonic()
        server.load_counts(options.keys)
        wait_for(server, [0, options.keys // 2, options.keys - 1], began, built=False)
        time.sleep(3)
        check(server, options.keys)
        print("built %d keys in %.1f s, CPU %.1f s, peak RSS %.0f MB" % (
            options.keys, time.monotonic() - began, server.cpu_seconds(), server.status("VmHWM") / 1e6), flush=True)
        server.kill()
        reopen(server, options.keys, "intact state", options)
        server.kill()
        if not options.kafka:
            return
        shutil.rmtree(server.directory + "/state")
        seconds, cpu = reopen(server, options.keys, "from the changelog", options)
        print("restored %.0f records/s, CPU %.2f s per million" % (options.keys / seconds, cpu * 1e6 / options.keys))


if __name__ == "__main__":
    main()
