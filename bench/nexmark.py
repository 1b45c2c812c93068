"""The Nexmark queries of bench/nexmark on each log, and with --flink as Flink SQL on the same topics of the broker."""

import os
import re
import subprocess
import sys
import tempfile
import time

import peers
import tables
from soak import directory_bytes
from tables import CPU

HERE = os.path.dirname(os.path.abspath(__file__))
QUERIES = sorted((name[:-4] for name in os.listdir(os.path.join(HERE, "nexmark")) if re.fullmatch(r"q\d+\.sql", name)),
                 key=lambda name: int(name[1:]))
NOT_IN_FLINK = {"q6",    # OVER of rows that change
                "q10"}   # its sink is files
MOST_CPU = 8.0     # microseconds of an event
LEAST_TIMES = 5.0  # cheaper than Flink


def run_embedded(millrace, query):
    with tempfile.TemporaryDirectory(prefix="millrace-bench-nexmark-") as directory:
        result = millrace.run(query, ["--data", directory])
        return {**result, "state_mb": directory_bytes(os.path.join(directory, "state")) / 1e6}


def run(engine, query):
    if isinstance(engine, peers.Flink):
        return None if query in NOT_IN_FLINK else engine.run_nexmark(query)
    return run_embedded(engine, query) if engine.log == "embedded" else engine.run(query)


def measure(queries, engines, runs):
    """A query that fails is told of and left out."""
    began = time.monotonic()
    for query in queries:
        for engine in engines:
            for _ in range(runs):
                print("[%.0f s] %s %s %s" % (time.monotonic() - began, query, type(engine).__name__, engine.log),
                      file=sys.stderr, flush=True)
                try:
                    result = run(engine, query)
                except (subprocess.SubprocessError, SystemExit) as error:
                    print("    failed: %s" % error, file=sys.stderr)
                    break
                if result:
                    yield {**result, "log": engine.log}


def figure(result, field, form="%.2f", scale=1):
    return form % (result[field] * scale) if result and field in result else "–"


def figures(result):
    return [figure(result, CPU), figure(result, "events_per_second", "%.0f", 1e-3), figure(result, "peak_rss_mb", "%.0f"),
            figure(result, "rows_out", "%d")]


def times_cheaper(ours, flink):
    return flink[CPU] / ours[CPU] if ours and flink else None


def row(query, log, ours, flink):
    times = times_cheaper(ours, flink)
    return [query, log, *figures(ours), figure(ours, "state_mb", "%.1f"), *figures(flink),
            "%.1f" % times if times else "–"]


def all_of(document, with_flink):
    """The table, and which queries miss the goals."""
    found = {(r["engine"], r["log"], r["workload"]): r for r in document["results"]}
    lines = [(query, log, found.get(("millrace", log, query)), found.get(("flink", log, query)))
             for log in ("embedded", "kafka") for query in QUERIES]
    lines = [line for line in lines if line[2] or line[3]]
    figures_of = ["CPU µs per event", "thousand events/s", "peak RSS MB", "rows out"]
    head = ["query", "log", *figures_of, "state MB", *("Flink: " + name for name in figures_of), "Flink / Millrace CPU"]
    width = len(head) if with_flink else 7
    costly = ["%s on %s (%.1f)" % (query, log, ours[CPU]) for query, log, ours, _ in lines if ours and ours[CPU] > MOST_CPU]
    times = {query: times_cheaper(ours, flink) for query, log, ours, flink in lines if log == "kafka"}
    close = ["%s (%.1f)" % (query, value) for query, value in times.items() if value and value < LEAST_TIMES]
    parts = ["%s; %s" % (document["machine"], document["date"]),
             tables.table(head[:width], [row(*line)[:width] for line in lines]),
             "above %.0f µs: %s" % (MOST_CPU, ", ".join(costly) or "none")]
    if with_flink:
        parts.append("less than %.0f times cheaper than Flink: %s" % (LEAST_TIMES, ", ".join(close) or "none"))
    return "\n\n".join(parts)
