package peer;

import java.time.Duration;
import java.util.Set;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.utils.Bytes;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.JoinWindows;
import org.apache.kafka.streams.kstream.KStream;
import org.apache.kafka.streams.kstream.KTable;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.SessionWindows;
import org.apache.kafka.streams.kstream.StreamJoined;
import org.apache.kafka.streams.kstream.WindowedSerdes;
import org.apache.kafka.streams.processor.TimestampExtractor;
import org.apache.kafka.streams.state.SessionStore;

/** The workloads over two inputs that both go on, and sessions: JSON through Jackson. */
final class JoinPeer {
  static final Set<String> WORKLOADS = Set.of("w6", "w6-late", "w7", "w8", "w9");
  /** Their last rows come out after the last record was read: of caches, and through the topics inside of a join. */
  static final Set<String> TABLES = Set.of("w7", "w8");

  static final AtomicLong written = new AtomicLong();

  /** Holds all keys: caches that evict cost more (w8, w9), and tables that do are joined to wrong last rows (w7). */
  static final long CACHE = 128L << 20;

  static final Duration WITHIN = Duration.ofSeconds(1), GRACE = Duration.ofSeconds(10), GAP = Duration.ofSeconds(10);
  static final Duration DEFAULT_GRACE = Duration.ofHours(24); // of SQL that says nothing about it

  static final Serde<Change> CHANGE = StreamsPeer.json(Change.class);

  private JoinPeer() {}

  public static class Change {
    public long other, amount, at;
  }

  public record Pair(long l, long r) {}

  public record Visits(long n, long top) {
    Visits add(Visits more) {
      return new Visits(n + more.n, Math.max(top, more.top));
    }
  }

  static KStream<String, Change> stream(StreamsBuilder builder, String topic) {
    TimestampExtractor at = (record, before) -> ((Change) record.value()).at;
    return builder
        .stream(topic, Consumed.with(Serdes.String(), CHANGE).withTimestampExtractor(at))
        .peek((k, v) -> StreamsPeer.count());
  }

  /** Counts where the time is read: what follows a table sees only what its cache lets through. */
  static KTable<String, Change> table(StreamsBuilder builder, String topic) {
    TimestampExtractor at =
        (record, before) -> {
          StreamsPeer.count();
          return ((Change) record.value()).at;
        };
    return builder.table(topic, Consumed.with(Serdes.String(), CHANGE).withTimestampExtractor(at));
  }

  static Produced<String, Pair> pairs() {
    return Produced.with(Serdes.String(), StreamsPeer.json(Pair.class));
  }

  static void write(KTable<String, Pair> joined, String out) {
    joined.toStream().peek((k, v) -> written.incrementAndGet()).to(out, pairs());
  }

  static void build(String workload, StreamsBuilder builder, String left, String right, String out) {
    switch (workload) {
      case "w6", "w6-late" -> streams(stream(builder, left), stream(builder, right), out);
      case "w7" -> write(table(builder, left).join(table(builder, right), (l, r) -> new Pair(l.amount, r.amount)), out);
      case "w8" -> foreign(table(builder, left), table(builder, right), out);
      case "w9" -> sessions(stream(builder, left), out);
      default -> throw new IllegalArgumentException("unknown workload " + workload);
    }
  }

  /** Only what the result needs goes into the windows. */
  static void streams(KStream<String, Change> left, KStream<String, Change> right, String out) {
    left.mapValues(c -> c.amount)
        .join(
            right.mapValues(c -> c.amount),
            Pair::new,
            JoinWindows.ofTimeDifferenceAndGrace(WITHIN, GRACE),
            StreamJoined.with(Serdes.String(), Serdes.Long(), Serdes.Long()))
        .to(out, pairs());
  }

  /** Nor does more than that of the right side go back to the left. */
  static void foreign(KTable<String, Change> left, KTable<String, Change> right, String out) {
    KTable<String, Long> amounts = right.mapValues(c -> c.amount, Materialized.with(Serdes.String(), Serdes.Long()));
    write(
        left.join(
            amounts,
            l -> Long.toString(l.other),
            (l, r) -> new Pair(l.amount, r),
            Materialized.with(Serdes.String(), StreamsPeer.json(Pair.class))),
        out);
  }

  static void sessions(KStream<String, Change> rows, String out) {
    Serde<Visits> visits = StreamsPeer.json(Visits.class);
    rows.groupByKey(Grouped.with(Serdes.String(), CHANGE))
        .windowedBy(SessionWindows.ofInactivityGapAndGrace(GAP, DEFAULT_GRACE))
        .aggregate(
            () -> new Visits(0, 0),
            (k, c, v) -> v.add(new Visits(1, c.amount)),
            (k, a, b) -> a.add(b),
            Materialized.<String, Visits, SessionStore<Bytes, byte[]>>with(Serdes.String(), visits))
        .toStream()
        .to(out, Produced.with(WindowedSerdes.sessionWindowedSerdeFrom(String.class), visits));
  }
}
