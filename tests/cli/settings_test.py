"""No setting lies: settings_test.py MILLRACE. Each row of docs/settings.md (which holds what the table of settings holds) is refused with its
reason, says that it changes nothing, or changes what a script prints; what no script shows is in another test, or only a matter of speed."""
import base64
import concurrent.futures
import functools
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/cli/http"))
from wire import Server, request  # noqa: E402

MILLRACE = sys.argv[1]

STREAM = "CREATE STREAM s (k STRING KEY, v INT) WITH (kafka_topic='s', partitions=1, value_format='JSON');"
ROWS = STREAM + "INSERT INTO s VALUES ('a', 1); INSERT INTO s VALUES ('a', 2);"
EARLY = "SET 'auto.offset.reset'='earliest';"
COUNTS = EARLY + ROWS + "CREATE TABLE t AS SELECT k, COUNT(*) AS n FROM s GROUP BY k;"
COPY = EARLY + ROWS + "CREATE STREAM c AS SELECT * FROM s;"
BAD = (EARLY + "CREATE STREAM raw (v STRING) WITH (kafka_topic='s', partitions=1, value_format='KAFKA'); INSERT INTO raw VALUES ('{');"
       "CREATE STREAM s (v INT) WITH (kafka_topic='s', value_format='JSON'); CREATE STREAM c AS SELECT * FROM s;")
TIMES = (EARLY + "CREATE STREAM s (v STRING) WITH (kafka_topic='s', partitions=1, value_format='JSON'); INSERT INTO s VALUES ('x');"
         "CREATE STREAM c WITH (timestamp='V', timestamp_format='yyyy') AS SELECT v FROM s;")
SCHEMA = ("CREATE STREAM s ({} INT{}) WITH (kafka_topic='s', partitions=1, format='AVRO', {}_schema_full_name='a.Name');"
          "DESCRIBE s EXTENDED;")
LISTS = COUNTS + "CREATE TABLE l AS SELECT k, {}(v) AS l FROM s GROUP BY k; SELECT l FROM l;"
TABLE = "CREATE {} TABLE t (k STRING PRIMARY KEY, v INT) WITH (kafka_topic='s', partitions=1, value_format='JSON');"

SET = "SET '{name}' = '{value}';"  # stands for that, where the script rather than the server says it

# Setting, value, script: it prints something else than with the default.
SHOWN = [
    ("auto.offset.reset", "latest", SET + ROWS + "SELECT * FROM s EMIT CHANGES LIMIT 1;"),
    ("auto.offset.reset", "LATEST", SET + ROWS + "SELECT * FROM s EMIT CHANGES LIMIT 1;"),
    ("cache.max.bytes.buffering", "0", COUNTS + "PRINT T FROM BEGINNING;"),
    ("statestore.cache.max.bytes", "0", COUNTS + "PRINT T FROM BEGINNING;"),
    ("ksql.fail.on.deserialization.error", "true", BAD + "SHOW QUERIES;"),
    ("ksql.timestamp.throw.on.invalid", "true", TIMES + "SHOW QUERIES;"),
    ("ksql.output.topic.name.prefix", "before_", COPY + "SHOW TOPICS;"),
    ("ksql.persistence.default.format.key", "JSON", STREAM + "SHOW STREAMS;"),
    ("ksql.persistence.default.format.value", "JSON", "CREATE STREAM s (v INT) WITH (kafka_topic='s', partitions=1);"),
    ("ksql.schema.registry.key.subject.name.strategy", "RecordNameStrategy", SCHEMA.format("k", " KEY, v INT", "key")),
    ("ksql.schema.registry.value.subject.name.strategy", "RecordNameStrategy", SCHEMA.format("v", "", "value")),
    ("ksql.persistence.wrap.single.values", "false", STREAM + "INSERT INTO s VALUES ('a', 1); PRINT s FROM BEGINNING;"),
    ("ksql.variable.substitution.enable", "false", SET + "DEFINE x = 's';" + STREAM.replace("STREAM s", "STREAM ${x}")),
    ("ksql.variable.substitution.enable", "FALSE", SET + "DEFINE x = 's';" + STREAM.replace("STREAM s", "STREAM ${x}")),
    ("ksql.create.or.replace.enabled", "false", STREAM.replace("CREATE", "CREATE OR REPLACE")),
    ("ksql.suppress.enabled", "false",
     STREAM + "CREATE TABLE t AS SELECT k, COUNT(*) AS n FROM s WINDOW TUMBLING (SIZE 1 SECOND) GROUP BY k EMIT FINAL;"),
    ("ksql.headers.columns.enabled", "false", STREAM.replace("v INT", "h ARRAY<STRUCT<key STRING, value BYTES>> HEADERS")),
    ("ksql.new.query.planner.enabled", "true", STREAM.replace("v INT", "j INT KEY, v INT").replace("value_format", "format") + "CREATE STREAM c AS SELECT j, k, v FROM s; DESCRIBE c;"),
    ("ksql.query.pull.table.scan.enabled", "false", COUNTS + "SELECT * FROM t;"),
    ("ksql.query.pull.range.scan.enabled", "false", "SET 'ksql.query.pull.table.scan.enabled'='false';" + COUNTS + "SELECT * FROM t WHERE k > 'A';"),
    ("ksql.query.pull.stream.enabled", "false", ROWS + "SELECT * FROM s;"),
    ("ksql.query.pull.limit.clause.enabled", "false", COUNTS + "SELECT * FROM t LIMIT 1;"),
    ("ksql.functions._global_.limit", "1", LISTS.format("COLLECT_LIST")),
    ("ksql.functions.collect_list.limit", "1", LISTS.format("COLLECT_LIST")),
    ("ksql.functions.collect_set.limit", "1", LISTS.format("COLLECT_SET")),
    ("millrace.dialect", "ksql", ROWS + "SELECT COUNT(*) FROM s;"),
    ("millrace.rules.off", "all", STREAM + "CREATE STREAM c AS SELECT k, v FROM s WHERE 1 = 1; EXPLAIN CSAS_C_2;"),
    ("millrace.rules.off", "no_such_rule", COPY),
    ("ksql.query.persistent.active.limit", "0", COPY),
    ("ksql.service.id", "mine_", "SHOW ALL TOPICS;"),
    ("ksql.persistent.prefix", "kept_", COUNTS + "SHOW ALL TOPICS;"),
    ("ksql.hidden.topics", "s", STREAM + "SHOW TOPICS;"),
    ("ksql.readonly.topics", "s", ROWS),
    ("ksql.insert.into.values.enabled", "false", ROWS),
    ("ksql.source.table.materialization.enabled", "false", TABLE.format("SOURCE").replace("partitions=1, ", "").join(
        [TABLE.format("").replace("TABLE t", "TABLE made"), "SHOW QUERIES;"])),
    ("ksql.pull.queries.enable", "false", COUNTS + "SELECT * FROM t;"),
    ("ksql.max.push.queries", "0", ROWS + "SELECT * FROM s EMIT CHANGES LIMIT 1;"),
    ("ksql.logging.processing.topic.auto.create", "false", "SHOW TOPICS;"),
    ("ksql.logging.processing.stream.auto.create", "false", "SHOW STREAMS;"),
    ("ksql.logging.processing.topic.partitions", "3", "SHOW TOPICS;"),
    ("ksql.logging.processing.topic.name", "faults", "SHOW TOPICS;"),
    ("ksql.properties.overrides.denylist", "auto.offset.reset", EARLY + STREAM),
    ("ksql.logging.processing.stream.name", "faults", "SHOW STREAMS;"),
    ("millrace.audit.enabled", "true", "SHOW STREAMS;"),
    ("millrace.insert.once.max.rows", "1", ROWS + "INSERT INTO s ONCE SELECT k, v FROM s;"),
    ("millrace.slots", "3", "SHOW ALL TOPICS;"),
]
# Takes at least so many seconds.
WAITS = [
    ("ksql.assert.topic.default.timeout.ms", "4000", "ASSERT TOPIC nope;", 4),
    ("ksql.assert.schema.default.timeout.ms", "4000", "ASSERT SCHEMA SUBJECT 'nope';", 4),
]
# Only how fast, how often or with how much memory something is done: they are read, which is all that can be shown here.
PACE = {"commit.interval.ms", "acceptable.recovery.lag", "max.warmup.replicas", "millrace.standby.cpu.percent", "num.stream.threads",
        "ksql.query.retry.backoff.initial.ms", "ksql.query.retry.backoff.max.ms", "ksql.server.command.response.timeout.ms",
        "millrace.batch.rows", "millrace.state.memory.bytes", "millrace.pull.cache.max.bytes", "millrace.pull.materialize.timeout.ms", "millrace.broker.wait.ms", "log.sync"}


def rows():
    """Name and description of each."""
    for line in (ROOT / "docs/settings.md").read_text().splitlines():
        if found := re.match(r"\| `([^`]+)` \| .* \| (.*) \|$", line):
            yield found[1], found[2]


@functools.cache
def run(script, *settings, attempt=0):
    command = [MILLRACE, "run", "-"] + [part for setting in settings for part in ("--set", setting)]
    done = subprocess.run(command, input=script, capture_output=True, text=True, timeout=120)
    text = done.stdout + done.stderr
    return re.sub(r"\d{4}-\d\d-\d\d[T ][\d:.]+Z?|\d{4}/\d\d/\d\d [\d:.]+ \w+|\(?\d+(\.\d+)? m?s\)?|rowtime: [^,]*,", "…", text)


def shown(row):
    name, value, script = row
    usual = run(script.replace(SET, ""))
    if usual != run(script.replace(SET, ""), attempt=1):
        return f"{name}: the script prints now this, now that:\n{usual}"
    given = SET.format(name=name, value=value)
    changed = run(script.replace(SET, given), f"{name}={value}") if SET not in script else "\n".join(
        line for line in run(script.replace(SET, given)).splitlines() if "local property" not in line)
    return "" if changed != usual else f"{name}={value} changes nothing in\n{script}\n{changed}"


def waits(row):
    name, value, script, seconds = row
    began = time.monotonic()
    run(script, f"{name}={value}")
    return "" if time.monotonic() - began >= seconds else f"{name}={value} does not wait"


def refused(name):
    answers = [run(f"SET '{name}' = '{value}';") for value in ("7", "false", "true")]
    bad = [one for one in answers if "it can only be" in one or "Cannot override property" in one or "Unknown property" in one]
    return "" if len(bad) >= 2 else f"{name}: one value only, but SET takes others: {answers}"


def idle(name):
    """SET says so; the server's log does for those that SET refuses."""
    answers = [run(f"SET '{name}' = '{value}';") for value in ("7", "true", "at_least_once")]
    said = any("hanges nothing" in one or "no effect" in one or "Cannot override property" in one for one in answers)
    return "" if said else f"{name}: SET does not say that it changes nothing: {answers}"


def served():
    """What shows over HTTP: the settings, and what is wrong with them."""
    with tempfile.TemporaryDirectory() as folder:
        users = folder + "/users"
        with open(users, "w") as file:
            for user, role in (("ann", "analyst"), ("bob", "guest")):
                file.write(subprocess.run([MILLRACE, "password", user, role], input="secret\n", capture_output=True, text=True, check=True).stdout)
        options = {"authentication.method": "BASIC", "millrace.authentication.file": users, "authentication.realm": "the mill",
                   "authentication.roles": "analyst", "authentication.skip.paths": "/info", "access.control.allow.origin": "https://a.example",
                   "access.control.allow.methods": "GET,PUT", "access.control.allow.headers": "X-Mine", "ksql.transient.prefix": "passing_",
                   "ksql.advertised.listener": "here.example:1234", "millrace.internal.secret": "x"}
        server = Server(MILLRACE, *[part for name, value in options.items() for part in ("--set", f"{name}={value}")])
        try:
            def get(path, user=None, method="GET", headers=(), body=""):
                if user:
                    headers = [*headers, ("Authorization", "Basic " + base64.b64encode(f"{user}:secret".encode()).decode())]
                return request(server.port, method, path, body, list(headers))
            preflight = get("/ksql", method="OPTIONS", headers=[("Origin", "https://a.example"), ("Access-Control-Request-Method", "PUT")])
            post = lambda path, body: get(path, "ann", "POST", [("Content-Type", "application/json")], body)
            post("/ksql", json.dumps({"ksql": STREAM}))
            push = post("/query-stream", json.dumps({"sql": "SELECT * FROM s EMIT CHANGES LIMIT 0;"}))
            checks = {
                "authentication.realm": 'realm="the mill"' in get("/clusterStatus").headers.get("www-authenticate", ""),
                "authentication.roles": (get("/clusterStatus", "ann").status, get("/clusterStatus", "bob").status) == (200, 403),
                "authentication.skip.paths": get("/info").status == 200,
                "access.control.allow.methods": "PUT" in preflight.headers.get("access-control-allow-methods", ""),
                "access.control.allow.headers": "X-Mine" in preflight.headers.get("access-control-allow-headers", ""),
                "ksql.advertised.listener": b"here.example:1234" in get("/clusterStatus", "ann").body,
                "ksql.transient.prefix": b"passing_" in push.body,
            }
        finally:
            server.close()
    checks["ksql.queries.file"] = queries_file()
    checks["ksql.query.push.v2.max.hourly.bandwidth.megabytes"] = bandwidth_of_push_queries()
    checks["millrace.internal.secret"] = secret()
    checks["millrace.idle.timeout.ms"] = time_of_quiet_streams()
    checks["millrace.pull.snapshot.ttl.ms"] = time_of_pages("50") and not time_of_pages("60000")
    return checks.keys(), [f"{name} does not act over HTTP" for name, good in checks.items() if not good]


def queries_file():
    with tempfile.TemporaryDirectory() as folder:
        with open(folder + "/queries.sql", "w") as file:
            file.write(STREAM)
        server = Server(MILLRACE, "--set", f"ksql.queries.file={folder}/queries.sql")
        try:
            return len(server.run("SHOW STREAMS;")[0]["streams"]) == 2 and server.ksql("CREATE TYPE t AS INT;").status == 400
        finally:
            server.close()


def bandwidth_of_push_queries():
    """A megabyte an hour, of those that could share a query's work."""
    server = Server(MILLRACE, *[part for setting in ("push.v2.max.hourly.bandwidth.megabytes=1", "push.v2.enabled=true")
                                for part in ("--set", "ksql.query." + setting)])
    try:
        server.run("CREATE STREAM s (v STRING) WITH (kafka_topic='s', partitions=1, value_format='JSON'); CREATE STREAM c AS SELECT * FROM s;")
        push = lambda: request(server.port, "POST", "/query-stream", {"sql": "SELECT * FROM c EMIT CHANGES;"}, wait=False)
        first = push()
        lines = '{"target":"s"}\n' + (json.dumps({"v": "x" * 50_000}) + "\n") * 40
        assert request(server.port, "POST", "/inserts-stream", lines).status == 200
        seen = 0
        while seen < 1_500_000:
            seen += len(first.chunk())
        first.connection.close()
        later = push()
        later.connection.close()
        return first.status == 200 and later.status == 429
    finally:
        server.close()


def time_of_quiet_streams():
    """A window closes though nothing comes after it."""
    server = Server(MILLRACE, "--set", "millrace.idle.timeout.ms=100")
    try:
        server.run(STREAM + "CREATE TABLE t AS SELECT k, COUNT(*) AS n FROM s WINDOW TUMBLING (SIZE 1 SECOND, GRACE PERIOD 0 SECONDS)"
                            " GROUP BY k EMIT FINAL;")
        server.run("INSERT INTO s (ROWTIME, k, v) VALUES (1000, 'a', 1);")
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            if len(request(server.port, "POST", "/query-stream", {"sql": "SELECT * FROM t;"}).body.splitlines()) > 1:
                return True
            time.sleep(0.1)
        return False
    finally:
        server.close()


def time_of_pages(lifetime):
    """Whether the second page of an answer is gone after a second."""
    server = Server(MILLRACE, "--set", f"millrace.pull.snapshot.ttl.ms={lifetime}")
    try:
        server.run(TABLE.format("") + "CREATE TABLE kept AS SELECT * FROM t; INSERT INTO t (k, v) VALUES ('a', 1), ('b', 2);")
        body = {"sql": "SELECT * FROM kept;", "properties": {"millrace.pull.page.rows": "1"}}
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            last = json.loads(request(server.port, "POST", "/query-stream", body).body.splitlines()[-1])
            if isinstance(last, dict) and "continuationToken" in last:
                time.sleep(1)
                body["requestProperties"] = {"request.millrace.page.token": last["continuationToken"]}
                return b"Page token has expired" in request(server.port, "POST", "/query-stream", body).body
            time.sleep(0.1)
        raise AssertionError("no second page")
    finally:
        server.close()


def secret():
    """What the processes of a service ask each other is not answered without it."""
    def asked(server, *headers):
        return request(server.port, "POST", "/internal/report", b"", list(headers)).status
    server = Server(MILLRACE, "--set", "millrace.internal.secret=word")
    try:
        return asked(server) in (401, 403) and asked(server, ("Authorization", "Millrace word")) == 200
    finally:
        server.close()


def clusters():
    """Settings of other clusters: names that are none, values that are none, and logs that know no others."""
    eu = "millrace.cluster.eu."

    def checked(*settings, kafka=True):
        command = [MILLRACE, "server", "--check", *(["--kafka", "127.0.0.1:1"] if kafka else [])]
        done = subprocess.run(command + [part for setting in settings for part in ("--set", setting)], capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout + done.stderr
    servers, password = eu + "bootstrap.servers=127.0.0.1:1", eu + "sasl.password=hush"
    refusals = {"no such property": ((servers, password, eu + "no.such=1"), "no.such"),
                "no servers": ((password,), eu + "bootstrap.servers"),
                "a value that is none": ((servers, eu + "security.protocol=NOPE"), "security.protocol"),
                "no name": ((servers, "millrace.cluster.bootstrap=1"), "millrace.cluster.NAME.PROPERTY")}
    problems = []
    for what, (settings, saying) in refusals.items():
        status, text = checked(*settings)
        if status == 0 or saying not in text or "hush" in text:
            problems.append(f"{what}: {status} {text}")
    if (good := checked(servers, password))[0] != 0:
        problems.append(f"settings of another cluster: {good}")
    status, text = checked(servers, kafka=False)
    if status == 0 or "need a server on Kafka" not in text:
        problems.append(f"another cluster beside an embedded log: {status} {text}")
    if "need a server on Kafka" not in run(STREAM, servers):
        problems.append("another cluster beside a log in memory")
    if "Cannot override property" not in run(f"SET '{eu}sasl.password' = 'x';"):
        problems.append("a session sets what is the server's")
    return problems


def texts(*folders):
    for folder in folders:
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and path.suffix in (".cpp", ".h", ".py", ".sh", ".test", ".json", ".sql", ".md") and path != pathlib.Path(__file__).resolve():
                yield path, path.read_text(errors="replace")


def main():
    known = dict(rows())
    assert len(known) > 100, known
    others = "\n".join(text for _, text in texts("tests"))
    sources = "\n".join(text for path, text in texts("cli", "server", "exec", "planner") if "settings.cpp" not in path.name)
    over_http, problems = served()
    problems += clusters()
    problems += [f"{row[0]} is no setting" for row in SHOWN + WAITS if row[0] not in known]
    inert = {name for name, doc in known.items() if " Changes nothing: " in doc}
    fixed = {name for name, doc in known.items() if " No other value: " in doc}
    proved = {row[0] for row in SHOWN + WAITS} | PACE | over_http
    for name in known.keys() - inert - fixed:
        if name not in sources and not re.search(r"functions\.|registry\.(key|value)\.subject", name):
            problems.append(f"{name} is read nowhere")
        if name not in proved and name not in others:
            problems.append(f"{name}: nothing shows that it acts")
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for kind, items in ((shown, SHOWN), (waits, WAITS), (refused, sorted(fixed)), (idle, sorted(inert))):
            problems += [problem for problem in pool.map(kind, items) if problem]
    print("\n".join(problems) or f"{len(known)} settings")
    return 1 if problems else 0


sys.exit(main())
