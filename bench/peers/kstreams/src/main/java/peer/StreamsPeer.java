package peer;

import com.fasterxml.jackson.annotation.JsonAutoDetect;
import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.avro.Schema;
import org.apache.avro.generic.GenericData;
import org.apache.avro.generic.IndexedRecord;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Joined;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.kstream.WindowedSerdes;
import org.apache.kafka.streams.processor.TimestampExtractor;
import org.apache.kafka.streams.state.WindowStore;

/** The workloads of the benchmark written with the DSL of Kafka Streams: JSON through Jackson, or Avro. */
public final class StreamsPeer {
  static final ObjectMapper MAPPER = new ObjectMapper();
  static final AtomicLong seen = new AtomicLong(), aggregated = new AtomicLong();
  static volatile long events, firstNanos, lastNanos;
  static volatile double firstCpu;
  static final Duration SILENCE = Duration.ofSeconds(10); // several commit intervals: nothing is on its way any more

  static final Schema BID =
      AvroSerde.schema(
          "AUCTION long", "BIDDER long", "PRICE long", "CHANNEL string", "URL string", "DATETIME long", "EXTRA string");
  static final Schema AGGREGATE = AvroSerde.schema("N long", "SUM long", "MAX long");
  static final Schema AUCTION = AvroSerde.schema("ID long", "CATEGORY string", "SELLER string");
  static final Schema PROJECTED =
      AvroSerde.schema("AUCTION long", "BIDDER long", "PRICE double", "DATETIME long");
  static final Schema FILTERED = AvroSerde.schema("AUCTION long", "PRICE long");
  static final Schema JOINED = AvroSerde.schema("AUCTION long", "BIDDER long", "PRICE long", "CATEGORY string");

  @JsonIgnoreProperties(ignoreUnknown = true)
  @JsonAutoDetect(getterVisibility = JsonAutoDetect.Visibility.NONE)
  public static class Bid implements IndexedRecord {
    public long auction, bidder, price, dateTime;
    public CharSequence channel, url, extra;

    @Override
    public Schema getSchema() {
      return BID;
    }

    @Override
    public Object get(int field) {
      return switch (field) {
        case 0 -> auction;
        case 1 -> bidder;
        case 2 -> price;
        case 3 -> channel;
        case 4 -> url;
        case 5 -> dateTime;
        default -> extra;
      };
    }

    @Override
    public void put(int field, Object value) {
      switch (field) {
        case 0 -> auction = (Long) value;
        case 1 -> bidder = (Long) value;
        case 2 -> price = (Long) value;
        case 3 -> channel = (CharSequence) value;
        case 4 -> url = (CharSequence) value;
        case 5 -> dateTime = (Long) value;
        default -> extra = (CharSequence) value;
      }
    }
  }

  @JsonAutoDetect(getterVisibility = JsonAutoDetect.Visibility.NONE)
  public static class Aggregate implements IndexedRecord {
    public long n, sum, max;

    @Override
    public Schema getSchema() {
      return AGGREGATE;
    }

    @Override
    public Object get(int field) {
      return field == 0 ? n : field == 1 ? sum : max;
    }

    @Override
    public void put(int field, Object value) {
      if (field == 0) n = (Long) value;
      else if (field == 1) sum = (Long) value;
      else max = (Long) value;
    }

    Aggregate add(long price) {
      n++;
      sum += price;
      max = Math.max(max, price);
      return this;
    }
  }

  @JsonAutoDetect(getterVisibility = JsonAutoDetect.Visibility.NONE)
  public static class Auction implements IndexedRecord {
    public long id;
    public CharSequence category, seller;

    @Override
    public Schema getSchema() {
      return AUCTION;
    }

    @Override
    public Object get(int field) {
      return field == 0 ? id : field == 1 ? category : seller;
    }

    @Override
    public void put(int field, Object value) {
      if (field == 0) id = (Long) value;
      else if (field == 1) category = (CharSequence) value;
      else seller = (CharSequence) value;
    }
  }

  public static class BidTime implements TimestampExtractor {
    @Override
    public long extract(ConsumerRecord<Object, Object> record, long partitionTime) {
      return record.value() instanceof Bid bid ? bid.dateTime : record.timestamp();
    }
  }

  static <T> Serde<T> json(Class<T> type) {
    return Serdes.serdeFrom(
        (topic, value) -> {
          try {
            return value == null ? null : MAPPER.writeValueAsBytes(value);
          } catch (IOException e) {
            throw new UncheckedIOException(e);
          }
        },
        (topic, bytes) -> {
          try {
            return bytes == null ? null : MAPPER.readValue(bytes, type);
          } catch (IOException e) {
            throw new UncheckedIOException(e);
          }
        });
  }

  static ObjectNode node(Bid bid) {
    return MAPPER.createObjectNode().put("auction", bid.auction);
  }

  static Object projected(Bid b, boolean avro) {
    double price = b.price * 0.908;
    return avro
        ? AvroSerde.row(PROJECTED, b.auction, b.bidder, price, b.dateTime)
        : node(b).put("bidder", b.bidder).put("price", price).put("dateTime", b.dateTime);
  }

  static Object filtered(Bid b, boolean avro) {
    return avro ? AvroSerde.row(FILTERED, b.auction, b.price) : node(b).put("price", b.price);
  }

  static Object joined(Bid b, Auction a, boolean avro) {
    return avro
        ? AvroSerde.row(JOINED, b.auction, b.bidder, b.price, a.category)
        : node(b).put("bidder", b.bidder).put("price", b.price).put("category", (String) a.category);
  }

  @SuppressWarnings("unchecked")
  static Produced<String, Object> rows(Schema schema, boolean avro) {
    Serde<?> serde =
        avro
            ? AvroSerde.<GenericData.Record>of(schema, 3, () -> new GenericData.Record(schema))
            : json(ObjectNode.class);
    return Produced.with(Serdes.String(), (Serde<Object>) serde);
  }

  static Serde<Bid> bidSerde(boolean avro) {
    return avro ? AvroSerde.of(BID, 1, Bid::new) : json(Bid.class);
  }

  static void build(
      String workload, StreamsBuilder builder, KStream<String, Bid> bids, String out, String auctions, boolean avro) {
    Serde<Aggregate> aggregate = avro ? AvroSerde.of(AGGREGATE, 3, Aggregate::new) : json(Aggregate.class);
    switch (workload) {
      case "w1" -> bids.mapValues(b -> projected(b, avro)).to(out, rows(PROJECTED, avro));
      case "w2" -> bids
          .filter((k, b) -> b.auction % 123 == 0)
          .mapValues(b -> filtered(b, avro))
          .to(out, rows(FILTERED, avro));
      case "w3" -> bids.groupByKey()
          .windowedBy(TimeWindows.ofSizeWithNoGrace(Duration.ofSeconds(10)))
          .aggregate(
              Aggregate::new,
              (k, b, a) -> a.add(b.price),
              Materialized.<String, Aggregate, WindowStore<Bytes, byte[]>>with(Serdes.String(), aggregate))
          .toStream()
          .to(out, Produced.with(WindowedSerdes.timeWindowedSerdeFrom(String.class, 10_000L), aggregate));
      case "w4" -> bids.groupBy((k, b) -> Long.toString(b.bidder), Grouped.with(Serdes.String(), bidSerde(avro)))
          .aggregate(
              Aggregate::new,
              (k, b, a) -> {
                aggregated.incrementAndGet();
                return a.add(b.price);
              },
              Materialized.with(Serdes.String(), aggregate))
          .toStream()
          .to(out, Produced.with(Serdes.String(), aggregate));
      case "w5" -> {
        Serde<Auction> auction = avro ? AvroSerde.of(AUCTION, 2, Auction::new) : json(Auction.class);
        KTable<String, Auction> table = builder.table(auctions, Consumed.with(Serdes.String(), auction));
        bids.join(table, (b, a) -> joined(b, a, avro), Joined.with(Serdes.String(), bidSerde(avro), auction))
            .to(out, rows(JOINED, avro));
      }
      default -> throw new IllegalArgumentException("unknown workload " + workload);
    }
  }

  /** One more record of the input is processed. */
  static void count() {
    long count = seen.incrementAndGet();
    if (count == 1) {
      firstNanos = System.nanoTime();
      firstCpu = cpu();
    }
    if (count == events) lastNanos = System.nanoTime();
  }

  static void build(String[] a, StreamsBuilder builder, boolean avro) {
    if (JoinPeer.WORKLOADS.contains(a[0])) {
      JoinPeer.build(a[0], builder, a[2], a[8], a[3]);
      return;
    }
    KStream<String, Bid> bids =
        builder
            .stream(a[2], Consumed.with(Serdes.String(), bidSerde(avro)).withTimestampExtractor(new BidTime()))
            .peek((k, v) -> count());
    build(a[0], builder, bids, a[3], a[8], avro);
  }

  static void pause(KafkaStreams streams) throws InterruptedException {
    if (streams.state() == KafkaStreams.State.ERROR) throw new IllegalStateException("the topology failed");
    Thread.sleep(20);
  }

  /** Processor time when the work was done: every record read, of w4 aggregated, of joined tables written. */
  static double cpuAtEnd(KafkaStreams streams, String workload) throws InterruptedException {
    while (lastNanos == 0) pause(streams);
    if (workload.equals("w4")) { // the second half has aggregated every event
      while (aggregated.get() < events) pause(streams);
      lastNanos = System.nanoTime();
    }
    double end = cpu();
    if (!JoinPeer.TABLES.contains(workload)) return end;
    for (long rows = -1; System.nanoTime() - lastNanos < SILENCE.toNanos(); pause(streams)) {
      if (JoinPeer.written.get() == rows) continue;
      rows = JoinPeer.written.get();
      lastNanos = System.nanoTime();
      end = cpu();
    }
    return end;
  }

  static double cpu() {
    var system = (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    return system.getProcessCpuTime() / 1e9;
  }

  static double peakRssMb() throws IOException {
    for (String line : Files.readAllLines(Path.of("/proc/self/status")))
      if (line.startsWith("VmHWM:")) return Long.parseLong(line.replaceAll("[^0-9]", "")) / 1024.0;
    return -1;
  }

  static Properties configuration(String[] a, String application) {
    Properties p = new Properties();
    p.put(StreamsConfig.APPLICATION_ID_CONFIG, application);
    p.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, a[1]);
    p.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, a[6]);
    p.put(StreamsConfig.STATE_DIR_CONFIG, a[7]);
    p.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, "2000");
    p.put(
        StreamsConfig.PROCESSING_GUARANTEE_CONFIG,
        a[5].equals("exactly-once") ? StreamsConfig.EXACTLY_ONCE_V2 : StreamsConfig.AT_LEAST_ONCE);
    long cache = JoinPeer.WORKLOADS.contains(a[0]) ? JoinPeer.CACHE : 10L << 20;
    p.put(StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, Long.toString(cache));
    p.put(StreamsConfig.TOPOLOGY_OPTIMIZATION_CONFIG, StreamsConfig.OPTIMIZE);
    p.put("auto.offset.reset", "earliest");
    p.put("producer.linger.ms", "100");
    return p;
  }

  public static void main(String[] a) throws Exception {
    if (a.length != 10 || !List.of("JSON", JoinPeer.WORKLOADS.contains(a[0]) ? "JSON" : "AVRO").contains(a[9])) {
      System.err.println(
          "usage: StreamsPeer w1|w2|w3|w4|w5 BROKER IN OUT EVENTS at-least-once|exactly-once THREADS STATE_DIR AUCTIONS"
              + " JSON|AVRO\n"
              + "       StreamsPeer w6|w6-late|w7|w8|w9 BROKER LEFT OUT EVENTS ... THREADS STATE_DIR RIGHT JSON");
      System.exit(2);
    }
    String workload = a[0], out = a[3], application = "peer-" + workload + "-" + System.currentTimeMillis();
    boolean avro = a[9].equals("AVRO");
    long started = System.nanoTime();
    events = Long.parseLong(a[4]);
    try (Admin admin = Admin.create(Map.of("bootstrap.servers", (Object) a[1]))) {
      admin.createTopics(List.of(new NewTopic(out, 4, (short) 1))).all().get();
      Properties configuration = configuration(a, application);
      StreamsBuilder builder = new StreamsBuilder();
      build(a, builder, avro);
      KafkaStreams streams = new KafkaStreams(builder.build(configuration), configuration);
      streams.start();
      double used = cpuAtEnd(streams, workload) - firstCpu, seconds = (lastNanos - firstNanos) / 1e9;
      streams.close(Duration.ofSeconds(60));
      System.out.printf(
          Locale.ROOT,
          "{\"engine\":\"kstreams\",\"workload\":\"%s\",\"events\":%d,\"seconds\":%.3f,\"events_per_second\":%.0f,"
              + "\"cpu_seconds_per_million\":%.3f,\"peak_rss_mb\":%.1f,\"startup_seconds\":%.3f,\"delivery\":\"%s\"}%n",
          workload, events, seconds, events / seconds, used / (events / 1e6), peakRssMb(),
          (firstNanos - started) / 1e9, a[5]);
      List<String> left =
          admin.listTopics().names().get().stream().filter(t -> t.equals(out) || t.startsWith(application)).toList();
      admin.deleteTopics(left).all().get();
    }
  }
}
