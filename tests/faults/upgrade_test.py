"""Two servers of one service during a rolling upgrade: what a newer version has written to the command log, the older one keeps
back and says so, and goes on with everything else; a process that knows it takes it up."""
import json
import unittest

from server import BROKER, Refused, Server, eventually
from topics import produce, read_committed

STATEMENTS = """
CREATE STREAM s (k STRING KEY, v INT) WITH (kafka_topic='upgrade_s', value_format='JSON', partitions=2);
CREATE TABLE t WITH (kafka_topic='upgrade_t') AS SELECT k, SUM(v) AS total FROM s GROUP BY k;
"""
COMMANDS = "_confluent-ksql-upgrade_command_topic"


class UpgradeTest(unittest.TestCase):
    def setUp(self):
        self.servers = [Server(BROKER, {"ksql.service.id": "upgrade"}) for _ in range(2)]
        for server in self.servers:
            self.addCleanup(server.close)

    def commands(self):
        return [json.loads(value) for _, _, _, value in read_committed(COMMANDS)]

    def write(self, change):
        """As a newer version would: after the last command, with whatever is `change`d in it."""
        last = self.commands()[-1]
        command = {**last, "version": last["version"] + 1, "followers": 0}
        change(command)
        produce(COMMANDS, [f"{command['id']}\t{json.dumps(command)}"])

    def is_well(self):
        for server in self.servers:
            self.assertTrue(server.get("/healthcheck")["isHealthy"])
            self.assertEqual(server.rows("SELECT k, total FROM t;"), [["a", 3]])

    def names(self, server, what):
        listed = server.sql(f"SHOW {what};")[0]
        return {entry["name"] for entry in listed[what.lower()]}

    def test_what_is_not_known_is_kept_back(self):
        first, second = self.servers
        first.start().sql(STATEMENTS)
        second.start()
        first.sql("INSERT INTO s VALUES ('a', 1); INSERT INTO s VALUES ('a', 2);")
        for server in self.servers:
            eventually(lambda: server.rows("SELECT k, total FROM t;") == [["a", 3]], 60, "both answer")

        def of_another_form(command):
            command.update(id="stream/`NEXT`/create", statement="CREATE STREAM NEXT", format=99,
                           changes=[{"op": "put_source", "source": {"name": "NEXT"}}])

        def of_another_kind(command):
            command.update(id="index/`I`/create", statement="CREATE SOMETHING I",
                           changes=[{"op": "put_something", "name": "I"}])

        def of_nothing_known(command):
            for field in list(command):
                if field not in ("id", "version"):
                    del command[field]
            command.update(id="future", kind={"all": "different"})

        self.write(of_another_form)
        self.write(of_another_kind)
        for server in self.servers:
            eventually(lambda: "NEXT is not available" in server.log() and "I is not available" in server.log(), 30, "it says so")
            with self.assertRaises(Refused) as refused:
                server.sql("CREATE STREAM further AS SELECT * FROM next;")
            self.assertIn("99", str(refused.exception))
        self.is_well()
        # Both take further statements, and agree on them.
        first.sql("CREATE STREAM one AS SELECT k, v FROM s;")
        second.sql("CREATE STREAM two AS SELECT k, v FROM s;")
        for server in self.servers:
            eventually(lambda: {"ONE", "TWO"} <= self.names(server, "STREAMS"), 30, "both know both")
        self.write(of_nothing_known)
        self.is_well()
        second.sql("CREATE STREAM three AS SELECT k, v FROM s;")
        eventually(lambda: "THREE" in self.names(first, "STREAMS"), 30, "the other knows it")
        # One after the other is started again, as for an upgrade.
        for server in self.servers:
            self.assertEqual(server.stop(), 0, server.log()[-2000:])
            server.start()
            eventually(lambda: {"ONE", "TWO", "THREE"} <= self.names(server, "STREAMS"), 30, "it knows all")
            eventually(lambda: server.rows("SELECT k, total FROM t;") == [["a", 3]], 30, "it answers")
        self.is_well()


if __name__ == "__main__":
    unittest.main(verbosity=2)
