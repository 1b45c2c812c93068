--@test: one
CREATE STREAM s (k STRING KEY, m MAP<STRING, INT>, d DECIMAL(5,2)) WITH (kafka_topic='s', value_format='JSON', partitions=4);
CREATE STREAM t AS SELECT * FROM s;
INSERT INTO s (k, m, d) VALUES ('a', MAP('x':=1,'y':=2), 1.5);
ASSERT VALUES t (k, m, d) VALUES ('a', MAP('y':=2, 'x':=1), 1.50);
ASSERT STREAM t (k STRING KEY, m MAP<STRING, INT>, d DECIMAL(5,2));
ASSERT STREAM t WITH (kafka_topic='T', value_format='JSON');
ASSERT STREAM t (k STRING KEY, m MAP<STRING, BIGINT>, d DECIMAL(5,2)) WITH (kafka_topic='T', value_format='JSON');
--@test: two
CREATE STREAM s (k STRING KEY, v INT) WITH (kafka_topic='s', value_format='JSON', partitions=4);
INSERT INTO s (k, v) VALUES ('a', 1);
ASSERT VALUES s (k, v, ROWTIME) VALUES ('a', 1, 0);
ASSERT VALUES s (k, v) VALUES ('b', 1);
--@test: three
CREATE STREAM s (k STRING KEY, v INT) WITH (kafka_topic='s', value_format='JSON', partitions=4);
INSERT INTO s (k, v) VALUES ('a', 1);
ASSERT VALUES s (k, v) VALUES ('b', 1);
--@test: four
CREATE STREAM s (k STRING KEY v INT) WITH (kafka_topic='s', value_format='JSON', partitions=4);
--@test: five
--@expected.error: io.confluent.ksql.parser.exception.ParseFailedException
CREATE STREAM s (k STRING KEY v INT) WITH (kafka_topic='s', value_format='JSON', partitions=4);
--@test: six
--@expected.error: java.lang.AssertionError
--@expected.message: Expected record does not match actual.
CREATE STREAM s (k STRING KEY, v INT) WITH (kafka_topic='s', value_format='JSON', partitions=4);
INSERT INTO s (k, v) VALUES ('a', 1);
ASSERT VALUES s (k, v) VALUES ('b', 1);
--@test: seven
--@expected.error: java.lang.AssertionError
CREATE STREAM s (k STRING KEY, v INT) WITH (kafka_topic='s', value_format='JSON', partitions=4);
--@test: eight
CREATE STREAM s (k STRING KEY, v INT) WITH (kafka_topic='s', value_format='JSON', partitions=4);
CREATE STREAM u AS SELECT * FROM nope;
