-- reads: bid
-- Bids with day and minute as text, for a log split by them.
CREATE STREAM q10 WITH (kafka_topic='${result}') AS
  SELECT auction_key, auction, bidder, price, dateTime, extra,
    FORMAT_TIMESTAMP(FROM_UNIXTIME(dateTime), 'yyyy-MM-dd', 'UTC') AS day,
    FORMAT_TIMESTAMP(FROM_UNIXTIME(dateTime), 'HH:mm', 'UTC') AS minute
  FROM bid;
