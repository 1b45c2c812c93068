"""What the writers of tests/sql/nexmark_*.test share: events as tables of DuckDB and as steps of the file."""

import json

import duckdb


def tables(rows):
    """A database with a table of each kind of events."""
    database = duckdb.connect()
    for name, of in rows.items():
        columns = ", ".join(f"{c} {'VARCHAR' if isinstance(v, str) else 'BIGINT'}" for c, v in of[0].items())
        database.execute(f"CREATE TABLE {name} ({columns})")
        database.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(of[0]))})", [list(row.values()) for row in of])
    return database


def statements(texts):
    for text in texts:
        print(f"statement ok\n{text}")


def feed(rows, names):
    """In turns, so that each side comes first for some."""
    for part in range(4):
        for name in names:
            print(f"feed {name}")
            for row in rows[name][len(rows[name]) * part // 4 : len(rows[name]) * (part + 1) // 4]:
                print(f"null | {json.dumps(row)} | 0")
