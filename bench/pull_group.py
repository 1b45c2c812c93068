#!/usr/bin/env python3
"""Pull queries that read a whole table, beside DuckDB over the same rows in memory, on one thread.

  bench/pull_group.py [--binary build/millrace] [--keys 1000000] [--runs 7] [--python build/oracle_venv/bin/python]

Builds a table of KEYS rows (id BIGINT, COUNT(*), the newest text) and asks it for groups, a count and a join. CPU seconds are those
of the server's process, in steps of 10 ms; DuckDB's are those of a process of its own (its module must be there for --python). The first run warms up.
"""
import argparse
import os
import statistics
import subprocess

from millrace_server import Server
from pull import load

HERE = os.path.dirname(os.path.abspath(__file__))
QUERIES = [
    ("COUNT, SUM", "SELECT COUNT(*) AS c, SUM(n) AS s FROM {t} WHERE id >= 0"),
    ("1,000 groups", "SELECT id % 1000 AS g, COUNT(*) AS c, SUM(n) AS s FROM {t} GROUP BY id % 1000"),
    ("a group per row", "SELECT id, MAX(n) AS m FROM {t} GROUP BY id HAVING MAX(n) > id"),
    ("groups of texts", "SELECT SUBSTRING(v, 1, 7) AS g, COUNT(*) AS c FROM {t} GROUP BY SUBSTRING(v, 1, 7)"),
    ("join of 100,000", "SELECT COUNT(*) AS c FROM {t} a JOIN {t} b ON a.id = b.id WHERE a.id < 100000 AND b.id < 100000"),
]
DUCK = """
import duckdb, resource, statistics, sys
keys, runs, queries = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
db = duckdb.connect(config={"threads": 1})
db.execute("SET enable_progress_bar = false")
db.execute("CREATE TABLE counts AS SELECT i AS id, CAST(1 AS BIGINT) AS n, 'value ' || i AS v FROM range(%d) t(i)" % keys)
for query in queries:
    took = []
    for run in range(runs + 1):
        before = resource.getrusage(resource.RUSAGE_SELF)
        db.execute(query).fetchall()
        after = resource.getrusage(resource.RUSAGE_SELF)
        took.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    print(statistics.median(took[1:]))
"""


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=HERE + "/../build/millrace")
    parser.add_argument("--keys", type=int, default=1000000)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--python", default=HERE + "/../build/oracle_venv/bin/python")
    options = parser.parse_args()
    texts = [query.format(t="counts") for _, query in QUERIES]
    duck = subprocess.run([options.python, "-c", DUCK, str(options.keys), str(options.runs), *texts],
                          capture_output=True, text=True, check=True).stdout.split()
    with Server(options.binary, None) as server:
        server.start()
        load(server, options.keys)
        for (name, _), text, other in zip(QUERIES, texts, map(float, duck)):
            took = []
            for _ in range(options.runs + 1):
                before = server.cpu_seconds()
                server.rows(text + ";")
                took.append(server.cpu_seconds() - before)
            mine = statistics.median(took[1:])
            print("%-16s %7.0f ms CPU, DuckDB %7.1f ms: %.1f times" % (name, mine * 1e3, other * 1e3, mine / other), flush=True)


if __name__ == "__main__":
    main()
