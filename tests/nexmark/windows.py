"""Writes tests/sql/nexmark_windows.test: q4 and q11 of Nexmark over a few random events, with the results that
DuckDB computes over all of them at once.

    build/oracle_venv/bin/python tests/nexmark/windows.py > tests/sql/nexmark_windows.test
"""

import json
import random

from script import feed, statements, tables

SOURCES = """\
CREATE STREAM auction (id BIGINT, itemName STRING, description STRING, initialBid BIGINT, reserve BIGINT, dateTime TIMESTAMP, expires TIMESTAMP, seller BIGINT, category BIGINT, extra STRING) WITH (kafka_topic='auction', value_format='JSON', timestamp='dateTime', partitions=1);
CREATE STREAM bid (auction BIGINT, bidder BIGINT, price BIGINT, channel STRING, url STRING, dateTime TIMESTAMP, extra STRING) WITH (kafka_topic='bid', value_format='JSON', timestamp='dateTime', partitions=1);"""

QUERIES = {
    "q4": """CREATE TABLE q4 AS SELECT q.category AS id, CAST(AVG(q.final) AS BIGINT) AS final FROM (SELECT a.id AS id, a.category AS category, MAX(b.price) AS final FROM auction a JOIN bid b WITHIN UNBOUNDED ON a.id = b.auction AND b.dateTime BETWEEN a.dateTime AND a.expires GROUP BY a.id, a.category) q GROUP BY q.category;""",
    "q11": """CREATE STREAM q11 AS SELECT bidder, COUNT(*) AS bid_count, FROM_UNIXTIME(WINDOWSTART) AS starttime, FROM_UNIXTIME(WINDOWEND + INTERVAL '10' SECOND) AS endtime FROM bid WINDOW SESSION (10 SECONDS, GRACE PERIOD 4 SECONDS) GROUP BY bidder EMIT FINAL;""",
}
# The last bid only moves time on: windows that it opens do not close.
REAL = "(SELECT * FROM bid WHERE dateTime < (SELECT max(dateTime) FROM bid))"
REFERENCE = {
    "q4": """SELECT category AS id, CAST(trunc(avg(final)) AS BIGINT) AS final FROM (SELECT a.id, a.category, max(b.price) AS final
        FROM auction a JOIN bid b ON a.id = b.auction AND b.dateTime BETWEEN a.dateTime AND a.expires GROUP BY a.id, a.category) GROUP BY category""",
    "q11": f"""WITH fresh AS (SELECT *, dateTime - lag(dateTime, 1, 0) OVER (PARTITION BY bidder ORDER BY dateTime) > 10000 AS f FROM {REAL}),
        numbered AS (SELECT *, sum(f::INTEGER) OVER (PARTITION BY bidder ORDER BY dateTime) AS s FROM fresh)
        SELECT bidder, min(dateTime) AS s, max(dateTime) AS e, count(*) AS bid_count, min(dateTime) AS starttime, max(dateTime) + 10000 AS endtime
        FROM numbered GROUP BY bidder, s""",
}


def events(chance):
    """Rows of each source, in the order in which they come: up to three seconds late."""
    rows = {"auction": [], "bid": []}
    now = 1_436_918_400_000
    for number in range(160):
        now += chance.randrange(0, 1_500)
        at = now - chance.choice((0, 0, 0, 1_000, 3_000))
        if number % 8 == 0:
            rows["auction"].append({
                "id": 9_998 + len(rows["auction"]), "itemName": f"item{number}", "description": "as new", "initialBid": 1, "reserve": 2,
                "dateTime": at, "expires": at + chance.randrange(60_000), "seller": 1000, "category": chance.choice((10, 11)), "extra": "a"})
        else:
            rows["bid"].append({
                "auction": 9_998 + chance.randrange(0, 20), "bidder": 1000 + chance.randrange(0, 9), "price": chance.randrange(1, 60),
                "channel": "Apple", "url": f"https://x.org/{number}", "dateTime": at, "extra": "b"})
    for name, of in rows.items():
        of.append({**of[-1], "dateTime": now + 3_600_000})
    rows["auction"][-1]["id"] = 1
    return rows


def main():
    rows = events(random.Random(4))
    database = tables(rows)
    print("# Written by tests/nexmark/windows.py: q4 and q11 of Nexmark; the results are DuckDB's.")
    statements([*SOURCES.split("\n"), *QUERIES.values()])
    feed(rows, ("bid", "auction"))
    for name, query in REFERENCE.items():
        result = database.execute(query)
        columns = [column[0].upper() for column in result.description]
        print(f"{'final' if name == 'q4' else 'bag'} {name}")
        for row in sorted(result.fetchall()):
            at = 3 if name == "q11" else 1
            window = f" | session {row[1]}..{row[2]}" if name == "q11" else ""
            print(f"{row[0]}{window} | {json.dumps(dict(zip(columns[at:], row[at:])))}")


if __name__ == "__main__":
    main()
