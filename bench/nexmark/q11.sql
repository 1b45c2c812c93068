-- reads: bid
-- How many bids somebody makes in a session of activity: it ends after ten seconds without one.
CREATE TABLE q11 WITH (kafka_topic='${result}') AS
  SELECT bidder, COUNT(*) AS bid_count FROM bid WINDOW SESSION (10 SECONDS) GROUP BY bidder;
