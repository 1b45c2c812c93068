"""What a script of the oracle has: base sources with random data, and what queries derive from them.

Time is cut into feeds: all records of a feed go to one source and are worked off before the next begins. A stream is a
relation of its rows (`feed`, `seq`, `ts`, `gone`: the whole value is null, columns). A table is a relation of its
content after every feed (`feed`, columns), so that each operation on tables is one on relations.
"""
import json
from dataclasses import dataclass, field

from expressions import DECIMAL, LIST, MAP, STRUCT, WORDS, Column

BASE_TIME = 1_000_000


@dataclass
class Relation:
    name: str
    kind: str  # stream, table
    keys: list
    values: list
    roots: frozenset  # base sources that it comes from
    ordered: bool = True  # the order of its rows is known (streams)
    window: bool = False
    final: bool = False  # every row comes once (EMIT FINAL)
    partitions: int = 1

    @property
    def columns(self):
        return self.keys + self.values


@dataclass
class Feed:
    source: str
    number: int
    lines: list = field(default_factory=list)


COLUMNS = [Column("A", "INT"), Column("B", "BIGINT"), Column("D", "DOUBLE"), Column("P", DECIMAL),
           Column("T", "STRING"), Column("LS", LIST), Column("MP", MAP), Column("RC", STRUCT)]
DUCK_TYPES = {"INT": "INTEGER", "BIGINT": "BIGINT", "DOUBLE": "DOUBLE", DECIMAL: DECIMAL, "STRING": "VARCHAR",
              LIST: "INTEGER[]", MAP: "MAP(VARCHAR, INTEGER)", STRUCT: "STRUCT(X INTEGER, Y VARCHAR)"}
KEYS = ["a", "b", "ab", "c", "x_y"]
MAP_KEYS = ["a", "b", "c"]


def literal(value):
    if value is None:
        return "NULL"
    if isinstance(value, list):
        return f"[{', '.join(map(literal, value))}]::INTEGER[]"
    if isinstance(value, dict) and "X" in value:
        return f"{{'X': {literal(value['X'])}::INTEGER, 'Y': {literal(value['Y'])}::VARCHAR}}"
    if isinstance(value, dict):
        keys, values = ", ".join(map(literal, value)), ", ".join(map(literal, value.values()))
        return f"MAP([{keys}]::VARCHAR[], [{values}]::INTEGER[])"
    return f"'{value}'" if isinstance(value, str) else str(value)


class World:
    """Base sources, their records, and the database that holds both."""

    def __init__(self, random, database):
        self.random, self.db = random, database
        self.partitions = random.choice([1, 1, 2, 3])
        self.relations, self.statements, self.feeds, self.rows = [], [], [], {}
        for name in ("S0", "S1", "T0", "T1"):
            self.add_base(name)
        self.add_records()
        self.make_table_states()

    def add_base(self, name):
        kind = "stream" if name[0] == "S" else "table"
        key = "KEY" if kind == "stream" else "PRIMARY KEY"
        columns = ", ".join(f"{c.name} {c.type}" for c in COLUMNS)
        self.statements.append(
            f"CREATE {kind.upper()} {name} (K STRING {key}, {columns}) WITH (KAFKA_TOPIC='{name.lower()}', "
            f"VALUE_FORMAT='JSON', PARTITIONS={self.partitions});")
        self.relations.append(
            Relation(name, kind, [Column("K", "STRING")], list(COLUMNS), frozenset([name]),
                     ordered=self.partitions == 1, partitions=self.partitions))
        duck = ", ".join(f"{c.name} {DUCK_TYPES[c.type]}" for c in COLUMNS)
        table = name if kind == "stream" else name + "_log"
        self.db.execute(f"CREATE TABLE {table} (feed INTEGER, seq INTEGER, ts BIGINT, gone BOOLEAN, K VARCHAR, {duck})")

    def add_records(self):
        clocks, seq = dict.fromkeys(("S0", "S1", "T0", "T1"), BASE_TIME), 0
        disorder = self.random.choice([0, 0, 3_000, 15_000])
        sparse = self.random.random() < 0.1
        for number in range(self.random.randrange(4, 10)):
            name = self.random.choice(["S0", "S0", "S1", "T0", "T1"])
            if sparse and name in ("S1", "T1"):
                continue
            feed = Feed(name, number)
            for _ in range(self.random.randrange(1, 8)):
                seq += 1
                self.add_record(feed, clocks, seq, disorder)
            self.feeds.append(feed)
        for name in ("S0", "S1"):  # all windows are over
            seq += 1
            feed = Feed(name, len(self.feeds) + 100)
            self.put(feed, seq, BASE_TIME + 36_000_000, False, "zz", dict.fromkeys(c.name for c in COLUMNS))
            self.feeds.append(feed)
        for table, rows in self.rows.items():
            self.db.execute(f"INSERT INTO {table} VALUES " + ", ".join(f"({', '.join(map(literal, row))})" for row in rows))

    def add_record(self, feed, clocks, seq, disorder):
        random = self.random
        clocks[feed.source] = max(clocks.values()) + random.choice([0, 0, 500, 2_000, 9_000]) if random.random() < 0.5 \
            else clocks[feed.source] + random.choice([0, 1, 1_000, 4_000])
        ts = clocks[feed.source]
        if disorder:
            ts -= random.randrange(disorder) * (random.random() < 0.4)
        key = None if random.random() < 0.08 else random.choice(KEYS)
        gone = random.random() < (0.08 if feed.source[0] == "S" else 0.2)
        row = {
            "A": random.randrange(-3, 9), "B": random.randrange(-20, 1000), "D": random.randrange(-40, 40) / 4,
            "P": random.randrange(-500, 500) / 100, "T": random.choice(WORDS + KEYS),
            "LS": random.choice([[], [1], [2, None, 3], [random.randrange(9) for _ in range(3)]]),
            "MP": {name: random.choice([None, 1, 2, 3]) for name in random.sample(MAP_KEYS, random.randrange(3))},
            "RC": {"X": random.choice([None, 1, 2, 3]), "Y": random.choice([None, "a", "b"])}
        }
        for name in row:
            if random.random() < 0.12:
                row[name] = None
        self.put(feed, seq, ts, gone, key, row)

    def put(self, feed, seq, ts, gone, key, row):
        stream = feed.source[0] == "S"
        value = "null" if gone else json.dumps(row)
        if key is not None or stream:
            feed.lines.append(f"{json.dumps(key)} | {value} | {ts}")
        if key is None and not stream:
            return
        shown = dict.fromkeys(row) if gone else row
        self.rows.setdefault(feed.source + ("" if stream else "_log"), []).append(
            (feed.number, seq, ts, gone, key, *shown.values()))

    def make_table_states(self):
        self.db.execute("CREATE TABLE feeds (feed INTEGER)")
        self.db.execute("INSERT INTO feeds VALUES " + ", ".join(f"({feed.number})" for feed in self.feeds))
        columns = ", ".join(c.name for c in COLUMNS)
        for name in ("T0", "T1"):
            self.db.execute(f"""CREATE TABLE {name} AS SELECT feed, K, {columns} FROM (
                SELECT f.feed AS feed, gone, K, {columns},
                       row_number() OVER (PARTITION BY f.feed, K ORDER BY seq DESC) AS age
                FROM feeds f JOIN {name}_log r ON r.feed <= f.feed) WHERE age = 1 AND NOT gone""")

    def of_kind(self, kind):
        return [r for r in self.relations if r.kind == kind and not r.window]

    @property
    def last_feed(self):
        return self.feeds[-1].number
