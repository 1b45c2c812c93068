CREATE STREAM bid (auction_key STRING KEY, auction BIGINT, bidder BIGINT, price BIGINT, channel STRING, url STRING,
    dateTime BIGINT, extra STRING)
  WITH (kafka_topic='${bid}', value_format='JSON', partitions=4, timestamp='dateTime');
