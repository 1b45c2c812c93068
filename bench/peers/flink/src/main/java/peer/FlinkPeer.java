package peer;

import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.UUID;
import java.util.stream.Collectors;
import org.apache.flink.api.common.JobStatus;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.core.execution.JobClient;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.table.api.TableResult;
import org.apache.flink.table.api.bridge.java.StreamTableEnvironment;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** Runs one benchmark workload as a bounded Flink SQL streaming job in this JVM; see usage(). */
public final class FlinkPeer {
  static final String OUT_PREFIX = "flink-"; // the only topics this program may create or delete

  static void usage() {
    System.err.println(
        String.join(
            "\n",
            "usage: FlinkPeer WORKLOAD IN_TOPIC OUT_TOPIC N PARALLELISM [options]",
            "  WORKLOAD    w1 project | w2 filter | w3 window | w4 repartition |",
            "              w5 temporal join | w5r regular join (keeps all bids in state)",
            "  OUT_TOPIC   must begin with '" + OUT_PREFIX + "'; created (4 partitions) if absent",
            "  N           events that the topic holds; 0 takes what is there",
            "  --delivery at-least-once|exactly-once   (at-least-once)",
            "  --backend hashmap|rocksdb               (hashmap)",
            "  --mini-batch                            table.exec.mini-batch.* (1 s, 5000 rows)",
            "  --schema full|needed                    source columns declared (full)",
            "  --auctions TOPIC                        (auctions)",
            "  --bootstrap HOST:PORT                   (127.0.0.1:9092)",
            "  --checkpoint-ms MS                      (2000)",
            "  --checkpoint-dir DIR                    (/var/tmp/flink-peer/ckpt)",
            "  --fresh                                 delete and recreate OUT_TOPIC first",
            "  --json                                  print the result as a line of JSON",
            "  --repeat R                              run R times in this JVM, a line each (1)",
            "  --source-prop K=V --sink-prop K=V       Kafka client properties",
            "  --conf K=V                              Flink configuration",
            "  --explain                               print the plan and stop"));
    System.exit(2);
  }

  static String workload, in, out;
  static String delivery = "at-least-once", backend = "hashmap", schema = "full";
  static String auctions = "auctions", bootstrap = "127.0.0.1:9092";
  static String ckptDir = "/var/tmp/flink-peer/ckpt";
  static long wanted;
  static int parallelism, repeat = 1;
  static long ckptMs = 2000;
  static boolean miniBatch, fresh, explain, json;
  static final List<String[]> sourceProps = new ArrayList<>(), sinkProps = new ArrayList<>();
  static final Map<String, String> extraConf = new LinkedHashMap<>();

  static String[] kv(String s) {
    String[] p = s.split("=", 2);
    if (p.length != 2) usage();
    return p;
  }

  static void parse(String[] a) {
    if (a.length < 5) usage();
    workload = a[0];
    in = a[1];
    out = a[2];
    wanted = Long.parseLong(a[3]);
    parallelism = Integer.parseInt(a[4]);
    for (int i = 5; i < a.length; i++) {
      String o = a[i];
      if (o.equals("--mini-batch")) miniBatch = true;
      else if (o.equals("--fresh")) fresh = true;
      else if (o.equals("--json")) json = true;
      else if (o.equals("--explain")) explain = true;
      else if (i + 1 == a.length) usage();
      else {
        String v = a[++i];
        switch (o) {
          case "--delivery": delivery = v; break;
          case "--backend": backend = v; break;
          case "--schema": schema = v; break;
          case "--auctions": auctions = v; break;
          case "--bootstrap": bootstrap = v; break;
          case "--checkpoint-ms": ckptMs = Long.parseLong(v); break;
          case "--checkpoint-dir": ckptDir = v; break;
          case "--repeat": repeat = Integer.parseInt(v); break;
          case "--source-prop": sourceProps.add(kv(v)); break;
          case "--sink-prop": sinkProps.add(kv(v)); break;
          case "--conf": extraConf.put(kv(v)[0], kv(v)[1]); break;
          default: usage();
        }
      }
    }
    boolean ok =
        Set.of("w1", "w2", "w3", "w4", "w5", "w5r").contains(workload)
            && Set.of("at-least-once", "exactly-once").contains(delivery)
            && Set.of("hashmap", "rocksdb").contains(backend)
            && Set.of("full", "needed").contains(schema)
            && parallelism > 0
            && repeat > 0;
    if (!ok) usage();
    if (!out.startsWith(OUT_PREFIX) || out.equals(in) || out.equals(auctions)) {
      System.err.println("OUT_TOPIC must begin with '" + OUT_PREFIX + "' and be no input");
      System.exit(2);
    }
  }

  // ---- SQL ----

  static String sourceOptions(String topic) {
    StringBuilder b = new StringBuilder();
    b.append("'topic'='").append(topic).append("'");
    b.append(",'properties.bootstrap.servers'='").append(bootstrap).append("'");
    b.append(",'properties.group.id'='flink-peer'");
    b.append(",'scan.bounded.mode'='latest-offset'");
    for (String[] p : sourceProps) b.append(",'properties.").append(p[0]).append("'='").append(p[1]).append("'");
    return b.toString();
  }

  static String bids() {
    boolean time = workload.equals("w3") || workload.equals("w5");
    String cols;
    if (schema.equals("full")) {
      cols =
          "auction BIGINT, bidder BIGINT, price BIGINT, channel STRING, url STRING,"
              + " `dateTime` BIGINT, extra STRING";
    } else {
      switch (workload) {
        case "w1": cols = "auction BIGINT, bidder BIGINT, price BIGINT, `dateTime` BIGINT"; break;
        case "w2": cols = "auction BIGINT, price BIGINT"; break;
        case "w3": cols = "auction BIGINT, price BIGINT, `dateTime` BIGINT"; break;
        case "w4": cols = "bidder BIGINT, price BIGINT"; break;
        case "w5": cols = "auction BIGINT, bidder BIGINT, price BIGINT, `dateTime` BIGINT"; break;
        default: cols = "auction BIGINT, bidder BIGINT, price BIGINT";
      }
    }
    if (time) {
      cols +=
          ", ts AS TO_TIMESTAMP_LTZ(`dateTime`, 3), WATERMARK FOR ts AS ts - INTERVAL '0' SECOND";
    }
    return "CREATE TABLE bids (" + cols + ") WITH ('connector'='kafka','format'='json',"
        + "'scan.startup.mode'='earliest-offset'," + sourceOptions(in) + ")";
  }

  static String auctionsTable() {
    if (workload.equals("w5")) {
      // One version per id, valid from the epoch, so that every bid finds it. The table is read
      // to its end (then its watermark is infinite) and from then on bids flow through the join.
      return "CREATE TABLE auctions (id BIGINT, category STRING, seller STRING,"
          + " ts AS TO_TIMESTAMP_LTZ(id * 0, 3), WATERMARK FOR ts AS ts,"
          + " PRIMARY KEY (id) NOT ENFORCED) WITH ('connector'='upsert-kafka',"
          + "'key.format'='csv','value.format'='json'," + sourceOptions(auctions) + ")";
    }
    return "CREATE TABLE auctions (id BIGINT, category STRING, seller STRING) WITH ("
        + "'connector'='kafka','format'='json','scan.startup.mode'='earliest-offset',"
        + sourceOptions(auctions) + ")";
  }

  static String sinkTable(int iteration) {
    String cols;
    boolean upsert = false;
    switch (workload) {
      case "w1": cols = "auction BIGINT, bidder BIGINT, price DOUBLE, `dateTime` BIGINT"; break;
      case "w2": cols = "auction BIGINT, price BIGINT"; break;
      case "w3":
        cols = "auction BIGINT, window_start TIMESTAMP(3), cnt BIGINT, sum_price BIGINT, max_price BIGINT";
        break;
      case "w4":
        cols = "bidder BIGINT, cnt BIGINT, max_price BIGINT, PRIMARY KEY (bidder) NOT ENFORCED";
        upsert = true;
        break;
      default: cols = "auction BIGINT, bidder BIGINT, price BIGINT, category STRING";
    }
    StringBuilder b = new StringBuilder("CREATE TABLE sink (" + cols + ") WITH (");
    b.append(
        upsert
            ? "'connector'='upsert-kafka','key.format'='json','value.format'='json'"
            : "'connector'='kafka','format'='json'");
    b.append(",'topic'='").append(out).append("'");
    b.append(",'properties.bootstrap.servers'='").append(bootstrap).append("'");
    b.append(",'sink.delivery-guarantee'='").append(delivery).append("'");
    if (delivery.equals("exactly-once")) {
      b.append(",'sink.transactional-id-prefix'='").append(out).append('-')
          .append(UUID.randomUUID().toString(), 0, 8).append('-').append(iteration).append("'");
      // The broker's transaction.max.timeout.ms is 15 min; Flink's default asks for 1 h.
      b.append(",'properties.transaction.timeout.ms'='600000'");
    }
    for (String[] p : sinkProps) b.append(",'properties.").append(p[0]).append("'='").append(p[1]).append("'");
    return b.append(")").toString();
  }

  static String query() {
    switch (workload) {
      case "w1":
        return "SELECT auction, bidder, CAST(0.908 * price AS DOUBLE) AS price, `dateTime` FROM bids";
      case "w2":
        return "SELECT auction, price FROM bids WHERE MOD(auction, 123) = 0";
      case "w3":
        return "SELECT auction, window_start, COUNT(*), SUM(price), MAX(price) FROM TABLE("
            + "TUMBLE(TABLE bids, DESCRIPTOR(ts), INTERVAL '10' SECOND))"
            + " GROUP BY auction, window_start, window_end";
      case "w4":
        return "SELECT bidder, COUNT(*), MAX(price) FROM bids GROUP BY bidder";
      case "w5":
        return "SELECT b.auction, b.bidder, b.price, a.category FROM bids AS b"
            + " JOIN auctions FOR SYSTEM_TIME AS OF b.ts AS a ON b.auction = a.id";
      default:
        return "SELECT b.auction, b.bidder, b.price, a.category FROM bids AS b"
            + " JOIN auctions AS a ON b.auction = a.id";
    }
  }

  // ---- Kafka, outside the timed part ----

  static Properties clientProps() {
    Properties p = new Properties();
    p.put("bootstrap.servers", bootstrap);
    p.put("key.deserializer", ByteArrayDeserializer.class.getName());
    p.put("value.deserializer", ByteArrayDeserializer.class.getName());
    return p;
  }

  static void prepareOutput() throws Exception {
    try (Admin admin = Admin.create(clientProps())) {
      boolean exists = admin.listTopics().names().get().contains(out);
      if (exists && fresh) {
        admin.deleteTopics(List.of(out)).all().get();
        exists = false;
        for (int i = 0; i < 100 && admin.listTopics().names().get().contains(out); i++) Thread.sleep(100);
      }
      for (int i = 0; !exists; i++) {
        try {
          admin.createTopics(List.of(new NewTopic(out, 4, (short) 1))).all().get();
          exists = true;
        } catch (java.util.concurrent.ExecutionException e) { // deletion may still be under way
          if (i == 50) throw e;
          Thread.sleep(100);
        }
      }
    }
  }

  static void deleteOutput() throws Exception {
    try (Admin admin = Admin.create(clientProps())) {
      admin.deleteTopics(List.of(out)).all().get();
    }
  }

  static long[] counts(String topic) {
    try (KafkaConsumer<byte[], byte[]> c = new KafkaConsumer<>(clientProps())) {
      List<TopicPartition> tps = partitions(c, topic);
      Map<TopicPartition, Long> b = c.beginningOffsets(tps), e = c.endOffsets(tps);
      long n = 0, end = 0;
      for (TopicPartition tp : tps) {
        n += e.get(tp) - b.get(tp);
        end += e.get(tp);
      }
      return new long[] {n, end};
    }
  }

  static List<TopicPartition> partitions(KafkaConsumer<byte[], byte[]> c, String topic) {
    return c.partitionsFor(topic).stream()
        .map(p -> new TopicPartition(topic, p.partition()))
        .collect(Collectors.toList());
  }

  /** Newest record timestamp (set by the producer as it sends) among each partition's last few. */
  static long lastOutputMs() {
    long last = -1;
    try (KafkaConsumer<byte[], byte[]> c = new KafkaConsumer<>(clientProps())) {
      List<TopicPartition> tps = partitions(c, out);
      c.assign(tps);
      Map<TopicPartition, Long> b = c.beginningOffsets(tps), e = c.endOffsets(tps);
      for (TopicPartition tp : tps) c.seek(tp, Math.max(b.get(tp), e.get(tp) - 20));
      long stop = System.nanoTime() + 5_000_000_000L;
      while (System.nanoTime() < stop) {
        for (ConsumerRecord<byte[], byte[]> r : c.poll(Duration.ofMillis(200))) last = Math.max(last, r.timestamp());
        boolean done = true;
        for (TopicPartition tp : tps) done &= c.position(tp) >= e.get(tp);
        if (done) break;
      }
    }
    return last;
  }

  // ---- measuring ----

  static double cpu() {
    var os = (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    return os.getProcessCpuTime() / 1e9;
  }

  static double peakRssMiB() throws Exception {
    for (String l : Files.readAllLines(Path.of("/proc/self/status"))) {
      if (l.startsWith("VmHWM:")) return Long.parseLong(l.replaceAll("[^0-9]", "")) / 1024.0;
    }
    return -1;
  }

  static Configuration conf() {
    Map<String, String> m = new HashMap<>();
    m.put("execution.runtime-mode", "STREAMING");
    m.put("parallelism.default", "" + parallelism);
    m.put("taskmanager.numberOfTaskSlots", "" + parallelism);
    m.put("pipeline.object-reuse", "true");
    m.put("execution.checkpointing.interval", ckptMs + " ms");
    m.put("execution.checkpointing.mode", "EXACTLY_ONCE"); // of state; the sink's is --delivery
    m.put("execution.checkpointing.dir", "file://" + ckptDir); // heap storage holds only 5 MiB
    m.put("state.backend.type", backend);
    m.put("restart-strategy.type", "none"); // a failure must not hide in the timing
    m.put("table.local-time-zone", "UTC");
    m.put("taskmanager.memory.network.min", "128m"); // a mini-cluster's defaults are tiny
    m.put("taskmanager.memory.network.max", "128m");
    m.put("taskmanager.memory.managed.size", backend.equals("rocksdb") ? "1g" : "512m");
    if (backend.equals("rocksdb")) {
      m.put("execution.checkpointing.incremental", "true");
    }
    if (miniBatch) {
      m.put("table.exec.mini-batch.enabled", "true");
      m.put("table.exec.mini-batch.allow-latency", "1 s");
      m.put("table.exec.mini-batch.size", "5000");
    }
    m.putAll(extraConf);
    return Configuration.fromMap(m);
  }

  /** What one job cost: wall and processor seconds, MiB, seconds until it was accepted. */
  record Cost(double secs, double cpu, double rss, double submitted, String state) {
    String json(String workload, long events, String more) {
      return String.format(
          Locale.ROOT,
          "{\"engine\":\"flink\",\"workload\":\"%s\",\"events\":%d,\"seconds\":%.3f,\"events_per_second\":%.0f,"
              + "\"cpu_seconds_per_million\":%.3f,\"peak_rss_mb\":%.1f,\"startup_seconds\":%.3f,\"delivery\":\"%s\"%s}",
          workload, events, secs, events / secs, cpu / (events / 1e6), rss, submitted, delivery, more);
    }
  }

  static Cost execute(StreamTableEnvironment t, String insert) throws Exception {
    double cpu0 = cpu();
    long t0 = System.nanoTime();
    TableResult r = t.executeSql(insert);
    double submitted = (System.nanoTime() - t0) / 1e9; // planned, cluster started, job accepted
    Optional<JobClient> job = r.getJobClient();
    r.await();
    double secs = (System.nanoTime() - t0) / 1e9;
    double cpu1 = cpu();
    double rss = peakRssMiB();
    String state = "?";
    try {
      state = job.isPresent() ? job.get().getJobStatus().get().toString() : "?";
    } catch (Exception e) {
      state = JobStatus.FINISHED.toString(); // await() returned and the cluster is already gone
    }
    return new Cost(secs, cpu1 - cpu0, rss, submitted, state);
  }

  static void runOnce(int iteration) throws Exception {
    prepareOutput();
    // Transactions leave markers, which have offsets of their own.
    long events = counts(in)[0];
    if (events < wanted) {
      throw new IllegalStateException(in + " holds " + events + " events, not " + wanted);
    }
    if (wanted > 0) events = wanted;
    long outBefore = counts(out)[1];

    StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment(conf());
    StreamTableEnvironment t = StreamTableEnvironment.create(env);
    t.executeSql(bids());
    if (workload.startsWith("w5")) t.executeSql(auctionsTable());
    t.executeSql(sinkTable(iteration));
    String insert = "INSERT INTO sink " + query();
    if (explain) {
      System.out.println(t.explainSql(insert));
      return;
    }

    long wall0 = System.currentTimeMillis();
    Cost cost = execute(t, insert);
    double cpuTotal = cpu();
    if (json) {
      System.out.println(cost.json(workload, events, ""));
      System.out.flush();
      deleteOutput();
      return;
    }
    long outRecords = counts(out)[1] - outBefore;
    long last = lastOutputMs();
    double lastSecs = last < 0 ? cost.secs : (last - wall0) / 1000.0;
    System.out.printf(
        Locale.ROOT,
        "workload=%s events=%d seconds=%.3f events_per_s=%.0f cpu_total_s=%.2f cpu_job_s=%.2f"
            + " peak_rss_mib=%.0f | submit_s=%.3f last_output_s=%.3f net_events_per_s=%.0f out_offsets=%d p=%d"
            + " backend=%s delivery=%s mini_batch=%s schema=%s run=%d/%d state=%s%n",
        workload, events, cost.secs, events / cost.secs, cpuTotal, cost.cpu, cost.rss, cost.submitted, lastSecs,
        events / Math.max(0.001, lastSecs - cost.submitted), outRecords, parallelism, backend, delivery,
        miniBatch ? "on" : "off", schema, iteration + 1, repeat, cost.state);
    System.out.flush();
  }

  public static void main(String[] a) throws Exception {
    parse(a);
    for (int i = 0; i < repeat; i++) runOnce(i);
    System.exit(0); // no lingering non-daemon threads
  }
}
