-- reads: bid
-- Every bid as it is: what a row costs when nothing is done with it.
CREATE STREAM q0 WITH (kafka_topic='${result}') AS
  SELECT auction_key, auction, bidder, price, dateTime, extra FROM bid;
