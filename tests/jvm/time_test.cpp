// Texts of times beside java.time: every zone, every pattern of patterns.txt, both directions.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "exec/functions/java_time.h"
#include "java.h"

namespace millrace {
namespace {

using testing_jvm::java_lines;
using testing_jvm::split;

std::string write(const JavaTimePattern& pattern, std::int64_t millis, const Zone& zone) {
  std::string out;
  const std::int64_t offset = zone.offset_at(millis);
  return pattern.format(millis + offset, offset, zone, {}, out) ? out : "error";
}
std::string read(const JavaTimePattern& pattern, std::string_view text, const Zone& zone) {
  const auto parsed = pattern.parse(text);
  return parsed ? std::to_string(parsed->instant(zone)) : "error";
}

/// Regions that Debian's tables keep apart as they were, where Java follows the database since 2024b.
bool has_own_history(std::string_view zone) {
  return zone == "WET" || zone == "CET" || zone == "MET" || zone == "EET" || zone == "EST" || zone == "MST" ||
         zone == "HST" || zone.ends_with("EDT") || zone.ends_with("CDT") || zone.ends_with("MDT") ||
         zone.ends_with("PDT");
}

/// The release of the machine's own time zone database, as "2026a"; Java brings its own.
std::string release() {
  const auto lines = testing_jvm::lines_of("/usr/share/zoneinfo/tzdata.zi");
  const auto words = split(lines.empty() ? "" : lines[0], ' ');
  return words.back();
}

std::uint64_t hash(std::uint64_t hash, std::string_view text) {
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
  return (hash ^ 10) * 0x100000001b3ULL;
}
constexpr std::uint64_t kSeed = 0xcbf29ce484222325ULL;

/// As TimeReference has it, of a line "offsets", the changes of the clocks, and the hash that it gives.
std::string offsets(const Zone& zone, const std::vector<std::string>& parts) {
  std::uint64_t all = kSeed;
  const auto add = [&](std::int64_t millis) { all = hash(all, std::to_string(zone.offset_at(millis) / 1000)); };
  constexpr std::int64_t kStep = 3 * 86'400'000LL, kEnd = 4'102'444'800'000LL;
  for (std::int64_t at = 0; at < kEnd; at += kStep) add(at);
  for (std::size_t i = 1; i + 1 < parts.size(); ++i) add(std::stoll(parts[i]) - 1), add(std::stoll(parts[i]));
  return fmt::format("{:x}", all);
}

std::vector<std::string> patterns() {
  std::vector<std::string> all;
  for (const std::string& line : testing_jvm::lines_of("tests/jvm/patterns.txt"))
    if (!line.empty() && line[0] != '#') all.push_back(line);
  return all;
}

const JavaTimePattern& compiled(const std::string& source) {
  const auto pattern = JavaTimePattern::find(source);
  EXPECT_TRUE(pattern) << source;
  return **pattern;
}

const Zone& zone(const std::string& name) {
  const auto found = Zone::find(name);
  EXPECT_TRUE(found) << name;
  return found ? **found : Zone::utc();
}

/// Where the hashes differ: which instants.
std::string explain(const std::string& zone_name, const std::string& source, const std::vector<std::string>& instants) {
  std::string command = fmt::format("detail '{}' '{}'", zone_name, testing_jvm::quoted(source));
  for (const std::string& instant : instants) command += " " + instant;
  std::string out;
  const auto lines = java_lines("TimeReference", command);
  for (std::size_t i = 0; i < instants.size() && i < lines.size(); ++i) {
    const auto theirs = split(lines[i], '\t');
    const JavaTimePattern& pattern = compiled(source);
    const std::string text = write(pattern, std::stoll(instants[i]), zone(zone_name));
    const std::string reading = read(pattern, theirs[0], zone(zone_name));
    if (text == theirs[0] && reading == theirs[1]) continue;
    out += fmt::format("\n  {}: '{}' read as {}; Java has '{}', {}", instants[i], text, reading, theirs[0], theirs[1]);
    break;
  }
  return out;
}

TEST(JavaTime, EveryZoneAndPattern) {
  if (!testing_jvm::has_java()) GTEST_SKIP() << "no Java that compiles";
  const char* own = std::getenv("MILLRACE_JVM_INSTANTS");
  const auto sources = patterns();
  std::vector<std::string> instants;
  std::string name, their_release;
  std::size_t compared = 0, changed = 0;
  bool has_other_rules = false;
  int explained = 0;
  for (const std::string& line : java_lines("TimeReference", own != nullptr ? own : "4")) {
    auto parts = split(line, '\t');
    if (parts[0] == "release") {
      their_release = parts[1];
      continue;
    }
    if (parts[0] == "zone") {
      name = parts[1];
      instants.assign(parts.begin() + 2, parts.end());
      has_other_rules = false;
      continue;
    }
    if (parts[0] == "offsets") {
      has_other_rules = offsets(zone(name), parts) != parts.back();
      changed += has_other_rules && !has_own_history(name);
      continue;
    }
    if (has_own_history(name) || (has_other_rules && their_release != release())) continue;
    const std::string& source = sources.at(std::stoul(parts[1]));
    const JavaTimePattern& pattern = compiled(source);
    std::uint64_t written = kSeed, readings = kSeed;
    for (const std::string& instant : instants) {
      const std::string text = write(pattern, std::stoll(instant), zone(name));
      written = hash(written, text);
      readings = hash(readings, read(pattern, text, zone(name)));
    }
    ++compared;
    if (fmt::format("{:x}", written) == parts[2] && fmt::format("{:x}", readings) == parts[3]) continue;
    ADD_FAILURE() << name << ", " << source << (++explained < 20 ? explain(name, source, instants) : "");
  }
  EXPECT_GT(compared, 500 * sources.size());
  // What releases of a few years change in the rules.
  EXPECT_LE(changed, their_release == release() ? 0U : 60U) << their_release << " and " << release();
}

TEST(JavaTime, Strictness) {
  if (!testing_jvm::has_java()) GTEST_SKIP() << "no Java that compiles";
  std::size_t compared = 0;
  for (const std::string& line : java_lines("TimeReference", "strict 400")) {
    const auto parts = split(line, '\t');
    EXPECT_EQ(read(compiled(parts[0]), parts[1], zone("America/New_York")), parts[2])
        << "'" << parts[1] << "' by " << parts[0];
    ++compared;
  }
  EXPECT_GT(compared, 10'000U);
}

/// Where the time zone database has letters and CLDR has names. For the rest Java keeps a list of its own (in which MT
/// is Moscow's time).
TEST(JavaTime, NamesOfTimes) {
  if (!testing_jvm::has_java()) GTEST_SKIP() << "no Java that compiles";
  std::size_t compared = 0;
  for (const std::string& line :
       java_lines("TimeReference",
                  "names America/New_York America/Chicago America/Los_Angeles "
                  "America/Anchorage Europe/Paris Europe/Berlin Europe/Madrid Europe/Rome Europe/Warsaw Europe/Athens "
                  "Europe/Helsinki UTC GMT +05:30")) {
    const auto parts = split(line, '\t');
    const std::string text = write(compiled(parts[1]), std::stoll(parts[2]), zone(parts[0]));
    EXPECT_EQ(text, parts[3]) << parts[0] << ", " << parts[1];
    EXPECT_EQ(read(compiled(parts[1]), text, zone(parts[0])), parts[4]) << text << " by " << parts[1];
    ++compared;
  }
  EXPECT_EQ(compared, 14U * 4 * 2);
}

}  // namespace
}  // namespace millrace
