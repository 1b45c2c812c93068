#!/usr/bin/env python3
"""Kafka behind TLS: SCRAM over SASL_SSL, and client certificates: secure_test.py MILLRACE [unittest arguments]. The broker is a
real one (broker.sh); the certificates are made here, by the openssl program."""
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "cli", "http"))
from wire import Server, request  # noqa: E402

MILLRACE = ""
BROKER = os.path.join(HERE, "broker.sh")


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], capture_output=True, check=True, timeout=60)


def free_ports(count):
    held = [socket.socket() for _ in range(count)]
    for one in held:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


class Certificates:
    """An authority, and certificates of the broker and of a client that it has signed."""

    def __init__(self, directory):
        self.directory = directory
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test authority",
                "-keyout", self.path("ca.key"), "-out", self.path("ca.pem"))
        with open(self.path("names"), "w") as file:
            file.write("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
        for name in ("broker", "client"):
            openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={name}", "-keyout", self.path(name + ".key"),
                    "-out", self.path(name + ".csr"))
            openssl("x509", "-req", "-in", self.path(name + ".csr"), "-CA", self.path("ca.pem"), "-CAkey", self.path("ca.key"),
                    "-CAcreateserial", "-days", "2", "-extfile", self.path("names"), "-out", self.path(name + ".crt"))
            with open(self.path(name + ".pem"), "w") as both:
                for part in (".key", ".crt"):
                    with open(self.path(name + part)) as file:
                        both.write(file.read())
        openssl("pkcs12", "-export", "-inkey", self.path("client.key"), "-in", self.path("client.crt"), "-passout", "pass:changeit",
                "-out", self.path("client.p12"))

    def path(self, name):
        return os.path.join(self.directory, name)


def setUpModule():
    global directory, certificates, sasl, mutual
    directory = tempfile.mkdtemp()
    certificates = Certificates(directory)
    sasl_port, ssl_port = free_ports(2)
    sasl, mutual = f"127.0.0.1:{sasl_port}", f"127.0.0.1:{ssl_port}"
    with open(directory + "/settings", "w") as file:
        file.write(f"""ssl.keystore.type=PEM
ssl.keystore.location={certificates.path("broker.pem")}
ssl.truststore.type=PEM
ssl.truststore.location={certificates.path("ca.pem")}
listener.name.ssl.ssl.client.auth=required
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.sasl_ssl.sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
""")
    environment = {**os.environ, "MILLRACE_BROKER_LISTENERS": f"SASL_SSL://{sasl},SSL://{mutual}",
                   "MILLRACE_BROKER_SETTINGS": directory + "/settings"}
    started = subprocess.run([BROKER, "start", directory + "/broker"], env=environment, stdout=subprocess.PIPE, text=True, timeout=200,
                             check=True)
    subprocess.run([BROKER, "run", "kafka.admin.ConfigCommand", "--bootstrap-server", started.stdout.strip(), "--alter", "--add-config",
                    "SCRAM-SHA-512=[password=open-sesame]", "--entity-type", "users", "--entity-name", "mill"],
                   check=True, stdout=subprocess.DEVNULL, timeout=100)


def tearDownModule():
    subprocess.run([BROKER, "stop", directory + "/broker"], timeout=60)
    shutil.rmtree(directory, ignore_errors=True)


class Secure(unittest.TestCase):
    def start(self, address, service, **settings):
        options = ["--kafka", address, "--set", f"ksql.service.id={service}_", "--set", "millrace.broker.wait.ms=8000"]
        for name, value in settings.items():
            options += ["--set", f"{name.replace('_', '.')}={value}"]
        return Server(MILLRACE, *options)

    def use(self, server, name):
        """A query over a topic of the broker, in and out."""
        text = f"""CREATE STREAM {name} (k STRING KEY, v INT) WITH (kafka_topic='{name}', value_format='JSON', partitions=1);
                   CREATE TABLE {name}_sums AS SELECT k, SUM(v) AS total FROM {name} GROUP BY k;
                   INSERT INTO {name} VALUES ('a', 1); INSERT INTO {name} VALUES ('a', 2);"""
        answer = server.ksql(text)
        self.assertEqual(answer.status, 200, answer.body)
        deadline = time.time() + 60
        while True:
            answer = request(server.port, "POST", "/query-stream", {"sql": f"SELECT total FROM {name}_sums WHERE k = 'a';"})
            if answer.status == 200 and [json.loads(line) for line in answer.body.splitlines()[1:]] == [[3]]:
                return
            self.assertLess(time.time(), deadline, answer.body)
            time.sleep(0.1)

    def refused(self, address, service, **settings):
        with self.assertRaises(RuntimeError) as raised:
            self.start(address, service, **settings).close()
        return str(raised.exception)

    def test_scram(self):
        server = self.start(sasl, "scram", security_protocol="SASL_SSL", sasl_mechanism="SCRAM-SHA-512", sasl_username="mill",
                            sasl_password="open-sesame", ssl_ca_location=certificates.path("ca.pem"))
        self.addCleanup(server.close)
        self.use(server, "scram")
        shown = server.ksql("SHOW PROPERTIES;").body + server.log().encode()
        self.assertNotIn(b"open-sesame", shown)

    def test_scram_under_names_of_java(self):
        jaas = 'org.apache.kafka.common.security.scram.ScramLoginModule required username="mill" password="open-sesame";'
        server = self.start(sasl, "jaas", security_protocol="SASL_SSL", sasl_mechanism="SCRAM-SHA-512", sasl_jaas_config=jaas,
                            ssl_truststore_location=certificates.path("ca.pem"), ssl_truststore_type="PEM")
        self.addCleanup(server.close)
        self.use(server, "jaas")

    def test_scram_with_a_wrong_password(self):
        log = self.refused(sasl, "wrong", security_protocol="SASL_SSL", sasl_mechanism="SCRAM-SHA-512", sasl_username="mill",
                           sasl_password="knock-knock", ssl_ca_location=certificates.path("ca.pem"))
        self.assertNotIn("knock-knock", log)

    def test_client_certificate(self):
        server = self.start(mutual, "mutual", security_protocol="SSL", ssl_ca_location=certificates.path("ca.pem"),
                            ssl_certificate_location=certificates.path("client.crt"), ssl_key_location=certificates.path("client.key"))
        self.addCleanup(server.close)
        self.use(server, "mutual")

    def test_client_certificate_in_pkcs12(self):
        server = self.start(mutual, "pkcs", security_protocol="SSL", ssl_truststore_location=certificates.path("ca.pem"),
                            ssl_keystore_location=certificates.path("client.p12"), ssl_keystore_password="changeit")
        self.addCleanup(server.close)
        self.use(server, "pkcs")

    def test_without_a_certificate(self):
        self.refused(mutual, "none", security_protocol="SSL", ssl_ca_location=certificates.path("ca.pem"))

    def test_of_another_authority(self):
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=other", "-keyout", certificates.path("x.key"),
                "-out", certificates.path("x.pem"))
        self.refused(sasl, "other", security_protocol="SASL_SSL", sasl_mechanism="SCRAM-SHA-512", sasl_username="mill",
                     sasl_password="open-sesame", ssl_ca_location=certificates.path("x.pem"))


if __name__ == "__main__":
    MILLRACE = sys.argv.pop(1)
    unittest.main()
