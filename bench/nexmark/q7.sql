-- reads: bid
-- The highest bids of every ten seconds, final.
CREATE STREAM q7 WITH (kafka_topic='${result}') AS
  SELECT b.auction AS auction, b.price AS price, b.bidder AS bidder, b.dateTime AS dateTime, b.extra AS extra
  FROM bid b JOIN (
      SELECT MAX(price) AS maxprice, WINDOWEND AS ends
      FROM bid WINDOW TUMBLING (SIZE 10 SECONDS, GRACE PERIOD 4 SECONDS) EMIT FINAL) m
    WITHIN 10 SECONDS GRACE PERIOD 4 SECONDS
    ON b.price = m.maxprice AND b.dateTime BETWEEN m.ends - 10000 AND m.ends
  EMIT FINAL;
