"""Three queries over one stream of events: a windowed aggregation, a repartitioned one, a stream-table join. How to feed
them and read their results on each log."""
import http.client
import json
import struct
import time
from collections import Counter

from model import GRACE, PARTITIONS, WINDOW, Expected, differences, user_name
from server import BROKER, Refused, Server, eventually
from topics import fold, produce, read_committed

KEYS, GROUPS = 500, 200
REPLICAS = min(3, BROKER.count(",") + 1)

STATEMENTS = f"""
SET 'auto.offset.reset' = 'earliest';
CREATE STREAM ev (k STRING KEY, id BIGINT, g STRING, v BIGINT, ts BIGINT)
  WITH (kafka_topic = 'ev', value_format = 'JSON', partitions = {PARTITIONS}, replicas = {REPLICAS}, timestamp = 'ts');
CREATE TABLE users (k STRING PRIMARY KEY, name STRING, ts BIGINT)
  WITH (kafka_topic = 'users', value_format = 'JSON', partitions = {PARTITIONS}, replicas = {REPLICAS}, timestamp = 'ts');
CREATE TABLE w WITH (kafka_topic = 'w', replicas = {REPLICAS}) AS SELECT k, COUNT(*) AS c, SUM(v) AS s FROM ev
  WINDOW TUMBLING (SIZE {WINDOW} MILLISECONDS, RETENTION 100 DAYS, GRACE PERIOD {GRACE} MILLISECONDS) GROUP BY k;
CREATE TABLE r WITH (kafka_topic = 'r', replicas = {REPLICAS}) AS SELECT g, COUNT(*) AS c, SUM(v) AS s FROM ev GROUP BY g;
CREATE STREAM j WITH (kafka_topic = 'j', replicas = {REPLICAS}) AS
  SELECT ev.k AS k, ev.id AS id, ev.v AS v, u.name AS name FROM ev LEFT JOIN users u ON ev.k = u.k;
"""
RAW = f"""
CREATE STREAM w_raw (k STRING KEY, c BIGINT, s BIGINT)
  WITH (kafka_topic = 'w', value_format = 'JSON', window_type = 'TUMBLING', window_size = '{WINDOW} MILLISECONDS');
CREATE STREAM r_raw (g STRING KEY, c BIGINT, s BIGINT) WITH (kafka_topic = 'r', value_format = 'JSON');
"""


def make_events(rng, count, first=0):
    """Mostly in order of time; one in forty may be too late for its window."""
    events = []
    for i in range(first, first + count):
        late = rng.randrange(60_000) if i % 40 == 0 else rng.randrange(200)
        events.append({"k": f"k{rng.randrange(KEYS)}", "id": i, "g": f"g{rng.randrange(GROUPS)}",
                       "v": rng.randrange(1000), "ts": 1_000_000 + i * 3 - late})
    return events


class Scenario:
    """What both logs have in common. `server` is a Server on the log."""

    def __init__(self, settings=None):
        self.server = Server(self.kafka, settings)
        self.began = time.monotonic()

    def note(self, text):
        print(f"{time.monotonic() - self.began:6.1f} s {text}", flush=True)

    def declare(self):
        self.server.sql(STATEMENTS)
        self.feed_users([{"k": f"k{i}", "name": user_name(f"k{i}"), "ts": i} for i in range(KEYS)])

    def check(self, events, seconds=60):
        """Waits until the results are those of the `events` sent; what differs in the end, in words, or None."""
        rows = self.read_input()
        if {row[1] for row in rows} != set(range(events)):
            return "an acknowledged event is not in the input"
        expected = Expected(rows)
        self.note(f"{len(rows)} events in the input, {expected.late} of them late for their window")
        eventually(lambda: self.server.metric("query_lag_records") == 0, seconds, "the queries catch up", 0.2)
        deadline = time.monotonic() + seconds
        while True:
            if self.server.process.poll() is not None:
                return f"the server ended with {self.server.process.returncode}"
            problem = self.compare(expected)
            if problem is None or time.monotonic() > deadline:
                return problem
            time.sleep(0.5)

    def compare(self, expected):
        joined = self.read_joined()
        if joined != expected.joined:
            lost, more = expected.joined - joined, joined - expected.joined
            return (f"join: {sum(lost.values())} lost {list(lost.items())[:5]}, "
                    f"{sum(more.values())} too many {list(more.items())[:5]}")
        try:
            pulled = {(k, start): (c, s) for k, start, c, s in self.server.rows("SELECT k, windowstart, c, s FROM w;")}
            groups = {g: (c, s) for g, c, s in self.server.rows("SELECT g, c, s FROM r;")}
        except Refused as error:
            return str(error)
        return (differences("windowed, topic", self.read_windows(), expected.windows)
                or differences("windowed, pull query", pulled, expected.windows)
                or differences("repartitioned, topic", self.read_groups(), expected.groups)
                or differences("repartitioned, pull query", groups, expected.groups))


class Embedded(Scenario):
    kafka, chunk, raw_made = "", 2000, False

    def feed_users(self, rows):
        self.server.insert("users", rows)

    def send(self, events):
        """A batch whose acknowledgement was lost is sent again: the input topic then has some of it twice."""
        eventually(lambda: self.server.insert("ev", events, 20) == len(events), 60, "the server takes events", 0.02)

    def send_to_nobody(self, events):
        """Without the queries seeing it before `go_on`. The server is stopped."""
        self.server.start().sql("PAUSE ALL;")
        self.send(events)
        if self.server.stop() != 0:
            raise AssertionError(self.server.log()[-2000:])

    def go_on(self):
        """The queries see what was sent to nobody. A server that dies of it is all right."""
        while self.server.process.poll() is None:
            try:
                return self.server.sql("RESUME ALL;")
            except (OSError, http.client.HTTPException):
                pass
            except Refused as error:
                if error.status != 503:
                    raise
            time.sleep(0.02)

    def read_input(self):
        return [tuple(row) for row in self.server.rows("SELECT k, id, g, v, ts FROM ev;")]

    def read_joined(self):
        return Counter(map(tuple, self.server.rows("SELECT id, v, name FROM j;")))

    def read_windows(self):
        self.make_raw()
        rows = self.server.rows("SELECT k, windowstart, c, s FROM w_raw;")
        return {(k, start): (c, s) for k, start, c, s in rows}

    def read_groups(self):
        self.make_raw()
        return {g: (c, s) for g, c, s in self.server.rows("SELECT g, c, s FROM r_raw;")}

    def make_raw(self):
        if not self.raw_made:
            self.server.sql(RAW)
            self.raw_made = True


class Kafka(Scenario):
    kafka, chunk = BROKER, 6000

    def feed_users(self, rows):
        produce("users", (row["k"] + "\t" + json.dumps({name: row[name] for name in ("name", "ts")}) for row in rows))

    def send(self, events):
        produce("ev", (event["k"] + "\t" + json.dumps({name: event[name] for name in ("id", "g", "v", "ts")})
                       for event in events))

    def send_to_nobody(self, events):
        self.send(events)

    def go_on(self):
        pass

    def read_input(self):
        rows = []
        for _, _, key, value in read_committed("ev"):
            event = json.loads(value)
            rows.append((key.decode(), event["id"], event["g"], event["v"], event["ts"]))
        return rows

    def read_joined(self):
        events = (json.loads(value) for _, _, _, value in read_committed("j"))
        return Counter((event["ID"], event["V"], event["NAME"]) for event in events)

    def read_windows(self):
        windows = {}
        for key, value in fold(read_committed("w")).items():
            result = json.loads(value)
            windows[key[:-8].decode(), struct.unpack(">q", key[-8:])[0]] = (result["C"], result["S"])
        return windows

    def read_groups(self):
        groups = {}
        for key, value in fold(read_committed("r")).items():
            result = json.loads(value)
            groups[key.decode()] = (result["C"], result["S"])
        return groups


def this_log(settings=None):
    """On the broker of with_broker.sh where there is one, else embedded."""
    return Kafka(settings) if BROKER else Embedded(settings)
