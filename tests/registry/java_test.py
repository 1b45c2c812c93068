"""Avro for Java as the other side: it reads what INSERT wrote and writes what SELECT reads, by the same schemas and by ones
that evolved, and judges the cases of tests/unit/exec_schemas as Millrace does. Needs no broker."""
import base64
import json
import os
import subprocess
import sys
import unittest

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, "..", "faults"))
from server import Server  # noqa: E402

FIELDS = [
    ("B", "boolean", "true", True), ("I", "int", "-7", -7), ("L", "long", "9007199254740993", 9007199254740993),
    ("FL", "float", "1.5e0", 1.5), ("D", "double", "-0.25e0", -0.25), ("S", "string", "'grün \"x\"'", "grün \"x\""),
    ("RAW", "bytes", "TO_BYTES('00ff41', 'hex')", "\u0000\u00ffA"),
    ("FX", {"type": "fixed", "name": "Two", "size": 2}, "TO_BYTES('6162', 'hex')", "ab"),
    ("DEC", {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}, "-1234.50", "\u00fe\u001d\u00c6"),
    ("DECF", {"type": "fixed", "name": "Dec8", "size": 8, "logicalType": "decimal", "precision": 12, "scale": 3}, "98765.432",
     "\u0000\u0000\u0000\u0000\u0005\u00e3\u000a\u0078"),
    ("DAY", {"type": "int", "logicalType": "date"}, "'2024-02-29'", 19782),
    ("TMI", {"type": "int", "logicalType": "time-millis"}, "'01:02:03'", 3723000),
    ("TMU", {"type": "long", "logicalType": "time-micros"}, "'01:02:03'", 3723000000),
    ("TSMI", {"type": "long", "logicalType": "timestamp-millis"}, "'2024-01-02T03:04:05.678'", 1704164645678),
    ("TSMU", {"type": "long", "logicalType": "timestamp-micros"}, "'1969-12-31T23:59:59.999'", -1000),
    ("E", {"type": "enum", "name": "Colour", "symbols": ["RED", "GREEN"], "default": "RED"}, "'GREEN'", "GREEN"),
    ("U", {"type": "string", "logicalType": "uuid"}, "'00000000-0000-0000-0000-000000000005'", "00000000-0000-0000-0000-000000000005"),
    ("NN", ["null", "long"], "5", {"long": 5}), ("NL", ["string", "null"], "NULL", None),
    ("ARR", {"type": "array", "items": ["null", "int"]}, "ARRAY[1, NULL, 3]", [{"int": 1}, None, {"int": 3}]),
    ("M", {"type": "map", "values": "double"}, "MAP('k' := 2.0e0)", {"k": 2.0}),
    ("R", {"type": "record", "name": "In", "fields": [{"name": "X", "type": "int"}, {"name": "DEEP", "type": ["null", {
        "type": "record", "name": "Deep", "fields": [{"name": "Y", "type": "string"}]}]}]},
     "STRUCT(X := 1, DEEP := STRUCT(Y := 'z'))", {"X": 1, "DEEP": {"java.Deep": {"Y": "z"}}}),
    ("RS", {"type": "array", "items": "In"}, "ARRAY[STRUCT(X := 1, DEEP := CAST(NULL AS STRUCT<Y STRING>))]", [{"X": 1, "DEEP": None}]),
    ("MR", {"type": "map", "values": {"type": "array", "items": "In"}},
     "MAP('a' := ARRAY[STRUCT(X := 3, DEEP := STRUCT(Y := 'q'))])", {"a": [{"X": 3, "DEEP": {"java.Deep": {"Y": "q"}}}]}),
    ("UN", ["null", "string", "long", "In"],
     "STRUCT(STRING := CAST(NULL AS STRING), LONG := CAST(NULL AS BIGINT), `IN` := STRUCT(X := 9, DEEP := CAST(NULL AS STRUCT<Y STRING>)))",
     {"java.In": {"X": 9, "DEEP": None}}),
]
SCHEMA = {"type": "record", "name": "All", "namespace": "java", "fields": [{"name": n, "type": t} for n, t, _, _ in FIELDS]}
DATUM = {name: datum for name, _, _, datum in FIELDS}


class Java(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.java = subprocess.Popen(["java", "-Xmx128m", "-XX:TieredStopAtLevel=1", "-cp", os.environ["AVRO_JARS"],
                                     os.path.join(here, "AvroOpinion.java")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8")
        cls.server = Server().start()

    @classmethod
    def tearDownClass(cls):
        cls.server.close()
        cls.java.stdin.close()
        cls.java.wait(30)
        cls.java.stdout.close()

    def opinion(self, *parts):
        texts = [part if isinstance(part, str) else json.dumps(part, ensure_ascii=False) for part in parts]
        self.java.stdin.write("\t".join(texts) + "\n")
        self.java.stdin.flush()
        return self.java.stdout.readline().rstrip("\n")

    def ask(self, method, path, body=None):
        status, text = self.server.request(method, path, None if body is None else json.dumps(body), 60)
        self.assertEqual(status, 200, text)
        return text.decode()

    def register(self, subject, schema):
        return json.loads(self.ask("POST", f"/subjects/{subject}/versions", {"schema": json.dumps(schema)}))["id"]

    def sql(self, text):
        self.ask("POST", "/ksql", {"ksql": text})

    def rows(self, sql):
        text = self.ask("POST", "/query-stream", {"sql": sql, "properties": {"auto.offset.reset": "earliest"}})
        return [json.loads(line) for line in text.splitlines()[1:] if line]

    def raw_stream(self, topic):
        """A stream of the bytes of a topic."""
        self.sql(f"CREATE STREAM {topic}_raw (B BYTES) WITH (kafka_topic='{topic}', value_format='KAFKA');")
        return f"{topic}_raw"

    def test_java_reads_what_millrace_wrote(self):
        number = self.register("mine-value", SCHEMA)
        self.sql("CREATE STREAM mine WITH (kafka_topic='mine', value_format='AVRO', partitions=1);"
                 f"INSERT INTO mine VALUES ({', '.join(text for _, _, text, _ in FIELDS)});")
        [[raw]] = self.rows(f"SELECT B FROM {self.raw_stream('mine')};")
        raw = base64.b64decode(raw)
        self.assertEqual(raw[:5], b"\0" + number.to_bytes(4, "big"))
        body = base64.b64encode(raw[5:]).decode()
        self.assertEqual(json.loads(self.opinion("read", SCHEMA, SCHEMA, body)), DATUM)

    def test_millrace_reads_what_java_wrote(self):
        number = self.register("theirs-value", SCHEMA)
        body = self.opinion("write", SCHEMA, DATUM)
        self.assertFalse(body.startswith("error"), body)
        data = (b"\0" + number.to_bytes(4, "big") + base64.b64decode(body)).hex()
        self.sql("CREATE STREAM theirs WITH (kafka_topic='theirs', value_format='AVRO', partitions=1);"
                 "CREATE STREAM same WITH (kafka_topic='same', value_format='AVRO', partitions=1) AS SELECT * FROM theirs;")
        self.sql(f"INSERT INTO {self.raw_stream('theirs')} VALUES (TO_BYTES('{data}', 'hex'));")
        [row] = self.rows("SELECT * FROM theirs;")
        self.register("mine_too-value", SCHEMA)
        self.sql("CREATE STREAM mine_too WITH (kafka_topic='mine_too', value_format='AVRO', partitions=1);"
                 f"INSERT INTO mine_too VALUES ({', '.join(text for _, _, text, _ in FIELDS)});")
        self.assertEqual([row], self.rows("SELECT * FROM mine_too;"))
        self.assertNotIn(None, [value for at, value in enumerate(row) if FIELDS[at][0] != "NL"])

    def test_what_millrace_writes_by_itself(self):
        columns = [("A", "INT", "1"), ("B", "DECIMAL(6, 2)", "12.34"), ("C", "MAP<STRING, ARRAY<BIGINT>>", "MAP('k' := ARRAY[1, 2])"),
                   ("D", "STRUCT<X DATE, Y MAP<STRING, STRUCT<Z TIME>>>", "STRUCT(X := CAST('2024-02-29' AS DATE), Y := MAP('m' := STRUCT(Z := CAST('01:02:03' AS TIME))))"),
                   ("E", "TIMESTAMP", "'2024-01-02T03:04:05.678'"), ("F", "STRING", "NULL")]
        self.sql(f"CREATE STREAM own ({', '.join(f'{n} {t}' for n, t, _ in columns)}) WITH (kafka_topic='own', value_format='AVRO', partitions=1);"
                 f"INSERT INTO own VALUES ({', '.join(v for _, _, v in columns)});")
        schema = json.loads(self.ask("GET", "/subjects/own-value/versions/latest"))["schema"]
        self.assertEqual(self.opinion("parse", schema), "ok")
        [[raw]] = self.rows(f"SELECT B FROM {self.raw_stream('own')};")
        read = json.loads(self.opinion("read", schema, schema, base64.b64encode(base64.b64decode(raw)[5:]).decode()))
        self.assertEqual((read["A"], read["B"], read["E"], read["F"]),
                         ({"int": 1}, {"bytes": "\u0004\u00d2"}, {"long": 1704164645678}, None))
        name = "io.confluent.ksql.avro_schemas.KsqlDataSourceSchema_D"
        self.assertEqual(read["D"][name]["X"], {"int": 19782})
        self.assertEqual(read["C"]["array"][0]["key"], {"string": "k"})

    def test_evolution_as_java_resolves_it(self):
        """A reader with other fields: Java's resolution by the source's schema, and the columns of the stream."""
        old = {"type": "record", "name": "Ev", "fields": [
            {"name": "ID", "type": "int"}, {"name": "GONE", "type": "string"}, {"name": "OLD", "type": "float"},
            {"name": "K", "type": {"type": "array", "items": "int"}}]}
        new = {"type": "record", "name": "Ev", "fields": [
            {"name": "FRESH", "type": "string", "default": "new"}, {"name": "NAME", "type": "double", "aliases": ["OLD"]},
            {"name": "ID", "type": "long"}, {"name": "K", "type": {"type": "array", "items": "double"}}, {"name": "MORE", "type": ["null", "int"], "default": None}]}
        first = self.register("ev-value", old)
        self.ask("PUT", "/config/ev-value", {"compatibility": "NONE"})
        self.register("ev-value", new)
        body = self.opinion("write", old, {"ID": 7, "GONE": "x", "OLD": 0.5, "K": [1, 2]})
        resolved = json.loads(self.opinion("read", old, new, body))
        self.sql("CREATE STREAM ev WITH (kafka_topic='ev', value_format='AVRO', partitions=1);")
        data = (b"\0" + first.to_bytes(4, "big") + base64.b64decode(body)).hex()
        self.sql(f"INSERT INTO {self.raw_stream('ev')} VALUES (TO_BYTES('{data}', 'hex'));")
        self.assertEqual(self.rows("SELECT * FROM ev;"), [list(resolved.values())])

    def test_the_cases_of_compatibility(self):
        """All but decimals, whose scale Avro for Java does not look at."""
        name, old, seen = "", "", 0
        with open(os.path.join(here, "..", "unit", "exec_schemas", "compatibility_cases.txt"), encoding="utf-8") as file:
            for line in file:
                word, _, rest = line.strip().partition(" ")
                if word == "case":
                    name = rest
                elif word == "old":
                    old = rest
                elif word == "new":
                    new = rest
                elif word in ("backward", "forward") and name.startswith("AVRO") and "scale" not in name:
                    reader, writer = (new, old) if word == "backward" else (old, new)
                    self.assertEqual(self.opinion("compatible", reader, writer), "true" if rest == "ok" else "false", f"{name}: {word}")
                    seen += 1
        self.assertGreater(seen, 40)


if __name__ == "__main__":
    unittest.main()
