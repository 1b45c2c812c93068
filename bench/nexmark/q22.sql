-- reads: bid
-- The directories of the address of each bid.
CREATE STREAM q22 WITH (kafka_topic='${result}') AS
  SELECT auction_key, auction, bidder, price, channel,
    SPLIT(url, '/')[4] AS dir1, SPLIT(url, '/')[5] AS dir2, SPLIT(url, '/')[6] AS dir3
  FROM bid;
