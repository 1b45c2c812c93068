"""Bad surroundings of a server on the embedded log: a directory in use, one that cannot be written, a full disk."""
import os
import pwd
import random
import resource
import shutil
import stat
import subprocess
import tempfile
import unittest

from scenario import Embedded, make_events
from server import Refused, Server

SEED = int(os.environ.get("MILLRACE_FAULT_SEED", random.SystemRandom().randrange(1 << 32)))


def refused_start(server, **popen):
    """What a server that does not start says. It ends by itself, with status 1."""
    server.spawn(**popen)
    status = server.process.wait(30)
    said = server.log().strip().splitlines()[-1]
    if status != 1:
        raise AssertionError(f"ended with {status}: {said}")
    return said


class Directory(unittest.TestCase):
    def setUp(self):
        self.server = Server()
        self.addCleanup(self.server.close)

    def test_a_second_server_is_refused(self):
        self.server.start().sql("CREATE STREAM s (v INT) WITH (kafka_topic='s', value_format='JSON', partitions=1);")
        second = Server(data=self.server.data)
        self.addCleanup(second.close)
        said = refused_start(second)
        self.assertIn(f"the data directory {self.server.data} is in use by process {self.server.process.pid}", said)
        self.server.sql("DROP STREAM s;")

    def test_a_path_that_is_no_directory(self):
        self.server.data = "/dev/null/data"
        self.assertIn("cannot create the data directory /dev/null/data", refused_start(self.server))

    def test_a_read_only_directory(self):
        """Refused with its name; what is in it stays, and is there again when it may be written."""
        user = self.unprivileged()
        self.server.start(**user)
        self.server.sql("CREATE STREAM s (v INT) WITH (kafka_topic='s', value_format='JSON', partitions=1);"
                        "INSERT INTO s (v) VALUES (7);")
        self.assertEqual(self.server.stop(), 0)
        self.change_modes(self.server.data, lambda mode: mode & ~0o222)
        said = refused_start(self.server, **user)
        self.assertIn("millrace: cannot", said)
        self.assertIn(self.server.data, said)
        self.change_modes(self.server.data, lambda mode: mode | stat.S_IWUSR)
        self.server.start(**user)
        self.assertEqual(self.server.rows("SELECT v FROM s;"), [[7]])

    def unprivileged(self):
        """Modes mean nothing to root. The program is copied, as it may lie where only root can go."""
        if os.geteuid() != 0:
            return {}
        nobody = pwd.getpwnam("nobody")
        self.server.program = shutil.copy(self.server.program, self.server.work.name)
        os.chown(self.server.work.name, nobody.pw_uid, nobody.pw_gid)
        with open(self.server.log_path, "ab"):
            os.chown(self.server.log_path, nobody.pw_uid, nobody.pw_gid)
        return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}

    @staticmethod
    def change_modes(root, change):
        for path, _, files in os.walk(root):
            for name in [path] + [os.path.join(path, name) for name in files]:
                os.chmod(name, change(stat.S_IMODE(os.stat(name).st_mode)))


class SmallDisk:
    """A directory with little room: a file system of its own where that may be mounted, else a limit on the size of the
    server's files."""

    LIMIT = 24 << 20

    def __init__(self, server):
        self.server = server
        self.path = tempfile.mkdtemp(prefix="millrace-faults-disk-")
        mount = ["mount", "-t", "tmpfs", "-o", f"size={self.LIMIT}", "tmpfs", self.path]
        self.mounted = shutil.which("mount") is not None and subprocess.run(mount, capture_output=True).returncode == 0
        server.data = os.path.join(self.path, "data")

    def start(self):
        self.server.start()
        if not self.mounted:
            self.limit(3 << 20)

    def limit(self, size):
        hard = resource.prlimit(self.server.process.pid, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(self.server.process.pid, resource.RLIMIT_FSIZE, (size, hard))

    def make_room(self):
        if self.mounted:
            subprocess.run(["mount", "-o", "remount,size=1g", self.path], check=True)
        else:
            self.limit(resource.RLIM_INFINITY)

    def close(self):
        self.server.close()
        if self.mounted:
            subprocess.run(["umount", self.path], check=True)
        shutil.rmtree(self.path)


class FullDisk(unittest.TestCase):
    def test_it_goes_on_when_there_is_room(self):
        print(f"seed {SEED}", flush=True)
        rng = random.Random(SEED)
        scenario = Embedded({"millrace.state.memory.bytes": 1 << 20, "commit.interval.ms": 100})
        server = scenario.server
        disk = SmallDisk(server)
        self.addCleanup(disk.close)
        disk.start()
        scenario.declare()
        sent, refusal = 0, None
        while refusal is None and sent < 1_000_000:
            events = make_events(rng, 2000, sent)
            try:
                server.insert("ev", events)
                sent += len(events)
            except Refused as error:
                refusal = error
        self.assertIsNotNone(refusal, "the disk fills up")
        self.assertRegex(str(refusal), "No space left on device|File too large")
        scenario.note(f"full after {sent} events: {refusal}")
        # It is there, tells what it knows, and refuses what would need room.
        self.assertEqual(server.get("/info")["KsqlServerInfo"]["serverStatus"], "RUNNING")
        with self.assertRaisesRegex(Refused, "No space left on device|File too large"):
            for i in range(1000):
                server.insert("ev", make_events(rng, 2000, sent))
                sent += 2000
        disk.make_room()
        scenario.send(make_events(rng, 2000, sent))
        sent += 2000
        problem = scenario.check(sent)
        self.assertIsNone(problem, server.log()[-2000:])
        # A crash changes nothing about that.
        server.kill()
        server.start()
        problem = scenario.check(sent)
        self.assertIsNone(problem, server.log()[-2000:])


if __name__ == "__main__":
    unittest.main(verbosity=2)
