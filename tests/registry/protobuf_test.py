"""PROTOBUF against a real registry, both ways, with Confluent's client and Google's own library."""
import os
import subprocess
import tempfile
import unittest

from bed import Bed, register
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf import timestamp_pb2, wrappers_pb2  # noqa: F401  known to the pool

SHARED = """
syntax = "proto3";
package test.shared;
message Address { string city = 1; repeated string tags = 2; }
"""
EVERYTHING = """
syntax = "proto3";
package test.every;
import "google/protobuf/timestamp.proto";
import "google/protobuf/wrappers.proto";
import "SHARED_FILE";
message First { int32 unused = 1; }
message Second {
  message Inner { int64 x = 1; message Deep { string y = 1; } Deep deep = 2; }
  enum Colour { NONE = 0; RED = 1; GREEN = 2; }
  bool b = 1; int32 i = 2; sint32 si = 3; uint32 ui = 4; fixed32 fi = 5; sfixed32 sfi = 6;
  int64 l = 7; sint64 sl = 8; uint64 ul = 9; fixed64 fl = 10; sfixed64 sfl = 11;
  float f = 12; double d = 13; string s = 14; bytes raw = 15; Colour e = 16;
  optional int32 given = 17; optional int32 absent = 18;
  google.protobuf.Int64Value wrapped = 19; google.protobuf.StringValue not_wrapped = 20;
  google.protobuf.Timestamp stamp = 21;
  repeated int32 packed = 22; repeated int32 loose = 23 [packed = false]; repeated string words = 24;
  map<string, int64> counts = 25; map<string, Inner> inners = 26;
  Inner inner = 27; repeated Inner list = 28;
  oneof choice { string text = 29; Inner picked = 30; int32 number = 31; }
  test.shared.Address home = 32;
}
"""
TYPES = {
    "B": "BOOLEAN", "I": "INTEGER", "SI": "INTEGER", "UI": "BIGINT", "FI": "BIGINT", "SFI": "INTEGER", "L": "BIGINT", "SL": "BIGINT",
    "UL": "BIGINT", "FL": "BIGINT", "SFL": "BIGINT", "F": "DOUBLE", "D": "DOUBLE", "S": "STRING", "RAW": "BYTES", "E": "STRING",
    "GIVEN": "INTEGER", "ABSENT": "INTEGER", "WRAPPED": "BIGINT", "NOT_WRAPPED": "STRING", "STAMP": "TIMESTAMP",
    "PACKED": "ARRAY<INTEGER>", "LOOSE": "ARRAY<INTEGER>", "WORDS": "ARRAY<STRING>", "COUNTS": "MAP<BIGINT>",
    "INNERS": "MAP<STRUCT<X BIGINT, DEEP STRUCT<Y STRING>>>", "INNER": "STRUCT<X BIGINT, DEEP STRUCT<Y STRING>>",
    "LIST": "ARRAY<STRUCT<X BIGINT, DEEP STRUCT<Y STRING>>>", "HOME": "STRUCT<CITY STRING, TAGS ARRAY<STRING>>",
    "CHOICE_0": "STRUCT<TEXT STRING, PICKED STRUCT<X BIGINT, DEEP STRUCT<Y STRING>>, NUMBER INTEGER>",
}


def compiled(**files):
    """Files by name as protoc reads them: their descriptors in a pool."""
    with tempfile.TemporaryDirectory() as directory:
        for name, text in files.items():
            with open(os.path.join(directory, name + ".proto"), "w") as out:
                out.write(text)
        subprocess.run(["protoc", "-I", directory, "-I", "/usr/include", f"--descriptor_set_out={directory}/set",
                        *[f"{directory}/{name}.proto" for name in files]], check=True)
        with open(f"{directory}/set", "rb") as read:
            found = descriptor_pb2.FileDescriptorSet.FromString(read.read())
    pool = descriptor_pool.Default()
    for file in found.file:
        pool.Add(file) if hasattr(pool, "Add") else pool.AddSerializedFile(file.SerializeToString())
    return lambda full_name: message_factory.GetMessageClass(pool.FindMessageTypeByName(full_name))


def deserializer(message):
    return ProtobufDeserializer(message, {"use.deprecated.format": False})


class Protobuf(Bed):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        shared = cls.name("shared")
        cls.shared = shared + ".proto"
        cls.message = staticmethod(compiled(**{shared: SHARED, cls.name("every"): EVERYTHING.replace("SHARED_FILE", cls.shared)}))

    def everything(self):
        value = self.message("test.every.Second")()
        value.b, value.i, value.si, value.ui, value.fi, value.sfi = True, -7, -8, 2**32 - 1, 2**32 - 2, -9
        value.l, value.sl, value.ul, value.fl, value.sfl = -(2**60), -(2**61), 2**62, 2**61, -(2**62)
        value.f, value.d, value.s, value.raw, value.e = 1.5, -0.25, "grün", b"\x00\xff", 2
        value.given, value.wrapped.value = 0, 0
        value.stamp.FromMilliseconds(1700000000123)
        value.packed.extend([1, -2, 3])
        value.loose.extend([4, -5])
        value.words.extend(["a", ""])
        value.counts["k"] = 2**40
        value.inners["i"].x = 1
        value.inner.x, value.inner.deep.y = 2, "z"
        value.list.add().x = 3
        value.list.add()
        value.picked.x = 4
        value.home.city = "Ulm"
        value.home.tags.append("t")
        return value

    def test_every_type_both_ways(self):
        source, sink = self.name("all"), self.name("copy")
        self.produce(self.topic(source), [self.everything(), self.message("test.every.Second")()],
                     ProtobufSerializer(self.message("test.every.Second"), self.client))
        self.sql(f"CREATE STREAM {source} WITH (kafka_topic='{source}', value_format='PROTOBUF', value_schema_full_name='test.every.Second');")
        self.assertEqual(self.types(source), TYPES)
        columns = ", ".join(f"`{name}`" for name in TYPES)
        full, empty = self.rows(f"SELECT {columns} FROM {source} EMIT CHANGES LIMIT 2;")
        self.assertEqual(dict(zip(TYPES, full)), {
            "B": True, "I": -7, "SI": -8, "UI": 2**32 - 1, "FI": 2**32 - 2, "SFI": -9, "L": -(2**60), "SL": -(2**61), "UL": 2**62,
            "FL": 2**61, "SFL": -(2**62), "F": 1.5, "D": -0.25, "S": "grün", "RAW": "AP8=", "E": "GREEN", "GIVEN": 0, "ABSENT": None,
            "WRAPPED": 0, "NOT_WRAPPED": None, "STAMP": "2023-11-14T22:13:20.123", "PACKED": [1, -2, 3], "LOOSE": [4, -5],
            "WORDS": ["a", ""], "COUNTS": {"k": 2**40}, "INNERS": {"i": {"X": 1, "DEEP": None}}, "INNER": {"X": 2, "DEEP": {"Y": "z"}},
            "LIST": [{"X": 3, "DEEP": None}, {"X": 0, "DEEP": None}], "HOME": {"CITY": "Ulm", "TAGS": ["t"]},
            "CHOICE_0": {"TEXT": None, "PICKED": {"X": 4, "DEEP": None}, "NUMBER": None}})
        nothing = dict(zip(TYPES, empty))
        self.assertEqual((nothing["B"], nothing["I"], nothing["S"], nothing["E"], nothing["ABSENT"], nothing["INNER"], nothing["PACKED"],
                          nothing["COUNTS"]), (False, 0, "", "NONE", None, None, [], {}))

        self.sql(f"CREATE STREAM {sink} WITH (kafka_topic='{sink}') AS SELECT i, ul, f, s, raw, given, stamp, packed, counts, `INNER`, `LIST` FROM {source};")
        written = compiled(**{self.name("written"): self.registered_text(sink).replace("ConnectDefault1", sink)})(sink)
        [(_, read), (_, bare)] = self.consume(sink, 2, deserializer(written))
        self.assertEqual((read.I, read.UL, read.F, read.S, read.RAW, read.GIVEN, read.STAMP.ToMilliseconds(), list(read.PACKED),
                          [(entry.key, entry.value) for entry in read.COUNTS] if not hasattr(read.COUNTS, "items") else list(read.COUNTS.items()),
                          read.INNER.X, read.INNER.DEEP.Y, [one.X for one in read.LIST]),
                         (-7, 2**62, 1.5, "grün", b"\x00\xff", 0, 1700000000123, [1, -2, 3], [("k", 2**40)], 2, "z", [3, 0]))
        self.assertEqual((bare.I, bare.S, bare.HasField("INNER"), len(bare.LIST)), (0, "", False, 0))

    def registered_text(self, topic):
        return self.client.get_latest_version(f"{topic}-value").schema.schema_str

    def test_nothing_is_told_from_default(self):
        for how in ("OPTIONAL", "WRAPPER"):
            source, sink = self.name("src"), self.name("nullable")
            self.sql(f"CREATE STREAM {source} (n INT, s STRING, b BOOLEAN) WITH (kafka_topic='{source}', value_format='JSON', partitions=1);"
                     f"CREATE STREAM {sink} WITH (kafka_topic='{sink}', value_format='PROTOBUF', value_protobuf_nullable_representation='{how}') "
                     f"AS SELECT * FROM {source}; INSERT INTO {source} VALUES (0, '', FALSE); INSERT INTO {source} (n) VALUES (NULL);")
            message = compiled(**{self.name("nullable"): self.registered_text(sink).replace("ConnectDefault1", sink)})(sink)
            [(_, zero), (_, absent)] = self.consume(sink, 2, deserializer(message))
            self.assertEqual([zero.HasField(f) for f in "NSB"], [True] * 3, how)
            self.assertEqual([absent.HasField(f) for f in "NSB"], [False] * 3, how)

    def test_evolution(self):
        topic = self.name("evolved")
        name = self.name("P")
        one = compiled(**{self.name("one"): f'syntax = "proto3"; package one; message {name} {{ int32 id = 1; string gone = 2; string keep = 3; }}'})
        two = compiled(**{self.name("two"): f'syntax = "proto3"; package two; message {name} {{ string fresh = 4; string keep = 3; int64 id = 1; }}'})
        first, second = one(f"one.{name}")(id=1, gone="x", keep="k1"), two(f"two.{name}")(id=2**40, fresh="f", keep="k2")
        self.produce(self.topic(topic), [first], ProtobufSerializer(one(f"one.{name}"), self.client))
        self.produce(topic, [second], ProtobufSerializer(two(f"two.{name}"), self.client))
        self.sql(f"CREATE STREAM {topic} WITH (kafka_topic='{topic}', value_format='PROTOBUF');")
        self.assertEqual(self.types(topic), {"FRESH": "STRING", "KEEP": "STRING", "ID": "BIGINT"})
        self.assertEqual(self.rows(f"SELECT * FROM {topic} EMIT CHANGES LIMIT 2;"), [[None, "k1", 1], ["f", "k2", 2**40]])

    def test_keys_are_messages(self):
        topic, name = self.name("keyed"), self.name("K")
        file = compiled(**{self.name("key"): f'syntax = "proto3"; message {name} {{ int32 a = 1; string b = 2; }} message {name}V {{ int64 v = 1; }}'})
        self.produce(self.topic(topic), [file(name + "V")(v=5)], ProtobufSerializer(file(name + "V"), self.client),
                     [file(name)(a=1, b="x")], ProtobufSerializer(file(name), self.client))
        self.sql(f"CREATE STREAM {topic} WITH (kafka_topic='{topic}', format='PROTOBUF', value_schema_full_name='{name}V');")
        self.assertEqual(self.types(topic), {"A": "INTEGER", "B": "STRING", "V": "BIGINT"})
        self.assertEqual(self.rows(f"SELECT * FROM {topic} EMIT CHANGES LIMIT 1;"), [[1, "x", 5]])

    def test_a_message_in_itself(self):
        topic, name = self.name("tree"), self.name("Tree")
        register(f"{topic}-value", f'syntax = "proto3"; message {name} {{ int32 n = 1; {name} left = 2; }}', "PROTOBUF")
        self.topic(topic)
        self.assertIn("holds itself", self.refusal(f"CREATE STREAM {topic} WITH (kafka_topic='{topic}', value_format='PROTOBUF');"))


if __name__ == "__main__":
    unittest.main()
