"""The help of every command: help_test.py MILLRACE. Python's standard library only."""
import subprocess
import sys

MILLRACE = sys.argv[1]
COMMANDS = ["shell", "server", "run", "test", "load", "backup", "restore", "bench"]

for command in COMMANDS:
    done = subprocess.run([MILLRACE, command, "--help"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and not done.stderr, (command, done)
    assert done.stdout.startswith("usage: millrace"), (command, done.stdout)
    assert f"\nexamples:\n  millrace" in done.stdout or "| millrace" in done.stdout, (command, done.stdout)
