"""schema_registry_test.py MILLRACE: one server keeps schemas in its log and serves them, another uses it as its registry
over HTTP: columns are inferred, rows written by the registered schema, schemas survive a restart, and a registry that is
away fails statements, not queries."""
import base64
import json
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def ask(port, method, path, body=None, wait=15):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=wait) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


class Server:
    def __init__(self, program, directory, *options):
        self.program, self.directory, self.options, self.port = program, directory, options, free_port()
        self.start()

    def start(self):
        self.process = subprocess.Popen([self.program, "server", "--data", self.directory, "--listen", f"127.0.0.1:{self.port}",
                                         "--log-level", "error", *self.options], stdout=subprocess.DEVNULL)
        for _ in range(300):
            try:
                if ask(self.port, "GET", "/v1/metadata/id")[0] == 200:
                    return
            except OSError:
                pass
            time.sleep(0.1)
        raise SystemExit("the server did not start")

    def stop(self):
        self.process.terminate()
        self.process.wait(60)

    def run(self, sql):
        return ask(self.port, "POST", "/ksql", {"ksql": sql}, wait=60)

    def rows(self, source, count):
        body = {"sql": f"SELECT * FROM {source} EMIT CHANGES LIMIT {count};", "properties": {"auto.offset.reset": "earliest"}}
        text = ask(self.port, "POST", "/query-stream", body, wait=60)[1]
        return [json.loads(line) for line in text.splitlines()[1:] if line]


def expect(actual, wanted, what):
    if actual != wanted:
        raise SystemExit(f"{what}: {actual!r} instead of {wanted!r}")


def schema(fields):
    record = {"type": "record", "name": "In", "fields": [{"name": n, "type": t, **more} for n, t, more in fields]}
    return {"schema": json.dumps(record)}


def main(program):
    with tempfile.TemporaryDirectory() as directory:
        keeper = Server(program, directory + "/keeper")
        user = Server(program, directory + "/user", "--set", f"ksql.schema.registry.url=http://127.0.0.1:{keeper.port}/")
        try:
            first = schema([("user", "string", {}), ("n", "long", {})])
            expect(ask(keeper.port, "POST", "/subjects/in-value/versions", first), (200, '{"id":1}'), "registering")
            expect(ask(keeper.port, "POST", "/subjects/in-value/versions", first), (200, '{"id":1}'), "registering again")
            wrong = schema([("user", "string", {}), ("n", "string", {})])
            expect(ask(keeper.port, "POST", "/subjects/in-value/versions", wrong)[0], 409, "an incompatible schema")
            expect(ask(keeper.port, "POST", "/subjects/in-value/versions", {"schema": "{"})[0], 422, "what is no schema")
            expect(ask(keeper.port, "GET", "/schemas/ids/77")[0], 404, "an unknown id")

            message = {"schema": 'syntax = "proto3"; message M { int32 n = 1; }', "schemaType": "PROTOBUF"}
            expect(ask(keeper.port, "POST", "/subjects/p-value/versions", message), (200, '{"id":2}'), "a Protobuf schema")
            serialized = json.loads(ask(keeper.port, "GET", "/schemas/ids/2?format=serialized")[1])["schema"]
            expect(base64.b64decode(serialized)[-6:], b"proto3", "a Protobuf schema serialized")
            expect(ask(keeper.port, "GET", "/subjects/p-value/versions/1/schema"), (200, json.dumps(message["schema"])), "its text")
            unparsed = {"schema": serialized, "schemaType": "PROTOBUF"}
            expect(ask(keeper.port, "POST", "/subjects/q-value/versions", unparsed), (200, '{"id":2}'), "the same schema serialized")
            for subject in ("p-value", "p-value?permanent=true", "q-value", "q-value?permanent=true"):
                expect(ask(keeper.port, "DELETE", f"/subjects/{subject}"), (200, "[1]"), "forgetting")
            expect(ask(keeper.port, "POST", "/subjects/q-value/versions", unparsed), (200, '{"id":3}'), "what clients without a parser register")
            expect(user.run("CREATE STREAM q WITH (kafka_topic='q', value_format='PROTOBUF', partitions=1);")[0], 200, "reading it")
            expect(ask(keeper.port, "DELETE", "/subjects/q-value"), (200, "[1]"), "deleting")

            expect(user.run("CREATE STREAM i WITH (kafka_topic='in', value_format='AVRO', partitions=1);"
                            "CREATE STREAM o WITH (value_format='PROTOBUF') AS SELECT user, n + 1 AS m FROM i;")[0], 200, "creating")
            expect(user.run("INSERT INTO i (user, n) VALUES ('ann', 41); ASSERT SCHEMA SUBJECT 'O-value';")[0], 200, "inserting")
            expect(user.rows("o", 1), [["ann", 42]], "rows")
            expect(ask(keeper.port, "GET", "/subjects"), (200, '["O-value","in-value"]'), "subjects")

            keeper.stop()
            status, answer = user.run("CREATE STREAM z WITH (value_format='AVRO') AS SELECT * FROM i;")
            expect((status, "Could not register schema" in answer), (400, True), "a statement without the registry")
            expect(user.run("INSERT INTO i (user, n) VALUES ('bob', 1);")[0], 200, "inserting without the registry")
            expect(user.rows("o", 2), [["ann", 42], ["bob", 2]], "rows without the registry")

            keeper.start()
            expect(ask(keeper.port, "GET", "/subjects/in-value/versions"), (200, "[1]"), "versions after a restart")
            expect(user.run("CREATE STREAM z WITH (value_format='AVRO') AS SELECT * FROM i;")[0], 200, "a statement with the registry")
            expect(user.run("INSERT INTO i (user, n) VALUES ('cyd', 5);")[0], 200, "inserting again")
            expect(user.rows("z", 1), [["cyd", 5]], "rows of the new query")
            expect(user.run("DROP STREAM z DELETE TOPIC;")[0], 200, "dropping")

            made = "CREATE STREAM once (k INT KEY, v STRING) WITH (kafka_topic='once', format='AVRO', partitions=1);"
            expect(user.run(made + "INSERT INTO once VALUES (1, 'x');")[0], 200, "a schema and a row by it in one request")
            expect(user.rows("once", 1), [[1, "x"]], "rows by the schema of the same request")
            expect(user.run("DROP STREAM once DELETE TOPIC;")[0], 200, "dropping")
            expect(ask(keeper.port, "GET", "/subjects"), (200, '["O-value","in-value"]'), "subjects after the drop")
        finally:
            user.stop()
            keeper.stop()


main(sys.argv[1])
