-- Tests of a script of queries: millrace test -t examples/tests

----------------------------------------------------------------------------------------------------
--@test: a windowed count starts anew in every window
----------------------------------------------------------------------------------------------------
CREATE STREAM clicks (user STRING KEY, url STRING) WITH (kafka_topic='clicks', value_format='JSON');
CREATE TABLE counts AS SELECT user, COUNT(*) AS n FROM clicks WINDOW TUMBLING (SIZE 10 SECONDS) GROUP BY user;

INSERT INTO clicks (ROWTIME, user, url) VALUES (1000, 'ann', '/');
INSERT INTO clicks (ROWTIME, user, url) VALUES (2000, 'ann', '/cart');
INSERT INTO clicks (ROWTIME, user, url) VALUES (11000, 'ann', '/');

ASSERT VALUES counts (ROWTIME, user, WINDOWSTART, WINDOWEND, n) VALUES (1000, 'ann', 0, 10000, 1);
ASSERT VALUES counts (ROWTIME, user, n) VALUES (2000, 'ann', 2);
ASSERT VALUES counts (user, WINDOWSTART, n) VALUES ('ann', 10000, 1);

----------------------------------------------------------------------------------------------------
--@test: a deleted row leaves the table that filters it
----------------------------------------------------------------------------------------------------
CREATE TABLE users (id INT PRIMARY KEY, age INT) WITH (kafka_topic='users', value_format='DELIMITED');
CREATE TABLE adults WITH (value_format='JSON') AS SELECT id, age FROM users WHERE age >= 18;

INSERT INTO users (id, age) VALUES (1, 20);
INSERT INTO users (id, age) VALUES (1, 17);

ASSERT TABLE adults (id INT PRIMARY KEY, age INT) WITH (kafka_topic='ADULTS', value_format='JSON');
ASSERT VALUES adults (id, age) VALUES (1, 20);
ASSERT NULL VALUES adults (id) KEY (1);

----------------------------------------------------------------------------------------------------
--@test: columns must exist
--@expected.error: io.confluent.ksql.util.KsqlException
--@expected.message: SELECT column 'AGE' cannot be resolved
----------------------------------------------------------------------------------------------------
CREATE STREAM clicks (user STRING KEY, url STRING) WITH (kafka_topic='clicks', value_format='JSON');
CREATE STREAM broken AS SELECT user, age FROM clicks;
