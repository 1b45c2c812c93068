"""A database is written to while Debezium copies its changes to Kafka: the tables that follow hold what the database holds,
also when the server is killed in between. A snapshot comes first; rows are inserted, updated, deleted and take other keys, in
transactions of one statement and of many."""
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import unittest

here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(here, "..", "faults"))
from server import BROKER, Server, eventually, free_port  # noqa: E402

BIN, JARS = os.environ["POSTGRES"], os.environ["DEBEZIUM_JARS"]
SEED = int(os.environ.get("MILLRACE_SEED", "1"))
COLUMNS = "id INT PRIMARY KEY, name STRING, credit DOUBLE, born DATE, seen TIMESTAMP, wakes TIME, active BOOLEAN"
# A row as /query-stream shows it.
ROW = ("json_build_array(id, name, credit::float8, to_char(born, 'YYYY-MM-DD'), to_char(seen, 'YYYY-MM-DD\"T\"HH24:MI:SS.MS'), "
       "regexp_replace(to_char(wakes, 'HH24:MI:SS'), ':00$', ''), active)")


class Postgres:
    """A database of its own, ended by close()."""

    def __init__(self):
        self.work, self.port = tempfile.mkdtemp(prefix="millrace-postgres-"), free_port()
        self.data = os.path.join(self.work, "data")
        # It does not run as root.
        self.user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        if self.user:
            shutil.chown(self.work, "postgres")
        self.run("initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
        options = f"-p {self.port} -k {self.work} -c listen_addresses=127.0.0.1 -c wal_level=logical -c fsync=off"
        self.run("pg_ctl", "-D", self.data, "-w", "-l", f"{self.work}/log", "-o", options, "start")

    def run(self, program, *arguments):
        subprocess.run([*self.user, os.path.join(BIN, program), *arguments], check=True, stdout=subprocess.DEVNULL, cwd="/",
                       timeout=120)

    def sql(self, text):
        done = subprocess.run([os.path.join(BIN, "psql"), "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", "-AtqX",
                               "-v", "ON_ERROR_STOP=1"], input=text, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    def rows(self):
        return [json.loads(line) for line in self.sql(f"SELECT {ROW} FROM customers ORDER BY id;")]

    def close(self):
        try:
            self.run("pg_ctl", "-D", self.data, "-m", "immediate", "-w", "stop")
        finally:
            shutil.rmtree(self.work, ignore_errors=True)


class Connect:
    """Kafka Connect with the connector alone, ended by close()."""

    def __init__(self, database):
        self.work = tempfile.mkdtemp(prefix="millrace-connect-")
        json_converter = "org.apache.kafka.connect.json.JsonConverter"
        worker = self.file("worker", {
            "bootstrap.servers": BROKER, "key.converter": json_converter, "value.converter": json_converter,
            "key.converter.schemas.enable": "false", "value.converter.schemas.enable": "false",
            "offset.storage.file.filename": f"{self.work}/offsets", "offset.flush.interval.ms": "500",
            "listeners": f"http://127.0.0.1:{free_port()}", "plugin.discovery": "hybrid_warn"})
        connector = self.file("connector", {
            "name": "shop", "connector.class": "io.debezium.connector.postgresql.PostgresConnector", "tasks.max": "1",
            "database.hostname": "127.0.0.1", "database.port": str(database.port), "database.user": "postgres",
            "database.password": "none", "database.dbname": "postgres", "topic.prefix": "shop", "plugin.name": "pgoutput",
            "table.include.list": "public.customers", "time.precision.mode": "connect", "decimal.handling.mode": "double",
            "poll.interval.ms": "50"})
        with open(f"{self.work}/log", "wb") as log:
            self.process = subprocess.Popen(
                ["java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", f"{JARS}/*",
                 "org.apache.kafka.connect.cli.ConnectStandalone", worker, connector], stdout=log, stderr=log, cwd=self.work)

    def file(self, name, settings):
        path = os.path.join(self.work, name + ".properties")
        with open(path, "w") as out:
            out.writelines(f"{key}={value}\n" for key, value in settings.items())
        return path

    def log(self):
        with open(f"{self.work}/log", errors="replace") as log:
            return log.read()

    def close(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.work, ignore_errors=True)


class Changes:
    """Random statements on the table; they know which keys there are."""

    def __init__(self, random_numbers, keys):
        self.random, self.keys, self.next = random_numbers, set(keys), max(keys) + 1

    def values(self):
        some = self.random
        maybe = lambda text: "NULL" if some.random() < 0.2 else text
        return [maybe(f"'n {some.randrange(50)} ü'"), maybe(f"{some.randrange(-9999, 9999) / 100}"), maybe(f"DATE '1960-01-01' + {some.randrange(30000)}"),
                maybe(f"TIMESTAMP '1969-12-31 23:59:59' + {some.randrange(2 * 10**9)} * INTERVAL '1 second' + {some.randrange(1000)} * INTERVAL '1 millisecond'"),
                maybe(f"TIME '00:00:00' + {some.randrange(86400)} * INTERVAL '1 second'"), maybe(some.choice(["TRUE", "FALSE"]))]

    def statement(self):
        kind = self.random.random()
        if kind < 0.4 or len(self.keys) < 3:
            key, self.next = self.next, self.next + 1
            self.keys.add(key)
            return f"INSERT INTO customers VALUES ({', '.join([str(key), *self.values()])});"
        key = self.random.choice(sorted(self.keys))
        if kind < 0.7:
            columns = zip(("name", "credit", "born", "seen", "wakes", "active"), self.values())
            return f"UPDATE customers SET {', '.join(f'{name} = {value}' for name, value in columns)} WHERE id = {key};"
        self.keys.remove(key)
        if kind < 0.85:
            return f"DELETE FROM customers WHERE id = {key};"
        self.keys.add(self.next)
        self.next += 1
        return f"UPDATE customers SET id = {self.next - 1} WHERE id = {key};"

    def transaction(self):
        count = self.random.choice([1, 1, 2, 30])
        return "BEGIN;" + "".join(self.statement() for _ in range(count)) + "COMMIT;"


class Live(unittest.TestCase):
    maxDiff = None

    def test_tables_follow_the_database(self):
        database = Postgres()
        self.addCleanup(database.close)
        database.sql("CREATE TABLE customers (id INT PRIMARY KEY, name TEXT, credit NUMERIC(9, 2), born DATE, seen TIMESTAMP(3), "
                     "wakes TIME(3), active BOOLEAN); ALTER TABLE customers REPLICA IDENTITY FULL;"
                     "INSERT INTO customers SELECT i, 'n ' || i, i / 4.0, DATE '2000-01-01' + i, NULL, TIME '01:02:03', i % 2 = 0 "
                     "FROM generate_series(1, 40) i;")
        connect = Connect(database)
        self.addCleanup(connect.close)
        server = Server(BROKER).start()
        self.addCleanup(server.close)
        eventually(lambda: any(topic["name"] == "shop.public.customers" for topic in server.sql("SHOW TOPICS;")[0]["topics"]), 90,
                   "Debezium makes its topic", 0.3)
        server.sql(f"CREATE TABLE customers ({COLUMNS}) WITH (kafka_topic='shop.public.customers', format='DEBEZIUM_JSON');"
                   "CREATE TABLE copy AS SELECT * FROM customers;"
                   "CREATE TABLE sums AS SELECT active, COUNT(*) AS n, SUM(id) AS ids FROM customers WHERE active IS NOT NULL GROUP BY active;",
                   {"auto.offset.reset": "earliest"})
        try:
            self.follow(database, server)
        except BaseException:
            print(connect.log()[-3000:], server.log()[-2000:], sep="\n", file=sys.stderr)
            raise

    def follow(self, database, server):
        self.same(database, server, "the snapshot")
        changes = Changes(random.Random(SEED), range(1, 41))
        for part in range(3):
            for _ in range(30):
                database.sql(changes.transaction())
            if part == 1:  # while changes come in
                server.kill()
                server.start()
            self.same(database, server, f"part {part + 1} of the changes")
        database.sql("DELETE FROM customers;")
        self.same(database, server, "the end")

    def same(self, database, server, what):
        """The copy and the sums over it are soon what the database says."""
        wanted = database.rows()
        sums = {flag: (len(ids), sum(ids)) for flag in (False, True) if (ids := [row[0] for row in wanted if row[6] is flag])}

        def found():
            rows = sorted(server.rows("SELECT * FROM copy;"))
            summed = {active: (n, ids) for active, n, ids in server.rows("SELECT * FROM sums;") if n}
            self.last = (rows, summed)
            return self.last == (wanted, sums)

        try:
            eventually(found, 60, f"{what}, seed {SEED}", 0.2)
        except AssertionError:
            self.assertEqual(self.last, (wanted, sums), f"{what}, seed {SEED}")
            raise


if __name__ == "__main__":
    unittest.main()
