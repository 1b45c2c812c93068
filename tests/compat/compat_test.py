"""Data directories that a former version wrote are read by this one: compat_test.py, MILLRACE names the program.

A folder per version holds `statements.sql` and `rows.sql`, which that version ran on an embedded log, and what it left: `stopped.tar.xz` after
a clean stop, `killed.tar.xz` after kill -9. What was written must be there, and queries must go on from it."""
import os
import pathlib
import sys
import tarfile
import unittest

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "faults"))
from server import Server, eventually  # noqa: E402

BY_USER = "SELECT user, n, total, urls FROM by_user;"
BY_URL = "SELECT url, windowstart, n, longest FROM by_url WHERE url = '/';"
VISITS = "SELECT user, windowstart, windowend, n FROM visits WHERE user = 'ann';"
FREQUENT = "SELECT user, n FROM frequent;"
NAMED = "SELECT user, url, name FROM named;"


class Former(unittest.TestCase):
    def check(self, archive):
        server = Server()
        self.addCleanup(server.close)
        with tarfile.open(archive) as packed:
            packed.extractall(server.work.name)
        server.data = os.path.join(server.work.name, "data")
        server.start()
        self.became(server, BY_USER, [["ann", 3, 4.00, ["/", "/cart", "/"]], ["bob", 1, 0.00, ["/"]]])
        self.became(server, BY_URL, [["/", 0, 2, 120], ["/", 60000, 1, 200]])
        self.became(server, VISITS, [["ann", 2000, 3000, 2], ["ann", 70000, 70000, 1]])
        self.became(server, FREQUENT, [["ann", 3]])
        self.became(server, NAMED, [["ann", "/", "Ann A."], ["ann", "/", "Ann A."], ["ann", "/cart", "Ann A."], ["bob", "/", "Bob B."]])
        # Queries go on: aggregates from their state, sessions and windows from stream time, joins from their table.
        server.sql("INSERT INTO clicks (ROWTIME, user, url, ms, price) VALUES (75000, 'ann', '/', 900, 1.00);"
                   "INSERT INTO clicks (ROWTIME, user, url, ms, price) VALUES (76000, 'bob', '/end', 5, 2.00);")
        self.became(server, BY_USER, [["ann", 4, 5.00, ["/", "/cart", "/", "/"]], ["bob", 2, 2.00, ["/", "/end"]]])
        self.became(server, BY_URL, [["/", 0, 2, 120], ["/", 60000, 2, 900]])
        self.became(server, VISITS, [["ann", 2000, 3000, 2], ["ann", 70000, 75000, 2]])
        self.became(server, FREQUENT, [["ann", 4], ["bob", 2]])
        self.assertEqual(sorted(server.rows(NAMED))[-1], ["bob", "/end", "Bob B."])
        for query in server.sql("SHOW QUERIES;")[0]["queries"]:
            self.assertEqual(query["state"], "RUNNING", query)
        self.replaced(server)

    def replaced(self, server):
        """A query of a version whose plans do not say how it was bound takes over as any does, and refuses as any does."""
        server.sql("CREATE OR REPLACE TABLE by_user AS SELECT user, COUNT(*) AS n, SUM(price) AS total, COLLECT_LIST(url) AS urls,"
                   " COUNT(*) * 10 AS tens FROM clicks GROUP BY user;"
                   "INSERT INTO clicks (ROWTIME, user, url, ms, price) VALUES (77000, 'bob', '/', 5, 1.00);")
        self.became(server, "SELECT user, n, tens FROM by_user WHERE user = 'bob';", [["bob", 3, 30]])
        with self.assertRaisesRegex(Exception, "must have matching aggregationFunctions"):
            server.sql("CREATE OR REPLACE TABLE by_url AS SELECT url, COUNT(*) AS n, MIN(ms) AS longest FROM clicks"
                       " WINDOW TUMBLING (SIZE 1 MINUTE, GRACE PERIOD 1 HOUR) GROUP BY url;")

    def became(self, server, sql, expected):
        def same():
            rows = sorted(server.rows(sql))
            return rows == expected or self.last.update(rows=rows)

        self.last = {}
        try:
            eventually(same, 20, sql)
        except AssertionError:
            self.fail(f"{sql} gives {self.last.get('rows')}, not {expected}\n{server.log()[-2000:]}")


def add(version, archive):
    setattr(Former, f"test_{version.name.replace('.', '_')}_{archive.name.split('.')[0]}", lambda self: self.check(archive))


for version in sorted(path for path in HERE.iterdir() if path.is_dir() and path.name != "__pycache__"):
    for archive in sorted(version.glob("*.tar.xz")):
        add(version, archive)

if __name__ == "__main__":
    unittest.main(verbosity=2)
