package peer;

import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;
import org.apache.flink.table.catalog.Column;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;

/**
 * Runs one Nexmark query as a bounded Flink SQL streaming job in this JVM, on the topics that `millrace bench QUERY
 * --kafka` leaves, and prints what it cost as a line of JSON.
 *
 * <p>NexmarkPeer QUERY INPUTS OUT_TOPIC PARALLELISM BOOTSTRAP CHECKPOINT_DIR; the topics are INPUTS with SOURCE in it
 * replaced by bid, auction, person.
 */
public final class NexmarkPeer {
  /** What it reads, the columns that are the key of an updating result, and the SQL. */
  record Query(List<String> sources, String key, String sql) {}

  static final String APPENDED = "";

  static final Map<String, String> COLUMNS =
      Map.of(
          "bid", "auction BIGINT, bidder BIGINT, price BIGINT, channel STRING, url STRING, `dateTime` BIGINT, extra STRING",
          "auction",
              "id BIGINT, itemName STRING, description STRING, initialBid BIGINT, reserve BIGINT, `dateTime` BIGINT,"
                  + " expires BIGINT, seller BIGINT, category BIGINT, extra STRING",
          "person",
              "id BIGINT, name STRING, emailAddress STRING, creditCard STRING, city STRING, state STRING,"
                  + " `dateTime` BIGINT, extra STRING");

  static final String DAY = "DATE_FORMAT(TO_TIMESTAMP_LTZ(`dateTime`, 3), 'yyyy-MM-dd')";
  static final String HOUR = "HOUR(TO_TIMESTAMP_LTZ(`dateTime`, 3))";
  static final String CHANNEL_ID = "REGEXP_EXTRACT(url, '(&|^)channel_id=([^&]*)', 2)";
  static final String BIDS_OF_LEVELS =
      """
      COUNT(*) AS total_bids,
      COUNT(*) FILTER (WHERE price < 10000) AS rank1_bids,
      COUNT(*) FILTER (WHERE price >= 10000 AND price < 1000000) AS rank2_bids,
      COUNT(*) FILTER (WHERE price >= 1000000) AS rank3_bids""";

  static String distinct(String column, String name) {
    return """
        , COUNT(DISTINCT C) AS total_N,
        COUNT(DISTINCT C) FILTER (WHERE price < 10000) AS rank1_N,
        COUNT(DISTINCT C) FILTER (WHERE price >= 10000 AND price < 1000000) AS rank2_N,
        COUNT(DISTINCT C) FILTER (WHERE price >= 1000000) AS rank3_N"""
        .replace("DISTINCT C", "DISTINCT " + column)
        .replace("_N", "_" + name);
  }

  static final String DISTINCT_OF_LEVELS = distinct("bidder", "bidders") + distinct("auction", "auctions");
  static final String BIDS_OF_WINDOWS =
      """
      SELECT auction, COUNT(*) AS num, window_start AS starttime, window_end AS endtime
      FROM TABLE(HOP(TABLE bid, DESCRIPTOR(ts), INTERVAL '2' SECOND, INTERVAL '10' SECOND))
      GROUP BY auction, window_start, window_end""";

  static Query ofBids(String key, String sql) {
    return new Query(List.of("bid"), key, sql);
  }

  static final Map<String, Query> QUERIES =
      Map.ofEntries(
          Map.entry("q0", ofBids(APPENDED, "SELECT auction, bidder, price, `dateTime`, extra FROM bid")),
          Map.entry("q1", ofBids(APPENDED, "SELECT auction, bidder, 0.908e0 * price AS price, `dateTime`, extra FROM bid")),
          Map.entry("q2", ofBids(APPENDED, "SELECT auction, price FROM bid WHERE MOD(auction, 123) = 0")),
          Map.entry(
              "q3",
              new Query(
                  List.of("auction", "person"),
                  APPENDED,
                  """
                  SELECT p.name, p.city, p.state, a.id FROM auction AS a JOIN person AS p ON a.seller = p.id
                  WHERE a.category = 10 AND (p.state = 'OR' OR p.state = 'ID' OR p.state = 'CA')""")),
          Map.entry(
              "q4",
              new Query(
                  List.of("bid", "auction"),
                  "category",
                  """
                  SELECT category, AVG(final) AS price FROM (
                    SELECT MAX(b.price) AS final, a.category FROM auction AS a JOIN bid AS b ON a.id = b.auction
                    WHERE b.`dateTime` BETWEEN a.`dateTime` AND a.expires
                    GROUP BY a.id, a.category)
                  GROUP BY category""")),
          Map.entry(
              "q5",
              ofBids(
                  APPENDED,
                  "SELECT c.auction, c.num FROM (" + BIDS_OF_WINDOWS + ") AS c JOIN ("
                      + "SELECT MAX(num) AS maxn, starttime, endtime FROM (" + BIDS_OF_WINDOWS
                      + ") GROUP BY starttime, endtime) AS m"
                      + " ON c.starttime = m.starttime AND c.endtime = m.endtime AND c.num >= m.maxn")),
          Map.entry(
              "q7",
              ofBids(
                  APPENDED,
                  """
                  SELECT b.auction, b.price, b.bidder, b.`dateTime`, b.extra FROM bid AS b JOIN (
                    SELECT MAX(price) AS maxprice, window_time AS ends
                    FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(ts), INTERVAL '10' SECOND))
                    GROUP BY window_start, window_end, window_time) AS m
                  ON b.price = m.maxprice AND b.ts BETWEEN m.ends - INTERVAL '10' SECOND AND m.ends""")),
          Map.entry(
              "q8",
              new Query(
                  List.of("person", "auction"),
                  APPENDED,
                  """
                  SELECT p.id, p.name, p.starttime FROM (
                    SELECT id, name, window_start AS starttime, window_end AS endtime
                    FROM TABLE(TUMBLE(TABLE person, DESCRIPTOR(ts), INTERVAL '10' SECOND))
                    GROUP BY id, name, window_start, window_end) AS p
                  JOIN (
                    SELECT seller, window_start AS starttime, window_end AS endtime
                    FROM TABLE(TUMBLE(TABLE auction, DESCRIPTOR(ts), INTERVAL '10' SECOND))
                    GROUP BY seller, window_start, window_end) AS a
                  ON p.id = a.seller AND p.starttime = a.starttime AND p.endtime = a.endtime""")),
          Map.entry(
              "q11",
              ofBids(
                  APPENDED,
                  """
                  SELECT bidder, COUNT(*) AS bid_count, window_start AS starttime, window_end AS endtime
                  FROM TABLE(SESSION(TABLE bid PARTITION BY bidder, DESCRIPTOR(ts), INTERVAL '10' SECOND))
                  GROUP BY bidder, window_start, window_end""")),
          Map.entry(
              "q12",
              ofBids(
                  APPENDED,
                  """
                  SELECT bidder, COUNT(*) AS bid_count, window_start AS starttime, window_end AS endtime
                  FROM TABLE(TUMBLE(TABLE bid, DESCRIPTOR(taken), INTERVAL '10' SECOND))
                  GROUP BY bidder, window_start, window_end""")),
          Map.entry(
              "q14",
              ofBids(
                  APPENDED,
                  "SELECT auction, bidder, 0.908e0 * price AS price, CASE"
                      + " WHEN " + HOUR + " BETWEEN 8 AND 18 THEN 'dayTime'"
                      + " WHEN " + HOUR + " <= 6 OR " + HOUR + " >= 20 THEN 'nightTime' ELSE 'otherTime' END AS bidTimeType,"
                      + " `dateTime`, extra, CHAR_LENGTH(extra) - CHAR_LENGTH(REPLACE(extra, 'c', '')) AS c_counts"
                      + " FROM bid WHERE 0.908e0 * price > 1000000 AND 0.908e0 * price < 50000000")),
          Map.entry(
              "q15",
              ofBids(
                  "day",
                  "SELECT " + DAY + " AS `day`, " + BIDS_OF_LEVELS + DISTINCT_OF_LEVELS + " FROM bid GROUP BY " + DAY)),
          Map.entry(
              "q16",
              ofBids(
                  "channel, day",
                  "SELECT channel, " + DAY + " AS `day`, MAX(DATE_FORMAT(TO_TIMESTAMP_LTZ(`dateTime`, 3), 'HH:mm'))"
                      + " AS `minute`, " + BIDS_OF_LEVELS + DISTINCT_OF_LEVELS + " FROM bid GROUP BY channel, " + DAY)),
          Map.entry(
              "q17",
              ofBids(
                  "auction, day",
                  "SELECT auction, " + DAY + " AS `day`, " + BIDS_OF_LEVELS
                      + ", MIN(price) AS min_price, MAX(price) AS max_price, AVG(price) AS avg_price,"
                      + " SUM(price) AS sum_price"
                      + " FROM bid GROUP BY auction, " + DAY)),
          Map.entry(
              "q18",
              ofBids(
                  "bidder, auction",
                  """
                  SELECT bidder, auction, price, channel, url, `dateTime`, extra FROM (
                    SELECT *, ROW_NUMBER() OVER (PARTITION BY bidder, auction ORDER BY ts DESC) AS rank_number FROM bid)
                  WHERE rank_number = 1""")),
          Map.entry(
              "q19",
              ofBids(
                  "auction, rank_number",
                  """
                  SELECT auction, bidder, price, channel, url, `dateTime`, extra, rank_number FROM (
                    SELECT *, ROW_NUMBER() OVER (PARTITION BY auction ORDER BY price DESC) AS rank_number FROM bid)
                  WHERE rank_number <= 10""")),
          Map.entry(
              "q20",
              new Query(
                  List.of("bid", "auction"),
                  APPENDED,
                  """
                  SELECT b.auction, b.bidder, b.price, b.channel, b.url, b.`dateTime` AS bid_dateTime, b.extra AS bid_extra,
                    a.itemName, a.description, a.initialBid, a.reserve, a.`dateTime` AS auction_dateTime, a.expires,
                    a.seller, a.category, a.extra AS auction_extra
                  FROM bid AS b JOIN auction AS a ON b.auction = a.id WHERE a.category = 10""")),
          Map.entry(
              "q21",
              ofBids(
                  APPENDED,
                  "SELECT auction, bidder, price, channel, CASE"
                      + " WHEN LOWER(channel) = 'apple' THEN '0' WHEN LOWER(channel) = 'google' THEN '1'"
                      + " WHEN LOWER(channel) = 'facebook' THEN '2' WHEN LOWER(channel) = 'baidu' THEN '3'"
                      + " ELSE " + CHANNEL_ID + " END AS channel_id FROM bid WHERE " + CHANNEL_ID + " IS NOT NULL"
                      + " OR LOWER(channel) IN ('apple', 'google', 'facebook', 'baidu')")),
          Map.entry(
              "q22",
              ofBids(
                  APPENDED,
                  "SELECT auction, bidder, price, channel, SPLIT_INDEX(url, '/', 3) AS dir1,"
                      + " SPLIT_INDEX(url, '/', 4) AS dir2, SPLIT_INDEX(url, '/', 5) AS dir3 FROM bid")),
          Map.entry(
              "q23",
              new Query(
                  List.of("bid", "auction", "person"),
                  APPENDED,
                  """
                  SELECT p.id AS seller, b.auction, b.bidder, b.price, a.itemName, a.reserve, p.name, p.city, p.state
                  FROM bid AS b JOIN auction AS a ON b.auction = a.id JOIN person AS p ON a.seller = p.id""")));

  static String topic(String inputs, String source) {
    return inputs.replace("SOURCE", source);
  }

  /** With an event time or a clock only where the query has a use for it: they cost. */
  static String sourceTable(String source, String inputs, String sql) {
    String columns = COLUMNS.get(source);
    if (sql.matches("(?s).*\\bts\\b.*")) {
      columns += ", ts AS TO_TIMESTAMP_LTZ(`dateTime`, 3), WATERMARK FOR ts AS ts - INTERVAL '4' SECOND";
    }
    if (sql.contains("DESCRIPTOR(taken)")) columns += ", taken AS PROCTIME()";
    return "CREATE TABLE " + source + " (" + columns + ") WITH ('connector'='kafka','format'='json',"
        + "'scan.startup.mode'='earliest-offset'," + FlinkPeer.sourceOptions(topic(inputs, source)) + ")";
  }

  /** Of the columns that the query gives. */
  static String sinkTable(StreamTableEnvironment t, Query query) {
    String columns =
        t.sqlQuery(query.sql).getResolvedSchema().getColumns().stream()
            .map(NexmarkPeer::declared)
            .collect(Collectors.joining(", "));
    boolean updating = !query.key.equals(APPENDED);
    if (updating) columns += ", PRIMARY KEY (`" + query.key.replace(", ", "`, `") + "`) NOT ENFORCED";
    return "CREATE TABLE sink (" + columns + ") WITH ("
        + (updating
            ? "'connector'='upsert-kafka','key.format'='json','value.format'='json'"
            : "'connector'='kafka','format'='json'")
        + ",'topic'='" + FlinkPeer.out + "','properties.bootstrap.servers'='" + FlinkPeer.bootstrap + "'"
        + ",'sink.delivery-guarantee'='" + FlinkPeer.delivery + "')";
  }

  static String declared(Column column) {
    return "`" + column.getName() + "` " + column.getDataType().getLogicalType().copy(true).asSerializableString();
  }

  /** Records of the result; of an updating one, its rows. */
  static long rowsOut(boolean updating) {
    if (!updating) return FlinkPeer.counts(FlinkPeer.out)[0];
    Set<ByteBuffer> keys = new HashSet<>();
    try (KafkaConsumer<byte[], byte[]> c = new KafkaConsumer<>(FlinkPeer.clientProps())) {
      List<TopicPartition> partitions = FlinkPeer.partitions(c, FlinkPeer.out);
      c.assign(partitions);
      c.seekToBeginning(partitions);
      Map<TopicPartition, Long> ends = c.endOffsets(partitions);
      while (partitions.stream().anyMatch(p -> c.position(p) < ends.get(p))) {
        for (ConsumerRecord<byte[], byte[]> r : c.poll(Duration.ofMillis(200))) {
          if (r.value() == null) keys.remove(ByteBuffer.wrap(r.key()));
          else keys.add(ByteBuffer.wrap(r.key()));
        }
      }
    }
    return keys.size();
  }

  static void run(String name, String inputs) throws Exception {
    Query query = QUERIES.get(name);
    FlinkPeer.prepareOutput();
    long events = 0;
    for (String source : query.sources) events += FlinkPeer.counts(topic(inputs, source))[0];
    StreamTableEnvironment t =
        StreamTableEnvironment.create(StreamExecutionEnvironment.getExecutionEnvironment(FlinkPeer.conf()));
    for (String source : query.sources) t.executeSql(sourceTable(source, inputs, query.sql));
    t.executeSql(sinkTable(t, query));
    FlinkPeer.Cost cost = FlinkPeer.execute(t, "INSERT INTO sink " + query.sql);
    long rows = rowsOut(!query.key.equals(APPENDED));
    System.out.println(cost.json(name, events, ",\"rows_out\":" + rows));
    FlinkPeer.deleteOutput();
  }

  public static void main(String[] a) throws Exception {
    if (a.length != 6 || !QUERIES.containsKey(a[0]) || !a[2].startsWith(FlinkPeer.OUT_PREFIX)) {
      System.err.println("usage: NexmarkPeer QUERY INPUTS OUT_TOPIC PARALLELISM BOOTSTRAP CHECKPOINT_DIR");
      System.exit(2);
    }
    FlinkPeer.out = a[2];
    FlinkPeer.parallelism = Integer.parseInt(a[3]);
    FlinkPeer.bootstrap = a[4];
    FlinkPeer.ckptDir = a[5];
    FlinkPeer.fresh = true;
    run(a[0], a[1]);
    System.exit(0); // no lingering non-daemon threads
  }
}
