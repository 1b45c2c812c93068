#!/usr/bin/env python3
"""Compares Millrace with DuckDB: random schemas, records and statements, the results of both over the same input.

oracle.py TEST_SQL [--seconds N | --queries N] [--seed N] [--keep DIR]

Writes data files in the format of tests/sql whose expected rows DuckDB has computed over the whole input at once, and
has TEST_SQL run them in its variants: batches of one row and of many, rules off, one change per commit, crashes after
every feed or a random record, two workers. Exit status 1 when a file comes out differently; it is kept in DIR (build/oracle by default).
"""
import argparse
import json
import pathlib
import random
import re
import shutil
import subprocess
import sys
import time

import duckdb

from relations import World
from statements import Builder

FILES_AT_ONCE = 40
QUERIES_PER_FILE = 30
PULLS_PER_FILE = 15
# Each set of files runs plainly and in two others.
VARIANTS = ["one_row_batches", "rules_off", "restart", "last_values", "last_values_restart", "two_workers",
            "two_workers_restart", "last_values_on_disk", "crash_midway", "crash_midway_on_disk"]


def json_text(value):
    """As JSON; a decimal with all digits of its scale."""
    return re.sub('"decimal ([^"]*)"', r"\1", json.dumps(value, default=lambda decimal: f"decimal {decimal}"))


def row_line(relation, row):
    """A record as an `expect` step writes it. `row` has the columns of rows_of."""
    at = 0
    window = None
    if relation.window:
        start, end = row[0], row[1]
        window = f"session {start}..{end}" if getattr(relation, "session", False) else f"{start}..{end}"
        at = 2
    keys = row[at:at + len(relation.keys)]
    key = keys[0] if len(keys) == 1 else {c.name: v for c, v in zip(relation.keys, keys)}
    at += len(relation.keys)
    value = {c.name: v for c, v in zip(relation.values, row[at:at + len(relation.values)])}
    at += len(relation.values)
    cells = [json_text(key)] + ([window] if window else [])
    if relation.kind == "stream":
        gone, ts = row[at], row[at + 1]
        return " | ".join(cells + ["null" if gone else json_text(value), str(ts)])
    return " | ".join(cells + [json_text(value)] + ([str(row[at])] if relation.final else []))


def rows_of(world, relation):
    names = [c.name for c in relation.columns]
    if relation.window:
        names = ["ws", "we"] + names
    if relation.kind == "stream":
        names += ["gone", "ts"]
    elif relation.final:
        names.append("ts")
    where = "" if relation.kind == "stream" else f" WHERE feed = {world.last_feed}"
    return world.db.execute(f"SELECT {', '.join(names)} FROM {relation.name}{where} ORDER BY ALL").fetchall()


def make_script(seed):
    database = duckdb.connect(config={"threads": 1})
    database.execute("PRAGMA disable_optimizer")  # takes longer than it saves on so few rows
    rng = random.Random(seed)
    world = World(rng, database)
    builder = Builder(world)
    made = []
    while len(made) < QUERIES_PER_FILE:
        relation = builder.add()
        if relation is not None:
            made.append(relation)
    builder.add_contents()
    early, late = builder.indexes(made)  # filled as rows come, and from what is there
    lines = [f"# Made by tests/oracle, seed {seed}."]
    for statement in world.statements + early:
        lines += ["statement ok", statement]
    for feed in world.feeds:
        lines += [f"feed {feed.source.lower()}"] + feed.lines
    for relation in made:
        once = relation.kind == "stream" or relation.final
        lines.append(f"{'bag' if once else 'final'} {relation.name.lower()}")
        lines += [row_line(relation, row) for row in rows_of(world, relation)]
    for statement in late:
        lines += ["statement ok", statement]
    for _ in range(PULLS_PER_FILE):
        query, rows = builder.pull()
        lines += ["query zeros alike", query + ";"] + [json_text(list(row)) for row in rows]
    database.close()
    return "\n".join(lines) + "\n"


def run_files(test_sql, folder, seed):
    wanted = ":".join(f"*/{name}" for name in ["plain"] + random.Random(seed).sample(VARIANTS, 2))
    done = subprocess.run([test_sql, folder, f"--gtest_filter={wanted}", "--gtest_brief=1"], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def report(output, folder, keep):
    keep.mkdir(parents=True, exist_ok=True)
    print(output[-20_000:])
    failed = {line.split("Sql.")[1].split("/")[0] for line in output.splitlines() if "FAILED" in line and "Sql." in line}
    for name in failed or [p.stem for p in folder.iterdir()]:
        shutil.copy(folder / f"{name}.test", keep)
    print(f"kept in {keep}: {', '.join(sorted(failed))}")


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("test_sql")
    options.add_argument("--seconds", type=float, default=20)
    options.add_argument("--queries", type=int, default=0)
    options.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**9))
    options.add_argument("--keep", type=pathlib.Path, default=pathlib.Path("build/oracle"))
    chosen = options.parse_args()
    start, seed, queries, bad = time.monotonic(), chosen.seed, 0, 0
    folder = chosen.keep / "scripts"
    while queries < chosen.queries if chosen.queries else time.monotonic() - start < chosen.seconds:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for _ in range(FILES_AT_ONCE):
            (folder / f"seed_{seed}.test").write_text(make_script(seed))
            seed += 1
            queries += QUERIES_PER_FILE + PULLS_PER_FILE
        status, output = run_files(chosen.test_sql, str(folder), seed)
        if status != 0:
            report(output, folder, chosen.keep)
            bad += 1
            break
        print(f"{queries} queries, {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)
    print(f"{queries} queries, each in three variants, seeds {chosen.seed} to {seed - 1}: "
          f"{'different' if bad else 'all equal'}, {time.monotonic() - start:.0f} s")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
