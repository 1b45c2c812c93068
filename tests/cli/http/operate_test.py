#!/usr/bin/env python3
"""What operators need of a server: operate_test.py MILLRACE [unittest arguments]. Python's standard library only."""
import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from wire import Connection, Server, message, request  # noqa: E402

MILLRACE = ""
V1 = "application/vnd.ksql.v1+json"
TOKENS = {"auto.offset.reset": "earliest", "ksql.query.push.v2.continuation.tokens.enabled": "true"}


def run(server, text):
    answer = server.ksql(text)
    assert answer.status == 200, answer.body
    return answer.json()


def rows(server, sql):
    answer = request(server.port, "POST", "/query-stream", {"sql": sql})
    assert answer.status == 200, answer.body
    return [json.loads(line) for line in answer.body.splitlines()[1:]]


def wait_for(condition, seconds=20):
    deadline = time.time() + seconds
    while not condition():
        assert time.time() < deadline, "it never came true"
        time.sleep(0.02)


class Served(unittest.TestCase):
    """Cases with a server of their own."""
    options = ()

    @classmethod
    def setUpClass(cls):
        cls.server = Server(MILLRACE, *[part for option in cls.options for part in ("--set", option)])

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    def get(self, path, headers=()):
        return request(self.server.port, "GET", path, headers=headers)

    def post(self, path, body, headers=()):
        return request(self.server.port, "POST", path, body, headers)


class Tokens(Served):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        run(cls.server, "CREATE STREAM s (k INT KEY, v INT) WITH (kafka_topic='s', value_format='JSON', partitions=3);")
        for i in range(20):
            run(cls.server, f"INSERT INTO s VALUES ({i}, {i});")

    def push(self, sql, token=None, accept=None, **properties):
        body = {"sql": sql, "properties": {**TOKENS, **properties}}
        if token is not None:
            body["requestProperties"] = {"request.ksql.query.push.continuation.token": token}
        return request(self.server.port, "POST", "/query-stream", body, [("Accept", accept)] if accept else [], wait=False)

    def read(self, answer, wanted):
        """So many rows, and what of them came before the last token; the token."""
        got, sure, token = [], [], None
        while len(sure) < wanted or token is None:
            value = json.loads(answer.chunk())
            if isinstance(value, list):
                got.append(value[0])
            elif "continuationToken" in value:
                token, sure = value["continuationToken"], list(got)
        answer.connection.close()
        return sure, token

    def test_going_on_without_a_gap(self):
        seen, token = [], None
        # A gap or a row that came twice would show, wherever the query is left.
        for _ in range(100):
            if len(seen) == 30:
                break
            if len(seen) > 10 and len(seen) < 20:
                for i in range(20, 30):
                    run(self.server, f"INSERT INTO s VALUES ({i}, {i});") if i not in self.added else None
                    self.added.add(i)
            answer = self.push("SELECT v FROM s WHERE v >= 0 EMIT CHANGES;", token)
            answer.chunk()  # the header
            more, token = self.read(answer, 0 if not seen and token is None else 1)
            seen += more
        self.assertEqual(sorted(seen), list(range(30)))

    added = set()

    def test_layouts(self):
        answer = self.push("SELECT v FROM s EMIT CHANGES LIMIT 3;", accept=V1)
        text = answer.rest().body.decode()
        first = json.loads(text)[1]
        self.assertIn("topic", json.loads(base64.b64decode(first["continuationToken"]["continuationToken"])))
        answer = self.push("SELECT v FROM s EMIT CHANGES LIMIT 3;", accept="application/json").rest()
        self.assertEqual(["continuationToken"], [name for value in json.loads(answer.body)[1:2] for name in value])

    def test_only_where_asked_for(self):
        answer = self.push("SELECT v FROM s EMIT CHANGES LIMIT 3;", **{"ksql.query.push.v2.continuation.tokens.enabled": "false"})
        self.assertNotIn(b"continuationToken", answer.rest().body)

    def test_refused(self):
        _, token = self.read(self.push("SELECT v FROM s EMIT CHANGES;"), 0)
        run(self.server, "CREATE STREAM other (v INT) WITH (kafka_topic='other', value_format='JSON', partitions=1);")
        far = base64.b64encode(json.dumps({"topic": "s", "offsets": [1000]}).encode()).decode()
        for sql, given, why in (("SELECT v FROM other EMIT CHANGES;", token, "not one of this query"),
                                ("SELECT v FROM s EMIT CHANGES;", "bm9uZQ==", "not one of this query"),
                                ("SELECT v FROM s EMIT CHANGES;", far, "holds offsets"),
                                ("SELECT k, COUNT(*) FROM s GROUP BY k EMIT CHANGES;", token, "keeps state")):
            answer = self.push(sql, given)
            self.assertEqual(answer.status, 400, sql)
            self.assertIn(why, answer.json()["message"])
            answer.connection.close()


class Inspection(Served):
    options = ("access.control.allow.origin=https://console.example.org", "millrace.slow.request.ms=1", "millrace.log.format=json",
               "millrace.audit.enabled=true")

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        run(cls.server, "CREATE STREAM s (k STRING KEY, v INT) WITH (kafka_topic='s', value_format='JSON', partitions=1);")
        run(cls.server, "CREATE TABLE t AS SELECT k, COUNT(*) AS n FROM s WINDOW TUMBLING (SIZE 1 SECOND, GRACE PERIOD 0 SECONDS) "
                        "WHERE v > 0 GROUP BY k;")
        for key, value, at in (("a", 1, 1000), ("b", 0, 1500), ("a", 1, 9000), ("a", 2, 2000)):
            run(cls.server, f"INSERT INTO s (ROWTIME, k, v) VALUES ({at}, '{key}', {value});")
        cls.query = run(cls.server, "SHOW QUERIES;")[0]["queries"][0]["id"]
        wait_for(lambda: cls.analysis(cls)["rowsIn"] == 4 and cls.analysis(cls)["lag"] == 0)

    def analysis(self):
        return run(self.server, f"EXPLAIN ANALYZE {self.query};")[0]["queryDescription"]["analysis"]

    def test_explain_analyze(self):
        told = self.analysis()
        self.assertEqual((told["rowsIn"], told["lateRows"], told["lag"]), (4, 1, 0))
        steps = {step["operator"].split(".")[0]: step for step in told["operators"]}
        self.assertEqual((steps["source"]["rowsOut"], steps["filter"]["rowsIn"], steps["filter"]["rowsOut"]), (4, 4, 3))
        aggregate = next(step for name, step in steps.items() if "aggregate" in step["detail"])
        self.assertEqual((aggregate["rowsIn"], aggregate["lateRows"]), (3, 1))
        self.assertGreater(aggregate["stateBytes"], 0)
        self.assertEqual(steps["sink"]["rowsIn"], told["rowsOut"])
        self.assertAlmostEqual(sum(step["share"] for step in told["operators"]), 1)

    def test_explain_analyze_of_what_does_not_run(self):
        for text in ("EXPLAIN ANALYZE SELECT * FROM s EMIT CHANGES;", "EXPLAIN ANALYZE nothing;"):
            self.assertEqual(self.server.ksql(text).status, 400)

    def test_shell_shows_the_analysis(self):
        done = subprocess.run([MILLRACE, "shell", f"http://127.0.0.1:{self.server.port}", "-e", f"EXPLAIN ANALYZE {self.query};"],
                              capture_output=True, text=True, timeout=30)
        self.assertIn("What it did on", done.stdout)
        self.assertIn("Late rows", done.stdout)

    def test_tasks(self):
        tasks = self.get("/debug/tasks").json()["tasks"]
        self.assertEqual([(task["query"], task["partition"], task["state"], task["lag"]) for task in tasks],
                         [(self.query, 0, "COMMITTED", 0)])
        self.assertEqual(tasks[0]["inputs"], [{"topic": "s", "committedOffset": 4, "consumedOffset": 4, "fetchedOffset": 4}])

    def test_cluster_status(self):
        (host,) = self.get("/clusterStatus").json()["clusterStatus"].values()
        self.assertEqual(host["activeStandbyPerQuery"][self.query]["activePartitions"], [{"topic": "s", "partition": 0}])
        (lag,) = host["hostStoreLags"]["stateStoreLags"].values()
        self.assertEqual(lag["lagByPartition"]["0"], {"currentOffsetPosition": 4, "endOffsetPosition": 4, "offsetLag": 0})

    def test_push_queries_are_listed_and_ended(self):
        sql = "SELECT * FROM s EMIT CHANGES;"
        answer = request(self.server.port, "POST", "/query-stream", {"sql": sql}, wait=False)
        query = json.loads(answer.chunk())["queryId"]
        listed = [q for q in run(self.server, "SHOW QUERIES;")[0]["queries"] if q["queryType"] == "PUSH"]
        self.assertEqual([(q["id"], q["queryString"]) for q in listed], [(query, sql)])
        ended = run(self.server, f"TERMINATE {query};")[0]
        self.assertEqual((ended["@type"], ended["queryId"], ended["wasTerminated"]), ("terminate_query", query, True))
        self.assertEqual(answer.chunk(), b"")
        answer.connection.close()
        self.assertFalse(run(self.server, f"TERMINATE {query};")[0]["wasTerminated"])

    def test_undefine_of_nothing(self):
        self.assertEqual(run(self.server, "UNDEFINE nothing;")[0]["@type"], "warning_entity")
        self.assertEqual(run(self.server, "DEFINE something = '1'; UNDEFINE something;"), [])

    def test_log_level(self):
        self.assertEqual(self.get("/debug/log-level").json(), {"level": "info"})
        self.assertEqual(self.post("/debug/log-level", {"level": "debug"}).json(), {"level": "debug"})
        self.assertEqual(self.post("/debug/log-level", {"level": "loud"}).status, 400)
        self.assertEqual(self.post("/debug/log-level", {"level": "info"}).json(), {"level": "info"})

    def test_request_ids(self):
        self.assertEqual(self.get("/info", [("X-Request-ID", "abc-1")]).headers["x-request-id"], "abc-1")
        self.assertNotIn("x-request-id", self.get("/info").headers)
        self.assertNotIn("x-request-id", self.get("/info", [("X-Request-ID", "a" * 200)]).headers)

    def test_other_origins(self):
        good, bad = ("Origin", "https://console.example.org"), ("Origin", "https://evil.example.org")
        preflight = request(self.server.port, "OPTIONS", "/ksql", headers=[good, ("Access-Control-Request-Method", "POST")])
        self.assertEqual((preflight.status, preflight.headers["access-control-allow-origin"]), (204, good[1]))
        self.assertIn("POST", preflight.headers["access-control-allow-methods"])
        self.assertEqual(self.get("/info", [good]).headers["access-control-allow-origin"], good[1])
        self.assertEqual(self.get("/info", [good]).headers["x-content-type-options"], "nosniff")
        self.assertNotIn("access-control-allow-origin", self.get("/info", [bad]).headers)
        self.assertNotIn("access-control-allow-origin", self.get("/info").headers)
        self.assertEqual(request(self.server.port, "OPTIONS", "/ksql", headers=[bad]).status, 405)

    def test_slow_requests_and_json_lines(self):
        self.post("/ksql", {"ksql": "ASSERT TOPIC missing TIMEOUT 1 SECONDS;"}, [("X-Request-ID", "slow-1")])
        wait_for(lambda: "slow-1" in self.server.log())
        lines = [json.loads(line) for line in self.server.log().splitlines()]
        slow = next(line for line in lines if "slow-1" in line["message"])
        self.assertEqual(slow["level"], "warning")
        self.assertIn("ASSERT TOPIC missing", slow["message"])

    def test_audit(self):
        self.post("/ksql", {"ksql": "DROP STREAM nowhere;"}, [("X-Request-ID", "audited")])
        self.post("/query-stream", {"sql": "SELECT * FROM t WHERE k = 'audited';"})
        self.post("/ksql", {"ksql": "SET 'x.secret' = 'hush';"})
        wanted = "SELECT username, address, action, statement, code, request FROM millrace_audit;"
        wait_for(lambda: sum("nowhere" in str(row) or "'audited'" in str(row) for row in rows(self.server, wanted)) >= 2)
        told = rows(self.server, wanted)
        self.assertIn(["", "127.0.0.1", "STATEMENT", "DROP STREAM nowhere;", 40001, "audited"], told)
        self.assertIn(["", "127.0.0.1", "QUERY", "SELECT * FROM t WHERE k = 'audited';", 200, ""], told)
        self.assertFalse([row for row in told if "hush" in str(row)])


class Limits(Served):
    options = ("millrace.user.requests.per.second=20", "millrace.user.push.queries=2", "millrace.pull.max.rows=5")

    def test_requests_of_a_second(self):
        time.sleep(1.1)
        statuses = [self.server.ksql("SHOW STREAMS;").status for _ in range(40)]
        self.assertEqual(set(statuses), {200, 429})
        self.assertGreaterEqual(statuses.count(200), 20)
        refused = self.server.ksql("SHOW STREAMS;")
        if refused.status == 429:
            self.assertEqual((refused.json()["error_code"], refused.headers["retry-after"]), (42900, "1"))
        time.sleep(1.1)
        self.assertEqual(self.server.ksql("SHOW STREAMS;").status, 200)

    def test_push_queries_of_a_user(self):
        time.sleep(1.1)
        run(self.server, "CREATE STREAM p (v INT) WITH (kafka_topic='p', value_format='JSON', partitions=1);")
        sql = {"sql": "SELECT * FROM p EMIT CHANGES;"}
        kept = [request(self.server.port, "POST", "/query-stream", sql, wait=False) for _ in range(2)]
        self.assertEqual([one.status for one in kept], [200, 200])
        refused = self.post("/query-stream", sql)
        self.assertEqual((refused.status, refused.json()["error_code"]), (400, 40003))
        kept[0].connection.close()

        def again():
            time.sleep(0.1)
            one = request(self.server.port, "POST", "/query-stream", sql, wait=False)
            one.connection.close()
            return one.status == 200
        wait_for(again)
        kept[1].connection.close()

    def test_rows_of_a_pull_query(self):
        time.sleep(1.1)
        run(self.server, "CREATE STREAM r (k INT KEY, v INT) WITH (kafka_topic='r', value_format='JSON', partitions=1);"
                         "CREATE TABLE c AS SELECT k, COUNT(*) AS n FROM r GROUP BY k;")
        lines = "".join(json.dumps({"k": k, "v": 1}) + "\n" for k in range(8))
        self.assertEqual(self.post("/inserts-stream", '{"target":"r"}\n' + lines).status, 200)
        wait_for(lambda: time.sleep(0.2) or rows(self.server, "SELECT n FROM c WHERE k = 7;") == [[1]])
        time.sleep(1.1)
        for sql in ("SELECT * FROM c;", "SELECT * FROM r;", "SELECT * FROM c WHERE k IN (0, 1, 2, 3, 4, 5);"):
            for _ in range(2):
                answer = self.post("/query-stream", {"sql": sql})
                self.assertIn("more than 5 rows", answer.body.decode(), sql)
        self.assertEqual(len(rows(self.server, "SELECT * FROM c LIMIT 5;")), 5)

    def test_an_error_after_rows_have_gone_out(self):
        """It is told, and the answer has no end that a client could take for that of all rows."""
        time.sleep(1.1)
        run(self.server, "CREATE STREAM w (k INT KEY, v STRING) WITH (kafka_topic='w', value_format='JSON', partitions=8);"
                         "CREATE TABLE wide AS SELECT k, LATEST_BY_OFFSET(v) AS v FROM w GROUP BY k;")
        lines = "".join(json.dumps({"k": k, "v": "x" * 100_000}) + "\n" for k in range(16))
        self.assertEqual(self.post("/inserts-stream", '{"target":"w"}\n' + lines).status, 200)
        for k in range(16):
            wait_for(lambda: time.sleep(0.1) or rows(self.server, f"SELECT LEN(v) FROM wide WHERE k = {k};") == [[100_000]])
        time.sleep(1.1)
        sql = {"sql": "SELECT * FROM wide;"}
        for accept in ("application/vnd.ksqlapi.delimited.v1", "application/json", V1):
            answer = request(self.server.port, "POST", "/query-stream", sql, [("Accept", accept)], wait=False)
            self.assertEqual(answer.status, 200)
            with self.assertRaises((ValueError, OSError), msg=accept):
                answer.rest()
            self.assertIn(b"more than 5 rows", answer.body, accept)
            with self.assertRaises(ValueError):
                json.loads(answer.body)
        try:
            import http2_wire
            with http2_wire.Connection(self.server.port) as connection:
                frames = [connection.take(stream := connection.request("POST", "/query-stream", sql))]
                while frames[-1].kind != http2_wire.RST_STREAM:
                    self.assertFalse(frames[-1].flags & http2_wire.END_STREAM and frames[-1].kind != http2_wire.HEADERS)
                    frames.append(connection.take(stream))
            self.assertIn(b"more than 5 rows", b"".join(one.payload for one in frames[1:-1]))
        except ImportError:
            pass  # no python3-h2 here
        shell = subprocess.run([MILLRACE, "shell", f"http://127.0.0.1:{self.server.port}"], input=b"SELECT k FROM wide; SELECT * FROM wide;",
                               capture_output=True, timeout=60)
        self.assertEqual((shell.stdout + shell.stderr).count(b"more than 5 rows"), 2, shell.stdout[-500:] + shell.stderr)


class Headless(unittest.TestCase):
    FILE = """SET 'auto.offset.reset' = 'earliest';
CREATE STREAM s (k STRING KEY, v INT) WITH (kafka_topic='s', value_format='JSON', partitions=1);
CREATE STREAM big AS SELECT * FROM s WHERE v > 1;
INSERT INTO big SELECT * FROM s WHERE v < 0;
"""

    def start(self, text):
        self.directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.directory)
        self.file = self.directory + "/queries.sql"
        with open(self.file, "w") as file:
            file.write(text)
        return Server(MILLRACE, "--queries", self.file)

    def test_a_file_runs_once_and_nothing_else(self):
        server = self.start(self.FILE)
        self.addCleanup(server.close)
        queries = run(server, "SHOW QUERIES;")[0]["queries"]
        self.assertEqual(len(queries), 2)
        for text in ("CREATE TYPE extra AS STRING;", "INSERT INTO s VALUES ('a', 1);", f"TERMINATE {queries[0]['id']};"):
            answer = server.ksql(text)
            self.assertEqual(answer.status, 400)
            self.assertIn("takes no others", answer.json()["message"])
        self.assertEqual(request(server.port, "POST", "/inserts-stream", '{"target":"s"}\n{"k":"a"}').status, 400)
        server.stop()
        server.start()
        self.assertEqual(run(server, "SHOW QUERIES;")[0]["queries"], queries)
        server.stop()
        with open(self.file, "w") as file:
            file.write(self.FILE.replace("v > 1", "v > 2"))
        with self.assertRaisesRegex(RuntimeError, "did not start"):
            server.start()

    def test_other_statements(self):
        with self.assertRaises(RuntimeError):
            self.start("DROP STREAM s;").close()


class Backup(unittest.TestCase):
    def test_a_copy_while_it_runs(self):
        backups = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, backups)
        server = Server(MILLRACE, "--set", f"millrace.backup.directory={backups}", "--set", "commit.interval.ms=20")
        self.addCleanup(server.close)
        run(server, "CREATE STREAM s (k INT KEY, v INT) WITH (kafka_topic='s', value_format='JSON', partitions=2);")
        run(server, "CREATE TABLE t AS SELECT k, COUNT(*) AS n, MAX(v) AS last FROM s GROUP BY k;")
        stop = threading.Event()
        sent = []

        def feed():
            while not stop.is_set():
                at = len(sent)
                lines = "".join(json.dumps({"k": i % 50, "v": i}) + "\n" for i in range(at, at + 500))
                assert request(server.port, "POST", "/inserts-stream", '{"target":"s"}\n' + lines).status == 200
                sent.extend(range(at, at + 500))

        feeder = threading.Thread(target=feed)
        feeder.start()
        wait_for(lambda: len(sent) > 5000)
        before = len(sent)
        url = f"http://127.0.0.1:{server.port}"
        done = subprocess.run([MILLRACE, "backup", "one", url], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.stdout.strip(), backups + "/one", done.stderr)
        stop.set()
        feeder.join()
        for name in ("one", "../two", ""):
            self.assertNotEqual(subprocess.run([MILLRACE, "backup", name, url], capture_output=True, timeout=60).returncode, 0)
        directory = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, directory)
        restore = [MILLRACE, "restore", backups + "/one", "--data", directory + "/data"]
        self.assertEqual(subprocess.run(restore, capture_output=True, timeout=60).returncode, 0)
        self.assertNotEqual(subprocess.run(restore, capture_output=True, timeout=60).returncode, 0)
        copy = Server(MILLRACE, directory=directory)
        self.addCleanup(copy.close)
        # The table of the copy is that of the copy's rows, of which none from before the backup is missing.
        held = sorted(row[0] for row in rows(copy, "SELECT v FROM s;"))
        self.assertEqual(held, list(range(len(held))))
        self.assertGreaterEqual(len(held), before)
        wanted = sorted([k, len(range(k, len(held), 50)), max(range(k, len(held), 50))] for k in range(50))
        wait_for(lambda: sorted(rows(copy, "SELECT k, n, last FROM t;")) == wanted)
        lines = '{"target":"s"}\n{"k": 1, "v": 1000000}\n'
        self.assertEqual(request(copy.port, "POST", "/inserts-stream", lines).status, 200)
        wait_for(lambda: rows(copy, "SELECT last FROM t WHERE k = 1;") == [[1000000]])

    def test_nowhere_to_go(self):
        server = Server(MILLRACE)
        self.addCleanup(server.close)
        answer = request(server.port, "POST", "/backup", {"name": "one"})
        self.assertEqual(answer.status, 400)
        self.assertIn("millrace.backup.directory", answer.json()["message"])



class Limits(Served):
    options = ("ksql.query.pull.max.qps=20", "ksql.query.pull.max.concurrent.requests=1",
               "ksql.query.pull.max.hourly.bandwidth.megabytes=1", "ksql.server.command.topic.rate.limit=3")

    def test_pull_queries_and_commands(self):
        run(self.server, "CREATE STREAM s (k INT KEY, v STRING) WITH (kafka_topic='s', value_format='JSON', partitions=1);"
                         "CREATE TABLE t AS SELECT k, LATEST_BY_OFFSET(v) AS v FROM s GROUP BY k;")
        time.sleep(0.5)  # so that one at least is let in again
        rest = self.post("/ksql", {"ksql": "".join("CREATE TYPE t%d AS INT;" % i for i in range(20))})
        self.assertEqual((rest.status, rest.json()["error_code"]), (429, 42900), rest.body)
        self.assertIn(len(rest.json()["entities"]), range(1, 20))
        self.assertEqual(self.post("/ksql", {"ksql": "SHOW TYPES;"}).status, 200)
        lines = '{"target":"s"}\n' + "".join(json.dumps({"k": i, "v": "x" * 50000}) + "\n" for i in range(10))
        self.assertEqual(self.post("/inserts-stream", lines).status, 200)
        point = {"sql": "SELECT k FROM t WHERE k = 1;"}

        def pull(body, wanted, why=""):
            """Not sooner than the limit for a second allows."""
            time.sleep(0.06)
            answer = self.post("/query-stream", body)
            self.assertEqual(answer.status, wanted, answer.body[:200])
            self.assertIn(why, answer.body.decode()[-200:])
            return answer

        wait_for(lambda: len(pull({"sql": "SELECT k FROM t;"}, 200).body.splitlines()) == 11)
        kept = [self.post("/query-stream", point) for _ in range(60)]
        self.assertEqual({answer.status for answer in kept}, {200, 429})
        self.assertIn("Host is at rate limit for pull queries. Currently set to 20 qps.", kept[-1].json()["message"])
        for _ in range(2):  # half a megabyte each
            pull({"sql": "SELECT * FROM t;"}, 200)
        pull({"sql": "SELECT * FROM s;"}, 200)
        for body in (point, {"sql": "SELECT * FROM t;"}, {"sql": "SELECT * FROM s;"}):
            pull(body, 429, "Host is at bandwidth rate limit for pull queries.")

    def test_idle_connections_are_closed(self):
        server = Server(MILLRACE, "--set", "ksql.idle.connection.timeout.seconds=1")
        self.addCleanup(server.close)
        idle = Connection(server.port)
        self.addCleanup(idle.close)
        began = time.time()
        self.assertEqual(idle.send(message("GET", "/info")).answer().status, 200)
        self.assertEqual(idle.stream.read(), b"")
        self.assertGreater(time.time() - began, 0.9)

    def test_push_queries_that_begin_at_once(self):
        server = Server(MILLRACE, "--set", "ksql.max.push.queries=3")
        self.addCleanup(server.close)
        run(server, "CREATE STREAM s (v INT) WITH (kafka_topic='s', value_format='JSON', partitions=1);")
        asked = [Connection(server.port).send(message("POST", "/query-stream", {"sql": "SELECT * FROM s EMIT CHANGES;"})) for _ in range(40)]
        self.assertEqual(sorted(one.answer().status for one in asked), [200] * 3 + [400] * 37)
        for one in asked:
            one.close()

        def one_more():
            answer = request(server.port, "POST", "/query-stream", {"sql": "SELECT * FROM s EMIT CHANGES;"}, wait=False)
            answer.connection.close()
            return answer.status == 200
        wait_for(one_more)

    def test_sequence_numbers(self):
        for number in (0, "0", None, 0.0):
            self.assertEqual(self.post("/ksql", {"ksql": "SHOW TYPES;", "commandSequenceNumber": number}).status, 200)

    def test_one_at_a_time(self):
        server = Server(MILLRACE, "--set", "ksql.query.pull.max.concurrent.requests=1")
        self.addCleanup(server.close)
        run(server, "CREATE STREAM s (k INT KEY, v STRING) WITH (kafka_topic='s', value_format='JSON', partitions=1);")
        for part in range(10):
            lines = '{"target":"s"}\n' + "".join(json.dumps({"k": i, "v": "x" * 50000}) + "\n" for i in range(100))
            self.assertEqual(request(server.port, "POST", "/inserts-stream", lines).status, 200)
        slow = request(server.port, "POST", "/query-stream", {"sql": "SELECT * FROM s;"}, wait=False)
        slow.chunk()
        other = request(server.port, "POST", "/query-stream", {"sql": "SELECT * FROM s;"})
        self.assertEqual((other.status, other.json()["error_code"]), (429, 42900))
        self.assertIn("concurrency limit", other.json()["message"])
        slow.connection.close()
        wait_for(lambda: request(server.port, "POST", "/query-stream", {"sql": "SELECT * FROM s LIMIT 1;"}).status == 200)


if __name__ == "__main__":
    MILLRACE = sys.argv.pop(1)
    unittest.main()
