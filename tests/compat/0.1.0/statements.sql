CREATE STREAM clicks (user STRING KEY, url STRING, ms INT, price DECIMAL(8, 2)) WITH (kafka_topic='clicks', value_format='JSON', partitions=2);
CREATE TABLE users (id STRING PRIMARY KEY, name STRING) WITH (kafka_topic='users', value_format='DELIMITED', partitions=2);
CREATE TYPE point AS STRUCT<x DOUBLE, y DOUBLE>;
CREATE STREAM slow WITH (partitions=2) AS SELECT user, url, ms / 1000.0 AS seconds FROM clicks WHERE ms > 1000;
CREATE TABLE by_user AS SELECT user, COUNT(*) AS n, SUM(price) AS total, COLLECT_LIST(url) AS urls FROM clicks GROUP BY user;
CREATE TABLE by_url AS SELECT url, COUNT(*) AS n, MAX(ms) AS longest FROM clicks WINDOW TUMBLING (SIZE 1 MINUTE, GRACE PERIOD 1 HOUR) GROUP BY url;
CREATE TABLE visits AS SELECT user, COUNT(*) AS n FROM clicks WINDOW SESSION (10 SECONDS) GROUP BY user;
CREATE STREAM named AS SELECT c.user AS user, c.url AS url, u.name AS name FROM clicks c LEFT JOIN users u ON c.user = u.id;
CREATE TABLE frequent AS SELECT * FROM by_user WHERE n >= 2;
