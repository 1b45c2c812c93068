-- reads: auction person
-- Who sells in one category and lives in one of three states.
CREATE TABLE q3 WITH (kafka_topic='${result}') AS
  SELECT a.auction_key AS auction_key, p.name AS name, p.city AS city, p.state AS state, a.id AS id
  FROM auction_table a JOIN person_table p ON CAST(a.seller AS STRING) = p.person_key
  WHERE a.category = 10 AND (p.state = 'OR' OR p.state = 'ID' OR p.state = 'CA');
