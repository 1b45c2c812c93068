"""What a server and the shell say: messages_test.py MILLRACE. Each block of messages.txt goes to the shell as a script; the
lines behind it that begin with `>` must be in what is printed, line by line."""
import os
import re
import subprocess
import sys
import unittest

FOLDER = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(FOLDER, "..", "http"))
from wire import Server  # noqa: E402

MILLRACE = os.path.abspath(sys.argv.pop(1))


def blocks():
    """(line, script, expected texts)"""
    script, expected, begin = [], [], 0
    with open(os.path.join(FOLDER, "messages.txt")) as file:
        for number, line in enumerate(file.read().splitlines() + [""], 1):
            if line.startswith("# "):
                continue
            if line.startswith("> "):
                expected.append(line[2:].replace("\\n", "\n"))
            elif line:
                begin = begin if script else number
                script.append(line)
            elif script:
                yield begin, "\n".join(script), expected
                script, expected = [], []


def without_padding(text):
    return re.sub(r"[ \t]+", " ", text)


class Messages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server(MILLRACE, "--set", "millrace.dialect=ksql", "--set", "ksql.assert.topic.default.timeout.ms=10",
                            "--set", "ksql.assert.schema.default.timeout.ms=10")

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def test_each_is_printed(self):
        found = 0
        for line, script, expected in blocks():
            self.assertTrue(expected, f"messages.txt:{line}: nothing is expected")
            done = subprocess.run([MILLRACE, "shell", "-f", "-", f"http://127.0.0.1:{self.server.port}"], input=script,
                                  cwd=self.server.directory, capture_output=True, text=True, timeout=60)
            printed = without_padding(done.stdout + done.stderr)
            for text in expected:
                found += 1
                with self.subTest(line=line):
                    self.assertIn(without_padding(text), printed, f"messages.txt:{line}")
        self.assertGreater(found, 80)


if __name__ == "__main__":
    unittest.main()
