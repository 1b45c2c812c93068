"""docs/operations.md explains every metric that a server with a query shows, and no other; the dashboard beside it draws
no other either: metrics.py MILLRACE PAGE"""
import pathlib
import re
import subprocess
import sys
import tempfile
import urllib.request

SCRIPT = """CREATE STREAM s (k STRING KEY, v INT) WITH (kafka_topic='s', value_format='JSON', partitions=1);
CREATE TABLE t AS SELECT k, COUNT(*) AS n FROM s GROUP BY k;"""


def shown(millrace):
    with tempfile.TemporaryDirectory() as data:
        command = [millrace, "server", "--data", data, "--listen", "127.0.0.1:0", "--log-level", "error"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            try:
                url = re.search(r"http://\S+", server.stdout.readline())[0]
                subprocess.run([millrace, "-e", SCRIPT, url], check=True, capture_output=True, timeout=60)
                text = urllib.request.urlopen(f"{url}/metrics", timeout=30).read().decode()
            finally:
                server.terminate()
    return set(re.findall(r"^# TYPE (millrace_\w+) ", text, re.M))


def main():
    there = shown(sys.argv[1])
    explained = set(re.findall(r"`(millrace_\w+)`", pathlib.Path(sys.argv[2]).read_text()))
    for name in sorted(there - explained):
        print(f"{sys.argv[2]} does not explain {name}")
    for name in sorted(explained - there):
        print(f"{sys.argv[2]} explains {name}, which is not shown")
    drawn = set(re.findall(r"\bmillrace_\w+", pathlib.Path(sys.argv[2]).with_name("grafana.json").read_text()))
    for name in sorted(drawn - there):
        print(f"grafana.json draws {name}, which is not shown")
    return 1 if there != explained or not there or not drawn or drawn - there else 0


sys.exit(main())
