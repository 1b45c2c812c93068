#!/usr/bin/env python3
"""TLS, users and grants: security_test.py MILLRACE."""
import base64
import concurrent.futures
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from wire import Answer, Connection, Server, message, need_http2, request  # noqa: E402
need_http2()
import http2_wire  # noqa: E402

MILLRACE = ""


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


class Certificates:
    """An authority, a server's key and a client's, as PEM and PKCS#12."""

    def __init__(self, directory):
        self.directory = directory
        openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=authority",
                "-keyout", self["ca.key"], "-out", self["ca.pem"])
        self.issue("server", "localhost")
        self.issue("client", "client")
        openssl("pkcs12", "-export", "-in", self["server.crt"], "-inkey", self["server.key"], "-passout", "pass:secret", "-out", self["server.p12"])

    def __getitem__(self, name):
        return os.path.join(self.directory, name)

    def issue(self, name, common):
        with open(self["ext"], "w") as file:
            file.write("subjectAltName=DNS:localhost,IP:127.0.0.1")
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={common}", "-keyout", self[name + ".key"], "-out", self[name + ".csr"])
        openssl("x509", "-req", "-in", self[name + ".csr"], "-CA", self["ca.pem"], "-CAkey", self["ca.key"], "-CAcreateserial", "-days", "2",
                "-extfile", self["ext"], "-out", self[name + ".crt"])
        with open(self[name + ".pem"], "w") as out:
            for part in (".crt", ".key"):
                with open(self[name + part]) as file:
                    out.write(file.read())


class Tls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.files = Certificates(cls.folder.name)
        cls.server = Server(MILLRACE, "--set", "ssl.keystore.location=" + cls.files["server.pem"], listen="https://127.0.0.1:{}",
                            ready=lambda port: cls.get(port).status == 200)

    @classmethod
    def tearDownClass(cls):
        cls.server.close()
        cls.folder.cleanup()

    @classmethod
    def connect(cls, port, protocols=("http/1.1",), own=False):
        context = ssl.create_default_context(cafile=cls.files["ca.pem"])
        context.set_alpn_protocols(list(protocols))
        if own:
            context.load_cert_chain(cls.files["client.crt"], cls.files["client.key"])
        return context.wrap_socket(socket.create_connection(("127.0.0.1", port), 10), server_hostname="localhost")

    @classmethod
    def get(cls, port, path="/info", **options):
        with cls.connect(port, **options) as sock:
            sock.sendall(message("GET", path))
            return Answer(sock.makefile("rb")).rest()

    def test_http1(self):
        self.assertIn(b"RUNNING", self.get(self.server.port).body)

    def test_http2_by_alpn(self):
        sock = self.connect(self.server.port, ("h2", "http/1.1"))
        self.assertEqual(sock.selected_alpn_protocol(), "h2")
        with http2_wire.Connection(None, sock=sock) as connection:
            answer = connection.answer(connection.request("POST", "/ksql", {"ksql": "SHOW STREAMS;"}))
            self.assertEqual((answer.status, answer.json()[0]["@type"]), (200, "streams"))

    def test_large_answers_and_bodies(self):
        with self.connect(self.server.port) as sock:
            sock.sendall(message("POST", "/ksql", {"ksql": "SHOW FUNCTIONS; SHOW PROPERTIES;", "filler": "x" * 300000}))
            answer = Answer(sock.makefile("rb")).rest()
            self.assertEqual((answer.status, len(answer.json())), (200, 2))

    def test_plain_text_is_refused(self):
        sock = socket.create_connection(("127.0.0.1", self.server.port), 10)
        sock.sendall(message("GET", "/info"))
        try:
            self.assertNotIn(b"HTTP/1.1 200", sock.recv(1000))
        except ConnectionError:
            pass
        sock.close()
        self.assertEqual(self.get(self.server.port).status, 200)

    def test_shell(self):
        def shell(*options):
            return subprocess.run([MILLRACE, f"https://localhost:{self.server.port}", "-e", "SHOW STREAMS;", *options], timeout=60,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        good = shell("--cacert", self.files["ca.pem"])
        self.assertEqual(good.returncode, 0, good.stdout)
        self.assertIn("Stream Name", good.stdout)
        self.assertNotEqual(shell().returncode, 0)  # the system does not know the authority

    def test_reload(self):
        with self.connect(self.server.port) as kept:
            before = ssl.get_server_certificate(("127.0.0.1", self.server.port))
            self.files.issue("server", "localhost")
            self.server.process.send_signal(signal.SIGHUP)
            deadline = time.time() + 10
            while ssl.get_server_certificate(("127.0.0.1", self.server.port)) == before:
                self.assertLess(time.time(), deadline)
                time.sleep(0.05)
            kept.sendall(message("GET", "/info"))
            self.assertEqual(Answer(kept.makefile("rb")).status, 200)

    def test_reload_when_the_file_changes(self):
        self.files.issue("other", "localhost")
        store = self.files["watched.pem"]
        shutil.copy(self.files["server.pem"], store)
        server = Server(MILLRACE, "--set", "ssl.keystore.location=" + store, "--set", "ssl.keystore.reload=true",
                        listen="https://127.0.0.1:{}", ready=lambda port: self.get(port).status == 200)
        self.addCleanup(server.close)
        before = ssl.get_server_certificate(("127.0.0.1", server.port))
        shutil.copy(self.files["other.pem"], store)
        deadline = time.time() + 20
        while ssl.get_server_certificate(("127.0.0.1", server.port)) == before:
            self.assertLess(time.time(), deadline)
            time.sleep(0.1)

    def spoken(self, *settings):
        """Version and cipher suite with a client that offers all it has."""
        options = [part for setting in ("ssl.keystore.location=" + self.files["server.pem"], *settings) for part in ("--set", setting)]
        server = Server(MILLRACE, *options, listen="https://127.0.0.1:{}", ready=lambda port: self.get(port).status == 200)
        self.addCleanup(server.close)
        with self.connect(server.port) as sock:
            return sock.version(), sock.cipher()[0]

    def test_versions_and_suites(self):
        self.assertEqual(self.spoken()[0], "TLSv1.3")
        self.assertEqual(self.spoken("ssl.enabled.protocols=TLSv1.2")[0], "TLSv1.2")
        self.assertEqual(self.spoken("ssl.cipher.suites=TLS_CHACHA20_POLY1305_SHA256")[1], "TLS_CHACHA20_POLY1305_SHA256")
        self.assertEqual(self.spoken("ssl.cipher.suites=TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"), ("TLSv1.2", "ECDHE-RSA-AES256-GCM-SHA384"))
        for wrong, word in (("ssl.cipher.suites=NONE_SUCH", "NONE_SUCH"), ("ssl.enabled.protocols=TLSv1.1", "TLSv1.1")):
            done = subprocess.run([MILLRACE, "server", "--check", "--listen", "https://127.0.0.1:0", "--set", wrong, "--set",
                                   "ssl.keystore.location=" + self.files["server.pem"]], timeout=30, capture_output=True, text=True)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(word, done.stderr)

    def test_client_certificates(self):
        server = Server(MILLRACE, "--set", "ssl.keystore.location=" + self.files["server.p12"], "--set", "ssl.keystore.password=secret",
                        "--set", "ssl.truststore.location=" + self.files["ca.pem"], "--set", "ssl.client.authentication=REQUIRED",
                        listen="https://127.0.0.1:{}", ready=lambda port: self.get(port, own=True).status == 200)
        try:
            with self.assertRaises((OSError, ConnectionError)):
                self.get(server.port)
        finally:
            server.close()

    def test_bad_stores_are_named(self):
        for store, word in (("/nothing.pem", "nothing.pem"), (self.files["ca.key"], "no certificate"), (self.files["ca.pem"], "no private key")):
            done = subprocess.run([MILLRACE, "server", "--data", self.folder.name + "/d", "--listen", "https://127.0.0.1:0", "--set",
                                   "ssl.keystore.location=" + store], timeout=30, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(word, done.stdout)


def hashed(user, password, *roles):
    return subprocess.run([MILLRACE, "password", user, *roles], input=password + "\n", stdout=subprocess.PIPE, text=True, check=True).stdout


def basic(user, password):
    return [("Authorization", "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode())]


GRANTS = """
# name what may be done
GRANT ALL TO admin
GRANT READ ON clicks, visible_* TO analyst
GRANT WRITE ON clicks TO app;
GRANT CREATE, DROP, READ, WRITE ON mine_* TO analyst
"""


class Users(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        users, grants = cls.folder.name + "/users", cls.folder.name + "/grants"
        with open(users, "w") as file:
            file.write("# users\n" + hashed("root", "r:oot", "admin") + hashed("ann", "a", "analyst") + hashed("app", "b", "app") +
                       hashed("none", "c"))
        with open(grants, "w") as file:
            file.write(GRANTS)
        cls.server = Server(MILLRACE, "--set", "authentication.method=BASIC", "--set", "millrace.authentication.file=" + users,
                            "--set", "millrace.authorization.file=" + grants, "--set", "ssl.truststore.password=topsecret",
                            ready=lambda port: b"READY" in request(port, "GET", "/healthcheck").body)
        for statement in ("CREATE STREAM clicks (k STRING KEY, v INT) WITH (kafka_topic='clicks', value_format='JSON', partitions=1);",
                          "CREATE STREAM hidden (k STRING KEY, v INT) WITH (kafka_topic='hidden', value_format='JSON', partitions=1);",
                          "CREATE TABLE visible_t AS SELECT k, COUNT(*) AS n FROM clicks GROUP BY k;"):
            answer = cls.ksql("root", "r:oot", statement)
            assert answer.status == 200, answer.body

    @classmethod
    def tearDownClass(cls):
        cls.server.close()
        cls.folder.cleanup()

    @classmethod
    def ksql(cls, user, password, text, path="/ksql", field="ksql"):
        return request(cls.server.port, "POST", path, {field: text}, basic(user, password))

    def denied(self, answer, code=40301):
        self.assertEqual((answer.status, answer.json()["error_code"]), (403, code), answer.body)

    def test_unknown(self):
        for headers in ([], basic("root", "wrong"), basic("nobody", "x"), [("Authorization", "Bearer x")], [("Authorization", "Basic !!")]):
            answer = request(self.server.port, "POST", "/ksql", {"ksql": "SHOW STREAMS;"}, headers)
            self.assertEqual((answer.status, answer.json()["error_code"], answer.json()["message"]), (401, 40100, "Unauthorized"))
            self.assertEqual(answer.headers["www-authenticate"], 'Basic realm="millrace"')
        self.assertEqual(request(self.server.port, "POST", "/inserts-stream", b'{"target":"clicks"}\n').status, 401)
        for path in ("/healthcheck", "/v1/metadata", "/v1/metadata/id"):
            self.assertEqual(request(self.server.port, "GET", path).status, 200)
        for path in ("/info", "/status", "/metrics", "/openapi.json", "/clusterStatus"):
            self.assertEqual(request(self.server.port, "GET", path).status, 401)

    def test_http2(self):
        with http2_wire.Connection(self.server.port) as connection:
            self.assertEqual(connection.answer(connection.request("POST", "/ksql", {"ksql": "SHOW STREAMS;"})).status, 401)
            header = [("authorization", basic("ann", "a")[0][1])]
            self.assertEqual(connection.answer(connection.request("POST", "/ksql", {"ksql": "SHOW STREAMS;"}, header)).status, 200)
            answer = connection.answer(connection.request("POST", "/query-stream", {"sql": "SELECT * FROM hidden EMIT CHANGES;"}, header))
            self.assertEqual(answer.status, 403)

    def test_reading(self):
        for text in ("SELECT * FROM visible_t;", "SELECT * FROM clicks;", "PRINT clicks FROM BEGINNING LIMIT 1;"):
            if not text.startswith("PRINT"):
                self.assertEqual(self.ksql("ann", "a", text, "/query").status, 200)
            self.denied(self.ksql("app", "b", text, "/query"))
            self.denied(self.ksql("none", "c", text, "/query"))
        for text in ("SELECT * FROM hidden;", "SELECT * FROM `HIDDEN` EMIT CHANGES;", "PRINT hidden;",
                     "SELECT * FROM clicks c JOIN hidden h WITHIN 1 HOUR ON c.k = h.k EMIT CHANGES;"):
            self.denied(self.ksql("ann", "a", text, "/query"))
        self.denied(self.ksql("ann", "a", "EXPLAIN SELECT * FROM hidden;"))
        self.denied(self.ksql("ann", "a", "DESCRIBE hidden;"))
        self.assertEqual(self.ksql("ann", "a", "DESCRIBE clicks;").status, 200)

    def test_writing(self):
        row = "INSERT INTO clicks (k, v) VALUES ('a', 1);"
        self.assertEqual(self.ksql("app", "b", row).status, 200)
        self.denied(self.ksql("ann", "a", row))
        self.denied(self.ksql("app", "b", "INSERT INTO hidden (k, v) VALUES ('a', 1);"))
        body = b'{"target":"%s"}\n{"k":"a","v":2}\n'
        self.assertEqual(request(self.server.port, "POST", "/inserts-stream", body % b"Clicks", basic("app", "b")).body, b'{"status":"ok","seq":0}\n')
        self.denied(request(self.server.port, "POST", "/inserts-stream", body % b"hidden", basic("app", "b")))

    def test_creating_and_dropping(self):
        good = self.ksql("ann", "a", "CREATE STREAM mine_s WITH (kafka_topic='mine_s') AS SELECT * FROM clicks;")
        self.assertEqual(good.status, 200, good.body)
        self.denied(self.ksql("ann", "a", "CREATE STREAM other AS SELECT * FROM clicks;"))
        self.denied(self.ksql("ann", "a", "CREATE STREAM mine_h AS SELECT * FROM hidden;"))
        self.denied(self.ksql("ann", "a", "CREATE STREAM mine_x (k STRING KEY) WITH (kafka_topic='hidden', value_format='JSON');"))
        self.denied(self.ksql("ann", "a", "SET 'auto.offset.reset'='earliest'; DROP STREAM hidden;"))
        self.denied(self.ksql("ann", "a", "DROP STREAM nothing_like_it;"))
        self.denied(self.ksql("ann", "a", "TERMINATE ALL;"), 40300)
        self.denied(self.ksql("ann", "a", "ALTER SYSTEM 'auto.offset.reset'='latest';"), 40300)
        self.denied(request(self.server.port, "POST", "/ksql/terminate", {}, basic("ann", "a")), 40300)
        self.assertEqual(self.ksql("ann", "a", "DROP STREAM mine_s;").status, 200)

    def test_nothing_shows(self):
        for text in ("SHOW STREAMS;", "SHOW TOPICS;", "SHOW QUERIES;", "SHOW STREAMS EXTENDED;", "SHOW TABLES;"):
            self.assertNotIn("hidden", self.ksql("ann", "a", text).body.decode().lower().replace("show", ""))
            self.assertNotIn("clicks", self.ksql("none", "c", text).body.decode().lower())
        self.assertIn("CLICKS", self.ksql("ann", "a", "SHOW STREAMS;").body.decode())
        wrong = self.ksql("ann", "a", "SELECT * FROM visible_hiden EMIT CHANGES;", "/query")
        self.assertNotIn("HIDDEN", wrong.body.decode())
        text = self.ksql("root", "r:oot", "SHOW PROPERTIES;").body.decode()
        self.assertNotIn("scrypt", text)
        self.assertNotIn("topsecret", text)

    def test_nothing_shows_of_others(self):
        """What there is of a source that `ann` does not see, wherever she looks."""
        root = lambda text, path="/ksql", field="ksql": self.ksql("root", "r:oot", text, path, field)  # noqa: E731
        for text in ("CREATE STREAM hidden_reads WITH (kafka_topic='hidden_reads') AS SELECT * FROM clicks;",
                     "CREATE STREAM visible_of_hidden WITH (kafka_topic='visible_of_hidden') AS SELECT * FROM hidden;",
                     "CREATE TYPE hidden_type AS STRUCT<a INT>; CREATE TYPE visible_type AS INT;",
                     "CREATE STREAM hidden_avro (h INT) WITH (kafka_topic='hidden_avro', value_format='AVRO', partitions=1);",
                     "CREATE STREAM visible_avro (v INT) WITH (kafka_topic='visible_avro', value_format='AVRO', partitions=1);"):
            self.assertEqual(root(text).status, 200)
        push = request(self.server.port, "POST", "/query-stream", {"sql": "SELECT v AS secret_column FROM hidden EMIT CHANGES;"},
                       basic("root", "r:oot"), wait=False)
        query = json.loads(push.chunk())["queryId"]
        ann = basic("ann", "a")
        for text in ("SHOW QUERIES;", "SHOW QUERIES EXTENDED;", "DESCRIBE clicks;", "DESCRIBE clicks EXTENDED;", "DESCRIBE visible_of_hidden;",
                     "DESCRIBE STREAMS EXTENDED;", "SHOW STREAMS EXTENDED;", "SHOW TABLES EXTENDED;", "SHOW TYPES;", "SHOW ALL TOPICS EXTENDED;",
                     "SHOW PROPERTIES;", "LIST TOPICS EXTENDED;", "SHOW CONNECTORS;"):
            body = self.ksql("ann", "a", text).body.decode().replace("visible_of_hidden", "").replace("VISIBLE_OF_HIDDEN", "")
            body = body.replace("ksql.hidden.topics", "").replace("(hidden)", "").replace("[hidden]", "")
            self.assertNotIn("hidden", body.lower(), text)
            self.assertNotIn("SECRET_COLUMN", body.upper(), text)
        self.assertIn("VISIBLE_TYPE", self.ksql("ann", "a", "SHOW TYPES;").body.decode())
        self.assertIn("VISIBLE_OF_HIDDEN", self.ksql("ann", "a", "DESCRIBE visible_of_hidden;").body.decode())
        for path in ("/status", "/clusterStatus"):
            self.assertIn(b"HIDDEN", request(self.server.port, "GET", path, headers=basic("root", "r:oot")).body)
            shown = request(self.server.port, "GET", path, headers=ann).body.decode().upper()
            self.assertNotIn("HIDDEN", shown.replace("VISIBLE_OF_HIDDEN", ""), path)
        self.assertIn(b"CLICKS", request(self.server.port, "GET", "/status", headers=ann).body)
        for path, wanted in (("/status/stream/%60HIDDEN%60/create", 404), ("/status/stream/%60CLICKS%60/create", 200), ("/debug/tasks", 403),
                             ("/metrics", 403), ("/debug/log-level", 403), ("/subjects", 403), ("/schemas", 403), ("/schemas/ids/1", 403),
                             ("/schemas/ids/2", 200), ("/schemas/ids/2/subjects", 403), ("/subjects/hidden_avro-value/versions/1", 403),
                             ("/subjects/visible_avro-value/versions/1", 200)):
            self.assertEqual(request(self.server.port, "GET", path, headers=ann).status, wanted, path)
        # A source of one's own that others read: their names are not told.
        self.assertEqual(self.ksql("ann", "a", "CREATE STREAM mine_r WITH (kafka_topic='mine_r') AS SELECT * FROM clicks;").status, 200)
        self.assertEqual(root("CREATE STREAM hidden_of_mine WITH (kafka_topic='hidden_of_mine') AS SELECT * FROM mine_r;").status, 200)
        self.assertIn("HIDDEN_OF_MINE", root("DROP STREAM mine_r;").body.decode())
        refused = self.ksql("ann", "a", "DROP STREAM mine_r;")
        self.assertEqual(refused.status, 400)
        self.assertIn("(hidden)", refused.json()["message"])
        self.assertNotIn("HIDDEN_OF_MINE", refused.body.decode())
        # Nobody ends the push queries of others.
        answer = self.ksql("ann", "a", query, "/close-query", "queryId")
        self.assertEqual((answer.status, answer.json()["message"]), (400, f"No query with id {query}"))
        own = request(self.server.port, "POST", "/query-stream", {"sql": "SELECT * FROM clicks EMIT CHANGES;"}, ann, wait=False)
        self.assertEqual(self.ksql("ann", "a", json.loads(own.chunk())["queryId"], "/close-query", "queryId").status, 200)
        own.connection.close()
        self.assertEqual(self.ksql("root", "r:oot", query, "/close-query", "queryId").status, 200)
        push.connection.close()
        for text in ("DROP STREAM hidden_of_mine;", "DROP STREAM mine_r;", "DROP STREAM hidden_reads;", "DROP STREAM visible_of_hidden;",
                     "DROP TYPE hidden_type; DROP TYPE visible_type;", "DROP STREAM hidden_avro;", "DROP STREAM visible_avro;"):
            self.assertEqual(root(text).status, 200, text)

    def test_no_grants_means_nothing(self):
        self.denied(self.ksql("none", "c", "SELECT * FROM clicks;", "/query"))
        self.assertEqual(self.ksql("none", "c", "SHOW STREAMS;").json()[0]["streams"], [])

    def test_shell(self):
        def shell(*options):
            return subprocess.run([MILLRACE, f"http://127.0.0.1:{self.server.port}", "-e", "SHOW STREAMS;", *options], timeout=60,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, **more})
        more = {}
        self.assertIn("CLICKS", shell("-u", "ann", "-p", "a").stdout)
        with open(self.folder.name + "/secret", "w") as file:
            file.write("a\n")
        self.assertIn("CLICKS", shell("--user", "ann", "--password-file", self.folder.name + "/secret").stdout)
        with open(self.folder.name + "/netrc", "w") as file:
            file.write("machine other login x password y\nmachine 127.0.0.1\n  login ann\n  password a\n")
        self.assertNotIn("CLICKS", shell().stdout)
        more = {"NETRC": self.folder.name + "/netrc"}
        self.assertIn("CLICKS", shell().stdout)

    def test_zz_guessing_is_slowed_down(self):
        def guess(i):
            return request(self.server.port, "GET", "/info", headers=basic("root", f"guess{i}")).status
        with concurrent.futures.ThreadPoolExecutor(8) as guessers:  # faster than failures are forgotten, on any machine
            self.assertIn(429, list(guessers.map(guess, range(60))))
        self.assertEqual(request(self.server.port, "GET", "/info", headers=basic("ann", "a")).status, 200)  # is remembered



class Reload(unittest.TestCase):
    """Users and grants that change under a running server."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.users, self.grants = folder.name + "/users", folder.name + "/grants"
        self.write(self.users, hashed("ann", "a", "analyst") + hashed("bob", "b", "admin"))
        self.write(self.grants, "GRANT ALL TO admin\nGRANT READ ON s TO analyst\n")
        self.server = Server(MILLRACE, "--set", "authentication.method=BASIC", "--set", "millrace.authentication.file=" + self.users,
                             "--set", "millrace.authorization.file=" + self.grants,
                             ready=lambda port: b"READY" in request(port, "GET", "/healthcheck").body)
        self.addCleanup(self.server.close)
        created = self.ask("bob", "b", "CREATE STREAM s (k STRING KEY, v INT) WITH (kafka_topic='s', value_format='JSON', partitions=1);")
        self.assertEqual(created, 200)

    @staticmethod
    def write(path, text):
        with open(path, "w") as file:
            file.write(text)

    def ask(self, user, password, text="SHOW STREAMS;", path="/ksql"):
        return request(self.server.port, "POST", path, {"ksql": text}, basic(user, password)).status

    def until(self, condition, seconds=20):
        deadline = time.time() + seconds
        while not condition():
            self.assertLess(time.time(), deadline, self.server.log()[-500:])
            time.sleep(0.1)

    def test_by_change_of_the_file(self):
        kept = Connection(self.server.port)
        self.addCleanup(kept.close)
        ann = basic("ann", "a")
        push = message("POST", "/query-stream", {"sql": "SELECT * FROM s EMIT CHANGES;"}, ann)
        self.assertEqual(kept.send(push).answer().status, 200)  # runs on
        other = Connection(self.server.port)
        self.addCleanup(other.close)
        self.assertEqual(other.send(message("GET", "/info", headers=ann)).answer().status, 200)
        self.write(self.users, hashed("ann", "new", "analyst") + hashed("bob", "b", "admin") + hashed("eve", "e", "analyst"))
        self.until(lambda: self.ask("ann", "new") == 200)
        self.assertEqual(self.ask("ann", "a"), 401)
        self.assertEqual(self.ask("eve", "e"), 200)
        self.assertEqual(other.send(message("GET", "/info", headers=ann)).answer().status, 401)
        self.write(self.grants, "GRANT ALL TO admin\n")
        self.until(lambda: self.ask("eve", "e", "SELECT * FROM s;", "/query") == 403)
        self.assertEqual(self.ask("bob", "b", "INSERT INTO s (k, v) VALUES ('a', 1);"), 200)
        stream = kept.stream
        while b'["a",1]' not in stream.readline():
            pass

    def test_by_signal_and_of_a_wrong_file(self):
        self.write(self.users, "ann: plain, analyst\n")
        self.server.process.send_signal(signal.SIGHUP)
        self.until(lambda: "users and grants stay as they are" in self.server.log())
        self.assertEqual(self.ask("bob", "b"), 200)
        self.write(self.users, hashed("bob", "c", "admin"))
        self.server.process.send_signal(signal.SIGHUP)
        self.until(lambda: self.ask("bob", "c") == 200, 3)


if __name__ == "__main__":
    MILLRACE = sys.argv.pop(1)
    unittest.main()
