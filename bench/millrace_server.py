"""A millrace server of its own for measuring: starts it, talks HTTP to it, ends it."""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Server:
    def __init__(self, binary, kafka=None, directory=None, options=()):
        self.binary, self.kafka, self.options = binary, kafka, list(options)
        self.own_directory = directory is None
        self.directory = directory or tempfile.mkdtemp(prefix="millrace-bench-")
        self.service = os.path.basename(self.directory) + "_"  # on one broker another server is another service
        self.port = free_port()
        self.process = None

    def start(self, wait=120):
        """Seconds from exec to the first good answer of /info."""
        command = [self.binary, "server", "--data", self.directory, "--listen", "127.0.0.1:%d" % self.port,
                   "--log-level", "warn", "--set", "ksql.service.id=" + self.service] + self.options
        if self.kafka:
            command += ["--kafka", self.kafka]
        began = time.monotonic()
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while True:
            try:
                info = json.loads(self.request("GET", "/info", None, timeout=wait))
                if info["KsqlServerInfo"]["serverStatus"] == "RUNNING":
                    return time.monotonic() - began
            except (OSError, http.client.HTTPException, KeyError):
                pass
            if self.process.poll() is not None or time.monotonic() - began > wait:
                raise SystemExit("the server did not start")
            time.sleep(0.001)

    def connection(self, timeout=600):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        connection.connect()
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def request(self, method, path, body, timeout=600, connection=None):
        c = connection or self.connection(timeout)
        c.request(method, path, body)
        answer = c.getresponse()
        data = answer.read()
        if not connection:
            c.close()
        if answer.status != 200:
            raise SystemExit("%s %s: %d %s" % (method, path, answer.status, data.decode()))
        return data

    def sql(self, text, connection=None):
        body = json.dumps({"ksql": text, "streamsProperties": {"auto.offset.reset": "earliest"}})
        return json.loads(self.request("POST", "/ksql", body, connection=connection))

    def rows(self, query, connection=None):
        body = json.dumps({"sql": query})
        lines = self.request("POST", "/query-stream", body, connection=connection).decode().splitlines()
        return [json.loads(line) for line in lines[1:]]

    def insert(self, target, rows, connection=None):
        body = json.dumps({"target": target}) + "\n" + "\n".join(rows) + "\n"
        acks = self.request("POST", "/inserts-stream", body, connection=connection)
        if b"error" in acks:
            raise SystemExit("insert: " + acks.decode()[-500:])

    def load_counts(self, keys, partitions=4):
        """A table `counts` of KEYS rows: id BIGINT, COUNT(*), the newest text."""
        self.sql("CREATE STREAM events (id BIGINT KEY, v STRING) WITH (kafka_topic='%sevents', partitions=%d, "
                 "key_format='KAFKA', value_format='JSON');"
                 "CREATE TABLE counts WITH (kafka_topic='%scounts') AS SELECT id, COUNT(*) AS n, LATEST_BY_OFFSET(v) AS v "
                 "FROM events GROUP BY id EMIT CHANGES;" % (self.service, partitions, self.service))
        connection, step = self.connection(), 50000
        for first in range(0, keys, step):
            rows = ['{"id":%d,"v":"value %d"}' % (i, i) for i in range(first, min(first + step, keys))]
            self.insert("events", rows, connection)

    def status(self, field):
        """A line of /proc/PID/status in bytes."""
        with open("/proc/%d/status" % self.process.pid) as lines:
            for line in lines:
                if line.startswith(field + ":"):
                    return int(line.split()[1]) * 1024
        raise KeyError(field)

    def working_seconds(self):
        """CPU seconds of the threads with a name of their own: without those that take requests in."""
        total, process = 0, "/proc/%d/" % self.process.pid
        with open(process + "comm") as comm:
            unnamed = comm.read()
        for task in os.listdir(process + "task"):
            with open(process + "task/%s/comm" % task) as comm, open(process + "task/%s/schedstat" % task) as stat:
                if comm.read() != unnamed:
                    total += int(stat.read().split()[0])
        return total / 1e9

    def cpu_seconds(self):
        with open("/proc/%d/stat" % self.process.pid) as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def wait_for(self, query, expected, seconds=600):
        """Until a pull query gives `expected` rows; nothing is compared but the rows."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if self.rows(query) == expected:
                return
            time.sleep(0.1)
        raise SystemExit("%s gave %s, not %s" % (query, self.rows(query), expected))

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()
        if self.own_directory:
            shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()
