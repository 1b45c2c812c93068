"""The registry that a server keeps in its own log, asked by Confluent's client and by hand: every endpoint, and how each
says no. Needs no broker."""
import json
import os
import sys
import unittest
import urllib.error
import urllib.request

from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient, ServerConfig
from confluent_kafka.schema_registry.error import SchemaRegistryError

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "faults"))
from server import Server  # noqa: E402


def record(*fields, name="R"):
    return json.dumps({"type": "record", "name": name, "fields": [
        {"name": n, "type": t, **more} for n, t, more in fields]})


PLAIN = record(("a", "int", {}))
OPTIONAL = record(("a", "int", {}), ("b", "int", {"default": 0}))
NEEDED = record(("a", "int", {}), ("b", "int", {}))


class Embedded(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.server = Server().start()
        cls.port = cls.server.port

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    @classmethod
    def fresh_client(cls):
        """Clients keep what they asked for."""
        cls.client = SchemaRegistryClient({"url": f"http://127.0.0.1:{cls.port}"})

    def setUp(self):
        self.fresh_client()

    def ask(self, method, path, body=None):
        """Status and JSON of an answer."""
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, method=method,
                                         headers={"Content-Type": "application/vnd.schemaregistry.v1+json"})
        try:
            with urllib.request.urlopen(request, timeout=15) as answer:
                self.assertEqual(answer.headers["Content-Type"], "application/vnd.schemaregistry.v1+json")
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    def fails(self, code, work, *arguments, **named):
        with self.assertRaises(SchemaRegistryError) as raised:
            work(*arguments, **named)
        self.assertEqual(raised.exception.error_code, code, raised.exception)
        self.assertEqual(raised.exception.http_status_code, code if code < 1000 else code // 100)

    def test_registering_and_looking_up(self):
        client = self.client
        plain = record(("a", "int", {}), name="Registered")
        optional = record(("a", "int", {}), ("b", "int", {"default": 0}), name="Registered")
        number = client.register_schema("reg-value", Schema(plain, "AVRO"))
        self.fresh_client()
        self.assertEqual(self.client.register_schema("reg-value", Schema(json.dumps(json.loads(plain), indent=2), "AVRO")), number)
        second = client.register_schema("reg-value", Schema(optional, "AVRO"))
        self.assertGreater(second, number)
        self.assertEqual(json.loads(client.get_schema(number).schema_str), json.loads(plain))
        self.assertEqual(client.get_schema_types(), ["JSON", "PROTOBUF", "AVRO"])
        self.assertEqual(client.get_versions("reg-value"), [1, 2])
        self.assertEqual(client.get_latest_version("reg-value").schema_id, second)
        self.assertEqual(client.get_version("reg-value", 1).schema_id, number)
        found = client.lookup_schema("reg-value", Schema(optional, "AVRO"))
        self.assertEqual((found.schema_id, found.version), (second, 2))
        self.assertEqual(client.get_subjects_by_schema_id(number), ["reg-value"])
        self.assertEqual([(one.subject, one.version) for one in client.get_schema_versions(second)], [("reg-value", 2)])
        self.assertIn("reg-value", client.get_subjects())
        self.assertEqual(client.get_contexts(), ["."])
        self.assertEqual(self.ask("GET", f"/schemas/ids/{number}/schema"), (200, json.loads(plain)))
        self.assertEqual(self.ask("GET", "/subjects/reg-value/versions/latest/schema"), (200, json.loads(optional)))
        self.assertEqual(self.ask("GET", "/subjects?subjectPrefix=reg"), (200, ["reg-value"]))
        self.assertEqual(self.ask("GET", "/subjects/reg-value/versions?offset=1&limit=1"), (200, [2]))
        self.assertEqual([(one["subject"], one["version"]) for one in self.ask("GET", "/schemas?subjectPrefix=reg&latestOnly=true")[1]],
                         [("reg-value", 2)])
        self.assertGreaterEqual(self.ask("GET", f"/schemas/ids/{number}?fetchMaxId=true")[1]["maxId"], second)

    def test_what_is_not_there(self):
        client = self.client
        client.register_schema("known", Schema(PLAIN, "AVRO"))
        self.fails(40401, client.get_versions, "nobody")
        self.fails(40401, client.get_latest_version, "nobody")
        self.fails(40401, client.lookup_schema, "nobody", Schema(PLAIN, "AVRO"))
        self.fails(40401, client.delete_subject, "nobody")
        self.fails(40402, client.get_version, "known", 9)
        self.fails(40402, client.delete_version, "known", 9)
        self.fails(40403, client.get_schema, 99999)
        self.fails(40403, client.lookup_schema, "known", Schema(OPTIONAL, "AVRO"))
        self.fails(42201, client.register_schema, "known", Schema("{", "AVRO"))
        self.fails(42201, client.register_schema, "known", Schema(record(("a", "int", {"default": "x"})), "AVRO"))
        self.fails(42201, client.register_schema, "known", Schema("message {", "PROTOBUF"))
        self.fails(42202, client.get_version, "known", "x")
        self.fails(42203, client.set_compatibility, "known", "SIDEWAYS")
        self.fails(42204, client.update_mode, "known", "SIDEWAYS")
        self.fails(40408, client.get_compatibility, "known")
        self.fails(40409, client.get_mode, "known")
        self.fails(40401, client.delete_config, "known")
        self.fails(40401, client.delete_mode, "known")
        self.assertEqual(self.ask("POST", "/subjects/known/versions", {"schema": PLAIN, "schemaType": "XML"})[1]["error_code"], 42201)
        self.assertEqual(self.ask("POST", "/subjects/known/versions", {"schema": PLAIN, "metadata": {"properties": {}}})[1]["error_code"], 42210)
        self.assertEqual(self.ask("POST", "/subjects/known/versions", b"[")[1]["error_code"], 42201)
        self.assertEqual(self.ask("GET", "/subjects/known/nothing")[0], 404)
        self.assertEqual(self.ask("PUT", "/subjects/known", {})[0], 405)
        self.assertEqual(self.ask("GET", "/schemas/ids/none")[0], 422)

    def test_compatibility(self):
        client = self.client
        self.assertEqual(client.get_compatibility(), "BACKWARD")
        client.register_schema("comp", Schema(PLAIN, "AVRO"))
        client.register_schema("comp", Schema(OPTIONAL, "AVRO"))
        for level, latest, all_of_them in (("BACKWARD", True, True), ("BACKWARD_TRANSITIVE", True, False), ("FORWARD", True, True),
                                           ("FORWARD_TRANSITIVE", True, True), ("FULL", True, True),
                                           ("FULL_TRANSITIVE", True, False), ("NONE", True, True)):
            client.set_compatibility("comp", level)
            self.assertEqual(client.get_compatibility("comp"), level)
            self.assertEqual(client.test_compatibility("comp", Schema(NEEDED, "AVRO")), latest, level)
            self.assertEqual(client.test_compatibility("comp", Schema(NEEDED, "AVRO"), 1), level in ("NONE", "FORWARD", "FORWARD_TRANSITIVE"), level)
            self.assertEqual(client.test_compatibility_all_versions("comp", Schema(NEEDED, "AVRO")), all_of_them, level)
        client.set_compatibility("comp", "FULL_TRANSITIVE")
        self.fails(409, client.register_schema, "comp", Schema(NEEDED, "AVRO"))
        self.fails(409, client.register_schema, "comp", Schema('{"type": "object"}', "JSON"))
        verbose = self.ask("POST", "/compatibility/subjects/comp/versions/1?verbose=true", {"schema": NEEDED})[1]
        self.assertEqual(verbose["is_compatible"], False)
        self.assertIn("READER_FIELD_MISSING_DEFAULT_VALUE", verbose["messages"][0])
        self.assertTrue(client.test_compatibility("nobody", Schema(NEEDED, "AVRO")))
        self.fails(40402, client.test_compatibility, "comp", Schema(NEEDED, "AVRO"), 7)
        self.assertEqual(client.delete_config("comp").compatibility_level.value, "FULL_TRANSITIVE")
        self.fails(40408, client.get_compatibility, "comp")
        self.assertEqual(self.ask("GET", "/config/comp?defaultToGlobal=true"), (200, {"compatibilityLevel": "BACKWARD"}))
        client.register_schema("comp", Schema(NEEDED, "AVRO"))

    def test_the_level_of_all(self):
        client = self.client
        client.register_schema("all-of-them", Schema(PLAIN, "AVRO"))
        client.set_compatibility(level="NONE")
        self.assertEqual(client.get_compatibility(), "NONE")
        client.register_schema("all-of-them", Schema('"string"', "AVRO"))
        client.delete_config()
        self.assertEqual(client.get_compatibility(), "BACKWARD")
        self.fails(409, client.register_schema, "all-of-them", Schema('"boolean"', "AVRO"))

    def test_open_objects(self):
        """JSON Schema: what open objects do not name counts with the policy STRICT alone."""
        one, two = ('{"type": "object", "properties": {"a": {"type": "string"}}}',
                    '{"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "string"}}}')
        self.client.register_schema("open", Schema(one, "JSON"))
        self.assertEqual(self.ask("PUT", "/config/open", {"compatibilityPolicy": "STRICT"}), (200, {"compatibilityPolicy": "STRICT"}))
        self.fails(409, self.client.register_schema, "open", Schema(two, "JSON"))
        self.ask("PUT", "/config/open", {"compatibilityPolicy": "LENIENT"})
        self.client.register_schema("open", Schema(two, "JSON"))
        self.assertEqual(self.ask("PUT", "/config/open", {"compatibilityPolicy": "ROUGH"})[0], 422)

    def test_deleting(self):
        client = self.client
        first = client.register_schema("gone", Schema(PLAIN, "AVRO"))
        client.register_schema("gone", Schema(OPTIONAL, "AVRO"))
        self.fails(40407, client.delete_version, "gone", 1, permanent=True)
        self.assertEqual(client.delete_version("gone", 1), 1)
        self.fails(40406, client.delete_version, "gone", 1)
        self.fresh_client()
        client = self.client
        self.assertEqual(client.get_versions("gone"), [2])
        self.assertEqual(client.get_versions("gone", deleted=True), [1, 2])
        self.fails(40402, client.get_version, "gone", 1)
        self.assertEqual(client.get_version("gone", 1, deleted=True).schema_id, first)
        self.fresh_client()
        client = self.client
        self.fails(40403, client.lookup_schema, "gone", Schema(PLAIN, "AVRO"))
        self.assertEqual(client.lookup_schema("gone", Schema(PLAIN, "AVRO"), deleted=True).version, 1)
        self.assertEqual(client.get_schema(first).schema_type, "AVRO")
        self.assertEqual(client.delete_version("gone", 1, permanent=True), 1)
        self.assertEqual(client.get_versions("gone", deleted=True), [2])
        self.fails(40405, client.delete_subject, "gone", permanent=True)
        self.assertEqual(client.delete_subject("gone"), [2])
        self.fails(40404, client.delete_subject, "gone")
        self.fails(40401, client.get_versions, "gone")
        self.assertNotIn("gone", client.get_subjects())
        self.assertIn("gone", client.get_subjects(deleted=True))
        self.assertEqual(self.ask("GET", "/subjects?deletedOnly=true&subjectPrefix=gone"), (200, ["gone"]))
        self.fresh_client()
        self.client.register_schema("gone", Schema(OPTIONAL, "AVRO"))
        self.assertEqual(self.client.get_versions("gone"), [3])
        self.client.delete_subject("gone")
        self.assertEqual(self.client.delete_subject("gone", permanent=True), [2, 3])
        self.assertEqual(self.client.get_subjects(deleted=True).count("gone"), 0)
        self.fresh_client()
        self.client.register_schema("gone", Schema(PLAIN, "AVRO"))
        self.assertEqual(self.client.get_versions("gone"), [1])

    def test_references(self):
        client = self.client
        client.register_schema("ref-inner", Schema('syntax = "proto3"; package in; message I { int32 a = 1; }', "PROTOBUF"))
        outer = Schema('syntax = "proto3"; import "inner.proto"; message O { in.I i = 1; }', "PROTOBUF",
                       [SchemaReference("inner.proto", "ref-inner", 1)])
        number = client.register_schema("ref-outer", outer)
        self.assertEqual(client.get_referenced_by("ref-inner", 1), [number])
        self.assertEqual(client.get_schema(number).references[0].subject, "ref-inner")
        self.fails(42206, client.delete_subject, "ref-inner")
        self.fails(42206, client.delete_version, "ref-inner", 1)
        self.fails(42201, client.register_schema, "ref-bad", Schema(outer.schema_str, "PROTOBUF", [SchemaReference("inner.proto", "nobody", 1)]))
        client.delete_subject("ref-outer")
        self.assertEqual(client.delete_subject("ref-inner"), [1])

    def test_normalizing(self):
        one = '{"type": "record", "name": "x.N", "fields": [{"name": "a", "type": {"type": "int"}}]}'
        other = '{"name": "N", "namespace": "x", "type": "record", "fields": [{"type": "int", "name": "a"}]}'
        number = self.client.register_schema("norm", Schema(one, "AVRO"))
        self.assertNotEqual(self.client.register_schema("norm-plain", Schema(other, "AVRO")), number)
        self.fresh_client()
        self.assertEqual(self.client.register_schema("norm", Schema(other, "AVRO"), normalize_schemas=True), number)
        self.fails(40403, self.client.lookup_schema, "norm", Schema(other, "AVRO"))
        self.assertEqual(self.client.lookup_schema("norm", Schema(other, "AVRO"), normalize_schemas=True).version, 1)
        self.assertEqual(self.ask("PUT", "/config/norm", {"normalize": True}), (200, {"normalize": True}))
        self.assertEqual(self.ask("POST", "/subjects/norm/versions", {"schema": other}), (200, {"id": number}))

    def test_modes(self):
        client = self.client
        client.register_schema("modal", Schema(PLAIN, "AVRO"))
        self.assertEqual(client.get_global_mode(), "READWRITE")
        self.assertEqual(client.update_mode("modal", "READONLY"), "READONLY")
        self.assertEqual(client.get_mode("modal"), "READONLY")
        self.fails(42205, client.register_schema, "modal", Schema(OPTIONAL, "AVRO"))
        self.fails(42205, client.delete_subject, "modal")
        self.fails(42205, client.update_mode, "modal", "IMPORT")
        self.assertEqual(client.delete_mode("modal"), "READONLY")
        self.assertEqual(self.ask("GET", "/mode/modal?defaultToGlobal=true"), (200, {"mode": "READWRITE"}))
        self.assertEqual(self.ask("POST", "/subjects/brought/versions", {"schema": PLAIN, "id": 4000})[1]["error_code"], 42205)
        self.assertEqual(client.update_mode("brought", "IMPORT"), "IMPORT")
        self.assertEqual(self.ask("POST", "/subjects/brought/versions", {"schema": '"bytes"', "id": 4000, "version": 7}), (200, {"id": 4000}))
        self.assertEqual(self.ask("POST", "/subjects/brought/versions", {"schema": '"float"', "id": 4000})[1]["error_code"], 42207)
        self.assertEqual(client.get_versions("brought"), [7])
        client.update_global_mode("READONLY")
        try:
            status, answer = self.ask("POST", "/ksql", {"ksql": "CREATE STREAM ro (a INT) WITH (kafka_topic='ro', value_format='AVRO', partitions=1);"})
            self.assertEqual(status, 400)
            self.assertIn("read-only", answer["message"])
        finally:
            client.update_global_mode("READWRITE")

    def test_what_is_kept(self):
        """Everything is there again after a restart."""
        client = self.client
        client.register_schema("kept", Schema(PLAIN, "AVRO"))
        client.register_schema("kept", Schema(OPTIONAL, "AVRO"))
        client.delete_version("kept", 1)
        client.set_config("kept", ServerConfig.from_dict({"compatibility": "NONE", "normalize": True}))
        client.update_mode("kept", "READONLY_OVERRIDE")
        before = [self.ask("GET", path) for path in ("/schemas?deleted=true", "/config/kept", "/mode/kept")]
        self.server.stop()
        self.server.start()
        self.assertEqual([self.ask("GET", path) for path in ("/schemas?deleted=true", "/config/kept", "/mode/kept")], before)


if __name__ == "__main__":
    unittest.main()
