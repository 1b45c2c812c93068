-- reads: bid
-- The auctions with the most bids in ten seconds, every two seconds: final results only, ties included.
CREATE STREAM q5 WITH (kafka_topic='${result}') AS
  WITH counts AS (
    SELECT auction, COUNT(*) AS num FROM bid
    WINDOW HOPPING (SIZE 10 SECONDS, ADVANCE BY 2 SECONDS, GRACE PERIOD 4 SECONDS)
    GROUP BY auction),
  maxima AS (
    SELECT WINDOWSTART AS starttime, WINDOWEND AS endtime, MAX(num) AS maxn FROM counts GROUP BY WINDOWSTART, WINDOWEND)
  SELECT c.auction AS auction, c.num AS num
  FROM counts c JOIN maxima m ON c.WINDOWSTART = m.starttime AND c.WINDOWEND = m.endtime AND c.num >= m.maxn
  EMIT FINAL;
