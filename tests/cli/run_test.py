"""Scripts in this process: run_test.py MILLRACE. Python's standard library only."""
import base64
import json
import subprocess
import sys
import unittest

MILLRACE = sys.argv.pop(1)


def run(script, *options, status=0):
    done = subprocess.run([MILLRACE, "run", "-", *options], input=script, capture_output=True, text=True, timeout=120)
    assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
    return done.stdout


def rows(script, *options):
    """Columns of the rows of a script whose last statement is a query, numbers as they were written."""
    text = run(script, "--output", "JSON", *options)
    decoder, found = json.JSONDecoder(parse_float=str), []
    while text.strip():
        value, end = decoder.raw_decode(text.lstrip())
        text = text.lstrip()[end:]
        if isinstance(value, dict) and "row" in value:
            found.append(value["row"]["columns"])
    return found


CLICKS = """
CREATE STREAM clicks (user STRING KEY, url STRING, paid DECIMAL(10, 2)) WITH (kafka_topic='clicks', value_format='JSON', partitions=1);
INSERT INTO clicks VALUES ('ann', '/', 12.30);
INSERT INTO clicks VALUES ('ann', '/cart', 0.20);
"""


class Run(unittest.TestCase):
    def test_tables_fit_and_decimals_keep_their_scale(self):
        out = run(CLICKS + "CREATE TABLE sums AS SELECT user, SUM(paid) AS total, COUNT(*) AS n FROM clicks GROUP BY user;"
                  "SELECT * FROM sums; SELECT url FROM clicks EMIT CHANGES LIMIT 1;")
        self.assertIn("+----+-----+-+\n|USER|TOTAL|N|\n+----+-----+-+\n|ann |12.50|2|\nQuery terminated (1 row)\n", out)
        self.assertTrue(out.endswith("+---+\n|URL|\n+---+\n|/  |\nLimit Reached\nQuery terminated\n"), out)

    def test_json_keeps_the_scale(self):
        self.assertEqual(rows(CLICKS + "SELECT paid, GREATEST(paid, CAST(0.5 AS DECIMAL(4, 3))) AS g, LEAST(paid, CAST(0.5 AS DECIMAL(4, 3))) AS l, "
                              "CASE WHEN paid > 1 THEN paid ELSE CAST(1.5 AS DECIMAL(10, 2)) END AS e, paid * 2 AS d FROM clicks EMIT CHANGES;"),
                         [["12.30", "12.300", "0.500", "12.30", "24.60"], ["0.20", "0.500", "0.200", "1.50", "0.40"]])

    def test_variables_are_replaced_once(self):
        self.assertEqual(rows(CLICKS + "DEFINE s = 'clicks'; DEFINE b = 'wrong'; SELECT '$${b}' AS x, url FROM ${s} EMIT CHANGES LIMIT 1;"),
                         [["${b}", "/"]])
        self.assertEqual(rows(CLICKS + "SELECT '${v}' AS x FROM clicks EMIT CHANGES LIMIT 1;", "-d", "v=$${w}", "-d", "w=no"), [["$${w}"]])

    def test_own_topics_are_hidden(self):
        clicks = CLICKS.replace("partitions=1", "partitions=2") + "CREATE TABLE t AS SELECT url, COUNT(*) AS n FROM clicks GROUP BY url;"
        out = run(clicks + "SHOW TOPICS;")
        self.assertIn(" clicks ", out)
        for hidden in ("slots", "_confluent", "changelog", "repartition"):
            self.assertNotIn(hidden, out)
        everything = run(clicks + "SHOW ALL TOPICS;")
        for shown in ("default_slots", "command_topic", "-changelog", "-repartition"):
            self.assertIn(shown, everything)

    def test_schemas_are_shown(self):
        out = run("CREATE STREAM s (k INT KEY, a INT) WITH (kafka_topic='s', format='AVRO', partitions=1); INSERT INTO s VALUES (1, 2);"
                  "CREATE STREAM i WITH (kafka_topic='s', format='AVRO'); DESCRIBE i; DESCRIBE i EXTENDED; SHOW TOPICS EXTENDED;"
                  "ASSERT SCHEMA SUBJECT 's-value' ID 2; PRINT s FROM BEGINNING LIMIT 1;")
        for shown in (" ROWKEY | INTEGER          (key)\n", "Key schema           : s-key (id 1, version 1)\nValue schema         : s-value (id 2, version 1)\n",
                      "| KEY: id 1, version 1\n", "| VALUE: id 2, version 1\n", "Schema with subject s-value id 2 exists.\n",
                      "Value format: AVRO", "key: 1, value: {\"A\":2}, partition: 0, key schema id: 1, value schema id: 2\n"):
            self.assertIn(shown, out)

    def test_mistakes_say_what_to_write(self):
        self.assertIn("single quotes", run(CLICKS + 'INSERT INTO clicks VALUES ("ann", \'/\', 1);', status=1))
        self.assertIn("hint: a reserved word is a name only in back-quotes: `AT`",
                      run("SET 'millrace.dialect'='ksql'; CREATE STREAM s (at INT) WITH (kafka_topic='s', partitions=1, value_format='JSON');",
                          status=1))
        self.assertIn("PARTITION BY column 'NOPE' cannot be resolved",
                      run(CLICKS + "CREATE STREAM p AS SELECT * FROM clicks PARTITION BY nope;", status=1))
        long = run(CLICKS + f"SELECT {', '.join(f'url AS u{i}' for i in range(100))}, nope FROM clicks EMIT CHANGES;", status=1)
        shown = [line for line in long.splitlines() if "nope" in line]
        self.assertEqual(len(shown), 1)
        self.assertLessEqual(len(shown[0]), 80)

    def test_the_processing_log_says_what_and_where(self):
        script = """
CREATE STREAM texts (v STRING) WITH (kafka_topic='t', value_format='KAFKA', partitions=1);
CREATE STREAM numbers (v INT) WITH (kafka_topic='t', value_format='JSON');
CREATE STREAM copy AS SELECT v + 1 AS w FROM numbers;
INSERT INTO texts VALUES ('{"V": 1');
"""
        query = """SELECT topic, partition, offset, reason, query, record, message->deserializationError->target,
            message->deserializationError->errorMessage, message->deserializationError->recordB64, message->deserializationError->cause
            FROM ksql_processing_log EMIT CHANGES LIMIT 1;"""
        for include in ("true", "false"):
            [row] = rows(script + query, "--set", f"ksql.logging.processing.rows.include={include}")
            record = base64.b64encode(b'{"V": 1').decode() if include == "true" else None
            self.assertEqual(row[:3] + row[4:7], ["t", 0, 0, row[4], record, "value"])
            self.assertTrue(row[4].startswith("CSAS_COPY_"))
            self.assertTrue(row[3])
            self.assertEqual((row[7], row[8], row[9]), (f"Failed to deserialize value from topic: t. {row[3]}", record, [row[3]]))

    def test_late_rows_are_in_the_processing_log(self):
        [row] = rows("""
CREATE STREAM s (k STRING KEY, v INT) WITH (kafka_topic='s', value_format='JSON', partitions=1);
CREATE TABLE t AS SELECT k, COUNT(*) AS n FROM s WINDOW TUMBLING (SIZE 1 SECOND, GRACE PERIOD 0 SECONDS) GROUP BY k;
INSERT INTO s (ROWTIME, k, v) VALUES (100000, 'a', 1);
INSERT INTO s (ROWTIME, k, v) VALUES (1, 'a', 1);
SELECT reason, topic, partition, message->recordProcessingError->errorMessage FROM ksql_processing_log EMIT CHANGES LIMIT 1;""")
        self.assertEqual(row, ["1 row came too late: its window is closed", "s", 0, "1 row came too late: its window is closed"])

    def test_a_failure_behind_a_record_without_value_is_not_that_ones(self):
        found = rows("""
CREATE STREAM s (k STRING KEY, v INT) WITH (kafka_topic='s', value_format='KAFKA', partitions=1);
INSERT INTO s (k) VALUES ('a');
INSERT INTO s (k, v) VALUES ('b', 0);
CREATE STREAM o WITH (value_format='JSON') AS SELECT k, 10 / v AS q, v AS w FROM s;
SELECT offset, reason FROM ksql_processing_log EMIT CHANGES LIMIT 1;""")
        self.assertEqual(found, [[1, "division by zero"]])

    def test_rows_without_a_group_are_in_the_processing_log(self):
        [row] = rows("""
CREATE STREAM s (k STRING KEY, v INT) WITH (kafka_topic='s', value_format='JSON', partitions=1);
CREATE TABLE t AS SELECT v, COUNT(*) AS n FROM s GROUP BY v;
INSERT INTO s (k, v) VALUES ('a', 1);
INSERT INTO s (k) VALUES ('b');
SELECT offset, reason FROM ksql_processing_log EMIT CHANGES LIMIT 1;""")
        self.assertEqual(row, [1, "Group-by column with index 0 resolved to null. The source row will be excluded from the table."])

    def test_settings_act_or_say_why(self):
        self.assertIn("It changes nothing here: it is always exactly once", run("SET 'processing.guarantee'='at_least_once';"))
        self.assertIn("It changes nothing here", run("SET 'max.task.idle.ms'='5';"))
        out = run("ASSERT TOPIC nope;", "--set", "ksql.assert.topic.default.timeout.ms=10", status=1)
        self.assertIn("Topic nope does not exist", out)
        self.assertIn("CREATE OR REPLACE is disabled",
                      run(CLICKS + "SET 'ksql.create.or.replace.enabled'='false'; CREATE OR REPLACE STREAM x AS SELECT * FROM clicks;", status=1))


if __name__ == "__main__":
    unittest.main()
