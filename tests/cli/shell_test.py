"""The shell at a terminal: shell_test.py MILLRACE. Python's standard library only."""
import os
import pty
import re
import select
import signal
import socket
import sys
import tempfile
import time
import unittest

MILLRACE = os.path.abspath(sys.argv.pop(1))
PROMPT = "millrace> "


class Shell:
    """A shell on a terminal of its own, started where no server is, with the server it offered."""

    def __init__(self, directory):
        self.process, self.terminal = pty.fork()
        if self.process == 0:
            os.chdir(directory)
            os.environ.update(HOME=directory, TERM="xterm", COLUMNS="100", LINES="40")
            os.execv(MILLRACE, [MILLRACE])
        self.text = ""

    def until(self, pattern, seconds=30):
        """What the terminal shows up to and with `pattern`."""
        deadline = time.monotonic() + seconds
        while not (found := re.search(pattern, self.text)):
            ready, _, _ = select.select([self.terminal], [], [], max(0, deadline - time.monotonic()))
            try:
                data = os.read(self.terminal, 65536) if ready else b""
            except OSError:
                data = b""
            if not data:
                raise AssertionError(f"{pattern!r} was not shown: {self.text!r}")
            self.text += data.decode(errors="replace")
        shown, self.text = self.text[:found.end()], self.text[found.end():]
        return shown

    def type(self, text):
        os.write(self.terminal, text.encode())

    def run(self, statement, pattern):
        self.type(statement + "\r")
        self.until(re.escape(statement[-10:]))  # the echo
        shown = self.until(pattern)
        return shown + self.until(PROMPT)

    def end(self):
        os.kill(self.process, signal.SIGHUP)
        os.waitpid(self.process, 0)
        os.close(self.terminal)


class ShellTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.directory = tempfile.TemporaryDirectory(prefix="millrace-shell-")
        cls.shell = Shell(cls.directory.name)
        cls.shell.until(r"Start one here, .*\? \[Y/n\] ")
        cls.shell.type("y\r")
        cls.server = int(re.search(r"process (\d+)", cls.shell.until(r"process \d+")).group(1))
        cls.shell.until(PROMPT)
        cls.shell.run("CREATE STREAM clicks (name STRING KEY, ms INT) WITH (kafka_topic='clicks', partitions=1, format='JSON');",
                      "Stream created")
        cls.shell.run("CREATE TABLE sums AS SELECT name, SUM(ms) AS total FROM clicks GROUP BY name;", "Created query")

    @classmethod
    def tearDownClass(cls):
        cls.shell.end()
        os.kill(cls.server, signal.SIGTERM)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                os.kill(cls.server, 0)
            except ProcessLookupError:
                break
            time.sleep(0.05)
        cls.directory.cleanup()

    def test_a_push_query_ends_by_ctrl_c_and_the_shell_stays(self):
        for value in (1, 2):  # of the second the terminal is idle longer than the first
            self.shell.run(f"INSERT INTO clicks VALUES ('ann', {value});", "")
            self.shell.type("SELECT * FROM sums EMIT CHANGES;\r")
            self.shell.until(r"\|ann ")
            time.sleep(0.3 * value)
            self.shell.type("\x03")
            shown = self.shell.until(PROMPT)
            self.assertIn("Query terminated", shown)
            self.assertNotIn("nterrupted", shown)
        self.shell.run("SELECT total FROM sums WHERE name = 'ann';", r"\| +3\|")

    def test_an_error_shows_where_and_what_else(self):
        shown = self.shell.run("SELECT nme FROM clicks;", "error")
        self.assertRegex(shown, r"1:8(.|\n)*\^\^\^(.|\n)*did you mean NAME\?")

    def test_names_are_completed(self):
        self.shell.type("DESCRIBE sum\t")
        self.shell.until("SUMS ")
        self.shell.type(";\r")
        self.shell.until("TOTAL")
        self.shell.until(PROMPT)

    def test_a_statement_of_several_lines(self):
        self.shell.type("SHOW\r")
        self.shell.until("> ")
        self.shell.type("STREAMS;\r")
        self.shell.until("CLICKS")
        self.shell.until(PROMPT)


if __name__ == "__main__":
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", 8088)) == 0:
            print("a server listens at the shell's default address already: nothing is tested")
            sys.exit(77)
    unittest.main()
