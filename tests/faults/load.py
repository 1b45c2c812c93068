"""Events at a steady rate for tests on Kafka, what queries over them must end with, and when results of each key came out."""
import json
import re
import subprocess
import threading
import time

from server import BROKER, BROKER_SH
from topics import produce

KEYS, GROUPS, RANKS = 200, 50, 10
WINDOW, GAP, FIRST_TIME = 10_000, 300, 1_000_000
QUICK = ["-X", "reconnect.backoff.max.ms=200", "-X", "topic.metadata.refresh.fast.interval.ms=100"]

# A join with a table, windows behind a repartition, sessions, and what says of itself whether it is whole: n is 1, 2, 3 ... of
# each key. Rows are out of order by up to 100 ms, and none is late.
STATEMENTS = f"""
CREATE STREAM ev (k STRING KEY, id BIGINT, g STRING, v BIGINT, n BIGINT, ts BIGINT) WITH (kafka_topic = '$ev', value_format = 'JSON',
  partitions = 6, replicas = {{replicas}}, timestamp = 'ts');
CREATE TABLE users (k STRING PRIMARY KEY, r INT, ts BIGINT) WITH (kafka_topic = '$users', value_format = 'JSON', partitions = 6,
  replicas = {{replicas}}, timestamp = 'ts');
CREATE TABLE counts WITH (kafka_topic = '$counts', replicas = {{replicas}}) AS
  SELECT k, COUNT(*) AS c, MAX(n) AS n FROM ev GROUP BY k;
CREATE STREAM j WITH (kafka_topic = '$j', replicas = {{replicas}}) AS
  SELECT e.k AS k, id, r FROM ev e JOIN users u ON e.k = u.k WHERE r = 0;
CREATE TABLE w WITH (kafka_topic = '$w', replicas = {{replicas}}) AS SELECT g, COUNT(*) AS c, SUM(v) AS s FROM ev
  WINDOW TUMBLING (SIZE {WINDOW} MILLISECONDS, RETENTION 100 DAYS, GRACE PERIOD 90 DAYS) GROUP BY g;
CREATE TABLE se WITH (kafka_topic = '$se', replicas = {{replicas}}) AS SELECT k, COUNT(*) AS c, SUM(v) AS s FROM ev
  WINDOW SESSION ({GAP} MILLISECONDS, RETENTION 100 DAYS, GRACE PERIOD 90 DAYS) GROUP BY k;
"""


def statements(name, replicas):
    return STATEMENTS.replace("$", name).format(replicas=replicas)


def rank(key):
    return int(key[1:]) % RANKS


def is_steady(key):
    """A row of it comes all the time; of the others in every other second only, which ends their sessions."""
    return int(key[1:]) < KEYS // 2


class Load:
    """Sends events through one producer, whose records the broker has once each and in order, and reckons what they make."""

    def __init__(self, topic, rate):
        self.topic, self.rate, self.sent, self.stopping = topic, rate, 0, threading.Event()
        self.numbers, self.windows, self.sessions = {}, {}, {}  # what counts, w and se must be in the end; open sessions are in `open`
        self.open = {}
        # Not kcat: librdkafka takes a whole core for as long as the answer to an idempotent request is out.
        properties = {"delivery.timeout.ms": 120_000, "retry.backoff.ms": 20, "retry.backoff.max.ms": 200,
                      "reconnect.backoff.max.ms": 200}
        self.producer = subprocess.Popen(
            [BROKER_SH, "run", "kafka.tools.ConsoleProducer", "--bootstrap-server", BROKER, "--topic", topic, "--timeout", "20",
             "--message-send-max-retries", "1000000", "--request-timeout-ms", "10000", "--property", "parse.key=true",
             *(f"--producer-property={name}={value}" for name, value in properties.items())],
            stdin=subprocess.PIPE, text=True, bufsize=1 << 16)
        self.thread = threading.Thread(target=self.run)

    def run(self):
        began = time.monotonic()
        while not self.stopping.is_set():
            due = int((time.monotonic() - began) * self.rate) - self.sent
            if due > self.rate:  # it could not keep up
                began += (due - self.rate) / self.rate
                due = self.rate
            self.producer.stdin.write("".join(map(self.event, range(self.sent, self.sent + due))))
            self.producer.stdin.flush()
            self.sent += due
            self.stopping.wait(0.02)

    def time_of(self, i):
        return FIRST_TIME + i * 1000 // self.rate

    def key_of(self, i):
        half = KEYS // 2
        return i // 2 % half if i % 2 else half + 2 * (i // 2 % (half // 2)) + self.time_of(i) // 1000 % 2

    def event(self, i):
        time_now = self.time_of(i)
        key = self.key_of(i)
        ts, group, value = time_now - i * 31 % 100, i * 7919 % 104_729 % GROUPS, i % 1000
        number = self.numbers[key] = self.numbers.get(key, 0) + 1
        window = (group, ts // WINDOW * WINDOW)
        count, total = self.windows.get(window, (0, 0))
        self.windows[window] = (count + 1, total + value)
        first, last, count, total = self.open.get(key, (ts, ts, 0, 0))
        if ts - last > GAP:
            self.sessions[key, first, last] = (count, total)
            first, last, count, total = ts, ts, 0, 0
        self.open[key] = (min(first, ts), max(last, ts), count + 1, total + value)
        return f'k{key}\t{{"id":{i},"g":"g{group}","v":{value},"n":{number},"ts":{ts}}}\n'

    def stop(self):
        """Returns when the broker has all of them."""
        self.stopping.set()
        if self.thread.is_alive():
            self.thread.join()
        if not self.producer.stdin.closed:
            self.producer.stdin.close()
        return self.producer.wait(120)

    def joined(self):
        """Ids of the rows that the join lets through."""
        return {i for i in range(self.sent) if self.key_of(i) % RANKS == 0}

    def final_windows(self):
        return {(f"g{group}", start): result for (group, start), result in self.windows.items()}

    def final_sessions(self):
        every = dict(self.sessions)
        every.update({(key, first, last): (count, total) for key, (first, last, count, total) in self.open.items()})
        return {(f"k{key}", first, last): result for (key, first, last), result in every.items()}


class Watch:
    """How long nothing came of each key in topics of results, as a reader of committed records sees it."""

    NOTED = 0.3

    def __init__(self, *topics):
        self.lock, self.last, self.gaps = threading.Lock(), {}, []
        # By lines: kcat's own -u makes a system call of each piece of a row, and takes most of a core at this rate.
        self.readers = [subprocess.Popen(
            ["stdbuf", "-oL", "kcat", "-C", "-q", "-b", BROKER, "-t", topic, "-o", "end", "-X", "isolation.level=read_committed",
             "-X", "fetch.wait.max.ms=100", *QUICK, "-f", "%K %k\\n"], stdout=subprocess.PIPE) for topic in topics]
        self.threads = [threading.Thread(target=self.read, args=(topic, reader.stdout))
                        for topic, reader in zip(topics, self.readers)]
        for thread in self.threads:
            thread.start()

    def read(self, topic, stream):
        while line := stream.readline():
            size, row = line.split(b" ", 1)
            # The bounds of its window, which stand behind the text of a key, may hold ends of lines.
            while len(row) <= int(size) and (more := stream.readline()):
                row += more
            key = re.match(rb"[a-z][0-9]+", row.split(b"\0")[0]).group().decode()
            if key.startswith("g") or is_steady(key):
                now = time.monotonic()
                with self.lock:
                    gap = now - self.last.get((topic, key), now)
                    self.last[topic, key] = now
                    if gap > self.NOTED:
                        self.gaps.append((now, gap, topic, key))

    def longest(self, since):
        """The longest time from then on, of each topic; that is still going on included."""
        now = time.monotonic()
        found = {}
        with self.lock:
            going_on = [(now, now - last, topic, key) for (topic, key), last in self.last.items()]
            for end, gap, topic, _ in self.gaps + going_on:
                if end >= since:
                    found[topic] = max(found.get(topic, 0.0), min(gap, end - since))
        return found

    def quietest(self):
        """How long nothing has come now, of the key of which that is longest."""
        with self.lock:
            return time.monotonic() - min(self.last.values())

    def close(self):
        for reader in self.readers:
            reader.terminate()
            reader.wait()
        for reader, thread in zip(self.readers, self.threads):
            thread.join()
            reader.stdout.close()


def rows_sent(topic, partitions=6):
    """How many records the broker has of it, which no transaction wrote."""
    out = subprocess.run(["kcat", "-Q", "-b", BROKER, *(f"-t{topic}:{p}:-1" for p in range(partitions))],
                         capture_output=True, check=True, timeout=60, text=True).stdout
    return sum(int(offset) for offset in re.findall(r"offset (\d+)", out))


def produce_users(topic):
    produce(topic, (f"k{i}\t" + json.dumps({"r": rank(f"k{i}"), "ts": 1}) for i in range(KEYS)))
