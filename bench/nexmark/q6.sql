-- reads: bid auction
-- The average price of each seller's winning bids, over an auction's and the ten before it.
CREATE TABLE q6 WITH (kafka_topic='${result}', key_format='JSON') AS
  SELECT q.id AS id, q.seller AS seller,
    CAST(AVG(q.price) OVER (PARTITION BY q.seller ORDER BY q.dateTime ROWS BETWEEN 10 PRECEDING AND CURRENT ROW) AS BIGINT) AS avg_price
  FROM (SELECT a.id AS id, a.seller AS seller, b.price AS price, b.dateTime AS dateTime
        FROM auction a JOIN bid b WITHIN UNBOUNDED ON a.id = b.auction AND b.dateTime BETWEEN a.dateTime AND a.expires
        QUALIFY ROW_NUMBER() OVER (PARTITION BY a.id, a.seller ORDER BY b.price DESC) = 1) q;
