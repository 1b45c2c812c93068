"""Who asks servers of one service without a pause, and what they are asked for in the tests of several processes: numbers that
come to keys one after the other, so that a right row has as many of them counted as its highest says."""
import http.client
import json
import threading
import time

from topics import produce


class Numbers:
    """Sends each of `keys` keys the numbers 1, 2, 3 ..."""

    def __init__(self, topic, keys):
        self.topic, self.keys, self.sent, self.stopping = topic, keys, 0, threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.stopping.is_set():
            self.sent += 1
            produce(self.topic, (f"k{i}\t" + json.dumps({"n": self.sent}) for i in range(self.keys)))
            self.stopping.wait(0.1)

    def stop(self):
        self.stopping.set()
        self.thread.join()


class Asker(threading.Thread):
    """Asks one server over a connection that it keeps, until `over` is set. `ask`, which a test brings, asks once."""

    def __init__(self, server, over, properties=None):
        super().__init__()
        self.server, self.over, self.properties = server, over, properties or {}
        self.answers, self.refused, self.cut, self.wrong, self.pauses = 0, [], 0, [], []
        self.good, self.connection = time.monotonic(), None

    def run(self):
        while not self.over.is_set():
            try:
                self.ask()
            except (OSError, http.client.HTTPException, ValueError):
                # It is down, stands still, or its last answers were cut off.
                self.cut += 1
                self.hang_up()
                self.good = None
                time.sleep(0.02)
        self.hang_up()

    def hang_up(self):
        if self.connection:
            self.connection.close()
        self.connection = None

    def post(self, text):
        if self.connection is None:
            self.connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=3)
        self.connection.request("POST", "/query-stream", json.dumps({"sql": text, "properties": self.properties}))
        response = self.connection.getresponse()
        body = response.read()
        return response.status, [json.loads(line) for line in body.splitlines() if line.strip()]

    def rows(self, text):
        """Rows of an answer; None where it was refused for the moment, or is wrong."""
        status, lines = self.post(text)
        failed = [line for line in lines if isinstance(line, dict) and "error_code" in line]
        if status != 200 or failed:
            code = (failed or lines)[0].get("error_code")
            if code == 50305 or status == 503:
                self.refused.append(str((failed or lines)[0].get("message")))
            else:
                self.wrong.append(f"{status}: {failed or lines}")
            return None
        now = time.monotonic()
        if self.good is not None:
            self.pauses.append((now - self.good, now))
        self.good = now
        self.answers += 1
        return lines[1:]

    def longest(self, since):
        """The longest time between two answers that ended after `since`."""
        return max((pause for pause, end in self.pauses if end >= since), default=0.0)
