"""Writes tests/sql/nexmark_winners.test: q6 and q14 of Nexmark as in upstream's text over a few random events, with the
results that DuckDB computes over all of them at once.

    build/oracle_venv/bin/python tests/nexmark/winners.py > tests/sql/nexmark_winners.test
"""

import random

from script import feed, statements, tables

SOURCES = """\
CREATE STREAM auction (id BIGINT, itemName STRING, description STRING, initialBid BIGINT, reserve BIGINT, dateTime TIMESTAMP, expires TIMESTAMP, seller BIGINT, category BIGINT, extra STRING) WITH (kafka_topic='auction', value_format='JSON', timestamp='dateTime', partitions={partitions});
CREATE STREAM bid (auction BIGINT, bidder BIGINT, price BIGINT, channel STRING, url STRING, dateTime TIMESTAMP, extra STRING) WITH (kafka_topic='bid', value_format='JSON', timestamp='dateTime', partitions={partitions});
CREATE FUNCTION count_char (s STRING, c STRING) RETURNS BIGINT AS CAST(LEN(s) - LEN(REPLACE(s, c, '')) AS BIGINT);"""

QUERIES = {
    "q6": """CREATE TABLE q6 AS
  SELECT q.id AS id, q.seller AS seller,
    CAST(AVG(q.price) OVER (PARTITION BY q.seller ORDER BY q.dateTime ROWS BETWEEN 10 PRECEDING AND CURRENT ROW) AS BIGINT) AS avg_price
  FROM (SELECT a.id AS id, a.seller AS seller, b.price AS price, b.dateTime AS dateTime
        FROM auction a JOIN bid b WITHIN UNBOUNDED ON a.id = b.auction AND b.dateTime BETWEEN a.dateTime AND a.expires
        QUALIFY ROW_NUMBER() OVER (PARTITION BY a.id, a.seller ORDER BY b.price DESC) = 1) q;""",
    "q14": """CREATE STREAM q14 AS
  SELECT auction, bidder, 0.908 * price AS price,
    CASE WHEN CAST(FORMAT_TIMESTAMP(dateTime, 'HH', 'UTC') AS INT) BETWEEN 8 AND 18 THEN 'dayTime'
         WHEN CAST(FORMAT_TIMESTAMP(dateTime, 'HH', 'UTC') AS INT) <= 6 OR CAST(FORMAT_TIMESTAMP(dateTime, 'HH', 'UTC') AS INT) >= 20 THEN 'nightTime'
         ELSE 'otherTime' END AS bidTimeType,
    dateTime, extra, count_char(extra, 'c') AS c_counts
  FROM bid WHERE 0.908 * price > 1000000 AND 0.908 * price < 50000000;""",
}
REFERENCE = {
    "q6": """SELECT id, seller, CAST(trunc(avg(price) OVER (PARTITION BY seller ORDER BY dateTime, id ROWS BETWEEN 10 PRECEDING AND CURRENT ROW)) AS BIGINT) AS avg_price
        FROM (SELECT a.id, a.seller, b.price, b.dateTime FROM auction a JOIN bid b ON a.id = b.auction AND b.dateTime BETWEEN a.dateTime AND a.expires
              QUALIFY row_number() OVER (PARTITION BY a.id, a.seller ORDER BY b.price DESC) = 1) q""",
    "q14": """SELECT auction, bidder, CAST(price AS DECIMAL(22, 3)) * 908 / 1000 AS price,
        CASE WHEN hour BETWEEN 8 AND 18 THEN 'dayTime' WHEN hour <= 6 OR hour >= 20 THEN 'nightTime' ELSE 'otherTime' END, dateTime, extra,
        length(extra) - length(replace(extra, 'c', ''))
        FROM (SELECT *, (dateTime // 3600000) % 24 AS hour FROM bid) WHERE price * 908 > 1000000000 AND price * 908 < 50000000000""",
}


def events(chance):
    """Rows of each source, in the order in which they come, each bid at a price of its own."""
    rows = {"auction": [], "bid": []}
    prices = chance.sample(range(900_000, 60_000_000), 400)
    now = 1_436_918_400_000
    for number in range(220):
        now += chance.randrange(0, 1_500_000)
        at = now - chance.choice((0, 0, 0, 1_000, 90_000))
        if number % 6 == 0:
            rows["auction"].append(
                {"id": 1000 + len(rows["auction"]), "itemName": f"item{number}", "description": "as new", "initialBid": 1, "reserve": 2,
                 "dateTime": at, "expires": at + chance.randrange(60_000_000), "seller": chance.randrange(3), "category": 10, "extra": "a"})
        else:
            rows["bid"].append(
                {"auction": 1000 + chance.randrange(max(0, len(rows["auction"]) - 8), len(rows["auction"]) + 1), "bidder": chance.randrange(9),
                 "price": prices.pop(), "channel": "Apple", "url": "u", "dateTime": at, "extra": "".join(chance.choice("abc") for _ in range(9))})
    return rows


def main():
    rows = events(random.Random(6))
    database = tables(rows)
    print("# Written by tests/nexmark/winners.py: q6 and q14 of Nexmark; the results are DuckDB's.")
    statements([*SOURCES.format(partitions=1).split("\n"), *QUERIES.values()])
    feed(rows, ("bid", "auction"))
    print("final q6")
    for id, seller, avg_price in database.execute(REFERENCE["q6"] + " ORDER BY 1").fetchall():
        print(f'{{"ID": {id}, "SELLER": {seller}}} | {{"AVG_PRICE": {avg_price}}}')
    print("bag q14")
    for auction, bidder, price, kind, at, extra, count in database.execute(REFERENCE["q14"]).fetchall():
        price = f"{price:.3f}"
        print(f'null | {{"AUCTION": {auction}, "BIDDER": {bidder}, "PRICE": {price}, "BIDTIMETYPE": "{kind}", "DATETIME": {at}, "EXTRA": "{extra}", "C_COUNTS": {count}}} | {at}')


if __name__ == "__main__":
    main()
