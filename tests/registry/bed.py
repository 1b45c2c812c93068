"""What the tests with a real registry share: a server on the broker and the registry, and Confluent's own clients."""
import http.client
import json
import os
import sys
import time
import unittest
import urllib.parse
import uuid

from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.serialization import MessageField, SerializationContext

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "faults"))
from server import BROKER, Refused, Server, eventually, free_port  # noqa: E402, F401

REGISTRY = os.environ["MILLRACE_TEST_REGISTRY"]
EARLIEST = {"auto.offset.reset": "earliest"}


def registry_call(method, path, body=None):
    """What the registry answers: status and JSON."""
    url = urllib.parse.urlsplit(REGISTRY)
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=30)
    try:
        connection.request(method, url.path + path, None if body is None else json.dumps(body),
                           {"Content-Type": "application/vnd.schemaregistry.v1+json"})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read() or b"null")
    finally:
        connection.close()


def register(subject, schema, kind="AVRO", references=()):
    """Registers a schema; its id."""
    text = schema if isinstance(schema, str) else json.dumps(schema)
    body = {"schema": text, "schemaType": kind, "references": list(references)}
    status, answer = registry_call("POST", f"/subjects/{subject}/versions", body)
    assert status == 200, (status, answer)
    return answer["id"]


class Bed(unittest.TestCase):
    """One server for the tests of a class. Names of topics and sources are made fresh by `name()`."""

    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.client = SchemaRegistryClient({"url": REGISTRY})
        cls.producer = Producer({"bootstrap.servers": BROKER, "linger.ms": 1})
        cls.server = Server(BROKER, {"ksql.schema.registry.url": REGISTRY, "ksql.service.id": f"reg_{uuid.uuid4().hex[:8]}_"})
        cls.server.start()

    @classmethod
    def tearDownClass(cls):
        cls.server.close()

    @staticmethod
    def name(prefix):
        return f"{prefix}_{uuid.uuid4().hex[:8]}"

    @staticmethod
    def topic(name):
        admin = AdminClient({"bootstrap.servers": BROKER})
        for made in admin.create_topics([NewTopic(name, 1, 1)]).values():
            made.result(30)
        return name

    def produce(self, topic, values, serializer=None, keys=None, key_serializer=None):
        """Values as Confluent's serializer writes them; bytes and None as they are."""
        for at, value in enumerate(values):
            if value is not None and not isinstance(value, bytes):
                value = serializer(value, SerializationContext(topic, MessageField.VALUE))
            key = keys[at] if keys else None
            if key is not None and not isinstance(key, bytes):
                key = key_serializer(key, SerializationContext(topic, MessageField.KEY))
            self.producer.produce(topic, value, key)
        self.assertEqual(self.producer.flush(30), 0)

    def consume(self, topic, count, deserializer=None, key_deserializer=None, seconds=60):
        """(key, value) of the first records of a topic, as Confluent's deserializers read them."""
        consumer = Consumer({"bootstrap.servers": BROKER, "group.id": uuid.uuid4().hex, "auto.offset.reset": "earliest",
                             "isolation.level": "read_committed", "allow.auto.create.topics": False})
        found, deadline = [], time.monotonic() + seconds
        try:
            consumer.subscribe([topic])
            while len(found) < count and time.monotonic() < deadline:
                message = consumer.poll(0.2)
                if message is None or message.error():
                    continue
                key, value = message.key(), message.value()
                if deserializer and value is not None:
                    value = deserializer(value, SerializationContext(topic, MessageField.VALUE))
                if key_deserializer and key is not None:
                    key = key_deserializer(key, SerializationContext(topic, MessageField.KEY))
                found.append((key, value))
        finally:
            consumer.close()
        self.assertEqual(len(found), count, f"records of {topic}: {found}\n{self.server.log()[-2000:]}")
        return found

    def sql(self, text):
        return self.server.sql(text, EARLIEST)

    def rows(self, text):
        return self.server.rows(text, EARLIEST)

    def refusal(self, text):
        """The message with which a statement is refused."""
        with self.assertRaises(Refused) as refused:
            self.sql(text)
        return refused.exception.answer["message"]

    def types(self, source):
        """Columns of a source as DESCRIBE says them: name and type."""
        description = self.sql(f"DESCRIBE {source};")[0]["sourceDescription"]
        return {field["name"]: type_text(field["schema"]) for field in description["fields"]}


def type_text(schema):
    kind = schema["type"]
    if kind == "ARRAY":
        return f"ARRAY<{type_text(schema['memberSchema'])}>"
    if kind == "MAP":
        return f"MAP<{type_text(schema['memberSchema'])}>"
    if kind == "STRUCT":
        return "STRUCT<" + ", ".join(f"{f['name']} {type_text(f['schema'])}" for f in schema["fields"]) + ">"
    if kind == "DECIMAL":
        return f"DECIMAL({schema['parameters']['precision']},{schema['parameters']['scale']})"
    return kind
