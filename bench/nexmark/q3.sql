-- reads: auction person
-- Who sells in one category and lives in one of three states.
CREATE STREAM q3 WITH (kafka_topic='${result}') AS
  SELECT a.id AS id, p.name AS name, p.city AS city, p.state AS state
  FROM auction a JOIN person p WITHIN UNBOUNDED ON a.seller = p.id
  WHERE a.category = 10 AND (p.state = 'OR' OR p.state = 'ID' OR p.state = 'CA')
  PARTITION BY a.id;
