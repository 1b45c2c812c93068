#!/usr/bin/env python3
"""What the same work costs DuckDB, which sees the whole input at once: JSON in, JSON out; and a loop without any engine.

  bench/batch.py [WORKLOAD...] [--binary build/millrace] [--events 1000000] [--keys N] [--runs 1] [--log embedded]
                 [--python PYTHON] [--bound build/bound]

Each workload runs in Millrace on its log (exactly-once, with changelogs) and writes its input and output as JSON lines;
then DuckDB (`pip install duckdb`, or a PYTHON that has it) reads the same values and writes its result. The floor (of
w1 to w5, keyed and wide, where `bound` has been built) is one thread with simdjson and a flat hash map over them in
memory. CPU seconds per million input rows of each, the medians of --runs alternating runs, and whether both have as
many result rows.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
BID = {"auction": "BIGINT", "bidder": "BIGINT", "price": "BIGINT", "channel": "VARCHAR", "url": "VARCHAR",
       "dateTime": "BIGINT", "extra": "VARCHAR"}
AUCTION = {"id": "BIGINT", "category": "VARCHAR", "seller": "VARCHAR"}
ITEM = {"id": "BIGINT", "seller": "BIGINT", "category": "BIGINT"}
PERSON = {"id": "BIGINT", "name": "VARCHAR", "city": "VARCHAR", "state": "VARCHAR"}
# Query, and the relations it reads: the columns of each and a part of its topic's name.
WORKLOADS = {
    "w1": ("SELECT auction, bidder, price * 0.908 AS price, dateTime FROM bids", {"bids": (BID, "bids")}),
    "w2": ("SELECT auction, price FROM bids WHERE auction % 123 = 0", {"bids": (BID, "bids")}),
    "w3": ("SELECT auction, dateTime // 10000 AS w, count(*) AS n, sum(price) AS total, max(price) AS top FROM bids "
           "GROUP BY ALL", {"bids": (BID, "bids")}),
    "w4": ("SELECT bidder, count(*) AS n, max(price) AS top FROM bids GROUP BY ALL", {"bids": (BID, "bids")}),
    "w5": ("SELECT b.auction, b.bidder, b.price, a.category FROM bids b JOIN auctions a ON b.auction = a.id",
           {"bids": (BID, "bids"), "auctions": (AUCTION, "auctions")}),
    "keyed": ("SELECT auction, count(*) AS n, max(price) AS top FROM bids GROUP BY ALL", {"bids": (BID, "bids")}),
    "wide": ("SELECT c32 FROM wide WHERE c66 < 10000000", {"wide": ({"c32": "BIGINT", "c66": "BIGINT"}, "wide")}),
    "q3": ("SELECT p.name, p.city, p.state, a.id FROM auctions a JOIN people p ON a.seller = p.id WHERE a.category = 10 "
           "AND p.state IN ('OR', 'ID', 'CA')", {"auctions": (ITEM, "auction"), "people": (PERSON, "person")}),
    "q18": ("SELECT bidder, auction, last(price) AS price, last(channel) AS channel, last(url) AS url, last(dateTime) AS "
            "dateTime, last(extra) AS extra FROM bids GROUP BY bidder, auction", {"bids": (BID, "bid")}),
}
FLOORS = ("w1", "w2", "w3", "w4", "w5", "keyed", "wide")
BY_ROWS = ("w1", "w2", "w5", "wide")  # every row of the output is one of the result
MEASURED = """
import json, resource, sys, duckdb
sql, out = sys.argv[1:]
database = duckdb.connect()
before = resource.getrusage(resource.RUSAGE_SELF)
rows = database.execute("COPY (" + sql + ") TO '" + out + "' (FORMAT JSON)").fetchone()[0]
after = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"seconds": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
                  "mb": after.ru_maxrss / 1024, "rows": rows}))
"""


def millrace(options, workload, directory):
    result = os.path.join(directory, "result.json")
    command = [options.binary, "bench", workload, "--" + options.log, "--events", str(options.events), "--json", result]
    if options.keys:
        command += ["--keys", str(options.keys)]
    dumped = any(name.endswith(".values") for name in os.listdir(directory))
    if not dumped:
        command += ["--dump", directory]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    if not dumped:
        values_of(directory)
    return json.load(open(result))


def values_of(directory):
    """The values alone of each dumped topic, and how many keys the output has."""
    for name in os.listdir(directory):
        if not name.endswith(".jsonl"):
            continue
        path = os.path.join(directory, name)
        with open(path) as lines, open(path[:-len("jsonl")] + "values", "w") as values:
            for line in lines:
                record = json.loads(line)
                values.write(json.dumps(record["value"], separators=(",", ":")) + "\n")
                if name == "output.jsonl":
                    KEYS.setdefault(directory, {})[record["key"]] = record["value"] is not None
        os.remove(path)


KEYS = {}


def duckdb(options, workload, directory):
    query, relations = WORKLOADS[workload]
    for name, (columns, part) in relations.items():
        file = next(f for f in os.listdir(directory) if f.endswith(".values") and part in f.split("-"))
        reading = "read_json('%s', format = 'newline_delimited', columns = {%s})" % (
            os.path.join(directory, file), ", ".join("%s: '%s'" % column for column in columns.items()))
        query = query.replace("FROM %s" % name, "FROM %s" % reading).replace(
            "JOIN %s" % name, "JOIN %s" % reading)
    done = subprocess.run([options.python, "-c", MEASURED, query, os.path.join(directory, "duckdb.json")], check=True,
                          stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def floor(options, workload, directory):
    """What a hand-written loop costs; none where there is none."""
    if workload not in FLOORS or not os.path.exists(options.bound):
        return None
    files = [os.path.join(directory, next(f for f in os.listdir(directory) if f.endswith(".values") and part in f.split("-")))
             for _, part in WORKLOADS[workload][1].values()]
    done = subprocess.run([options.bound, "floor", workload, *files], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("workloads", nargs="*", help=", ".join(WORKLOADS))
    parser.add_argument("--binary", default=HERE + "/../build/millrace")
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--keys", type=int, help="distinct auctions of w1 to w5 and keyed")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--log", choices=["memory", "embedded"], default="embedded")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--bound", default=HERE + "/../build/bound")
    options = parser.parse_args()
    if set(options.workloads) - set(WORKLOADS):
        parser.error("there are " + ", ".join(WORKLOADS))
    print("| | floor | DuckDB | Millrace, %s log | times DuckDB | DuckDB MB | Millrace MB |\n|---|---|---|---|---|---|---|" %
          options.log)
    for workload in options.workloads or WORKLOADS:
        with tempfile.TemporaryDirectory(prefix="millrace-bench-batch-") as directory:
            ours, theirs, floors = [], [], []
            for _ in range(options.runs):
                ours.append(millrace(options, workload, directory))
                theirs.append(duckdb(options, workload, directory))
                floors.append(floor(options, workload, directory))
            rows = ours[0]["rows_out"] if workload in BY_ROWS else sum(KEYS[directory].values())
            if rows != theirs[0]["rows"]:
                raise SystemExit("%s: Millrace has %d result rows, DuckDB %d" % (workload, rows, theirs[0]["rows"]))
            if floors[0] and workload in BY_ROWS and floors[0]["rows_out"] != rows:
                raise SystemExit("%s: Millrace has %d result rows, the floor %d" % (workload, rows, floors[0]["rows_out"]))
            cost = statistics.median(run["cpu_seconds_per_million"] for run in ours)
            other = statistics.median(run["seconds"] for run in theirs) * 1e6 / ours[0]["events"]
            least = "%.2f" % statistics.median(run["cpu_seconds_per_million"] for run in floors) if floors[0] else "–"
            print("| %s | %s | %.2f | %.2f | %.2f | %.0f | %.0f |" % (
                workload, least, other, cost, cost / other, max(run["mb"] for run in theirs),
                max(run["peak_rss_mb"] for run in ours)), flush=True)


if __name__ == "__main__":
    main()
