-- reads: bid auction person
-- Bids by people who have listed an item themselves, once for each such item.
CREATE STREAM q23 WITH (kafka_topic='${result}') AS
  SELECT b.bidder AS bidder, b.price AS price, b.channel AS channel, b.url AS url, b.extra AS bid_extra,
    p.id AS person_id, p.name AS name, p.emailAddress AS emailAddress, p.creditCard AS creditCard, p.city AS city,
    p.state AS state, p.extra AS person_extra, a.itemName AS itemName, a.description AS description,
    a.initialBid AS initialBid, a.reserve AS reserve, a.dateTime AS auction_dateTime, a.expires AS expires,
    a.seller AS seller, a.category AS category, a.extra AS auction_extra
  FROM bid b JOIN person p WITHIN UNBOUNDED ON p.id = b.bidder
    JOIN auction a WITHIN UNBOUNDED ON a.seller = b.bidder;
