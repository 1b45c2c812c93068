-- reads: bid auction
-- The average winning price of each category. A bid counts while its auction is open; the highest wins.
CREATE STREAM q4_valid WITH (kafka_topic='${result}-valid') AS
  SELECT b.auction_key AS auction_key, a.category AS category, b.price AS price
  FROM bid b JOIN auction_table a ON b.auction_key = a.auction_key
  WHERE b.dateTime BETWEEN a.dateTime AND a.expires;
CREATE TABLE q4_winning WITH (kafka_topic='${result}-winning', key_format='JSON') AS
  SELECT auction_key, category, MAX(price) AS price FROM q4_valid GROUP BY auction_key, category;
CREATE TABLE q4 WITH (kafka_topic='${result}') AS
  SELECT category, AVG(price) AS price FROM q4_winning GROUP BY category;
