CREATE STREAM s (k STRING KEY, v INT) WITH (kafka_topic='s', value_format='JSON'); CREATE TABLE c AS SELECT k, count(*) as n from s group by k;
