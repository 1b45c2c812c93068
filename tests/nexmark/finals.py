"""Writes tests/sql/nexmark_finals.test: q5, q7 and q8 of Nexmark over a few random events, with the results that
DuckDB computes over all of them at once. The last windows close as the sources are quiet.

    build/oracle_venv/bin/python tests/nexmark/finals.py > tests/sql/nexmark_finals.test
"""

import json
import random

from script import feed, statements, tables

SOURCES = """\
CREATE STREAM person (id BIGINT, name STRING, emailAddress STRING, creditCard STRING, city STRING, state STRING, dateTime TIMESTAMP, extra STRING) WITH (kafka_topic='person', value_format='JSON', timestamp='dateTime', partitions=1, idle_timeout='30 SECONDS');
CREATE STREAM auction (id BIGINT, itemName STRING, description STRING, initialBid BIGINT, reserve BIGINT, dateTime TIMESTAMP, expires TIMESTAMP, seller BIGINT, category BIGINT, extra STRING) WITH (kafka_topic='auction', value_format='JSON', timestamp='dateTime', partitions=1, idle_timeout='30 SECONDS');
CREATE STREAM bid (auction BIGINT, bidder BIGINT, price BIGINT, channel STRING, url STRING, dateTime TIMESTAMP, extra STRING) WITH (kafka_topic='bid', value_format='JSON', timestamp='dateTime', partitions=1, idle_timeout='30 SECONDS');"""

QUERIES = {
    "q5": """CREATE STREAM q5 AS
  WITH counts AS (
    SELECT auction, COUNT(*) AS num FROM bid
    WINDOW HOPPING (SIZE 10 SECONDS, ADVANCE BY 2 SECONDS, GRACE PERIOD 4 SECONDS)
    GROUP BY auction),
  maxima AS (
    SELECT WINDOWSTART AS starttime, WINDOWEND AS endtime, MAX(num) AS maxn FROM counts GROUP BY WINDOWSTART, WINDOWEND)
  SELECT c.auction AS auction, c.num AS num
  FROM counts c JOIN maxima m ON c.WINDOWSTART = m.starttime AND c.WINDOWEND = m.endtime AND c.num >= m.maxn
  EMIT FINAL;""",
    "q7": """CREATE STREAM q7 AS
  SELECT b.auction AS auction, b.price AS price, b.bidder AS bidder, b.dateTime AS dateTime, b.extra AS extra
  FROM bid b JOIN (
      SELECT MAX(price) AS maxprice, FROM_UNIXTIME(WINDOWEND) AS windowend_ts
      FROM bid WINDOW TUMBLING (SIZE 10 SECONDS, GRACE PERIOD 4 SECONDS) EMIT FINAL) m
    WITHIN 10 SECONDS GRACE PERIOD 4 SECONDS
    ON b.price = m.maxprice AND b.dateTime BETWEEN m.windowend_ts - INTERVAL '10' SECOND AND m.windowend_ts
  EMIT FINAL;""",
    "q8": """CREATE STREAM q8 AS
  SELECT p.id AS id, p.name AS name, FROM_UNIXTIME(p.WINDOWSTART) AS stime
  FROM (SELECT id, name FROM person WINDOW TUMBLING (SIZE 10 SECONDS, GRACE PERIOD 4 SECONDS) GROUP BY id, name) p
  JOIN (SELECT seller FROM auction WINDOW TUMBLING (SIZE 10 SECONDS, GRACE PERIOD 4 SECONDS) GROUP BY seller) a
    ON p.id = a.seller AND p.WINDOWSTART = a.WINDOWSTART AND p.WINDOWEND = a.WINDOWEND
  EMIT FINAL;""",
}


# What is before the bar is the key, with the bounds of its window where it has one.
REFERENCE = {
    "q5": """WITH counts AS (SELECT auction, s, count(*) AS num FROM (SELECT auction, unnest(range(dateTime // 2000 * 2000 - 8000, dateTime // 2000 * 2000 + 1, 2000)) AS s
            FROM bid) GROUP BY auction, s),
        maxima AS (SELECT s, max(num) AS maxn FROM counts GROUP BY s)
        SELECT auction, s, s + 10000 AS e, '|', num FROM counts JOIN maxima USING (s) WHERE num >= maxn""",
    "q7": """WITH maxima AS (SELECT max(price) AS maxprice, dateTime // 10000 * 10000 + 10000 AS e FROM bid GROUP BY e)
        SELECT price, '|', auction, bidder, dateTime AS datetime, extra FROM bid JOIN maxima ON price = maxprice AND dateTime BETWEEN e - 10000 AND e""",
    "q8": """SELECT DISTINCT p.id, p.name, p.s, p.s + 10000 AS e, '|', p.s AS stime
        FROM (SELECT id, name, dateTime // 10000 * 10000 AS s FROM person) p
        JOIN (SELECT seller, dateTime // 10000 * 10000 AS s FROM auction) a ON p.id = a.seller AND p.s = a.s""",
}


def events(chance):
    """Rows of each source, in the order in which they come: up to three seconds late."""
    rows = {"person": [], "auction": [], "bid": []}
    now = 1_436_918_400_000
    for number in range(200):
        now += chance.randrange(0, 1_500)
        at = now - chance.choice((0, 0, 0, 1_000, 3_000))
        if number % 10 == 0:
            at_id = 1_000 + len(rows["person"])
            rows["person"].append({
                "id": at_id, "name": f"name {at_id % 3}", "emailAddress": "a@x.org", "creditCard": "1", "city": "Oslo", "state": "OR",
                "dateTime": at, "extra": "p"})
        elif number % 3 == 0:
            rows["auction"].append({
                "id": 9_998 + len(rows["auction"]), "itemName": f"item{number}", "description": "as new", "initialBid": 1, "reserve": 2,
                "dateTime": at, "expires": at + chance.randrange(60_000), "seller": 1000 + max(0, len(rows["person"]) - chance.randrange(1, 4)),
                "category": chance.choice((10, 11)), "extra": "a"})
        else:
            rows["bid"].append({
                "auction": 9_998 + chance.randrange(0, 6), "bidder": 1000 + chance.randrange(0, 9), "price": chance.randrange(1, 30),
                "channel": "Apple", "url": f"https://x.org/{number}", "dateTime": at, "extra": "b"})
    return rows


def main():
    rows = events(random.Random(8))
    database = tables(rows)
    print("# Written by tests/nexmark/finals.py: q5, q7 and q8 of Nexmark; the results are DuckDB's.")
    statements([*SOURCES.split("\n"), *QUERIES.values()])
    feed(rows, ("bid", "person", "auction"))
    print("# Nothing comes any more: time goes on by itself.")
    for _ in range(3):
        print("clock 30000")
    for name, query in REFERENCE.items():
        result = database.execute(query)
        columns = [column[0].upper() for column in result.description]
        bar = next(i for i, column in enumerate(columns) if column == "'|'")
        windowed = "S" in columns
        keys = bar - 2 if windowed else bar
        print(f"bag {name}")
        for row in sorted(result.fetchall()):
            key = row[0] if keys == 1 else json.dumps(dict(zip(columns, row[:keys])))
            window = f" | {row[keys]}..{row[keys + 1]}" if windowed else ""
            print(f"{key}{window} | {json.dumps(dict(zip(columns[bar + 1:], row[bar + 1:])))}")


if __name__ == "__main__":
    main()
