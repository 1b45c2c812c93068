CREATE STREAM auction (auction_key STRING KEY, id BIGINT, itemName STRING, description STRING, initialBid BIGINT,
    reserve BIGINT, dateTime BIGINT, expires BIGINT, seller BIGINT, category BIGINT, extra STRING)
  WITH (kafka_topic='${auction}', value_format='JSON', partitions=4, timestamp='dateTime');
CREATE TABLE auction_table (auction_key STRING PRIMARY KEY, id BIGINT, itemName STRING, description STRING,
    initialBid BIGINT, reserve BIGINT, dateTime BIGINT, expires BIGINT, seller BIGINT, category BIGINT, extra STRING)
  WITH (kafka_topic='${auction}', value_format='JSON', partitions=4, timestamp='dateTime');
