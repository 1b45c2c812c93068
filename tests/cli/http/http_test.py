#!/usr/bin/env python3
"""The HTTP API byte by byte: http_test.py MILLRACE [unittest arguments]. MILLRACE_TEST_BROKER: on that Kafka cluster."""
import base64
import gzip
import json
import os
import socket
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from wire import Connection, Server, message, request  # noqa: E402

MILLRACE = ""
V1, JSON, DELIMITED = "application/vnd.ksql.v1+json", "application/json", "application/vnd.ksqlapi.delimited.v1"
PROTOBUF = "application/vnd.ksql.v1+protobuf"


def setUpModule():
    global server
    broker = os.environ.get("MILLRACE_TEST_BROKER")
    server = Server(MILLRACE, *(("--kafka", broker) if broker else ()))
    run("CREATE STREAM s (k STRING KEY, v INT, d DOUBLE) WITH (kafka_topic='s', value_format='JSON', partitions=1);")
    run("CREATE TABLE t AS SELECT k, COUNT(*) AS n, SUM(v) AS total FROM s GROUP BY k;")
    for key, value in (("a", 1), ("b", 2), ("a", 3)):
        run(f"INSERT INTO s (ROWTIME, k, v, d) VALUES ({value}, '{key}', {value}, {value}.5);")
    # On Kafka the slots of a new server are granted a moment later.
    wait_for(lambda: post("/query-stream", {"sql": "SELECT n FROM t WHERE k = 'a';"}).body.endswith(b"\n[2]\n"))


def tearDownModule():
    server.finish()


def run(text, **more):
    return server.run(text, **more)


def wait_for(condition, seconds=20):
    deadline = time.time() + seconds
    while not condition():
        assert time.time() < deadline, "it never came true"
        time.sleep(0.02)


def post(path, body, accept=None, wait=True, headers=()):
    headers = list(headers) + ([("Accept", accept)] if accept else [])
    return request(server.port, "POST", path, body, headers, wait)


def rows(sql):
    """Asks again while a new table's partitions have no owner yet, as clients do."""
    deadline = time.time() + 20
    while (answer := post("/query-stream", {"sql": sql})).status == 503 and time.time() < deadline:
        time.sleep(0.02)
    assert answer.status == 200, answer.body
    return [json.loads(line) for line in answer.body.splitlines()[1:]]


EARLIEST = {"auto.offset.reset": "earliest"}


class Inspection(unittest.TestCase):
    def test_info(self):
        answer = request(server.port, "GET", "/info")
        self.assertEqual((answer.status, answer.headers["content-type"]), (200, V1))
        info = answer.json()["KsqlServerInfo"]
        self.assertEqual(set(info), {"version", "kafkaClusterId", "ksqlServiceId", "serverStatus"})
        self.assertEqual((info["ksqlServiceId"], info["serverStatus"]), ("default_", "RUNNING"))

    def test_healthcheck(self):
        self.assertEqual(request(server.port, "GET", "/healthcheck").body,
                         b'{"isHealthy":true,"details":{"metastore":{"isHealthy":true},"kafka":{"isHealthy":true},'
                         b'"commandRunner":{"isHealthy":true}},"serverState":"READY"}')

    def test_root_leads_to_info(self):
        answer = request(server.port, "GET", "/")
        self.assertEqual((answer.status, answer.headers["location"]), (307, "/info"))

    def test_metadata(self):
        body = request(server.port, "GET", "/v1/metadata").json()
        self.assertEqual(body["clusterId"]["scope"]["clusters"]["ksql-cluster"], "default_")
        self.assertEqual(request(server.port, "GET", "/v1/metadata/id").json(), body["clusterId"])

    def test_probes(self):
        for path in ("/chc/ready", "/chc/live"):
            self.assertEqual(request(server.port, "GET", path).body, b"{}")

    def test_metrics(self):
        text = request(server.port, "GET", "/metrics").body.decode()
        self.assertRegex(text, r'(?m)^millrace_query_rows_in_total\{query="CTAS_T_\d+"\} 3$')
        self.assertRegex(text, r"(?m)^# TYPE millrace_pull_queries_total counter$")

    def test_unknown_path_and_method(self):
        answer = request(server.port, "GET", "/nothing")
        self.assertEqual((answer.status, answer.body),
                         (404, b'{"@type":"generic_error","error_code":40400,"message":"Not Found"}'))
        self.assertEqual(request(server.port, "GET", "/ksql").status, 405)

    def test_status(self):
        self.assertEqual(request(server.port, "GET", "/status").json()["commandStatuses"]["stream/`S`/create"], "SUCCESS")
        one = request(server.port, "GET", "/status/stream/%60S%60/create").json()
        self.assertEqual((one["status"], one["message"]), ("SUCCESS", "Stream created"))
        answer = request(server.port, "GET", "/status/stream/NOPE/create")
        self.assertEqual((answer.status, answer.json()["error_code"]), (404, 40400))

    def test_properties(self):
        self.assertEqual(request(server.port, "GET", "/is_valid_property/auto.offset.reset").body, b"true")
        answer = request(server.port, "GET", "/is_valid_property/no.such")
        self.assertEqual((answer.status, answer.json()["message"]), (400, "Unknown property: no.such"))


class Statements(unittest.TestCase):
    def test_entities_carry_text_and_warnings(self):
        for text, kind, field in (("SHOW STREAMS;", "streams", "streams"), ("LIST TABLES;", "tables", "tables"),
                                  ("SHOW TOPICS;", "kafka_topics", "topics"), ("SHOW QUERIES;", "queries", "queries"),
                                  ("SHOW PROPERTIES;", "properties", "properties"), ("SHOW TYPES;", "type_list", "types"),
                                  ("SHOW FUNCTIONS;", "function_names", "functions"),
                                  ("SHOW VARIABLES;", "variables", "variables"),
                                  ("DESCRIBE s;", "sourceDescription", "sourceDescription"),
                                  ("DESCRIBE FUNCTION abs;", "describe_function", "functions"),
                                  ("EXPLAIN SELECT * FROM s EMIT CHANGES;", "queryDescription", "queryDescription")):
            with self.subTest(text):
                [entity] = run(text)
                self.assertEqual((entity["@type"], entity["statementText"], entity["warnings"]), (kind, text, []))
                self.assertIn(field, entity)

    def test_a_statement_warns_of_what_its_query_costs(self):
        text = ("CREATE TABLE warned AS SELECT k, COUNT(*) AS n FROM s WINDOW TUMBLING (SIZE 1 HOUR, GRACE PERIOD 0 SECONDS)"
                " GROUP BY k EMIT FINAL;")
        [entity] = run(text)
        self.assertEqual(entity["warnings"], [{"message": "Late rows are dropped; LATE INTO keeps them."}])
        [entity] = run(text.replace("warned", "not_warned"), streamsProperties={"millrace.dialect": "ksql"})
        self.assertEqual(entity["warnings"], [])
        run("DROP TABLE warned; DROP TABLE not_warned;")

    def test_versions_of_a_source_table(self):
        run("CREATE SOURCE TABLE priced (k STRING PRIMARY KEY, p INT) WITH (kafka_topic='priced', value_format='JSON',"
            " partitions=1, history='1 DAY');"
            "CREATE TABLE prices (k STRING PRIMARY KEY, p INT) WITH (kafka_topic='priced', value_format='JSON');")
        run("INSERT INTO prices (ROWTIME, k, p) VALUES (1000, 'a', 1), (3000, 'a', 2);")
        answer = request(server.port, "POST", "/query-stream", {"sql":
            "SELECT t, p FROM VALUES ('a', 2000), ('a', 3000) AS w (k, t) JOIN priced FOR SYSTEM_TIME AS OF w.t AS v"
            " ON w.k = v.k ORDER BY t;"})
        self.assertEqual([json.loads(line) for line in answer.body.splitlines()[1:]], [[2000, 1], [3000, 2]])
        run("DROP TABLE priced; DROP TABLE prices;")

    def test_shape_of_sources(self):
        [entity] = run("SHOW STREAMS;")
        self.assertIn({"type": "STREAM", "name": "S", "topic": "s", "keyFormat": "KAFKA", "valueFormat": "JSON",
                       "isWindowed": False}, entity["streams"])

    def test_create_answers_with_the_canonical_statement(self):
        [entity] = run("create stream if not exists c1 (m string) with (value_format='JSON', kafka_topic='s');")
        self.assertEqual(list(entity)[0], "@type")
        self.assertEqual(entity["statementText"],
                         "CREATE STREAM IF NOT EXISTS C1 (M STRING) WITH (CLEANUP_POLICY='delete', KAFKA_TOPIC='s', "
                         "KEY_FORMAT='KAFKA', VALUE_FORMAT='JSON');")
        self.assertEqual(entity["commandId"], "stream/`C1`/create")
        self.assertEqual(entity["commandStatus"], {"status": "SUCCESS", "message": "Stream created", "queryId": None})
        self.assertIsInstance(entity["commandSequenceNumber"], int)
        again = run("create stream if not exists c1 (m string) with (value_format='json', kafka_topic='s');")
        self.assertEqual((again[0]["@type"], again[0]["message"]),
                         ("warning_entity", "Cannot add stream `C1`: A stream with the same name already exists."))
        run("DROP STREAM c1;")

    def test_empty_answers(self):
        for text in ("", "  \n ", "SET 'auto.offset.reset'='earliest';", "DEFINE a = 'b';",
                     "INSERT INTO s (ROWTIME, k, v, d) VALUES (0, 'z', NULL, NULL);"):
            with self.subTest(text):
                self.assertEqual(server.ksql(text).body, b"[]")

    def test_unknown_fields_and_types_are_ignored(self):
        for content_type in (V1, JSON, DELIMITED, "text/plain", None):
            headers = [("Content-Type", content_type)] if content_type else []
            answer = post("/ksql", {"ksql": "SHOW TYPES;", "more": [1], "requestProperties": {"x": 1}}, headers=headers)
            self.assertEqual((answer.status, answer.headers["content-type"]), (200, V1))
        self.assertEqual(post("/ksql", {"ksql": "SHOW TYPES;"}, accept=JSON).headers["content-type"], JSON)
        self.assertEqual(post("/ksql", {"ksql": "SHOW TYPES;"}, accept="text/html").status, 406)

    def test_variables_and_properties_of_the_request(self):
        [entity] = run("DESCRIBE ${x};", sessionVariables={"x": "s"})
        self.assertEqual(entity["sourceDescription"]["name"], "S")
        answer = server.ksql("SHOW TYPES;", streamsProperties={"no.such": 1})
        self.assertEqual((answer.status, answer.json()["error_code"]), (400, 40000))

    def check_error(self, answer, code, message, text=None):
        body = answer.json()
        self.assertEqual(answer.status, code // 100)
        self.assertEqual(list(body)[:3], ["@type", "error_code", "message"])
        self.assertEqual((body["error_code"], body["message"]), (code, message))
        if text:
            self.assertEqual((body["@type"], body["statementText"], body["entities"]), ("statement_error", text, []))

    def test_errors(self):
        self.check_error(server.ksql("DROP STREAM nope;"), 40001, "Stream NOPE does not exist.", "DROP STREAM nope;")
        self.check_error(server.ksql("SHOW STREAMS"), 40001, "line 1:13: Syntax Error\nmissing ';' at '<EOF>'", "SHOW STREAMS")
        self.check_error(server.ksql("SELECT * FROM s EMIT CHANGES;"), 40002,
                         "The following statement types should be issued to the websocket endpoint '/query':\n\t* PRINT\n\t* SELECT",
                         "SELECT * FROM s EMIT CHANGES;")
        self.check_error(server.ksql("ASSERT TOPIC nope TIMEOUT 10 MILLISECONDS;"), 41700, "Topic nope does not exist")

    def test_nothing_runs_when_one_statement_is_wrong(self):
        answer = server.ksql("CREATE TYPE t1 AS INT; DROP STREAM nope;")
        self.assertEqual((answer.status, answer.json()["statementText"]), (400, "DROP STREAM nope;"))
        self.assertEqual(run("SHOW TYPES;")[0]["types"], {})

    def test_several_statements(self):
        entities = run("CREATE TYPE t2 AS INT; SHOW TYPES; DROP TYPE t2;")
        self.assertEqual([e["@type"] for e in entities], ["currentStatus", "type_list", "currentStatus"])

    def test_sequence_number(self):
        answer = server.ksql("SHOW TYPES;", commandSequenceNumber=10 ** 9)
        self.assertEqual((answer.status, answer.json()["error_code"]), (503, 50301))

    def test_malformed_bodies(self):
        for body in (b"", b"{", b"[]", b"\xff\xfe", b'{"ksql":"SHOW TYPES;"} x'):
            with self.subTest(body):
                answer = post("/ksql", body)
                self.assertEqual((answer.status, answer.json()["error_code"]), (400, 40000))
        self.assertEqual(post("/ksql", {}).status, 400)
        self.assertEqual(post("/ksql", {"ksql": 1}).status, 400)
        self.assertEqual(post("/query-stream", {}).status, 400)
        self.assertEqual(post("/query", {"ksql": None}).status, 400)


class Queries(unittest.TestCase):
    def test_pull_v1(self):
        answer = post("/query", {"ksql": "SELECT * FROM t WHERE k = 'a';"})
        self.assertEqual((answer.status, answer.headers["content-type"]), (200, V1))
        head, row = answer.body.split(b",\n")
        header = json.loads(head[1:])["header"]
        self.assertEqual(header["schema"], "`K` STRING KEY, `N` BIGINT, `TOTAL` INTEGER")
        self.assertRegex(header["queryId"], r"^query_\d+$")
        self.assertEqual(row, b'{"row":{"columns":["a",2,4]}}]')

    def test_pull_delimited_and_json(self):
        sql = {"sql": "SELECT n, k FROM t WHERE k = 'a';"}
        header = b'{"queryId":null,"columnNames":["N","K"],"columnTypes":["BIGINT","STRING"]}'
        for accept in (None, "*/*", DELIMITED):
            answer = post("/query-stream", sql, accept)
            self.assertEqual((answer.headers["content-type"], answer.body), (DELIMITED, header + b'\n[2,"a"]\n'))
        answer = post("/query-stream", sql, JSON)
        self.assertEqual((answer.headers["content-type"], answer.body), (JSON, b"[" + header + b',[2,"a"]]'))
        self.assertEqual(post("/query-stream", sql, V1).headers["content-type"], V1)
        self.assertEqual(post("/query", {"ksql": sql["sql"]}, JSON).headers["content-type"], V1)
        self.assertEqual(post("/query-stream", sql, "text/html").status, 406)
        self.assertEqual(post("/query-stream", sql, f"text/html, {JSON};q=0.5, {V1};q=0.9").headers["content-type"], V1)

    def page(self, sql, token=None, rows="2"):
        body = {"sql": sql, "properties": {"millrace.pull.page.rows": rows}}
        if token:
            body["requestProperties"] = {"request.millrace.page.token": token}
        answer = post("/query-stream", body)
        if answer.status != 200:
            return answer, None
        lines = [json.loads(line) for line in answer.body.splitlines()[1:]]
        after = lines.pop()["continuationToken"] if lines and isinstance(lines[-1], dict) else None
        return lines, after

    def test_pages_are_of_one_answer(self):
        run("CREATE STREAM leaves (k STRING KEY, v INT) WITH (kafka_topic='leaves', value_format='JSON', partitions=1);")
        run("CREATE TABLE paged AS SELECT k, SUM(v) AS v FROM leaves GROUP BY k;")
        for i in range(5):
            run(f"INSERT INTO leaves (k, v) VALUES ('k{i}', {i});")
        wait_for(lambda: rows("SELECT COUNT(*) FROM paged;") == [[5]])
        sql = "SELECT k, v FROM paged ORDER BY v;"
        first, token = self.page(sql)
        self.assertEqual(first, [["k0", 0], ["k1", 1]])
        run("INSERT INTO leaves (k, v) VALUES ('new', 2);")
        wait_for(lambda: rows("SELECT COUNT(*) FROM paged;") == [[6]])
        second, last = self.page(sql, token)
        self.assertEqual(second, [["k2", 2], ["k3", 3]])
        self.assertEqual(self.page(sql, token)[0], second)  # asked for again
        self.assertEqual(self.page(sql, last), ([["k4", 4]], None))
        self.assertEqual(self.page(sql, token, "0")[0], [["k2", 2], ["k3", 3], ["k4", 4]])
        self.assertEqual(len(self.page(sql, rows="10")[0]), 6)
        self.assertIsNone(self.page(sql, rows="6")[1])
        for bad in ("none", token + "0x", token.split(".")[0]):
            answer, _ = self.page(sql, bad)
            self.assertEqual(json.loads(answer.body)["message"], "Page token has expired. Start again.")
        answer, _ = self.page("SELECT k FROM paged ORDER BY v;", token)
        self.assertEqual(json.loads(answer.body)["message"], "Page token has expired. Start again.")
        answer, _ = self.page("SELECT k FROM s;")
        self.assertIn("given in pages", json.loads(answer.body)["message"])

    def test_indexes(self):
        run("CREATE STREAM bought (k STRING KEY, v INT) WITH (kafka_topic='bought', value_format='JSON', partitions=2);")
        run("CREATE TABLE spent AS SELECT k, SUM(v) AS v, COUNT(*) AS n FROM bought GROUP BY k;")
        for i in range(6):
            run(f"INSERT INTO bought (k, v) VALUES ('k{i}', {i % 3});")
        wait_for(lambda: rows("SELECT COUNT(*) FROM spent;") == [[6]])
        self.assertIn("Index BY_V created.", json.dumps(run("CREATE INDEX by_v ON spent (v, n);")))
        explain = "EXPLAIN SELECT k FROM spent WHERE v = 1;"
        self.assertIn("SPENT: rows found by index BY_V", json.dumps(run(explain)))
        wait_for(lambda: sorted(rows("SELECT k FROM spent WHERE v = 1;")) == [["k1"], ["k4"]])
        run("INSERT INTO bought (k, v) VALUES ('k0', 1);")
        wait_for(lambda: sorted(rows("SELECT k FROM spent WHERE v = 1;")) == [["k0"], ["k1"], ["k4"]])
        self.assertEqual(rows("SELECT k FROM spent WHERE v = 1 AND n > 1;"), [["k0"]])
        listed = run("SHOW INDEXES;")[0]["indexes"]
        self.assertEqual(listed, [{"name": "BY_V", "table": "SPENT", "columns": "V, N"}])
        refused = post("/ksql", {"ksql": "CREATE OR REPLACE TABLE spent AS SELECT k, SUM(v) AS v FROM bought GROUP BY k;"})
        self.assertEqual(refused.status, 400)
        for sql, message in (
                ("CREATE INDEX by_v ON spent (n);", "Index BY_V already exists, on SPENT."),
                ("CREATE INDEX x ON spent (nothing);", "SPENT has no column NOTHING."),
                ("CREATE INDEX x ON spent (v + 1);", "An index is over columns of its table."),
                ("CREATE INDEX x ON bought (v);", "Indexes are of tables: BOUGHT is a stream."),
                ("CREATE INDEX x ON nobody (v);", "NOBODY does not exist."),
                ("DROP INDEX x;", "Index X does not exist.")):
            answer = post("/ksql", {"ksql": sql})
            self.assertEqual(answer.status, 400)
            self.assertIn(message, json.loads(answer.body)["message"])
        run("DROP INDEX by_v;")
        self.assertIn("an index of SPENT on V would find them", json.dumps(run(explain)))
        wait_for(lambda: sorted(rows("SELECT k FROM spent WHERE v = 1;")) == [["k0"], ["k1"], ["k4"]])
        run("CREATE INDEX by_v ON spent (n); DROP TABLE spent;")
        self.assertEqual(run("SHOW INDEXES;")[0]["indexes"], [])

    def test_pull_without_rows(self):
        answer = post("/query", {"ksql": "SELECT n FROM t WHERE k = 'none';"})
        self.assertRegex(answer.body, rb'^\[\{"header":\{"queryId":"query_\d+","schema":"`N` BIGINT"\}\}\]$')

    def test_pull_of_a_stream(self):
        answer = post("/query", {"ksql": "SELECT k, v FROM s WHERE v > 1;"})
        parts = answer.body.split(b",\n")
        self.assertEqual(parts[1:], [b'{"row":{"columns":["b",2]}}', b'{"row":{"columns":["a",3]}}',
                                     b'{"finalMessage":"Query Completed"}]'])

    def test_push_v1_in_chunks(self):
        answer = post("/query", {"ksql": "SELECT v, d FROM s WHERE v > 0 EMIT CHANGES LIMIT 2;", "streamsProperties": EARLIEST})
        self.assertEqual(answer.headers["content-type"], V1)
        self.assertRegex(answer.chunks[0],
                         rb'^\[\{"header":\{"queryId":"transient_S_\d+","schema":"`V` INTEGER, `D` DOUBLE"\}\},\n$')
        self.assertEqual(answer.chunks[1:], [b'{"row":{"columns":[1,1.5]}},\n', b'{"row":{"columns":[2,2.5]}},\n',
                                             b'{"finalMessage":"Limit Reached"}', b"]"])
        json.loads(answer.body)

    def test_push_delimited_in_chunks(self):
        answer = post("/query-stream", {"sql": "SELECT v FROM s WHERE v > 0 EMIT CHANGES LIMIT 3;", "properties": EARLIEST})
        self.assertRegex(answer.chunks[0], rb'^\{"queryId":"transient_S_\d+","columnNames":\["V"\],"columnTypes":\["INTEGER"\]\}\n$')
        self.assertEqual(answer.chunks[1:], [b"[1]\n", b"[2]\n", b"[3]\n"])

    def test_push_json(self):
        answer = post("/query-stream", {"sql": "SELECT v FROM s WHERE v > 0 EMIT CHANGES LIMIT 1;", "properties": EARLIEST}, JSON)
        self.assertEqual(answer.json()[1:], [[1]])

    def test_protobuf(self):
        for path, field in (("/query-stream", "sql"), ("/query", "ksql")):
            answer = post(path, {field: "SELECT k, total, MAP('x' := n) AS `a b` FROM t WHERE k = 'a';"}, PROTOBUF)
            self.assertEqual(answer.headers["content-type"], PROTOBUF)
            header, row = answer.json()
            self.assertEqual(header["header"]["schema"], "`K` STRING KEY, `TOTAL` INTEGER, `a b` MAP<STRING, BIGINT>")
            self.assertEqual(header["header"]["protoSchema"],
                             'syntax = "proto3";\n\nmessage ConnectDefault1 {\n  string K = 1;\n  int32 TOTAL = 2;\n'
                             "  repeated ConnectDefault2Entry a_b = 3;\n\n  message ConnectDefault2Entry {\n"
                             "    string key = 1;\n    int64 value = 2;\n  }\n}\n")
            self.assertEqual(base64.b64decode(row["row"]["protobufBytes"]), b"\x0a\x01a\x10\x04\x1a\x05\x0a\x01x\x10\x02")

    def test_protobuf_of_a_push_query(self):
        sql = "SELECT v FROM s EMIT CHANGES LIMIT 2;"
        answer = post("/query-stream", {"sql": sql, "properties": EARLIEST}, PROTOBUF)
        self.assertEqual([json.loads(row) for row in answer.body.decode().strip("[]").split(",\n")[1:]],
                         [{"row": {"protobufBytes": "CAE="}}, {"row": {"protobufBytes": "CAI="}}, {"finalMessage": "Limit Reached"}])

    def test_what_protobuf_cannot_hold(self):
        for sql in ("SELECT ARRAY[ARRAY[n]] AS x FROM t WHERE k = 'a';", "SELECT ARRAY[ARRAY[v]] AS x FROM s EMIT CHANGES;"):
            for _ in range(3):  # the later ones on the quick path
                answer = post("/query-stream", {"sql": sql}, PROTOBUF)
                self.assertEqual(answer.status, 406)
                self.assertIn("a list inside a list, column: `X`", answer.json()["message"])

    def test_records_without_a_value(self):
        run("CREATE STREAM bare (k STRING KEY, v STRING) WITH (kafka_topic='bare', value_format='KAFKA', partitions=1);")
        run("CREATE STREAM holes (k STRING KEY, v INT) WITH (kafka_topic='bare', value_format='JSON');")
        run("INSERT INTO bare VALUES ('a', '{\"V\": 1}'); INSERT INTO bare (k) VALUES ('b'); INSERT INTO bare VALUES ('c', '{}');")
        answer = post("/query-stream", {"sql": "SELECT * FROM holes EMIT CHANGES LIMIT 2;", "properties": EARLIEST})
        self.assertEqual([json.loads(line) for line in answer.body.splitlines()[1:]], [["a", 1], ["c", None]])
        self.assertEqual(rows("SELECT * FROM holes;"), [["a", 1], ["c", None]])

    def test_removed_windows(self):
        run("CREATE TABLE positive AS SELECT k, SUM(v) AS total FROM s WINDOW TUMBLING (SIZE 1 SECOND) GROUP BY k HAVING SUM(v) > 0;")
        sql = "SELECT total, windowstart FROM positive EMIT CHANGES;"
        answer = post("/query-stream", {"sql": sql}, V1, wait=False)
        answer.chunk()
        time.sleep(0.5)
        run("INSERT INTO s (ROWTIME, k, v) VALUES (70001, 'w', 5);")
        self.assertEqual(answer.chunk(), b'{"row":{"columns":[5,70000]}},\n')
        run("INSERT INTO s (ROWTIME, k, v) VALUES (70002, 'w', -5);")
        self.assertEqual(answer.chunk(), b'{"row":{"columns":[null,70000],"tombstone":true}},\n')
        answer.connection.close()
        run("DROP TABLE positive;")

    def test_values_of_all_types(self):
        run("CREATE STREAM ty (b BOOLEAN, i INT, g BIGINT, f DOUBLE, s STRING, y BYTES, c DECIMAL(6,2), ar ARRAY<INT>, "
            "m MAP<STRING, INT>, st STRUCT<a INT, b STRING>, da DATE, ti TIME, ts TIMESTAMP) "
            "WITH (kafka_topic='ty', value_format='JSON', partitions=1);")
        run("INSERT INTO ty VALUES (true, 1, 2, 3.25, 'x\"\\y', TO_BYTES('aGk=', 'base64'), 4.5, ARRAY[1, NULL], MAP('k':=1), "
            "STRUCT(a:=1, b:='z'), '2020-01-02', '03:04:05', '2020-01-02T03:04:05.678');")
        run("INSERT INTO ty (i) VALUES (NULL);")
        answer = post("/query-stream", {"sql": "SELECT * FROM ty;"})
        self.assertEqual(answer.body.split(b"\n", 1)[1],
                         b'[true,1,2,3.25,"x\\"\\\\y","aGk=",4.50,[1,null],{"k":1},{"A":1,"B":"z"},"2020-01-02","03:04:05",'
                         b'"2020-01-02T03:04:05.678"]\n[null,null,null,null,null,null,null,null,null,null,null,null,null]\n')
        run("DROP STREAM ty;")

    def test_tombstones_of_a_table(self):
        run("CREATE TABLE tt (k STRING PRIMARY KEY, v INT) WITH (kafka_topic='tt', value_format='JSON', partitions=1);")
        run("CREATE TABLE big AS SELECT k, v FROM tt WHERE v > 10;")
        run("INSERT INTO tt (k, v) VALUES ('a', 11);")
        answer = post("/query", {"ksql": "SELECT * FROM big EMIT CHANGES LIMIT 2;", "streamsProperties": EARLIEST}, wait=False)
        answer.chunk()
        self.assertEqual(answer.chunk(), b'{"row":{"columns":["a",11]}},\n')
        run("INSERT INTO tt (k, v) VALUES ('a', 1);")
        self.assertEqual(answer.chunk(), b'{"row":{"columns":["a",null],"tombstone":true}},\n')
        answer.connection.close()
        run("DROP TABLE big; DROP TABLE tt;")

    def test_errors_before_the_first_row(self):
        answer = post("/query-stream", {"sql": "SELECT nope FROM s EMIT CHANGES;"})
        self.assertEqual((answer.status, answer.json()["@type"], answer.json()["error_code"]), (400, "generic_error", 40000))
        answer = post("/query-stream", {"sql": "SELECT nope FROM t WHERE k = 'a';"})
        self.assertEqual((answer.status, answer.json()["@type"], answer.json()["error_code"]), (400, "statement_error", 40001))
        self.assertTrue(answer.body.startswith(b'{"@type":"statement_error"'))
        self.assertEqual(post("/query-stream", {"sql": "SHOW STREAMS;"}).status, 400)
        run("CREATE STREAM gone (k STRING KEY, v INT) WITH (kafka_topic='gone', value_format='JSON', partitions=1);")
        run("CREATE STREAM left_over (k STRING KEY, v INT) WITH (kafka_topic='gone', value_format='JSON');")
        run("DROP STREAM gone DELETE TOPIC;")
        for text in ("SELECT * FROM left_over EMIT CHANGES;", "SELECT * FROM left_over;"):
            answer = post("/query-stream", {"sql": text})
            self.assertEqual((answer.status, answer.json()["message"]), (400, "the source topic gone does not exist"))
        run("DROP STREAM left_over;")
        self.assertEqual(post("/query-stream", {"sql": "SELECT * FROM t WHERE k='a'; SELECT * FROM t WHERE k='b';"}).status, 400)

    def test_close_query(self):
        answer = post("/query-stream", {"sql": "SELECT * FROM s EMIT CHANGES;"}, wait=False)
        query = json.loads(answer.chunk())["queryId"]
        closed = post("/close-query", {"queryId": query})
        self.assertEqual((closed.status, closed.body), (200, b""))
        self.assertEqual(answer.rest().chunks[1:], [])
        answer.connection.close()
        again = post("/close-query", {"queryId": query})
        self.assertEqual((again.status, again.json()["message"]), (400, f"No query with id {query}"))

    def test_disconnecting_ends_a_push_query(self):
        answers = [post("/query-stream", {"sql": "SELECT * FROM s EMIT CHANGES;"}, wait=False) for _ in range(3)]
        ids = [json.loads(answer.chunk())["queryId"] for answer in answers]
        for answer in answers:
            answer.connection.close()
        wait_for(lambda: all(post("/close-query", {"queryId": id}).status == 400 for id in ids), 10)

    def test_slow_client_gets_everything(self):
        run("CREATE STREAM many (v STRING) WITH (kafka_topic='many', value_format='JSON', partitions=1);")
        lines = "\n".join(json.dumps({"v": "x" * 1000 + str(i)}) for i in range(20000))
        self.assertEqual(post("/inserts-stream", '{"target":"many"}\n' + lines).status, 200)
        answer = post("/query-stream", {"sql": "SELECT * FROM many EMIT CHANGES LIMIT 20000;", "properties": EARLIEST}, wait=False)
        time.sleep(1)  # nothing is read: the server must pause the query, not fill its memory
        answer.rest()
        self.assertEqual([len(answer.chunks), answer.chunks[-1]], [20001, f'["{"x" * 1000}19999"]\n'.encode()])
        answer.connection.close()
        run("DROP STREAM many DELETE TOPIC;")


class Print(unittest.TestCase):
    LINES = [b"Key format: KAFKA_STRING\n", b"Value format: JSON or KAFKA_STRING\n",
             b'rowtime: 1970/01/01 00:00:00.001 Z, key: a, value: {"V":1,"D":1.5}, partition: 0\n',
             b'rowtime: 1970/01/01 00:00:00.002 Z, key: b, value: {"V":2,"D":2.5}, partition: 0\n']

    def test_from_the_beginning(self):
        answer = post("/query", {"ksql": "PRINT s FROM BEGINNING LIMIT 2;"})
        self.assertEqual((answer.status, answer.chunks), (200, self.LINES))
        answer = post("/query-stream", {"sql": "-- all\n PRINT 's' FROM BEGINNING INTERVAL 2 LIMIT 1;"})
        self.assertEqual((answer.headers["content-type"], answer.chunks), (DELIMITED, self.LINES[:3]))

    def test_other_types_are_refused(self):
        for accept in (JSON, V1):
            self.assertEqual(post("/query-stream", {"sql": "/* x */ print s;"}, accept).status, 406)

    def test_new_records_until_the_client_goes(self):
        run("CREATE STREAM p (v INT) WITH (kafka_topic='p', value_format='JSON', partitions=2);")
        run("INSERT INTO p (v) VALUES (1);")
        answer = post("/query", {"ksql": "PRINT p;"}, wait=False)
        run("INSERT INTO p (ROWTIME, v) VALUES (7, 2);")
        lines = [answer.chunk() for _ in range(3)]
        self.assertEqual(lines[0], "Key format: ¯\\_(ツ)_/¯ - no data processed\n".encode())
        self.assertRegex(lines[2], rb'^rowtime: 1970/01/01 00:00:00.007 Z, key: <null>, value: \{"V":2\}, partition: [01]\n$')
        answer.connection.close()
        run("DROP STREAM p;")

    def test_unknown_topic(self):
        answer = post("/query", {"ksql": "PRINT S;"})
        self.assertEqual((answer.status, answer.json()["message"]),
                         (400, "Could not find topic 'S', or the KSQL user does not have permissions to list the topic. "
                               "Topic names are case-sensitive.\nDid you mean:\n\tprint s;"))


class Inserts(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        run("CREATE STREAM ins (k STRING KEY, v INT, `low` STRING) WITH (kafka_topic='ins', value_format='JSON', partitions=1);")

    @classmethod
    def tearDownClass(cls):
        run("DROP STREAM ins DELETE TOPIC;")

    def test_acknowledgements(self):
        body = '{"target":"Ins"}\n{"K":"a","v":1,"`low`":"x"}\n{"k":"b"}\n'
        answer = post("/inserts-stream", body)
        self.assertEqual((answer.status, answer.headers["content-type"], answer.body),
                         (200, DELIMITED, b'{"status":"ok","seq":0}\n{"status":"ok","seq":1}\n'))
        answer = post("/inserts-stream", body, JSON)
        self.assertEqual(answer.body, b'[{"status":"ok","seq":0},{"status":"ok","seq":1}]')
        self.assertEqual(rows("SELECT k, v, `low` FROM ins WHERE k < 'c';")[:2], [["a", 1, "x"], ["b", None, None]])

    def test_a_bad_row_ends_the_stream(self):
        answer = post("/inserts-stream", '{"target":"ins"}\n{"k":"good"}\n{"v":"text"}\n{"k":"never"}\n')
        first, second = answer.body.splitlines()
        self.assertEqual(first, b'{"status":"ok","seq":0}')
        error = json.loads(second)
        self.assertEqual((error["@type"], error["error_code"], error["status"], error["seq"]), ("generic_error", 40000, "error", 1))
        self.assertNotIn(["never"], rows("SELECT k FROM ins;"))

    def test_refused(self):
        answer = post("/inserts-stream", '{"target":"nope"}\n')
        self.assertEqual((answer.status, answer.json()["error_code"], answer.json()["message"]),
                         (400, 40001, "Cannot insert values into an unknown stream/table: nope"))
        self.assertEqual(post("/inserts-stream", "").status, 400)
        self.assertEqual(post("/inserts-stream", '{"no":1}').status, 400)

    def test_rows_without_a_key_take_turns(self):
        run("CREATE STREAM turns (v INT) WITH (kafka_topic='turns', value_format='JSON', partitions=2);")
        for i in range(4):
            post("/inserts-stream", '{"target":"turns"}\n{"v":%d}\n' % i)
        answer = post("/query-stream", {"sql": "PRINT turns FROM BEGINNING LIMIT 4;"})
        self.assertEqual(sorted(line.rstrip()[-1:] for line in answer.chunks[2:]), [b"0", b"0", b"1", b"1"])
        run("DROP STREAM turns DELETE TOPIC;")

    def test_a_topic_made_anew(self):
        for partitions in (1, 3, 2):
            run("CREATE STREAM anew (k STRING KEY, v INT) WITH (kafka_topic='anew', format='JSON', partitions=%d);" % partitions)
            for rows_at_once in (1, 5):
                body = '{"target":"anew"}\n' + "".join('{"k":"%d","v":1}\n' % i for i in range(rows_at_once))
                self.assertEqual(post("/inserts-stream", body).body.count(b'"ok"'), rows_at_once)
            deadline = time.monotonic() + 30  # a broker makes a transaction visible a little after it has confirmed it
            while len(rows("SELECT * FROM anew;")) < 6 and time.monotonic() < deadline:
                time.sleep(0.05)
            self.assertEqual(rows("SELECT k FROM anew WHERE k = '0';"), [["0"], ["0"]])
            answer = post("/query-stream", {"sql": "PRINT anew FROM BEGINNING LIMIT 6;"})
            used = {line.rstrip()[-1:] for line in answer.chunks[2:]}
            self.assertEqual(used, {b"%d" % p for p in range(partitions)})
            run("DROP STREAM anew DELETE TOPIC;")

    def test_many_rows(self):
        count = 25000
        body = '{"target":"ins"}\n' + "".join('{"k":"many"}\n' for _ in range(count))
        acks = post("/inserts-stream", body).body.splitlines()
        self.assertEqual((len(acks), acks[-1]), (count, b'{"status":"ok","seq":%d}' % (count - 1)))

    def test_many_rows_again_and_again_on_one_connection(self):
        count = 100_000  # several times what may wait unread
        body = '{"target":"ins"}\n' + "".join('{"k":"kept","v":1}\n' for _ in range(count))
        connection = Connection(server.port, timeout=60)
        for _ in range(5):
            answer = connection.send(message("POST", "/inserts-stream", body)).answer().rest()
            self.assertEqual(answer.body.count(b'"ok"'), count)
        connection.close()


class Connections(unittest.TestCase):
    def test_keep_alive_and_pipelining(self):
        connection = Connection(server.port)
        for _ in range(3):
            self.assertEqual(connection.send(message("GET", "/info")).answer().status, 200)
        connection.send(message("GET", "/healthcheck") + message("POST", "/query-stream", {"sql": "SELECT n FROM t WHERE k='a';"}) +
                        message("POST", "/query", {"ksql": "SELECT v FROM s WHERE v > 0 EMIT CHANGES LIMIT 1;", "streamsProperties": EARLIEST}) +
                        message("GET", "/nothing"))
        self.assertIn(b"READY", connection.answer().body)
        self.assertEqual(connection.answer().rest().body.splitlines()[1], b"[2]")
        self.assertIn(b"Limit Reached", connection.answer().rest().body)
        self.assertEqual(connection.answer().status, 404)
        connection.close()

    def test_close_when_asked(self):
        connection = Connection(server.port).send(message("GET", "/info", headers=[("Connection", "close")]))
        self.assertEqual(connection.answer().headers["connection"], "close")
        self.assertEqual(connection.stream.read(), b"")
        connection.close()

    def test_request_in_pieces(self):
        connection = Connection(server.port)
        for byte in message("POST", "/ksql", {"ksql": "SHOW TYPES;"}):
            connection.send(bytes([byte]))
        self.assertEqual(connection.answer().status, 200)
        connection.close()

    def test_chunked_request(self):
        body = json.dumps({"ksql": "SHOW TYPES;"}).encode()
        connection = Connection(server.port).send(
            b"POST /ksql HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
        self.assertEqual(connection.answer().status, 200)
        connection.close()

    def test_empty_lines_before_a_request(self):
        connection = Connection(server.port)
        for before in (b"\r\n", b"\r\n\r\n", b""):
            self.assertEqual(connection.send(before + message("GET", "/info") + b"\r\n").answer().status, 200)
        connection.send(b"\r")
        time.sleep(0.05)
        self.assertEqual(connection.send(b"\n" + message("GET", "/info")).answer().status, 200)
        connection.close()

    def test_the_server_as_a_whole(self):
        answer = request(server.port, "OPTIONS", "*")
        self.assertEqual((answer.status, answer.headers["allow"]), (204, "GET, HEAD, POST, OPTIONS"))
        self.assertNotIn("content-length", answer.headers)

    def test_a_byte_order_mark_before_json(self):
        answer = request(server.port, "POST", "/ksql", b'\xef\xbb\xbf{"ksql":"SHOW TYPES;"}')
        self.assertEqual(answer.status, 200, answer.body)

    def test_encoded_bodies(self):
        body = gzip.compress(b'{"ksql":"SHOW TYPES;"}')
        for name, wanted in (("gzip", 200), ("GZIP", 200), ("x-gzip", 200), ("identity", 400), ("br", 415)):
            answer = request(server.port, "POST", "/ksql", body, [("Content-Encoding", name)])
            self.assertEqual(answer.status, wanted, name)
        self.assertEqual(request(server.port, "POST", "/ksql", b"none", [("Content-Encoding", "gzip")]).status, 400)

    def test_garbage(self):
        for data in (b"\x00\x01\x02\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"):
            with self.subTest(data):
                connection = Connection(server.port).send(data)
                self.assertIn(connection.stream.read()[:12], (b"HTTP/1.1 400", b""))
                connection.close()

    def test_oversized_body(self):
        connection = Connection(server.port)
        connection.send(b"POST /ksql HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n")
        answer = connection.answer()
        self.assertEqual((answer.status, answer.json()["error_code"]), (413, 41300))
        connection.close()

    def test_oversized_headers(self):
        connection = Connection(server.port)
        connection.send(b"GET /info HTTP/1.1\r\nHost: x\r\nX: " + b"a" * (70 << 10) + b"\r\n\r\n")
        self.assertIn(connection.answer().status, (400, 431))
        connection.close()

    def test_aborted_requests(self):
        for data in (b"POST /ksql HTTP/1.1\r\nContent-Le", b"POST /ksql HTTP/1.1\r\nContent-Length: 100\r\n\r\n{"):
            connection = Connection(server.port).send(data)
            connection.close()
        for _ in range(20):  # gone before the answer
            connection = Connection(server.port).send(message("POST", "/query", {"ksql": "SELECT * FROM s;"}))
            connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            connection.close()
        self.assertEqual(request(server.port, "GET", "/info").status, 200)


class SourceTable(unittest.TestCase):
    def test_it_is_kept_for_pull_queries_and_survives_a_restart(self):
        [entity] = run("CREATE SOURCE TABLE src (id STRING PRIMARY KEY, v INT) WITH (kafka_topic='src', value_format='JSON', partitions=2);")
        query = entity["commandStatus"]["queryId"]
        self.assertRegex(query, r"^CST_SRC_\d+$")
        run("CREATE TABLE raw (id STRING PRIMARY KEY, v INT) WITH (kafka_topic='src', value_format='JSON');")
        run("INSERT INTO raw (id, v) VALUES ('a', 1); INSERT INTO raw (id, v) VALUES ('a', 2);")
        wait_for(lambda: post("/query-stream", {"sql": "SELECT * FROM src WHERE id = 'a';"}).body.endswith(b'\n["a",2]\n'))
        self.assertEqual(server.ksql(f"TERMINATE {query};").status, 400)
        self.assertEqual(server.stop(), 0)
        server.start()
        wait_for(lambda: post("/query-stream", {"sql": "SELECT * FROM src WHERE id = 'a';"}).body.endswith(b'\n["a",2]\n'))
        run("DROP TABLE src;")
        self.assertNotIn(query, [q["id"] for q in run("SHOW QUERIES;")[0]["queries"]])


class PlainTable(unittest.TestCase):
    """No query keeps it, so the process does once somebody asks."""

    def setUp(self):
        run("CREATE TABLE plain (id INT PRIMARY KEY, v INT) WITH (kafka_topic='plain', value_format='JSON', partitions=3);")
        run("INSERT INTO plain VALUES (1, 10), (2, 20), (3, 30);")

    def tearDown(self):
        run("DROP TABLE IF EXISTS plain DELETE TOPIC;")

    def test_it_is_as_its_topic_is(self):
        self.assertEqual(rows("SELECT * FROM plain ORDER BY id;"), [[1, 10], [2, 20], [3, 30]])
        for value in range(20):
            run(f"INSERT INTO plain VALUES (2, {value});")
            self.assertEqual(rows("SELECT v FROM plain WHERE id = 2;"), [[value]])
        for value in range(20):  # in one transaction
            run(f"INSERT INTO plain VALUES (1, {value}), (2, {value}), (3, {value}), (4, {value});")
            self.assertEqual(rows("SELECT SUM(v) AS v FROM plain;"), [[4 * value]])
        run("INSERT INTO plain VALUES (1, 10), (2, 19), (3, 30); DELETE FROM plain WHERE id = 4;")
        run("DELETE FROM plain WHERE id = 3; UPDATE plain SET v = v + 1 WHERE id = 1;")
        self.assertEqual(rows("SELECT a.id, b.v FROM plain a JOIN plain b ON a.id = b.id ORDER BY 1;"), [[1, 11], [2, 19]])

    def test_explain_tells(self):
        [entity] = run("EXPLAIN SELECT * FROM plain WHERE id = 2;")
        self.assertIn("PLAIN: a row found by key", entity["queryDescription"]["topology"])
        self.assertEqual(entity["warnings"], [{"message": "PLAIN is materialized for this query."}])
        self.assertEqual(rows("SELECT * FROM plain WHERE id = 2;"), [[2, 20]])
        [entity] = run("EXPLAIN SELECT * FROM plain WHERE id = 2;")
        self.assertRegex(entity["warnings"][0]["message"], r"^PLAIN is materialized for this query \(\d+\.\d MB\)\.$")

    def test_another_of_the_same_name(self):
        self.assertEqual(rows("SELECT v FROM plain WHERE id = 2;"), [[20]])
        run("DROP TABLE plain;")
        run("CREATE TABLE plain (id INT PRIMARY KEY, v STRING) WITH (kafka_topic='plain', value_format='JSON');")
        self.assertEqual(rows("SELECT v FROM plain WHERE id = 2;"), [["20"]])

    def test_it_goes_while_it_is_read(self):
        run("CREATE STREAM many (id INT KEY, v INT) WITH (kafka_topic='plain', value_format='JSON');")
        for _ in range(20):
            run("INSERT INTO many VALUES " + ", ".join(f"({i}, {i})" for i in range(1000)) + ";")
        statuses = []
        def ask():
            statuses.append(post("/query-stream", {"sql": "SELECT COUNT(*) AS n FROM plain;"}).status)
        threads = [threading.Thread(target=ask) for _ in range(8)]
        for thread in threads:
            thread.start()
        run("DROP TABLE plain;")
        for thread in threads:
            thread.join()
        self.assertLessEqual(set(statuses), {200, 400, 503})
        run("DROP STREAM many DELETE TOPIC;")
        self.assertEqual(request(server.port, "GET", "/healthcheck").status, 200)

    def test_not_kept_longer_than_wanted(self):
        own = Server(MILLRACE, "--set", "millrace.table.materialize.idle.ms=300")
        try:
            own.run("CREATE TABLE p (id INT PRIMARY KEY, v INT) WITH (kafka_topic='p', value_format='JSON', partitions=1);")
            own.run("INSERT INTO p VALUES (1, 1);")
            size = lambda: own.run("EXPLAIN SELECT * FROM p;")[0]["warnings"][0]["message"]
            ask = lambda: request(own.port, "POST", "/query-stream", {"sql": "SELECT v FROM p;"}).body
            self.assertIn(b"[1]", ask())
            wait_for(lambda: "MB" not in size())
            self.assertIn(b"[1]", ask())
        finally:
            own.finish()


class ZRestart(unittest.TestCase):  # last: the others' server goes away
    def test_statements_and_rows_are_there_again(self):
        self.assertEqual(server.stop(), 0)
        server.start()
        self.assertIn("S", [s["name"] for s in run("SHOW STREAMS;")[0]["streams"]])
        wait_for(lambda: post("/query-stream", {"sql": "SELECT n FROM t WHERE k = 'a';"}).body.endswith(b"\n[2]\n"))


if __name__ == "__main__":
    MILLRACE = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=1)
