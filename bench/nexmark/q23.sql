-- reads: bid auction person
-- Bids with the item and its seller.
CREATE STREAM q23 WITH (kafka_topic='${result}') AS
  SELECT p.person_key AS seller, b.auction AS auction, b.bidder AS bidder, b.price AS price,
    a.itemName AS itemName, a.reserve AS reserve, p.name AS name, p.city AS city, p.state AS state
  FROM bid b JOIN auction_table a ON b.auction_key = a.auction_key
    JOIN person_table p ON CAST(a.seller AS STRING) = p.person_key;
