"""Subjects that are named after records: Confluent's serializers and Millrace by the same strategy find each other's schemas."""
import json
import unittest

from bed import EARLIEST, Bed, registry_call
from confluent_kafka.schema_registry import record_subject_name_strategy, topic_record_subject_name_strategy
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from protobuf_test import compiled

STRATEGIES = {"RecordNameStrategy": record_subject_name_strategy, "TopicRecordNameStrategy": topic_record_subject_name_strategy}
PREFIX = "io.confluent.kafka.serializers.subject."


def same(value, _):
    return value


class Names(Bed):
    def setUp(self):
        self.record = "names." + self.name("Trip")

    def settings(self, strategy):
        return {**EARLIEST, "ksql.schema.registry.value.subject.name.strategy": PREFIX + strategy}

    def subject(self, strategy, topic, record):
        """The name that it must have; the registry knows it, and not the one after the topic."""
        subject = record if strategy == "RecordNameStrategy" else f"{topic}-{record}"
        self.assertEqual(registry_call("GET", f"/subjects/{subject}/versions")[0], 200, subject)
        self.assertEqual(registry_call("GET", f"/subjects/{topic}-value/versions")[0], 404)
        return subject

    def both_ways(self, strategy, form, serializer, value, deserializer):
        """Theirs: columns from what the client registered. Ours: the client writes by what Millrace registered."""
        settings, theirs, ours = self.settings(strategy), self.name("theirs"), self.name("ours")
        self.produce(self.topic(theirs), [value], serializer({"auto.register.schemas": True}))
        self.subject(strategy, theirs, self.record)
        self.server.sql(f"CREATE STREAM {theirs} WITH (kafka_topic='{theirs}', value_format='{form}', value_schema_full_name='{self.record}');",
                        settings)
        self.assertEqual(self.types(theirs), {"WHO": "STRING", "FAR": "BIGINT"})
        self.assertEqual(self.rows(f"SELECT * FROM {theirs} EMIT CHANGES LIMIT 1;"), [["ann", 7]])
        described = self.sql(f"DESCRIBE {theirs} EXTENDED;")[0]["sourceDescription"]["schemas"]
        self.assertEqual(described[0]["subject"], self.subject(strategy, theirs, self.record))

        copied = self.record + "Copy"
        self.server.sql(f"CREATE STREAM {ours} WITH (kafka_topic='{ours}', value_format='{form}', value_schema_full_name='{copied}') "
                        f"AS SELECT who AS `who`, far AS `far` FROM {theirs};", settings)
        subject = self.subject(strategy, ours, copied)
        registered = self.client.get_latest_version(subject).schema
        [(_, read)] = self.consume(ours, 1, deserializer(copied, registered))
        self.assertEqual(read, {"who": "ann", "far": 7})
        return ours, copied, registered

    def test_avro(self):
        for strategy, named in STRATEGIES.items():
            with self.subTest(strategy):
                schema = {"type": "record", "name": self.record, "fields": [{"name": "who", "type": "string"}, {"name": "far", "type": "long"}]}
                serializer = lambda conf: AvroSerializer(self.client, json.dumps(schema), conf={"subject.name.strategy": named, **conf})
                ours, _, registered = self.both_ways(strategy, "AVRO", serializer, {"who": "ann", "far": 7},
                                                     lambda *_: AvroDeserializer(self.client))
                # The client finds the schema of ours by the same name, and what it writes is read.
                finder = AvroSerializer(self.client, registered.schema_str,
                                        conf={"subject.name.strategy": named, "auto.register.schemas": False})
                self.produce(ours, [{"who": "bob", "far": 9}], finder)
                self.assertEqual(self.rows(f"SELECT * FROM {ours} EMIT CHANGES LIMIT 2;"), [["ann", 7], ["bob", 9]])
                self.record += "2"

    def test_several_records_in_a_topic(self):
        """The use of these names: a topic with records of two kinds, each read by the columns of a source of its own."""
        topic = self.name("mixed")
        self.topic(topic)
        for record, field, value in ((self.record + "A", "x", 1), (self.record + "B", "y", "b")):
            schema = {"type": "record", "name": record, "fields": [{"name": field, "type": "long" if field == "x" else "string"}]}
            self.produce(topic, [{field: value}], AvroSerializer(self.client, json.dumps(schema),
                                                               conf={"subject.name.strategy": record_subject_name_strategy}))
        for record, types, rows in ((self.record + "A", {"X": "BIGINT"}, [[1], [None]]), (self.record + "B", {"Y": "STRING"}, [[None], ["b"]])):
            source = self.name("one")
            self.server.sql(f"CREATE STREAM {source} WITH (kafka_topic='{topic}', value_format='AVRO', value_schema_full_name='{record}');",
                            self.settings("RecordNameStrategy"))
            self.assertEqual(self.types(source), types)
            self.assertEqual(self.rows(f"SELECT * FROM {source} EMIT CHANGES LIMIT 2;"), rows)

    def test_protobuf(self):
        for strategy, named in STRATEGIES.items():
            with self.subTest(strategy):
                package, _, name = self.record.rpartition(".")
                text = f'syntax = "proto3"; package {package}; message {name} {{ string who = 1; int64 far = 2; }}'
                message = compiled(**{self.name("trip"): text})(self.record)
                serializer = lambda conf: ProtobufSerializer(message, self.client, conf={"subject.name.strategy": named, **conf})

                def deserializer(copied, registered):
                    copy = ProtobufDeserializer(compiled(**{self.name("copy"): registered.schema_str})(copied), {})
                    return lambda *data: (lambda read: {"who": read.who, "far": read.far})(copy(*data))

                self.both_ways(strategy, "PROTOBUF", serializer, message(who="ann", far=7), deserializer)
                self.record += "2"

    def test_json(self):
        for strategy, named in STRATEGIES.items():
            with self.subTest(strategy):
                schema = {"$schema": "http://json-schema.org/draft-07/schema#", "title": self.record, "type": "object",
                          "properties": {"who": {"type": "string"}, "far": {"type": "integer"}}}
                serializer = lambda conf: JSONSerializer(json.dumps(schema), self.client, same, conf={"subject.name.strategy": named, **conf})
                self.both_ways(strategy, "JSON_SR", serializer, {"who": "ann", "far": 7},
                               lambda _, registered: JSONDeserializer(registered, same, self.client))
                self.record += "2"


if __name__ == "__main__":
    unittest.main()
