#!/usr/bin/env python3
"""Bearer tokens signed by keys of a local set: bearer_test.py MILLRACE [unittest arguments]. Needs the openssl program."""
import base64
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.parse

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from wire import Connection, Server, request  # noqa: E402

MILLRACE = ""
if shutil.which("openssl") is None:
    print("skipped: there is no openssl program")
    sys.exit(77)


def openssl(*arguments, data=None):
    return subprocess.run(["openssl", *arguments], input=data, capture_output=True, check=True, timeout=60).stdout


def url64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def numbers_of(der):
    """The two numbers of a signature in DER."""
    assert der[0] == 0x30
    out, at = [], 2
    for _ in range(2):
        size = der[at + 1]
        out.append(int.from_bytes(der[at + 2:at + 2 + size], "big").to_bytes(32, "big"))
        at += 2 + size
    return b"".join(out)


class Keys:
    """One key of each kind, and tokens that they sign."""

    def __init__(self, directory):
        self.directory = directory
        for name, options in (("rsa", ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"]), ("ec", ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"]),
                              ("ed", ["ED25519"]), ("stranger", ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"])):
            openssl("genpkey", "-algorithm", *options, "-out", self.path(name))
        modulus = openssl("rsa", "-in", self.path("rsa"), "-noout", "-modulus").decode().strip().split("=")[1]
        point = openssl("pkey", "-in", self.path("ec"), "-pubout", "-outform", "DER")[-64:]
        edwards = openssl("pkey", "-in", self.path("ed"), "-pubout", "-outform", "DER")[-32:]
        self.jwks = {"keys": [
            {"kty": "RSA", "kid": "rsa", "n": url64(bytes.fromhex(modulus)), "e": "AQAB"},
            {"kty": "EC", "kid": "ec", "crv": "P-256", "x": url64(point[:32]), "y": url64(point[32:])},
            {"kty": "OKP", "kid": "ed", "crv": "Ed25519", "x": url64(edwards)}]}
        with open(directory + "/jwks.json", "w") as file:
            json.dump(self.jwks, file)

    def path(self, name):
        return f"{self.directory}/{name}.pem"

    def token(self, algorithm="RS256", key=None, header=None, **claims):
        key = key or {"R": "rsa", "P": "rsa", "E": "ec"}[algorithm[0]] if algorithm != "EdDSA" else key or "ed"
        claims = {"sub": "ann", "iss": "issuer", "aud": ["millrace"], "exp": time.time() + 600, "realm": {"roles": ["analyst"]}, **claims}
        text = url64(json.dumps({"alg": algorithm, "kid": key, **(header or {})}).encode()) + "." + url64(json.dumps(claims).encode())
        if algorithm == "EdDSA":
            with open(self.directory + "/text", "w") as file:
                file.write(text)
            signature = openssl("pkeyutl", "-sign", "-inkey", self.path(key), "-rawin", "-in", self.directory + "/text")
        else:
            padding = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"] if algorithm[0] == "P" else []
            signature = openssl("dgst", f"-sha{algorithm[2:]}", "-sign", self.path(key), *padding, data=text.encode())
            if algorithm[0] == "E":
                signature = numbers_of(signature)
        return text + "." + url64(signature)


def setUpModule():
    global server, keys, directory
    directory = tempfile.mkdtemp()
    keys = Keys(directory)
    with open(directory + "/grants", "w") as file:
        file.write("GRANT READ ON s TO analyst\nGRANT ALL TO admin\n")
    settings = {"authentication.method": "BEARER", "millrace.authentication.jwks.file": directory + "/jwks.json",
                "millrace.authentication.jwt.issuer": "issuer", "millrace.authentication.jwt.audience": "millrace",
                "millrace.authentication.jwt.roles.claim": "realm.roles", "millrace.authorization.file": directory + "/grants"}
    options = [part for name, value in settings.items() for part in ("--set", f"{name}={value}")]
    server = Server(MILLRACE, *options, ready=lambda port: request(port, "GET", "/healthcheck").status == 200)


def tearDownModule():
    server.close()
    shutil.rmtree(directory)


def status(token):
    return request(server.port, "GET", "/info", headers=[("Authorization", "Bearer " + token)]).status


class Bearer(unittest.TestCase):
    def test_signatures(self):
        for algorithm in ("RS256", "RS512", "PS256", "PS384", "ES256", "EdDSA"):
            token = keys.token(algorithm)
            self.assertEqual(status(token), 200, algorithm)
            head, claims, signature = token.split(".")
            other = url64(json.dumps({"sub": "root", "exp": time.time() + 600}).encode())
            for wrong in (f"{head}.{other}.{signature}", f"{head}.{claims}.{signature[:-8]}AAAAAAAA", f"{head}.{claims}."):
                self.assertEqual(status(wrong), 401, algorithm)

    def test_other_keys_and_algorithms(self):
        self.assertEqual(status(keys.token(key="stranger")), 401)
        self.assertEqual(status(keys.token(key="stranger", header={"kid": "rsa"})), 401)
        plain = url64(b'{"alg":"none"}') + "." + keys.token().split(".")[1] + "."
        self.assertEqual(status(plain), 401)
        self.assertEqual(status(keys.token(header={"alg": "HS256"})), 401)
        self.assertEqual(status(keys.token(header={"crit": ["b64"]})), 401)

    def test_claims(self):
        now = time.time()
        for claims, wanted in (({"exp": now - 3600}, 401), ({"exp": None}, 401), ({"nbf": now + 3600}, 401), ({"iss": "other"}, 401),
                               ({"aud": "other"}, 401), ({"aud": "millrace"}, 200), ({"sub": ""}, 401), ({"nbf": now - 5}, 200)):
            self.assertEqual(status(keys.token(**claims)), wanted, claims)

    def test_without_a_token(self):
        answer = request(server.port, "GET", "/info")
        self.assertEqual((answer.status, answer.headers["www-authenticate"]), (401, 'Bearer realm="millrace"'))
        for header in ("Bearer", "Bearer x", "Bearer a.b.c", "Basic YTpi"):
            self.assertEqual(request(server.port, "GET", "/info", headers=[("Authorization", header)]).status, 401)

    def test_roles(self):
        def create(token):
            text = "CREATE STREAM IF NOT EXISTS s (v INT) WITH (kafka_topic='s', value_format='JSON', partitions=1);"
            return request(server.port, "POST", "/ksql", {"ksql": text}, [("Authorization", "Bearer " + token)]).status
        self.assertEqual(create(keys.token()), 403)
        self.assertEqual(create(keys.token(realm={"roles": "analyst admin"})), 200)

    def test_keys_change(self):
        token = keys.token("EdDSA")
        for known, wanted in ((keys.jwks["keys"][:2], 401), (keys.jwks["keys"], 200)):
            with open(directory + "/jwks.json", "w") as file:
                json.dump({"keys": known}, file)
            deadline = time.time() + 20
            while status(token) != wanted:
                self.assertLess(time.time(), deadline)
                time.sleep(0.1)
            self.assertEqual(status(keys.token()), 200)

    def test_websocket(self):
        def answer(token):
            asked = urllib.parse.quote(json.dumps({"ksql": "SELECT * FROM s;"}))
            one = Connection(server.port)
            one.send(f"GET /ws/query?request={asked}&access_token={token} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                     "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode())
            line = one.stream.readline()
            one.close()
            return int(re.match(rb"HTTP/1.1 (\d+)", line).group(1))
        self.assertEqual(answer(keys.token()), 101)
        self.assertEqual(answer(keys.token(iss="other")), 401)


if __name__ == "__main__":
    MILLRACE = sys.argv.pop(1)
    unittest.main()
