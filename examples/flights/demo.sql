-- New York's flights of 2013 as a stream, keyed by the airport they left from.
SET 'auto.offset.reset' = 'earliest';

CREATE STREAM flights (
    origin STRING KEY, id INT, scheduled BIGINT, carrier STRING, flight INT, tailnum STRING, dest STRING,
    dep_delay INT, arr_delay INT, distance INT)
  WITH (kafka_topic = 'flights', value_format = 'JSON', partitions = 4, timestamp = 'scheduled');

CREATE TABLE carriers (carrier STRING PRIMARY KEY, name STRING)
  WITH (kafka_topic = 'carriers', value_format = 'JSON', partitions = 4);

-- A filter and an expression: flights over an hour late, and what they made good in the air.
CREATE STREAM late_flights AS
  SELECT origin, id, carrier, dest, dep_delay, dep_delay - arr_delay AS made_good
  FROM flights WHERE dep_delay > 60;

-- A windowed GROUP BY on the time column: one row per airport and day.
CREATE TABLE daily AS
  SELECT origin, COUNT(*) AS flights, COUNT(dep_delay) AS departed, MAX(dep_delay) AS worst, AVG(dep_delay) AS average
  FROM flights WINDOW TUMBLING (SIZE 1 DAY, RETENTION 400 DAYS, GRACE PERIOD 2 DAYS) GROUP BY origin;

-- A stream-table join: late flights meet the names of their carriers, which moves them to another key.
CREATE STREAM late_by_carrier AS
  SELECT l.carrier AS carrier, c.name AS name, l.dest AS dest, l.dep_delay AS dep_delay, l.made_good AS made_good
  FROM late_flights l LEFT JOIN carriers c ON l.carrier = c.carrier;

-- In Avro, with its schema in the registry that the server is, for whoever reads the topic.
CREATE TABLE carrier_delays WITH (value_format = 'AVRO') AS
  SELECT name, COUNT(*) AS late, SUM(dep_delay) AS minutes, MAX(made_good) AS best_recovery
  FROM late_by_carrier GROUP BY name;

-- Re-keyed by aircraft; then a table built from that table: aircraft move between its rows as their trips add up.
CREATE TABLE plane_trips AS
  SELECT tailnum, COUNT(*) AS trips, SUM(distance) AS miles FROM flights WHERE tailnum IS NOT NULL GROUP BY tailnum;

CREATE TABLE fleet AS
  SELECT trips / 100 AS hundreds, COUNT(*) AS planes, SUM(miles) AS miles FROM plane_trips GROUP BY trips / 100;
