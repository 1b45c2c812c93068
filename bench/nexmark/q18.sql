-- reads: bid
-- The last bid of everybody on every auction.
CREATE TABLE q18 WITH (kafka_topic='${result}', key_format='JSON') AS
  SELECT bidder, auction, LATEST_BY_OFFSET(price) AS price, LATEST_BY_OFFSET(channel) AS channel,
    LATEST_BY_OFFSET(url) AS url, LATEST_BY_OFFSET(dateTime) AS dateTime, LATEST_BY_OFFSET(extra) AS extra
  FROM bid GROUP BY bidder, auction;
