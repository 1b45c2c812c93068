#!/usr/bin/env python3
"""Processes of one service behind TLS with users: secure_peers_test.py MILLRACE, with the broker of with_broker.sh. They show each
other certificates (ssl.client.authentication=REQUIRED) and the service's secret; who has not both is told nothing."""
import base64
import http.client
import json
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
import unittest

from secure_test import Certificates
from wire import Server  # secure_test knows where it is

MILLRACE = ""
KEYS = 40
STATEMENTS = """
CREATE STREAM s (k STRING KEY, v INT) WITH (kafka_topic='s', value_format='JSON', partitions=6);
CREATE TABLE t AS SELECT k, SUM(v) AS total FROM s GROUP BY k;
"""


class SecurePeers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.folder, ignore_errors=True)
        cls.certificates = Certificates(cls.folder)
        cls.users, grants = cls.folder + "/users", cls.folder + "/grants"
        with open(cls.users, "w") as file:
            file.write(subprocess.run([MILLRACE, "password", "ann", "admin"], input="pw\n", stdout=subprocess.PIPE, text=True, check=True).stdout)
        with open(grants, "w") as file:
            file.write("GRANT ALL TO admin\n")
        cls.context = ssl.create_default_context(cafile=cls.certificates.path("ca.pem"))
        cls.context.load_cert_chain(cls.certificates.path("client.pem"))
        cls.common = {"authentication.method": "BASIC", "millrace.authentication.file": cls.users, "millrace.authorization.file": grants,
                      "ssl.keystore.location": cls.certificates.path("broker.pem"),
                      "ssl.truststore.location": cls.certificates.path("ca.pem"), "ssl.client.authentication": "REQUIRED"}

    def start(self, service, secret):
        options = ["--kafka", os.environ["MILLRACE_TEST_BROKER"], "--set", f"ksql.service.id={service}_"]
        for name, value in {**self.common, **({"millrace.internal.secret": secret} if secret else {})}.items():
            options += ["--set", f"{name}={value}"]
        server = Server(MILLRACE, *options, listen="https://127.0.0.1:{}",
                        ready=lambda port: b"RUNNING" in self.ask(port, "GET", "/info")[1])
        self.addCleanup(server.close)
        return server

    def ask(self, port, method, path, body=None, authorization=True):
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=30, context=self.context)
        headers = {"Authorization": "Basic " + base64.b64encode(b"ann:pw").decode()} if authorization is True else \
            {"Authorization": authorization} if authorization else {}
        try:
            connection.request(method, path, body if body is None or isinstance(body, bytes) else json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def slots(self, server):
        return int(self.ask(server.port, "GET", "/metrics")[1].split(b"\nmillrace_owned_slots ")[1].split(b"\n")[0])

    def rows(self, server, text):
        status, body = self.ask(server.port, "POST", "/query-stream", {"sql": text})
        lines = [json.loads(line) for line in body.splitlines() if line.strip()]
        return status, [line for line in lines if isinstance(line, list)], body

    def eventually(self, check, what, seconds=60):
        deadline = time.time() + seconds
        while True:
            found = check()
            if found is True:
                return
            self.assertLess(time.time(), deadline, f"{what}: {found}")
            time.sleep(0.1)

    def fill(self, servers, service):
        status, body = self.ask(servers[0].port, "POST", "/ksql", {"ksql": STATEMENTS.replace(" s ", f" {service} ").replace("='s'", f"='{service}'")
                                                                   .replace("TABLE t", f"TABLE {service}_t")})
        self.assertEqual(status, 200, body)
        self.eventually(lambda: [self.slots(server) for server in servers] == [32, 32] or [self.slots(server) for server in servers], "both own slots")
        inserts = "".join(f"INSERT INTO {service} VALUES ('k{i}', {i});" for i in range(KEYS))
        status, body = self.ask(servers[1].port, "POST", "/ksql", {"ksql": inserts})
        self.assertEqual(status, 200, body)

    def test_processes_with_the_secret_answer_for_each_other(self):
        servers = [self.start("good", "open sesame") for _ in range(2)]
        self.fill(servers, "good")
        want = sorted([f"k{i}", i] for i in range(KEYS))
        for server in servers:
            self.eventually(lambda: sorted(self.rows(server, "SELECT k, total FROM good_t;")[1]) == want, "a scan has all rows")
            for key, total in want:
                self.assertEqual(self.rows(server, f"SELECT k, total FROM good_t WHERE k = '{key}';")[1], [[key, total]])
            status, body = self.ask(server.port, "GET", "/clusterStatus")
            hosts = json.loads(body)["clusterStatus"]
            self.assertEqual((len(hosts), all(host["hostAlive"] for host in hosts.values())), (2, True), hosts)
        # Nobody else is told anything, whatever else they know.
        for path in ("/internal/look-ups", "/internal/scan", "/internal/report"):
            for authorization in (True, "Millrace wrong", "Millrace open sesam", "Millrace open sesamee", None):
                status, body = self.ask(servers[0].port, "POST", path, b"\x02\0\0\0\0", authorization)
                self.assertEqual((status, json.loads(body)["error_code"]), (401, 40100), (path, authorization))
        with self.assertRaises(OSError):
            bare = http.client.HTTPSConnection("127.0.0.1", servers[0].port, timeout=10,
                                               context=ssl.create_default_context(cafile=self.certificates.path("ca.pem")))
            bare.request("POST", "/internal/report", b"", {"Authorization": "Millrace open sesame"})
            bare.getresponse()
        for server in servers:
            self.assertNotIn("sesame", server.log())

    def test_processes_without_it_answer_with_their_own_or_not_at_all(self):
        servers = [self.start("apart", "one secret"), self.start("apart", "another")]
        self.fill(servers, "apart")
        for server in servers:
            answers, refused = 0, 0
            self.eventually(lambda: self.rows(server, "SELECT k FROM apart_t;")[1] == [], "no part of a scan is given")
            for i in range(KEYS):
                _, rows, body = self.rows(server, f"SELECT k, total FROM apart_t WHERE k = 'k{i}';")
                if rows:
                    self.assertEqual(rows, [[f"k{i}", i]])
                    answers += 1
                elif b"50305" in body:
                    refused += 1
            self.assertGreater(refused, 0)


if __name__ == "__main__":
    MILLRACE = sys.argv.pop(1)
    unittest.main(verbosity=2)
