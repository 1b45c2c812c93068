#!/usr/bin/env python3
"""The server against its own description: schemathesis (PyPI) sends what /openapi.json allows and some of what it does not, and
compares statuses, media types and bodies of the answers with it: openapi_test.py MILLRACE SCHEMATHESIS. Skips (77) without the
program, which `./mill test` installs."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from wire import Server  # noqa: E402

MILLRACE, SCHEMATHESIS = sys.argv[1:]
if not os.access(SCHEMATHESIS, os.X_OK):
    print(f"SKIPPED: {SCHEMATHESIS} is not there; ./mill test installs it, with a network")
    sys.exit(77)
server = Server(MILLRACE)
try:
    server.ksql("CREATE STREAM s (k STRING KEY, v INT) WITH (kafka_topic='s', value_format='JSON', partitions=1);")
    url = f"http://127.0.0.1:{server.port}"
    # What ends the server's work, what is no plain request, and what has a media type of its own are tested elsewhere.
    apart = [part for path in ("/ksql/terminate", "/ws/query", "/inserts-stream") for part in ("--exclude-path", path)]
    command = [SCHEMATHESIS, "run", url + "/openapi.json", "--url", url, *apart, "--phases", "examples,coverage,fuzzing",
               "--max-examples", "10", "--seed", "1", "--request-timeout", "20", "--no-color",
               "--checks", "status_code_conformance,content_type_conformance,response_schema_conformance"]
    done = subprocess.run(command, cwd=server.directory, timeout=280)
    alive = server.process.poll() is None and server.ksql("SHOW STREAMS;").status == 200
    broken = [line for line in server.log().splitlines() if " error " in line]
    print(*broken[:10], sep="\n")
    sys.exit(done.returncode or not alive or bool(broken))
finally:
    server.close()
