-- reads: bid
-- The last bid of everybody on every auction.
CREATE TABLE q18 WITH (kafka_topic='${result}') AS
  SELECT bidder, auction, price, channel, url, dateTime, extra
  FROM bid QUALIFY ROW_NUMBER() OVER (PARTITION BY bidder, auction ORDER BY dateTime DESC, ROWOFFSET DESC) = 1;
