"""formats_doc_test.py MILLRACE: runs every line of the table of types in docs/formats.md. What a schema says becomes the
column, the value goes in by INSERT and comes back as the table says, and what is written by itself has the schema, or the
bytes, that the table has."""
import base64
import json
import os
import re
import sys

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, "..", "faults"))
os.environ["MILLRACE"] = sys.argv[1]
from server import Server  # noqa: E402

KINDS = {"AVRO": "AVRO", "PROTOBUF": "PROTOBUF", "JSON_SR": "JSON"}
IMPORTS = ("google/protobuf/timestamp.proto", "google/protobuf/wrappers.proto", "google/type/date.proto",
           "google/type/timeofday.proto", "confluent/meta.proto", "confluent/type/decimal.proto")
DECIMALS = json.JSONDecoder(parse_float=str)  # as they are written: -1234.50


def lines():
    """(format, field, value, column, read, mark) of every line of the table."""
    with open(os.path.join(here, "..", "..", "docs", "formats.md"), encoding="utf-8") as file:
        for line in file:
            cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
            if len(cells) >= 5 and cells[0] in (*KINDS, "JSON", "DELIMITED", "KAFKA"):
                mark = cells[5].strip("| ") if len(cells) > 5 else ""
                yield (cells[0], re.match("`(.*)`", cells[1])[1], cells[2].strip("`"), cells[3], cells[4].strip("`"), mark)


class Table:
    def __init__(self, server):
        self.server, self.count, self.problems = server, 0, []

    def ask(self, method, path, body=None):
        status, text = self.server.request(method, path, None if body is None else json.dumps(body), 60)
        return status, text.decode()

    def must(self, method, path, body):
        status, answer = self.ask(method, path, body)
        if status != 200:
            raise AssertionError(answer)
        return answer

    def run(self, sql):
        self.must("POST", "/ksql", {"ksql": sql})

    def select(self, source, name="F"):
        """The type of a column and its only value."""
        text = self.must("POST", "/query-stream", {"sql": f"SELECT {name} FROM {source};", "properties": {"auto.offset.reset": "earliest"}})
        rows = [DECIMALS.decode(line) for line in text.splitlines() if line]
        if len(rows) != 2:
            raise AssertionError(f"{len(rows) - 1} rows of {source}")
        return rows[0]["columnTypes"][0], rows[1][0]

    def schema(self, form, field):
        if form == "AVRO":
            return json.dumps({"type": "record", "name": "R", "fields": [{"name": "F", "type": json.loads(field)}]})
        if form == "JSON_SR":
            return json.dumps({"type": "object", "properties": {"F": json.loads(field)}})
        place = "ConnectDefault2" if "ConnectDefault2" in field else "Place"
        whole = field if field.startswith("oneof") else f"{field};" if "=" in field else f"{field} F = 1;"
        return ('syntax = "proto3"; ' + "".join(f'import "{name}"; ' for name in IMPORTS) +
                f"message R {{ {whole} enum Kind {{ A = 0; B = 1; }} message {place} {{ int32 X = 1; }} }}")

    def written_field(self, form, topic):
        """What the schema that Millrace made says of the field, without the NULL that all of its fields may have."""
        answer = json.loads(self.must("GET", f"/subjects/{topic}-value/versions/latest", None))["schema"]
        if form == "PROTOBUF":
            found = re.search(r"message \w+ \{\s*(.*?) F = 1(.*?);", answer, re.S)
            options = re.sub(r"\s+", " ", found[2]).replace("[ ", "[").replace(" ]", "]").replace("{ ", "{").replace(" }", "}")
            return found[1] + (f" F = 1{options}" if options else "")
        schema = json.loads(answer)
        if form == "AVRO":
            kinds = schema["fields"][0]["type"]
            return kinds[1] if kinds[0] == "null" else kinds
        field = schema["properties"]["F"]
        return field["oneOf"][1]

    def with_schema(self, form, field, value, column, read, mark):
        topic = source = f"t{self.count}"
        name = "F_0" if field.startswith("oneof") else "F"
        self.must("POST", f"/subjects/{topic}-value/versions", {"schema": self.schema(form, field), "schemaType": KINDS[form]})
        self.run(f"CREATE STREAM {topic} WITH (kafka_topic='{topic}', value_format='{form}', partitions=1);"
                 f"INSERT INTO {topic} ({name}) VALUES ({value});")
        if mark == "converted":
            source += "_c"
            self.run(f"CREATE STREAM {source} (F {column}) WITH (kafka_topic='{topic}', value_format='{form}');")
        self.compare(source, column, read, name)
        if mark == "written":
            self.written(form, field, value, column, read)

    def written(self, form, field, value, column, read):
        for other in (form, "PROTOBUF_NOSR") if form == "PROTOBUF" else (form,):
            made = f"w{self.count}_{other[-4:]}"
            self.run(f"CREATE STREAM {made} (F {column}) WITH (kafka_topic='{made.upper()}', value_format='{other}', partitions=1);"
                     f"INSERT INTO {made} VALUES ({value});")
            self.compare(made, column, read)
        says = self.written_field(form, f"W{self.count}_{form[-4:]}")
        if says != (field if form == "PROTOBUF" else json.loads(field)):
            raise AssertionError(f"written as {says}")

    def compare(self, source, column, read, name="F"):
        kind, value = self.select(source, name)
        if kind != column:
            raise AssertionError(f"the column is {kind}")
        if value != DECIMALS.decode(read):
            raise AssertionError(f"read as {value!r}")

    def without_schema(self, form, field, value, column, read, _):
        topic = f"t{self.count}"
        self.run(f"CREATE STREAM {topic} (F {column}) WITH (kafka_topic='{topic}', value_format='{form}', partitions=1);"
                 f"CREATE STREAM {topic}_raw (F BYTES) WITH (kafka_topic='{topic}', value_format='KAFKA');"
                 f"INSERT INTO {topic} VALUES ({value});")
        self.compare(topic, column, read)
        raw = base64.b64decode(self.select(f"{topic}_raw")[1])
        wanted = bytes.fromhex(field) if form == "KAFKA" else field.encode()
        if raw != wanted:
            raise AssertionError(f"written as {raw!r}")

    def check(self, *line):
        self.count += 1
        try:
            (self.with_schema if line[0] in KINDS else self.without_schema)(*line)
        except AssertionError as problem:
            self.problems.append(f"{' | '.join(line)}\n    {problem}")


def main():
    server = Server().start()
    try:
        table = Table(server)
        for line in lines():
            table.check(*line)
        print(*table.problems, f"{table.count} lines, {len(table.problems)} wrong", sep="\n")
        sys.exit(bool(table.problems) or table.count < 100)
    finally:
        server.close()


main()
