import java.nio.charset.StandardCharsets;
import java.nio.file.*;
import java.time.*;
import java.time.format.*;
import java.time.temporal.*;
import java.time.zone.*;
import java.util.*;

/**
 * What java.time says, for time_test.cpp to compare with.
 * PATTERNS INSTANTS            the release of the time zone database, per zone its instants, the changes of its clocks with a hash
 *                              of offsets, and per zone and pattern a hash of all texts and of all readings
 * PATTERNS strict COUNT        patterns, mangled texts and what they are read as
 * PATTERNS detail ZONE PATTERN INSTANT...   one line per instant: text and reading
 * PATTERNS names ZONE...       names of times in winter and summer: zone, pattern, instant, text, reading
 */
public class TimeReference {
  static final long SEED = 0xcbf29ce484222325L;
  static final long END = 4_102_444_800_000L; // of 2099
  static final ChronoField[] FIELDS = ChronoField.values();

  public static void main(String[] arguments) throws Exception {
    Arrays.sort(FIELDS, (a, b) -> b.getBaseUnit().getDuration().compareTo(a.getBaseUnit().getDuration()));
    List<String> patterns = new ArrayList<>();
    for (String line : Files.readAllLines(Path.of(arguments[0])))
      if (!line.isEmpty() && !line.startsWith("#")) patterns.add(line);
    var out = new java.io.PrintStream(new java.io.FileOutputStream(java.io.FileDescriptor.out), false, "UTF-8");
    if (arguments[1].equals("strict")) {
      strict(patterns, Integer.parseInt(arguments[2]), out);
    } else if (arguments[1].equals("detail")) {
      Pattern pattern = new Pattern(arguments[3]);
      for (int i = 4; i < arguments.length; ++i) {
        String text = pattern.format(Long.parseLong(arguments[i]), ZoneId.of(arguments[2]));
        out.println(text + "\t" + pattern.read(text, ZoneId.of(arguments[2])));
      }
    } else if (arguments[1].equals("names")) {
      for (String zone : Arrays.asList(arguments).subList(2, arguments.length))
        for (String letters : List.of("z", "zzzz", "v", "vvvv"))
          for (long instant : new long[] {1705320000000L, 1721044800000L}) {
            String source = "yyyy-MM-dd HH:mm " + letters;
            Pattern pattern = new Pattern(source);
            String text = pattern.format(instant, ZoneId.of(zone));
            out.println(zone + "\t" + source + "\t" + instant + "\t" + text + "\t" + pattern.read(text, ZoneId.of(zone)));
          }
    } else {
      zones(patterns, Integer.parseInt(arguments[1]), out);
    }
    out.flush();
  }

  record Pattern(DateTimeFormatter writer, DateTimeFormatter reader) {
    Pattern(String pattern) {
      this(DateTimeFormatter.ofPattern(pattern, Locale.ENGLISH),
          new DateTimeFormatterBuilder().parseCaseInsensitive().appendPattern(pattern).toFormatter(Locale.ENGLISH));
    }
    String format(long millis, ZoneId zone) {
      try {
        return Instant.ofEpochMilli(millis).atZone(zone).format(writer);
      } catch (DateTimeException e) {
        return "error";
      }
    }
    /** Fields over 1970-01-01, as the SQL functions have it, and the earlier offset in an overlap. */
    String read(String text, ZoneId zone) {
      try {
        TemporalAccessor parsed = reader.parse(text);
        LocalDateTime time = LocalDateTime.of(1970, 1, 1, 0, 0);
        for (ChronoField field : FIELDS)
          if (time.isSupported(field) && parsed.isSupported(field)) {
            long value = parsed.getLong(field);
            if (field == ChronoField.DAY_OF_YEAR && value == 366 && parsed.isSupported(ChronoField.YEAR))
              time = time.withYear(parsed.get(ChronoField.YEAR));
            time = time.with(field, value);
          }
        if (parsed.isSupported(ChronoField.OFFSET_SECONDS))
          return "" + time.toInstant(ZoneOffset.ofTotalSeconds(parsed.get(ChronoField.OFFSET_SECONDS))).toEpochMilli();
        ZoneId own = parsed.query(TemporalQueries.zone());
        return "" + time.atZone(own == null ? zone : own).toInstant().toEpochMilli();
      } catch (DateTimeException | ArithmeticException e) {
        return "error";
      }
    }
  }

  static long hash(long hash, String text) {
    for (byte b : text.getBytes(StandardCharsets.UTF_8)) hash = (hash ^ (b & 0xff)) * 0x100000001b3L;
    return (hash ^ 10) * 0x100000001b3L;
  }

  static List<Long> changes(ZoneId zone) {
    List<Long> changes = new ArrayList<>();
    ZoneRules rules = zone.getRules();
    ZoneOffsetTransition next = rules.nextTransition(Instant.EPOCH);
    for (; next != null && next.getInstant().getEpochSecond() < END / 1000; next = rules.nextTransition(next.getInstant()))
      changes.add(next.getInstant().toEpochMilli());
    return changes;
  }

  /** Of every third day, and on both sides of each change. */
  static String offsets(ZoneId zone) {
    List<Long> instants = new ArrayList<>();
    for (long at = 0; at < END; at += 3 * 86_400_000L) instants.add(at);
    StringBuilder line = new StringBuilder("offsets");
    for (long change : changes(zone)) {
      line.append('\t').append(change);
      instants.add(change - 1);
      instants.add(change);
    }
    long all = SEED;
    for (long at : instants) all = hash(all, "" + zone.getRules().getOffset(Instant.ofEpochMilli(at)).getTotalSeconds());
    return line.append('\t').append(Long.toHexString(all)).toString();
  }

  /** Half of them within two hours of a change of the clocks, where there is one. */
  static long[] instants(ZoneId zone, int count, Random random) {
    List<Long> changes = changes(zone);
    long[] instants = new long[count];
    for (int i = 0; i < count; ++i) {
      if (i % 2 == 0 && !changes.isEmpty())
        instants[i] = changes.get(random.nextInt(changes.size())) + random.nextInt(14_400_000) / 900_000 * 900_000L - 7_200_000
            - random.nextInt(2);
      else
        instants[i] = (long) (random.nextDouble() * END);
    }
    return instants;
  }

  static void zones(List<String> sources, int count, java.io.PrintStream out) {
    Random random = new Random(1);
    List<Pattern> patterns = new ArrayList<>();
    for (String source : sources) patterns.add(new Pattern(source));
    out.println("release\t" + ZoneRulesProvider.getVersions("UTC").lastKey());
    Set<String> zones = new TreeSet<>(ZoneId.getAvailableZoneIds());
    zones.addAll(List.of("Z", "+05:30", "-11:15:30", "UTC+2", "GMT-3"));
    for (String name : zones) {
      if (name.startsWith("SystemV/")) continue; // not in the time zone database
      ZoneId zone = ZoneId.of(name);
      long[] instants = instants(zone, count, random);
      StringBuilder line = new StringBuilder("zone\t" + name);
      for (long instant : instants) line.append('\t').append(instant);
      out.println(line);
      out.println(offsets(zone));
      for (int i = 0; i < patterns.size(); ++i) {
        long written = SEED, read = written;
        for (long instant : instants) {
          String text = patterns.get(i).format(instant, zone);
          written = hash(written, text);
          read = hash(read, patterns.get(i).read(text, zone));
        }
        out.println("hash\t" + i + "\t" + Long.toHexString(written) + "\t" + Long.toHexString(read));
      }
    }
  }

  static final String LETTERS = "0123456789+-:/ .TZapmAJunMonGT";

  static void strict(List<String> patterns, int count, java.io.PrintStream out) {
    Random random = new Random(2);
    ZoneId zone = ZoneId.of("America/New_York");
    for (String source : patterns) {
      Pattern pattern = new Pattern(source);
      for (int i = 0; i < count; ++i) {
        StringBuilder text = new StringBuilder(pattern.format((long) (random.nextDouble() * 4102444800000.0), zone));
        for (int n = random.nextInt(3); n >= 0 && text.length() > 0; --n) {
          int at = random.nextInt(text.length());
          char letter = LETTERS.charAt(random.nextInt(LETTERS.length()));
          switch (random.nextInt(4)) {
            case 0 -> text.deleteCharAt(at);
            case 1 -> text.insert(at, letter);
            default -> text.setCharAt(at, random.nextBoolean() ? letter : (char) ('0' + random.nextInt(10)));
          }
        }
        out.println(source + "\t" + text + "\t" + pattern.read(text.toString(), zone));
      }
    }
  }
}
