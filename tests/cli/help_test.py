"""The help of every command: help_test.py MILLRACE. Python's standard library only."""
import re
import subprocess
import sys

MILLRACE = sys.argv[1]


def help_of(*command):
    done = subprocess.run([MILLRACE, *command, "--help"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and not done.stderr, (command, done)
    return done.stdout


commands = set(re.findall(r"^  millrace \[?([a-z]+)", help_of(), re.MULTILINE))
assert {"shell", "server", "password", "bench"} <= commands, commands
for command in sorted(commands):
    text = help_of(command)
    assert text.startswith("usage: millrace"), (command, text)
    before, examples = text.split("\nexamples:\n")
    lines = examples.splitlines()
    assert lines and all(re.match(r"  (.* \| )?millrace\b", line) for line in lines), (command, examples)
    assert command in ("shell", "restore") or any(f"millrace {command}" in line for line in lines), (command, examples)
