#include "cli/bench_nexmark.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "cli/nexmark_files.h"

namespace millrace::inline cli::bench {
namespace {

constexpr std::int64_t kFirstNexmarkTime = 1'700'035'100'000;  // 07:58:20 UTC: short runs cross a full hour
constexpr std::int64_t kGroup = 50;                            // events: one person, three auctions, bids
constexpr std::int64_t kAuctions = 3;
constexpr std::int64_t kFirstId = 1'000;
constexpr std::int64_t kActivePeople = 1'000;
constexpr std::int64_t kOpenAuctions = 100;
constexpr std::int64_t kHotEvery = 100;

constexpr std::array kFirstNames = {"Ada", "Bram", "Chen", "Dora", "Emil", "Fay", "Goro", "Hana", "Ivo", "June"};
constexpr std::array kLastNames = {"Abel", "Brook", "Castle", "Dale", "Ek", "Ford", "Grove", "Hill", "Innes"};
constexpr std::array kCities = {"Phoenix", "Tucson",   "Boise",    "Portland", "Bend",
                                "Seattle", "Cheyenne", "San Jose", "Oakland",  "Fresno"};
constexpr std::array kStates = {"AZ", "CA", "ID", "OR", "WA", "WY"};
constexpr std::array kHotChannels = {"Google", "Facebook", "Baidu", "Apple"};

enum class Kind { person, auction, bid };

/// The events one after another. Every draw comes from one sequence, so each topic alone holds the same records that it
/// would hold beside the others.
class NexmarkGenerator {
 public:
  explicit NexmarkGenerator(const Shape& shape) : rate_(shape.rate) {}

  struct Event {
    Kind kind;
    InputRecord record;
  };
  Event next() {
    const std::int64_t at = index_ % kGroup;
    time_ = kFirstNexmarkTime + index_ * 1'000 / rate_;
    ++index_;
    key_.clear();
    value_.clear();
    Kind kind = Kind::bid;
    if (at == 0) {
      kind = Kind::person;
      person();
    } else if (at <= kAuctions) {
      kind = Kind::auction;
      auction();
    } else {
      bid();
    }
    return {kind, {key_, value_, time_}};
  }

 private:
  template <class... Args>
  void value(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(value_), format, std::forward<Args>(args)...);
  }
  std::int64_t below(std::int64_t bound) {
    return static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(bound));
  }
  template <class Words>
  const char* one_of(const Words& words) {
    return words[static_cast<std::size_t>(below(static_cast<std::int64_t>(words.size())))];
  }
  std::string letters(std::int64_t least, std::int64_t most) {
    std::string text(static_cast<std::size_t>(least + below(most - least + 1)), ' ');
    for (char& c : text) c = static_cast<char>('a' + below(26));
    return text;
  }
  std::int64_t price() {
    const double exponent = static_cast<double>(below(1'000'000)) * 6e-6;
    return std::llround(std::pow(10.0, exponent) * 100);
  }
  /// Somebody who registered not long ago.
  std::int64_t active_person() {
    const std::int64_t active = std::min(people_, kActivePeople);
    return kFirstId + people_ - 1 - below(active);
  }

  void person() {
    const std::int64_t id = kFirstId + people_++;
    key_ = std::to_string(id);
    const std::string first = one_of(kFirstNames), last = one_of(kLastNames);
    const std::int64_t card = below(10'000);
    const char* city = one_of(kCities);
    const char* state = one_of(kStates);
    value(R"({{"id":{},"name":"{} {}","emailAddress":"{}@{}.com","creditCard":"{:04} {:04} {:04} {:04}",)", id, first,
          last, letters(4, 9), letters(3, 6), card, below(10'000), below(10'000), below(10'000));
    value(R"("city":"{}","state":"{}","dateTime":{},"extra":"{}"}})", city, state, time_, letters(10, 60));
  }

  void auction() {
    const std::int64_t id = kFirstId + auctions_++;
    key_ = std::to_string(id);
    const std::int64_t first = price(), reserve = first + price(), expires = time_ + 1'000 + below(20'000);
    const std::int64_t seller = below(4) > 0 ? kFirstId + (people_ - 1) / kHotEvery * kHotEvery : active_person();
    const std::int64_t category = 10 + below(5);
    const std::string item = letters(5, 20), description = letters(20, 80);
    value(R"({{"id":{},"itemName":"{}","description":"{}","initialBid":{},"reserve":{},)", id, item, description, first,
          reserve);
    value(R"("dateTime":{},"expires":{},"seller":{},"category":{},"extra":"{}"}})", time_, expires, seller, category,
          letters(10, 60));
  }

  void bid() {
    const std::int64_t newest = auctions_ - 1;
    const std::int64_t id =
        kFirstId + (below(2) > 0 ? newest / kHotEvery * kHotEvery : newest - below(std::min(auctions_, kOpenAuctions)));
    const std::int64_t bidder = below(4) > 0 ? kFirstId + (people_ - 1) / kHotEvery * kHotEvery : active_person();
    key_ = std::to_string(id);
    const std::int64_t amount = price();
    value(R"({{"auction":{},"bidder":{},"price":{},)", id, bidder, amount);
    const std::int64_t number = below(10'000);
    const bool hot = below(2) > 0;
    const std::string channel = hot ? one_of(kHotChannels) : fmt::format("channel-{}", number);
    const std::string first = letters(3, 8), second = letters(3, 8), third = letters(3, 8);
    const std::string parameter = !hot && number % 10 != 0 ? fmt::format("&channel_id={}", number * 7919) : "";
    value(R"("channel":"{}","url":"https://www.nexmark.com/{}/{}/{}/item.htm?query=1{}",)", channel, first, second,
          third, parameter);
    value(R"("dateTime":{},"extra":"{}"}})", time_, letters(10, 60));
  }

  std::int64_t rate_, index_ = 0, time_ = 0, people_ = 0, auctions_ = 0;
  std::mt19937_64 random_{2};
  std::string key_, value_;
};

std::int64_t count_of(Kind kind, std::int64_t events) {
  const std::int64_t groups = events / kGroup, rest = events % kGroup;
  const std::int64_t people = groups + (rest > 0 ? 1 : 0);
  const std::int64_t auctions = groups * kAuctions + std::clamp<std::int64_t>(rest - 1, 0, kAuctions);
  if (kind == Kind::person) return people;
  return kind == Kind::auction ? auctions : events - people - auctions;
}

Input input_of(Kind kind, const std::string& source, const Shape& shape) {
  return {.topic = fmt::format("bench-nexmark-{}-{}-{}", source, shape.events, shape.rate),
          .records = count_of(kind, shape.events),
          .generate = [kind, shape](const Emit& emit) {
            NexmarkGenerator generator(shape);
            for (std::int64_t i = 0; i < shape.events; ++i)
              if (const auto event = generator.next(); event.kind == kind) emit(event.record);
          }};
}

bool reads(const std::string& sql, std::string_view source) {
  constexpr std::string_view kPrefix = "-- reads:";
  const std::string line = sql.substr(0, sql.find('\n')) + " ";
  return line.starts_with(kPrefix) && line.find(fmt::format(" {} ", source)) != std::string::npos;
}

}  // namespace

Workload nexmark_workload(const std::string& name, const std::string& sql, const Shape& shape) {
  constexpr std::pair<const char*, Kind> kSources[] = {
      {"person", Kind::person}, {"auction", Kind::auction}, {"bid", Kind::bid}};
  Workload workload;
  workload.name = name;
  for (const auto& [source, kind] : kSources) {
    if (!reads(sql, source)) continue;
    const auto statement = nexmark_sql(std::string("source_") + source);
    workload.inputs.push_back(input_of(kind, source, shape));
    workload.events += workload.inputs.back().records;
    workload.sources += *statement;
    workload.variables[source] = workload.inputs.back().topic;
  }
  workload.query = sql;
  return workload;
}

std::optional<std::string> nexmark_sql(const std::string& name) {
  for (const auto& [file, text] : kNexmarkFiles)
    if (file == name) return std::string(text);
  return std::nullopt;
}

std::string nexmark_names() {
  std::vector<std::string_view> names;
  for (const auto& [file, text] : kNexmarkFiles)
    if (!file.starts_with("source_")) names.push_back(file);
  std::sort(names.begin(), names.end(), [](auto a, auto b) { return std::pair(a.size(), a) < std::pair(b.size(), b); });
  return fmt::format("{}", fmt::join(names, " "));
}

}  // namespace millrace::inline cli::bench
