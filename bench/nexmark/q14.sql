-- reads: bid
-- Costly bids, the time of day of each, and how often a letter occurs in a text.
CREATE STREAM q14 WITH (kafka_topic='${result}') AS
  SELECT auction_key, auction, bidder, 0.908e0 * price AS price,
    CASE
      WHEN CAST(FORMAT_TIMESTAMP(FROM_UNIXTIME(dateTime), 'HH', 'UTC') AS INT) BETWEEN 8 AND 18 THEN 'dayTime'
      WHEN CAST(FORMAT_TIMESTAMP(FROM_UNIXTIME(dateTime), 'HH', 'UTC') AS INT) <= 6
        OR CAST(FORMAT_TIMESTAMP(FROM_UNIXTIME(dateTime), 'HH', 'UTC') AS INT) >= 20 THEN 'nightTime'
      ELSE 'otherTime'
    END AS bidTimeType,
    dateTime, extra, LEN(extra) - LEN(REPLACE(extra, 'c', '')) AS c_counts
  FROM bid WHERE 0.908e0 * price > 1000000 AND 0.908e0 * price < 50000000;
