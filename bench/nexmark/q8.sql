-- reads: person auction
-- Who opened an auction in the ten seconds in which they came, final.
CREATE STREAM q8 WITH (kafka_topic='${result}') AS
  SELECT p.id AS id, p.name AS name, p.WINDOWSTART AS stime
  FROM (SELECT id, name FROM person WINDOW TUMBLING (SIZE 10 SECONDS, GRACE PERIOD 4 SECONDS) GROUP BY id, name) p
  JOIN (SELECT seller FROM auction WINDOW TUMBLING (SIZE 10 SECONDS, GRACE PERIOD 4 SECONDS) GROUP BY seller) a
    ON p.id = a.seller AND p.WINDOWSTART = a.WINDOWSTART AND p.WINDOWEND = a.WINDOWEND
  EMIT FINAL;
