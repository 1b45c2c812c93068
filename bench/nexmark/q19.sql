-- reads: bid
-- The ten highest prices bid on every auction.
CREATE TABLE q19 WITH (kafka_topic='${result}') AS
  SELECT auction, TOPK(price, 10) AS prices FROM bid GROUP BY auction;
