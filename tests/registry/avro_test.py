"""AVRO against a real registry: what Confluent's client writes is read, what Millrace writes is read by Confluent's client."""
import datetime
import decimal
import json
import unittest
import uuid

from bed import Bed, register
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer

UTC = datetime.timezone.utc
D = decimal.Decimal

EVERYTHING = {
    "type": "record", "name": "Everything", "namespace": "test.all", "fields": [
        {"name": "b", "type": "boolean"}, {"name": "i", "type": "int"}, {"name": "l", "type": "long"},
        {"name": "f", "type": "float"}, {"name": "d", "type": "double"}, {"name": "s", "type": "string"},
        {"name": "raw", "type": "bytes"}, {"name": "fx", "type": {"type": "fixed", "name": "Four", "size": 4}},
        {"name": "dec", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
        {"name": "decf", "type": {"type": "fixed", "name": "Dec8", "size": 8, "logicalType": "decimal", "precision": 12, "scale": 3}},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "tmi", "type": {"type": "int", "logicalType": "time-millis"}},
        {"name": "tmu", "type": {"type": "long", "logicalType": "time-micros"}},
        {"name": "tsmi", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "tsmu", "type": {"type": "long", "logicalType": "timestamp-micros"}},
        {"name": "e", "type": {"type": "enum", "name": "Colour", "symbols": ["RED", "GREEN"]}},
        {"name": "u", "type": {"type": "string", "logicalType": "uuid"}},
        {"name": "nn", "type": ["null", "long"], "default": None}, {"name": "nl", "type": ["string", "null"]},
        {"name": "arr", "type": {"type": "array", "items": ["null", "int"]}},
        {"name": "m", "type": {"type": "map", "values": "double"}},
        {"name": "r", "type": {"type": "record", "name": "In", "fields": [
            {"name": "x", "type": "int"}, {"name": "deep", "type": ["null", {"type": "record", "name": "Deep", "fields": [
                {"name": "y", "type": "string"}]}]}]}},
        {"name": "rs", "type": {"type": "array", "items": "In"}},
        {"name": "mr", "type": {"type": "map", "values": {"type": "array", "items": "In"}}},
        {"name": "un", "type": ["null", "string", "long", "In"]},
    ]}
VALUE = {
    "b": True, "i": -7, "l": 2**53 + 1, "f": 1.5, "d": -0.25, "s": "grün \"x\"", "raw": b"\x00\xff", "fx": b"abcd",
    "dec": D("-1234.50"), "decf": D("98765.432"), "day": datetime.date(2024, 2, 29), "tmi": datetime.time(1, 2, 3, 4000),
    "tmu": datetime.time(23, 59, 59, 999999), "tsmi": datetime.datetime(2024, 1, 2, 3, 4, 5, 678000, UTC),
    "tsmu": datetime.datetime(1969, 12, 31, 23, 59, 59, 999999, UTC), "e": "GREEN", "u": str(uuid.UUID(int=5)),
    "nn": 5, "nl": None, "arr": [1, None, 3], "m": {"k": 2.0}, "r": {"x": 1, "deep": {"y": "z"}},
    "rs": [{"x": 1, "deep": None}, {"x": 2, "deep": {"y": "q"}}], "mr": {"a": [{"x": 3, "deep": None}]}, "un": {"x": 9, "deep": None},
}
TYPES = {
    "B": "BOOLEAN", "I": "INTEGER", "L": "BIGINT", "F": "DOUBLE", "D": "DOUBLE", "S": "STRING", "RAW": "BYTES", "FX": "BYTES",
    "DEC": "DECIMAL(9,2)", "DECF": "DECIMAL(12,3)", "DAY": "DATE", "TMI": "TIME", "TMU": "TIME", "TSMI": "TIMESTAMP",
    "TSMU": "TIMESTAMP", "E": "STRING", "U": "STRING", "NN": "BIGINT", "NL": "STRING", "ARR": "ARRAY<INTEGER>",
    "M": "MAP<DOUBLE>", "R": "STRUCT<X INTEGER, DEEP STRUCT<Y STRING>>", "RS": "ARRAY<STRUCT<X INTEGER, DEEP STRUCT<Y STRING>>>",
    "MR": "MAP<ARRAY<STRUCT<X INTEGER, DEEP STRUCT<Y STRING>>>>",
    "UN": "STRUCT<STRING STRING, LONG BIGINT, IN STRUCT<X INTEGER, DEEP STRUCT<Y STRING>>>",
}
ROW = [True, -7, 2**53 + 1, 1.5, -0.25, "grün \"x\"", "AP8=", "YWJjZA==", -1234.5, 98765.432, "2024-02-29", "01:02:03", "23:59:59",
       "2024-01-02T03:04:05.678", "1969-12-31T23:59:59.999", "GREEN", str(uuid.UUID(int=5)), 5, None, [1, None, 3], {"k": 2.0},
       {"X": 1, "DEEP": {"Y": "z"}}, [{"X": 1, "DEEP": None}, {"X": 2, "DEEP": {"Y": "q"}}], {"a": [{"X": 3, "DEEP": None}]},
       {"STRING": None, "LONG": None, "IN": {"X": 9, "DEEP": None}}]


class Avro(Bed):
    def test_every_type_both_ways(self):
        source, sink = self.name("all"), self.name("copy")
        serializer = AvroSerializer(self.client, json.dumps(EVERYTHING))
        self.produce(self.topic(source), [VALUE], serializer)
        self.sql(f"CREATE STREAM {source} WITH (kafka_topic='{source}', value_format='AVRO');")
        self.assertEqual(self.types(source), TYPES)
        self.assertEqual(self.rows(f"SELECT * FROM {source} EMIT CHANGES LIMIT 1;"), [ROW])

        self.sql(f"CREATE STREAM {sink} WITH (kafka_topic='{sink}') AS SELECT * FROM {source};")
        [(_, read)] = self.consume(sink, 1, AvroDeserializer(self.client))
        written = {name: value for name, value in read.items()}
        # Connect's types: float is double, fixed is bytes, times are of milliseconds, a map is an array of entries.
        self.assertEqual(written.pop("MR"), [{"key": "a", "value": [{"X": 3, "DEEP": None}]}])
        self.assertEqual(written.pop("M"), [{"key": "k", "value": 2.0}])
        self.assertEqual(written, {
            **{name.upper(): value for name, value in VALUE.items() if name not in ("m", "mr")},
            "TMU": datetime.time(23, 59, 59, 999000), "TSMU": datetime.datetime(1969, 12, 31, 23, 59, 59, 999000, UTC),
            "R": {"X": 1, "DEEP": {"Y": "z"}}, "RS": [{"X": 1, "DEEP": None}, {"X": 2, "DEEP": {"Y": "q"}}],
            "UN": {"STRING": None, "LONG": None, "IN": {"X": 9, "DEEP": None}}})

    def test_keys(self):
        topic, table = self.name("keyed"), self.name("t")
        key = {"type": "record", "name": "K", "fields": [{"name": "a", "type": "int"}, {"name": "b", "type": "string"}]}
        value = {"type": "record", "name": "V", "fields": [{"name": "v", "type": "long"}]}
        self.produce(self.topic(topic), [{"v": 1}, {"v": 2}, None], AvroSerializer(self.client, json.dumps(value)),
                     [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}, {"a": 1, "b": "x"}], AvroSerializer(self.client, json.dumps(key)))
        self.sql(f"CREATE STREAM {topic} WITH (kafka_topic='{topic}', format='AVRO');")
        self.assertEqual(self.types(topic), {"ROWKEY": "STRUCT<A INTEGER, B STRING>", "V": "BIGINT"})
        self.assertEqual(self.rows(f"SELECT ROWKEY->b, v FROM {topic} EMIT CHANGES LIMIT 2;"), [["x", 1], ["y", 2]])
        self.sql(f"CREATE STREAM {table} (a INT KEY, b STRING KEY, v BIGINT) WITH (kafka_topic='{topic}', format='AVRO');"
                 f"CREATE STREAM {table}_c WITH (kafka_topic='{table}_c') AS SELECT a, b, v + 1 AS v FROM {table};")
        read = self.consume(f"{table}_c", 3, AvroDeserializer(self.client), AvroDeserializer(self.client))
        self.assertEqual(read, [({"A": 1, "B": "x"}, {"V": 2}), ({"A": 2, "B": "y"}, {"V": 3}), ({"A": 1, "B": "x"}, None)])
        plain = self.name("plain")
        self.produce(self.topic(plain), [{"v": 1}], AvroSerializer(self.client, json.dumps(value)), ["k"],
                     AvroSerializer(self.client, '"string"'))
        self.sql(f"CREATE TABLE {plain} WITH (kafka_topic='{plain}', format='AVRO');")
        self.assertEqual(self.types(plain), {"ROWKEY": "STRING", "V": "BIGINT"})
        self.assertEqual(self.rows(f"SELECT * FROM {plain} EMIT CHANGES LIMIT 1;"), [["k", 1]])

    def test_evolution(self):
        """Fields added, removed, reordered, renamed by alias and promoted, in one topic."""
        topic = self.name("evolved")
        one = {"type": "record", "name": "E", "fields": [
            {"name": "id", "type": "int"}, {"name": "gone", "type": "string", "default": ""}, {"name": "old", "type": "float"}]}
        two = {"type": "record", "name": "E", "fields": [
            {"name": "fresh", "type": "string", "default": "new"}, {"name": "name", "type": "double", "aliases": ["old"]},
            {"name": "id", "type": "long"}]}
        self.produce(self.topic(topic), [{"id": 1, "gone": "x", "old": 0.5}], AvroSerializer(self.client, json.dumps(one)))
        self.produce(topic, [{"id": 2**40, "name": 2.5, "fresh": "f"}], AvroSerializer(self.client, json.dumps(two)))
        self.sql(f"CREATE STREAM {topic} WITH (kafka_topic='{topic}', value_format='AVRO');")
        self.assertEqual(self.types(topic), {"FRESH": "STRING", "NAME": "DOUBLE", "ID": "BIGINT"})
        self.assertEqual(self.rows(f"SELECT * FROM {topic} EMIT CHANGES LIMIT 2;"), [["new", 0.5, 1], ["f", 2.5, 2**40]])

    def test_references(self):
        topic, shared = self.name("refs"), self.name("shared")
        register(shared, {"type": "record", "name": "Address", "namespace": "ref", "fields": [{"name": "city", "type": "string"}]})
        person = {"type": "record", "name": "Person", "namespace": "ref", "fields": [
            {"name": "name", "type": "string"}, {"name": "home", "type": "ref.Address"}, {"name": "work", "type": ["null", "Address"]}]}
        register(f"{topic}-value", person, references=[{"name": "ref.Address", "subject": shared, "version": 1}])
        serializer = AvroSerializer(self.client, conf={"auto.register.schemas": False, "use.latest.version": True})
        self.produce(self.topic(topic), [{"name": "ann", "home": {"city": "Ulm"}, "work": None}], serializer)
        self.sql(f"CREATE STREAM {topic} WITH (kafka_topic='{topic}', value_format='AVRO');")
        self.assertEqual(self.rows(f"SELECT name, home->city, work FROM {topic} EMIT CHANGES LIMIT 1;"), [["ann", "Ulm", None]])

    def test_schema_by_id_with_defaults(self):
        topic, sink = self.name("src"), self.name("by_id")
        schema = {"type": "record", "name": "Out", "namespace": "by.id", "fields": [
            {"name": "a", "type": "long"}, {"name": "more", "type": "string", "default": "dflt"}]}
        number = register(f"{sink}-value", schema)
        self.sql(f"CREATE STREAM {topic} (`a` BIGINT) WITH (kafka_topic='{topic}', value_format='JSON', partitions=1);"
                 f"CREATE STREAM {sink} WITH (kafka_topic='{sink}', value_format='AVRO', value_schema_id={number}) AS SELECT `a` FROM {topic};"
                 f"INSERT INTO {topic} VALUES (42);")
        [(_, read)] = self.consume(sink, 1, AvroDeserializer(self.client))
        self.assertEqual(read, {"a": 42, "more": "dflt"})

    def test_a_record_in_itself(self):
        topic = self.name("tree")
        tree = {"type": "record", "name": "Tree", "fields": [
            {"name": "n", "type": "int"}, {"name": "twig", "type": ["null", "Tree"], "default": None}]}
        self.produce(self.topic(topic), [{"n": 1, "twig": {"n": 2, "twig": None}}], AvroSerializer(self.client, json.dumps(tree)))
        self.assertIn("holds itself", self.refusal(f"CREATE STREAM {topic} WITH (kafka_topic='{topic}', value_format='AVRO');"))
        self.sql(f"CREATE STREAM {topic} (n INT, twig STRUCT<n INT>) WITH (kafka_topic='{topic}', value_format='AVRO');")
        self.assertEqual(self.rows(f"SELECT * FROM {topic} EMIT CHANGES LIMIT 1;"), [[1, {"N": 2}]])


if __name__ == "__main__":
    unittest.main()
