"""What goes wrong between a server and a real registry: records that are no data, schemas that do not fit, a registry that is
away, refuses us, or forgets."""
import base64
import http.server
import json
import ssl
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.error
import urllib.parse
import urllib.request
import uuid

from bed import BROKER, EARLIEST, REGISTRY, Bed, Refused, Server, eventually, register, registry_call
from confluent_kafka.schema_registry.avro import AvroSerializer

SCHEMA = {"type": "record", "name": "F", "fields": [{"name": "n", "type": "long"}, {"name": "s", "type": "string"}]}


class Gate(http.server.BaseHTTPRequestHandler):
    """Passes requests on to the registry, or not."""

    def forward(self):
        gate = self.server
        gate.asked.append((self.command, self.path))
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if gate.shut:
            self.connection.close()
            self.close_connection = True
            return
        if gate.password and self.headers.get("Authorization") != "Basic " + base64.b64encode(gate.password.encode()).decode():
            return self.answer(401, b'{"error_code": 401, "message": "Unauthorized"}')
        request = urllib.request.Request(REGISTRY + self.path, body or None, method=self.command,
                                         headers={"Content-Type": "application/vnd.schemaregistry.v1+json"})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                self.answer(answer.status, answer.read())
        except urllib.error.HTTPError as error:
            self.answer(error.code, error.read())

    do_GET = do_POST = do_PUT = do_DELETE = forward

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def open_gate(password=None, tls=None):
    gate = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Gate)
    gate.shut, gate.password, gate.asked = False, password, []
    gate.daemon_threads = True
    gate.url = f"http{'s' if tls else ''}://127.0.0.1:{gate.server_address[1]}"
    if tls:
        gate.socket = tls.wrap_socket(gate.socket, server_side=True)
    threading.Thread(target=gate.serve_forever, daemon=True).start()
    return gate


class Faults(Bed):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.gate = open_gate()
        cls.direct, cls.server = cls.server, Server(BROKER, {"ksql.schema.registry.url": cls.gate.url,
                                                             "ksql.service.id": f"faults_{uuid.uuid4().hex[:8]}_"})
        cls.server.start()

    @classmethod
    def tearDownClass(cls):
        cls.direct.close()
        super().tearDownClass()

    def setUp(self):
        self.gate.shut = False

    def serializer(self, schema=None):
        return AvroSerializer(self.client, json.dumps(schema or SCHEMA))

    def test_bad_records_are_passed_over(self):
        """Unknown id, wrong magic, nothing behind it, too short, too long: each skipped and counted, the rest read."""
        for kind, schema, good in (
                ("AVRO", json.dumps(SCHEMA), b"\x02\x02a"),
                ("PROTOBUF", 'syntax = "proto3"; message F { int64 n = 1; string s = 2; }', b"\x00\x08\x01\x12\x01a"),
                ("JSON_SR", json.dumps({"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "properties": {
                    "n": {"type": "integer"}, "s": {"type": "string"}}}), b'{"n":1,"s":"a"}')):
            topic, copy = self.name("bad"), self.name("copy")
            number = register(f"{topic}-value", schema, "JSON" if kind == "JSON_SR" else kind)
            frame = b"\0" + number.to_bytes(4, "big")
            too_long = good + b"\x07" if kind != "JSON_SR" else good + b"x"
            bad = [b"\0\x7f\xff\xff\x01" + good, b"\1" + frame[1:] + good, b"", frame[:3], frame + good[:-1], frame + too_long]
            self.produce(self.topic(topic), [frame + good, *bad, frame + good])
            self.sql(f"CREATE STREAM {topic} WITH (kafka_topic='{topic}', value_format='{kind}');"
                     f"CREATE STREAM {copy} AS SELECT n + 1 AS n, s FROM {topic};")
            # JSON says itself what it is: no schema is looked up, and what follows the object is not looked at.
            read = 4 if kind == "JSON_SR" else 2
            self.assertEqual(self.rows(f"SELECT * FROM {copy} EMIT CHANGES LIMIT {read};"), [[2, "a"]] * read, kind)
            described = self.sql(f"DESCRIBE {copy} EXTENDED;")[0]["sourceDescription"]
            self.assertIn(f"records skipped: {8 - read}", described["errorStats"], kind)

    def test_an_incompatible_schema_is_refused(self):
        topic, sink = self.name("in"), self.name("out")
        registry_call("PUT", f"/config/{sink}-value", {"compatibility": "BACKWARD"})
        register(f"{sink}-value", SCHEMA)
        registry_call("PUT", f"/config/{sink}-value", {"compatibility": "BACKWARD"})
        self.sql(f"CREATE STREAM {topic} (n STRING, s BIGINT) WITH (kafka_topic='{topic}', value_format='JSON', partitions=1);")
        message = self.refusal(f"CREATE STREAM {sink} WITH (kafka_topic='{sink}', value_format='AVRO') AS SELECT * FROM {topic};")
        self.assertIn("Could not register schema for topic: " + sink, message)
        self.assertIn("incompatible", message)
        self.assertEqual(registry_call("GET", f"/subjects/{sink}-value/versions"), (200, [1]))
        self.assertNotIn(sink, [one["name"] for one in self.sql("SHOW TOPICS;")[0]["topics"]])

    def test_the_registry_goes_away(self):
        """Statements that need it say so; a query goes on by the schemas that it knows, waits for those it does not, and
        loses nothing; others do not feel it."""
        topic, copy, plain = self.name("away"), self.name("copy"), self.name("plain")
        self.produce(self.topic(topic), [{"n": 1, "s": "a"}], self.serializer())
        self.sql(f"CREATE STREAM {topic} WITH (kafka_topic='{topic}', value_format='AVRO');"
                 f"CREATE STREAM {copy} AS SELECT n, s FROM {topic};"
                 f"CREATE STREAM {plain} (n BIGINT) WITH (kafka_topic='{plain}', value_format='JSON', partitions=1);"
                 f"CREATE STREAM {plain}_c AS SELECT n + 1 AS n FROM {plain};")
        self.assertEqual(self.rows(f"SELECT * FROM {copy} EMIT CHANGES LIMIT 1;"), [[1, "a"]])
        self.gate.shut = True
        self.produce(topic, [{"n": 2, "s": "b"}], self.serializer())
        self.assertEqual(self.rows(f"SELECT * FROM {copy} EMIT CHANGES LIMIT 2;"), [[1, "a"], [2, "b"]])
        more = {**SCHEMA, "fields": SCHEMA["fields"] + [{"name": "t", "type": "string", "default": ""}]}
        self.produce(topic, [{"n": 3, "s": "c", "t": "new"}], self.serializer(more))
        self.produce(topic, [{"n": 4, "s": "d"}], self.serializer())
        message = self.refusal(f"CREATE STREAM {topic}_2 WITH (value_format='AVRO') AS SELECT * FROM {topic};")
        self.assertIn("Could not register schema", message)
        self.assertIn("read from", message)
        self.sql(f"INSERT INTO {plain} VALUES (1);")
        self.assertEqual(self.rows(f"SELECT * FROM {plain}_c EMIT CHANGES LIMIT 1;"), [[2]])
        time.sleep(1)
        self.gate.shut = False
        self.assertEqual(self.rows(f"SELECT * FROM {copy} EMIT CHANGES LIMIT 4;"), [[1, "a"], [2, "b"], [3, "c"], [4, "d"]])

    def test_the_registry_is_away_at_the_start(self):
        topic = self.name("start")
        self.produce(self.topic(topic), [{"n": 1, "s": "a"}], self.serializer())
        gate = open_gate()
        server = Server(BROKER, {"ksql.schema.registry.url": gate.url, "ksql.service.id": f"start_{uuid.uuid4().hex[:8]}_"}).start()
        try:
            server.sql(f"CREATE STREAM {topic} WITH (kafka_topic='{topic}', value_format='AVRO');"
                       f"CREATE STREAM {topic}_c AS SELECT * FROM {topic};", EARLIEST)
            self.assertEqual(server.rows(f"SELECT * FROM {topic}_c EMIT CHANGES LIMIT 1;", EARLIEST), [[1, "a"]])
            server.stop()
            gate.shut = True
            self.produce(topic, [{"n": 2, "s": "b"}], self.serializer())
            server.start()
            self.assertEqual([one["name"] for one in server.sql("SHOW STREAMS;")[0]["streams"] if one["name"] == topic.upper()], [topic.upper()])
            gate.shut = False
            self.assertEqual(server.rows(f"SELECT * FROM {topic}_c EMIT CHANGES LIMIT 2;", EARLIEST), [[1, "a"], [2, "b"]])
        finally:
            server.close()

    def test_a_password_is_needed(self):
        gate = open_gate("ann:secret")
        topic = self.name("auth")
        self.produce(self.topic(topic), [{"n": 1, "s": "a"}], self.serializer())
        make = f"CREATE STREAM {topic} WITH (kafka_topic='{topic}', value_format='AVRO');"
        prefix = "ksql.schema.registry."
        auth = {prefix + "basic.auth.credentials.source": "USER_INFO", prefix + "basic.auth.user.info": "ann:secret"}
        wrong = {**auth, prefix + "basic.auth.user.info": "ann:wrong"}
        for settings, url, works in (({}, gate.url, False), (wrong, gate.url, False), (auth, gate.url, True),
                                     ({}, gate.url.replace("//", "//ann:secret@"), True)):
            server = Server(BROKER, {prefix + "url": url, "ksql.service.id": f"auth_{uuid.uuid4().hex[:8]}_", **settings}).start()
            try:
                if works:
                    server.sql(make, EARLIEST)
                    self.assertEqual(server.rows(f"SELECT * FROM {topic} EMIT CHANGES LIMIT 1;", EARLIEST), [[1, "a"]])
                else:
                    with self.assertRaises(Refused) as refused:
                        server.sql(make)
                    self.assertIn("unauthorized", refused.exception.answer["message"])
            finally:
                server.close()

    def test_tls(self):
        """The server's certificate and name are checked, and ours is asked for."""
        with tempfile.TemporaryDirectory() as directory:
            def certify(name, *more):
                subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                                "-subj", f"/CN={name}", "-keyout", f"{directory}/{name}.key", "-out", f"{directory}/{name}.pem", *more],
                               check=True, capture_output=True)
                return f"{directory}/{name}.pem", f"{directory}/{name}.key"

            good, other = certify("good", "-addext", "subjectAltName=IP:127.0.0.1"), certify("other", "-addext", "subjectAltName=DNS:elsewhere")
            ours = certify("ours")
            gates = {}
            for name, (certificate, key) in (("good", good), ("other", other)):
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(certificate, key)
                context.load_verify_locations(ours[0])
                context.verify_mode = ssl.CERT_REQUIRED
                gates[name] = open_gate(tls=context)
            prefix = "ksql.schema.registry."
            client = {prefix + "ssl.certificate.location": ours[0], prefix + "ssl.key.location": ours[1]}
            for name, settings, works in (("good", {prefix + "ssl.ca.location": good[0], **client}, True),
                                          ("good", {prefix + "ssl.ca.location": good[0]}, False),
                                          ("good", {prefix + "ssl.ca.location": other[0], **client}, False),
                                          ("other", {prefix + "ssl.ca.location": other[0], **client}, False),
                                          ("other", {prefix + "ssl.verify": "false", **client}, True)):
                server = Server(BROKER, {prefix + "url": gates[name].url, "ksql.service.id": f"tls_{uuid.uuid4().hex[:8]}_", **settings}).start()
                try:
                    if works:
                        server.sql("ASSERT NOT EXISTS SCHEMA SUBJECT 'nobody' TIMEOUT 1 SECOND;")
                    else:
                        with self.assertRaises(Refused, msg=(name, settings)) as refused:
                            server.sql("ASSERT NOT EXISTS SCHEMA SUBJECT 'nobody' TIMEOUT 1 SECOND;")
                        self.assertIn("127.0.0.1", refused.exception.answer["message"])
                finally:
                    server.close()

    def test_the_next_of_several_urls(self):
        topic = self.name("urls")
        self.produce(self.topic(topic), [{"n": 1, "s": "a"}], self.serializer())
        gates = [open_gate(), open_gate()]
        urls = ", ".join(gate.url for gate in gates)
        server = Server(BROKER, {"ksql.schema.registry.url": urls, "ksql.service.id": f"urls_{uuid.uuid4().hex[:8]}_"}).start()
        try:
            gates[0].shut = True
            server.sql(f"CREATE STREAM {topic} WITH (kafka_topic='{topic}', value_format='AVRO');", EARLIEST)
            gates[0].shut, gates[1].shut = False, True
            self.assertEqual(server.rows(f"SELECT * FROM {topic} EMIT CHANGES LIMIT 1;", EARLIEST), [[1, "a"]])
            self.assertTrue(gates[0].asked and gates[1].asked)
        finally:
            server.close()

    def test_a_subject_is_deleted_under_a_query(self):
        """Ids stay: what is there is read on, and what is written is written by the schema that the query began with."""
        topic, copy = self.name("gone"), self.name("copy")
        self.produce(self.topic(topic), [{"n": 1, "s": "a"}], self.serializer())
        self.sql(f"CREATE STREAM {topic} WITH (kafka_topic='{topic}', value_format='AVRO'); CREATE STREAM {copy} AS SELECT * FROM {topic};")
        self.assertEqual(self.rows(f"SELECT * FROM {copy} EMIT CHANGES LIMIT 1;"), [[1, "a"]])
        serializer = self.serializer()
        self.produce(topic, [{"n": 2, "s": "b"}], serializer)
        for subject in (f"{topic}-value", f"{copy.upper()}-value"):
            self.assertEqual(registry_call("DELETE", f"/subjects/{subject}")[0], 200)
        self.produce(topic, [{"n": 3, "s": "c"}], serializer)
        self.assertEqual(self.rows(f"SELECT * FROM {copy} EMIT CHANGES LIMIT 3;"), [[1, "a"], [2, "b"], [3, "c"]])
        self.assertEqual([query["state"] for query in self.sql("SHOW QUERIES;")[0]["queries"] if copy.upper() in query["sinks"]], ["RUNNING"])
        described = self.sql(f"DESCRIBE {copy} EXTENDED;")[0]["sourceDescription"]["schemas"]
        self.assertNotIn("id", described[0])



if __name__ == "__main__":
    unittest.main()
