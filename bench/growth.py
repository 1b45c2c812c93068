#!/usr/bin/env python3
"""What further queries over one topic cost.

  bench/growth.py [--binary build/millrace] [--kafka HOST:PORT] [--queries 1,10,50] [--events 200000] [--partitions 4]

Filter queries that let a hundredth of the rows pass, so many as --queries says. Three ways for them to read EVENTS rows:
`live`: the queries are there, then the rows are inserted (less what inserting costs without a query); `together`: the
rows are there, the queries come in one request and read from the start; `apart`: likewise, in one request each;
`grouped`: as `together`, but tables of one GROUP BY with conditions of their own on the groups, which share how rows
come to their groups. CPU seconds of the server's workers and its log (not of the threads that take requests in) per million rows of the topic,
the ratio to one query, and how often each row was decoded.
"""

import argparse
import os
import re
import time

from millrace_server import Server

HERE = os.path.dirname(os.path.abspath(__file__))
STEP = 20000
SOURCE = ("CREATE STREAM bids (auction BIGINT KEY, bidder BIGINT, price BIGINT, channel STRING) "
          "WITH (kafka_topic='%sbids', partitions=%d, key_format='KAFKA', value_format='JSON');")
QUERY = "CREATE STREAM big%d WITH (kafka_topic='%sbig%d') AS SELECT auction, bidder, price FROM bids WHERE price %% 100 = %d;"
TABLE = ("CREATE TABLE by%d WITH (kafka_topic='%sby%d') AS SELECT bidder, COUNT(*) AS n, MAX(price) AS top FROM bids "
         "GROUP BY bidder HAVING COUNT(*) > %d;")


class Run:
    def __init__(self, options):
        self.options = options
        self.server = Server(options.binary, options.kafka)

    def __enter__(self):
        self.server.start()
        self.server.sql(SOURCE % (self.server.service, self.options.partitions))
        return self

    def __exit__(self, *_):
        self.server.stop()

    def insert(self):
        connection = self.server.connection()
        for first in range(0, self.options.events, STEP):
            last = min(first + STEP, self.options.events)
            self.server.insert("bids", ['{"auction":%d,"bidder":%d,"price":%d,"channel":"channel %d"}' % (
                i * 7919 % 100003, i % 997, i, i % 10) for i in range(first, last)], connection)

    def create(self, count, way):
        texts = [(TABLE if way == "grouped" else QUERY) % (i, self.server.service, i, i % 100) for i in range(count)]
        for text in texts if way == "apart" else ["".join(texts)]:
            self.server.sql(text)

    def metric(self, name):
        found = re.findall(r"^millrace_%s(?:\{[^}]*\})? (\S+)$" % name,
                           self.server.request("GET", "/metrics", None).decode(), re.M)
        return sum(float(value) for value in found)

    def settle(self, count):
        end = time.monotonic() + 600
        while self.metric("query_rows_in_total") < count * self.options.events or self.metric("query_lag_records") != 0:
            if time.monotonic() > end:
                raise SystemExit("the queries do not catch up")
            time.sleep(0.2)

    def measure(self, way, count):
        """CPU seconds and rows decoded."""
        if way != "live":
            self.insert()
            time.sleep(1)
        else:
            self.create(count, way)
        before = self.server.working_seconds()
        if way == "live":
            self.insert()
        else:
            self.create(count, way)
        self.settle(count)
        return self.server.working_seconds() - before, self.metric("rows_decoded_total")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=HERE + "/../build/millrace")
    parser.add_argument("--kafka")
    parser.add_argument("--queries", type=lambda text: [int(n) for n in text.split(",")], default=[1, 10, 50])
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--ways", type=lambda text: text.split(","), default=["live", "together", "apart", "grouped"])
    options = parser.parse_args()
    for way in options.ways:
        inserting = 0.0
        if way == "live":
            with Run(options) as run:
                inserting = run.measure(way, 0)[0]
        first = None
        for count in options.queries:
            with Run(options) as run:
                seconds, decoded = run.measure(way, count)
            cost = (seconds - inserting) * 1e6 / options.events
            first = first or cost
            print("%-8s %3d queries: %6.2f CPU s per million rows, %.1f times one; each row decoded %.2f times" % (
                way, count, cost, cost / first, decoded / options.events), flush=True)


if __name__ == "__main__":
    main()
