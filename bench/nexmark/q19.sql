-- reads: bid
-- The ten highest bids on every auction.
CREATE TABLE q19 WITH (kafka_topic='${result}') AS
  SELECT auction, bidder, price, channel, url, dateTime, extra, ROW_NUMBER() OVER (PARTITION BY auction ORDER BY price DESC) AS rank_number
  FROM bid QUALIFY rank_number <= 10;
