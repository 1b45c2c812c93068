#!/usr/bin/env python3
"""One client against a server of its own: client_test.py MILLRACE COMMAND... ; the port is appended to the command."""
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "cli", "http"))
from wire import Server  # noqa: E402

if shutil.which(sys.argv[2]) is None:
    print(f"skipped: there is no {sys.argv[2]}")
    sys.exit(77)
server = Server(sys.argv[1])
try:
    client = subprocess.run([*sys.argv[2:], str(server.port)], timeout=240, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
finally:
    server.close()
print(client.stdout)
if "ModuleNotFoundError" in client.stdout or "Cannot find module" in client.stdout:
    sys.exit(77)
sys.exit(0 if client.returncode == 0 and client.stdout.rstrip().endswith("ok") else 1)
