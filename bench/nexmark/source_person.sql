CREATE STREAM person (person_key STRING KEY, id BIGINT, name STRING, emailAddress STRING, creditCard STRING, city STRING,
    state STRING, dateTime BIGINT, extra STRING)
  WITH (kafka_topic='${person}', value_format='JSON', partitions=4, timestamp='dateTime');
CREATE TABLE person_table (person_key STRING PRIMARY KEY, id BIGINT, name STRING, city STRING, state STRING, dateTime BIGINT)
  WITH (kafka_topic='${person}', value_format='JSON', partitions=4, timestamp='dateTime');
