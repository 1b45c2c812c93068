-- reads: bid
-- How many bids somebody makes in ten seconds, by the clock when they are taken.
CREATE TABLE q12 WITH (kafka_topic='${result}') AS
  SELECT bidder, COUNT(*) AS bid_count FROM bid WINDOW TUMBLING (SIZE 10 SECONDS, ON PROCTIME) GROUP BY bidder;
