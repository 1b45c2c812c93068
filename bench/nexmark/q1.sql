-- reads: bid
-- Prices in another currency.
CREATE STREAM q1 WITH (kafka_topic='${result}') AS
  SELECT auction_key, auction, bidder, 0.908e0 * price AS price, dateTime, extra FROM bid;
