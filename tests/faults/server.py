"""A server under test and what tests ask of it. Python's standard library only."""
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import tempfile
import time

MILLRACE = os.environ.get("MILLRACE", "build/millrace")
BROKER = os.environ.get("MILLRACE_TEST_BROKER", "")
BROKERS = os.environ.get("MILLRACE_TEST_BROKER_DIR", "")
BROKER_SH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../kafka/broker.sh")


class Refused(Exception):
    """The server answered with an error; `answer` is the entity."""

    def __init__(self, status, answer):
        super().__init__(f"{status}: {answer.get('message', answer) if isinstance(answer, dict) else answer}")
        self.status, self.answer = status, answer


def free_port():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


def eventually(check, seconds, what, pause=0.05):
    """Waits until `check()` is true; errors of a server that is not there count as false. Returns what it gave."""
    deadline, last = time.monotonic() + seconds, None
    while time.monotonic() < deadline:
        try:
            found = check()
            if found:
                return found
            last = found
        except (OSError, http.client.HTTPException, Refused, ValueError) as error:
            last = error
        time.sleep(pause)
    raise AssertionError(f"{what}: not within {seconds} s (last: {last!r})")


def broker(verb, node=1, directory=BROKERS):
    """What broker.sh does to one of the brokers that with_broker.sh started: kill, end, restart, replace."""
    subprocess.run([BROKER_SH, verb, directory, str(node)], check=True, timeout=150)


def own_all_slots(servers):
    """Each of them has some, and together they have all."""
    owned = [server.metric("owned_slots") for server in servers]
    return sum(owned) == 64 and min(owned) > 0


class Server:
    """One `millrace server` on a data directory, which outlives its processes."""

    def __init__(self, kafka="", settings=None, data=None, options=()):
        self.work = tempfile.TemporaryDirectory(prefix="millrace-faults-")
        self.data = data or os.path.join(self.work.name, "data")
        self.log_path = os.path.join(self.work.name, "log")
        self.kafka, self.settings, self.options = kafka, dict(settings or {}), list(options)
        self.program, self.port, self.process = MILLRACE, free_port(), None

    def command(self):
        line = [self.program, "server", "--data", self.data, "--listen", f"127.0.0.1:{self.port}", *self.options]
        if self.kafka:
            line += ["--kafka", self.kafka]
        for name, value in self.settings.items():
            line += ["--set", f"{name}={value}"]
        return line

    def spawn(self, environment=None, **popen):
        """Starts a process without waiting until it is ready."""
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(self.command(), stdout=log, stderr=log,
                                            env={**os.environ, **(environment or {})}, **popen)

    def start(self, environment=None, seconds=60, **popen):
        self.spawn(environment, **popen)
        self.wait_ready(seconds)
        return self

    def wait_ready(self, seconds=60):
        def ready():
            if self.process.poll() is not None:
                raise AssertionError(f"the server ended with {self.process.returncode}:\n{self.log()[-2000:]}")
            return self.get("/info", 2)["KsqlServerInfo"]["serverStatus"] == "RUNNING"

        eventually(ready, seconds, "the server is ready", 0.02)

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
        if self.process:
            self.process.wait()

    def stop(self, seconds=30):
        """SIGTERM; its exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def log(self):
        with open(self.log_path, errors="replace") as log:
            return log.read()

    def close(self):
        self.kill()
        self.work.cleanup()

    # HTTP

    def request(self, method, path, body=None, seconds=30):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        try:
            connection.request(method, path, body)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def get(self, path, seconds=30):
        status, body = self.request("GET", path, seconds=seconds)
        if status != 200:
            raise Refused(status, body)
        return json.loads(body)

    def sql(self, text, properties=None, seconds=60):
        """Statements; their entities."""
        body = json.dumps({"ksql": text, "streamsProperties": properties or {}})
        status, answer = self.request("POST", "/ksql", body, seconds)
        answer = json.loads(answer)
        if status != 200:
            raise Refused(status, answer)
        return answer

    def rows(self, text, properties=None, seconds=120):
        """Rows of a pull query, as lists."""
        status, answer = self.request("POST", "/query-stream", json.dumps({"sql": text, "properties": properties or {}}), seconds)
        if status != 200:
            raise Refused(status, json.loads(answer))
        lines = [json.loads(line) for line in answer.splitlines() if line.strip()]
        for line in lines[1:]:
            if isinstance(line, dict):
                raise Refused(status, line)
        return lines[1:]

    def insert(self, target, rows, seconds=60):
        """Sends rows; how many were acknowledged before the first that was not."""
        body = json.dumps({"target": target}) + "\n" + "".join(json.dumps(row) + "\n" for row in rows)
        status, answer = self.request("POST", "/inserts-stream", body, seconds)
        acks = [json.loads(line) for line in answer.splitlines() if line.strip()]
        if status != 200:
            raise Refused(status, acks)
        for ack in acks:
            if ack["status"] != "ok":
                raise Refused(status, ack)
        return len(acks)

    def metric(self, name):
        """Sum of a metric over its labels."""
        status, text = self.request("GET", "/metrics")
        found = re.findall(rf"^millrace_{name}(?:\{{[^}}]*\}})? (\S+)$", text.decode(), re.M)
        if status != 200 or not found:
            raise Refused(status, f"no metric {name}")
        return sum(map(float, found))


def fields_of(error):
    """The entity of a refused request."""
    return error.answer if isinstance(error.answer, dict) else {}
