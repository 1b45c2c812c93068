-- reads: bid
-- Bids on certain auctions.
CREATE STREAM q2 WITH (kafka_topic='${result}') AS
  SELECT auction_key, auction, price FROM bid WHERE auction % 123 = 0;
