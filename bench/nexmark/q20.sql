-- reads: bid auction
-- Bids in one category with what is known of their auction.
CREATE STREAM q20 WITH (kafka_topic='${result}') AS
  SELECT b.auction_key AS auction_key, b.auction AS auction, b.bidder AS bidder, b.price AS price, b.channel AS channel,
    b.url AS url, b.dateTime AS bid_time, b.extra AS bid_extra, a.itemName AS itemName, a.description AS description,
    a.initialBid AS initialBid, a.reserve AS reserve, a.dateTime AS auction_time, a.expires AS expires,
    a.seller AS seller, a.category AS category, a.extra AS auction_extra
  FROM bid b JOIN auction_table a ON b.auction_key = a.auction_key
  WHERE a.category = 10;
