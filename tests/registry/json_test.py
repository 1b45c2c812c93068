"""JSON_SR against a real registry, both ways, with Confluent's client."""
import json
import unittest

from bed import Bed, register
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer

DRAFT = "http://json-schema.org/draft-07/schema#"
KAFKA = "org.apache.kafka.connect.data."
EVERYTHING = {
    "$schema": DRAFT, "title": "Everything", "type": "object", "additionalProperties": False, "required": ["b"], "properties": {
        "b": {"type": "boolean"}, "i": {"type": "integer", "connect.type": "int32"}, "l": {"type": "integer"},
        "d": {"type": "number"}, "s": {"type": "string"}, "raw": {"type": "string", "connect.type": "bytes"},
        "e": {"enum": ["RED", "GREEN"]}, "n": {"type": ["null", "string"]}, "o": {"oneOf": [{"type": "null"}, {"type": "integer"}]},
        "dec": {"type": "number", "title": KAFKA + "Decimal", "connect.type": "bytes",
                "connect.parameters": {"scale": "2", "connect.decimal.precision": "9"}},
        "day": {"type": "integer", "title": KAFKA + "Date", "connect.type": "int32"},
        "tm": {"type": "integer", "title": KAFKA + "Time", "connect.type": "int32"},
        "ts": {"type": "integer", "title": KAFKA + "Timestamp", "connect.type": "int64"},
        "at": {"type": "string", "format": "date-time"},
        "arr": {"type": "array", "items": {"oneOf": [{"type": "null"}, {"type": "integer"}]}},
        "r": {"type": "object", "properties": {"x": {"type": "integer"}, "deep": {"$ref": "#/definitions/deep"}}},
        "rs": {"type": "array", "items": {"$ref": "#/definitions/deep"}},
        "m": {"type": "object", "additionalProperties": {"type": "integer"}},
        "all": {"allOf": [{"type": "object", "properties": {"p": {"type": "string"}}}, {"$ref": "#/definitions/deep"}]},
    }, "definitions": {"deep": {"type": "object", "properties": {"y": {"type": "string"}}}}}
VALUE = {"b": True, "i": -7, "l": 2**53 + 1, "d": -0.25, "s": "grün", "raw": "AP8=", "e": "GREEN", "n": None, "o": 5, "dec": -12.5,
         "day": 19782, "tm": 3723004, "ts": 1700000000123, "at": "2024-01-02T03:04:05Z", "arr": [1, None], "r": {"x": 1, "deep": {"y": "z"}},
         "rs": [{"y": "a"}, {}], "m": {"k": 1}, "all": {"p": "q", "y": "w"}}
TYPES = {"B": "BOOLEAN", "I": "INTEGER", "L": "BIGINT", "D": "DOUBLE", "S": "STRING", "RAW": "BYTES", "E": "STRING", "N": "STRING",
         "O": "BIGINT", "DEC": "DECIMAL(9,2)", "DAY": "DATE", "TM": "TIME", "TS": "TIMESTAMP", "AT": "STRING", "ARR": "ARRAY<BIGINT>",
         "R": "STRUCT<X BIGINT, DEEP STRUCT<Y STRING>>", "RS": "ARRAY<STRUCT<Y STRING>>", "M": "MAP<BIGINT>",
         "ALL": "STRUCT<P STRING, Y STRING>"}


def same(value, _):
    return value


class Json(Bed):
    def serializer(self, schema):
        return JSONSerializer(json.dumps(schema), self.client, same)

    def read(self, topic, count):
        """The values of a topic, checked by its schema."""
        schema = self.client.get_latest_version(f"{topic}-value").schema
        return [value for _, value in self.consume(topic, count, JSONDeserializer(schema, same, self.client))]

    def test_every_type_both_ways(self):
        source, sink = self.name("all"), self.name("copy")
        self.produce(self.topic(source), [VALUE, {"b": False}], self.serializer(EVERYTHING))
        self.sql(f"CREATE STREAM {source} WITH (kafka_topic='{source}', value_format='JSON_SR');")
        columns = ", ".join(f"`{name}`" for name in TYPES)
        self.assertEqual(self.types(source), TYPES)
        full, empty = self.rows(f"SELECT {columns} FROM {source} EMIT CHANGES LIMIT 2;")
        self.assertEqual(dict(zip(TYPES, full)), {
            "B": True, "I": -7, "L": 2**53 + 1, "D": -0.25, "S": "grün", "RAW": "AP8=", "E": "GREEN", "N": None, "O": 5, "DEC": -12.5,
            "DAY": "2024-02-29", "TM": "01:02:03", "TS": "2023-11-14T22:13:20.123", "AT": "2024-01-02T03:04:05Z", "ARR": [1, None],
            "R": {"X": 1, "DEEP": {"Y": "z"}}, "RS": [{"Y": "a"}, {"Y": None}], "M": {"k": 1}, "ALL": {"P": "q", "Y": "w"}})
        self.assertEqual(empty, [False] + [None] * (len(TYPES) - 1))
        self.sql(f"CREATE STREAM {sink} WITH (kafka_topic='{sink}') AS SELECT {columns} FROM {source};")
        full, empty = self.read(sink, 2)
        deep = {"X": 1, "DEEP": {"Y": "z"}}
        self.assertEqual(full, {**{name.upper(): value for name, value in VALUE.items()}, "R": deep, "RS": [{"Y": "a"}, {"Y": None}],
                                "ALL": {"P": "q", "Y": "w"}})
        self.assertEqual(empty, {"B": False, **{name: None for name in TYPES if name != "B"}})

    def test_evolution(self):
        topic = self.name("evolved")
        one = {"$schema": DRAFT, "title": "E", "type": "object", "properties": {"id": {"type": "integer"}, "gone": {"type": "string"}}}
        two = {"$schema": DRAFT, "title": "E", "type": "object", "properties": {"fresh": {"type": "string"}, "id": {"type": "integer"}}}
        self.produce(self.topic(topic), [{"id": 1, "gone": "x"}], self.serializer(one))
        self.produce(topic, [{"fresh": "f", "id": 2}], self.serializer(two))
        self.sql(f"CREATE STREAM {topic} WITH (kafka_topic='{topic}', value_format='JSON_SR');")
        self.assertEqual(self.rows(f"SELECT fresh, id FROM {topic} EMIT CHANGES LIMIT 2;"), [[None, 1], ["f", 2]])

    def test_references(self):
        topic, shared = self.name("refs"), self.name("shared")
        register(shared, {"$schema": DRAFT, "type": "object", "properties": {"city": {"type": "string"}}}, "JSON")
        person = {"$schema": DRAFT, "type": "object", "properties": {"name": {"type": "string"}, "home": {"$ref": "address.json"}}}
        number = register(f"{topic}-value", person, "JSON", [{"name": "address.json", "subject": shared, "version": 1}])
        frame = b"\0" + number.to_bytes(4, "big")
        self.produce(self.topic(topic), [frame + b'{"name": "ann", "home": {"city": "Ulm"}}'])
        self.sql(f"CREATE STREAM {topic} WITH (kafka_topic='{topic}', value_format='JSON_SR');")
        self.assertEqual(self.rows(f"SELECT name, home->city FROM {topic} EMIT CHANGES LIMIT 1;"), [["ann", "Ulm"]])

    def test_keys(self):
        topic = self.name("keyed")
        key = {"$schema": DRAFT, "title": "K", "type": "object", "properties": {"a": {"type": "integer"}}}
        value = {"$schema": DRAFT, "title": "V", "type": "object", "properties": {"v": {"type": "integer"}}}
        self.produce(self.topic(topic), [{"v": 1}], self.serializer(value), [{"a": 5}], self.serializer(key))
        self.sql(f"CREATE STREAM {topic} WITH (kafka_topic='{topic}', format='JSON_SR');")
        self.assertEqual(self.types(topic), {"ROWKEY": "STRUCT<A BIGINT>", "V": "BIGINT"})
        self.assertEqual(self.rows(f"SELECT * FROM {topic} EMIT CHANGES LIMIT 1;"), [[{"A": 5}, 1]])

    def test_an_object_in_itself(self):
        topic = self.name("tree")
        register(f"{topic}-value", {"$schema": DRAFT, "type": "object", "properties": {"n": {"type": "integer"}, "left": {"$ref": "#"}}}, "JSON")
        self.topic(topic)
        self.assertIn("holds itself", self.refusal(f"CREATE STREAM {topic} WITH (kafka_topic='{topic}', value_format='JSON_SR');"))


if __name__ == "__main__":
    unittest.main()
