#pragma once

#include <simdjson.h>

#include <algorithm>
#include <boost/unordered/unordered_flat_map.hpp>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// What happens with each record of a workload, written by hand. A step takes records and puts rows into an output;
/// what it holds back it gives in the end (`finish`).
namespace bound {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds kEvery{2};

struct Record {
  int partition;
  std::string_view key, value;
};

using boost::unordered_flat_map;

struct Bid {
  std::int64_t auction, bidder, price, time;
};

class Decoder {
 public:
  Bid operator()(std::string_view value) {
    if (padded_.size() < value.size() + simdjson::SIMDJSON_PADDING)
      padded_.resize(value.size() + simdjson::SIMDJSON_PADDING);
    std::memcpy(padded_.data(), value.data(), value.size());
    auto document = parser_.iterate(padded_.data(), value.size(), padded_.size());
    auto object = document.get_object();
    return {object["auction"].get_int64(), object["bidder"].get_int64(), object["price"].get_int64(),
            object["dateTime"].get_int64()};
  }

 private:
  simdjson::ondemand::parser parser_;
  std::vector<char> padded_ = std::vector<char>(1 << 16);
};

class Text {
 public:
  Text& add(std::string_view text) {
    std::memcpy(end_, text.data(), text.size());
    end_ += text.size();
    return *this;
  }
  template <class T>
  Text& number(T value) {
    end_ = std::to_chars(end_, buffer_ + sizeof buffer_, value).ptr;
    return *this;
  }
  std::string_view view() const { return {buffer_, static_cast<std::size_t>(end_ - buffer_)}; }

 private:
  char buffer_[256];
  char* end_ = buffer_;
};

struct Read {
  template <class Output>
  void take(const Record&, Output&) {}
  template <class Output>
  void finish(Output&) {}
};

struct Project : Read {
  template <class Output>
  void take(const Record& record, Output& output) {
    const Bid bid = decode(record.value);
    Text row;
    row.add("{\"AUCTION\":").number(bid.auction).add(",\"BIDDER\":").number(bid.bidder).add(",\"PRICE\":");
    row.number(static_cast<double>(bid.price) * 0.908).add(",\"DATETIME\":").number(bid.time).add("}");
    output.put(record.partition, record.key, row.view());
  }
  Decoder decode;
};

struct Filter : Read {
  template <class Output>
  void take(const Record& record, Output& output) {
    const Bid bid = decode(record.value);
    if (bid.auction % 123 != 0) return;
    Text row;
    row.add("{\"AUCTION\":").number(bid.auction).add(",\"PRICE\":").number(bid.price).add("}");
    output.put(record.partition, record.key, row.view());
  }
  Decoder decode;
};

/// Writes each changed window every two seconds, as a cached aggregate of Kafka Streams does. No changelog.
class Aggregate {
 public:
  template <class Output>
  void take(const Record& record, Output& output) {
    const Bid bid = decode_(record.value);
    const Key key{bid.auction, bid.time / kWindow};
    Window& window = windows_[key];
    ++window.count;
    window.sum += bid.price;
    window.max = std::max(window.max, bid.price);
    if (!window.changed) {
      window.changed = true;
      window.partition = record.partition;
      changed_.push_back(key);
    }
    if (++taken_ % 4096 == 0 && Clock::now() - emitted_ > kEvery) finish(output);
  }
  template <class Output>
  void finish(Output& output) {
    for (const Key& key : changed_) {
      Window& window = windows_[key];
      Text text, row;
      text.number(key.auction).add({reinterpret_cast<const char*>(&key.start), sizeof key.start});
      row.add("{\"N\":").number(window.count).add(",\"SUM\":").number(window.sum);
      row.add(",\"MAX\":").number(window.max).add("}");
      output.put(window.partition, text.view(), row.view());
      window.changed = false;
    }
    changed_.clear();
    emitted_ = Clock::now();
  }

 private:
  static constexpr std::int64_t kWindow = 10'000;
  struct Key {
    std::int64_t auction, start;
    bool operator==(const Key&) const = default;
    friend std::size_t hash_value(const Key& key) {
      return static_cast<std::size_t>(key.auction) * 0x9E3779B97F4A7C15U ^
             static_cast<std::size_t>(key.start) * 0xC2B2AE3D27D4EB4FU;
    }
  };
  struct Window {
    std::int64_t count = 0, sum = 0, max = 0;
    bool changed = false;
    int partition = 0;
  };

  Decoder decode_;
  unordered_flat_map<Key, Window> windows_;
  std::vector<Key> changed_;
  std::int64_t taken_ = 0;
  Clock::time_point emitted_ = Clock::now();
};

/// By `Key`, without windows.
template <std::int64_t Bid::*Key>
class Totals {
 public:
  template <class Output>
  void take(const Record& record, Output& output) {
    const Bid bid = decode_(record.value);
    Total& total = totals_[bid.*Key];
    ++total.count;
    total.max = std::max(total.max, bid.price);
    if (!std::exchange(total.changed, true)) changed_.push_back(bid.*Key);
    if (++taken_ % 4096 == 0 && Clock::now() - emitted_ > kEvery) finish(output);
  }
  template <class Output>
  void finish(Output& output) {
    for (const std::int64_t id : changed_) {
      Total& total = totals_[id];
      Text key, row;
      key.number(id);
      row.add("{\"N\":").number(total.count).add(",\"MAX\":").number(total.max).add("}");
      output.put(0, key.view(), row.view());
      total.changed = false;
    }
    changed_.clear();
    emitted_ = Clock::now();
  }

 private:
  struct Total {
    std::int64_t count = 0, max = 0;
    bool changed = false;
  };

  Decoder decode_;
  unordered_flat_map<std::int64_t, Total> totals_;
  std::vector<std::int64_t> changed_;
  std::int64_t taken_ = 0;
  Clock::time_point emitted_ = Clock::now();
};

/// Two of 100 columns.
class Wide : public Read {
 public:
  template <class Output>
  void take(const Record& record, Output& output) {
    if (padded_.size() < record.value.size() + simdjson::SIMDJSON_PADDING)
      padded_.resize(record.value.size() + simdjson::SIMDJSON_PADDING);
    std::memcpy(padded_.data(), record.value.data(), record.value.size());
    auto document = parser_.iterate(padded_.data(), record.value.size(), padded_.size());
    auto object = document.get_object();
    const std::int64_t shown = object["c32"].get_int64();
    const std::int64_t compared = object["c66"].get_int64();
    if (compared >= 10'000'000) return;
    Text row;
    row.add("{\"C32\":").number(shown).add("}");
    output.put(record.partition, record.key, row.view());
  }

 private:
  simdjson::ondemand::parser parser_;
  std::vector<char> padded_ = std::vector<char>(1 << 16);
};

class Join : public Read {
 public:
  /// A row of the table side.
  void add(std::string_view value) {
    const simdjson::padded_string padded(value);
    auto document = parser_.iterate(padded);
    const std::int64_t id = document["id"].get_int64();
    const std::string_view category = document["category"].get_string();
    categories_.insert_or_assign(id, std::string(category));
  }
  template <class Output>
  void take(const Record& record, Output& output) {
    const Bid bid = decode_(record.value);
    const auto category = categories_.find(bid.auction);
    if (category == categories_.end()) return;
    Text row;
    row.add("{\"AUCTION\":").number(bid.auction).add(",\"BIDDER\":").number(bid.bidder);
    row.add(",\"PRICE\":").number(bid.price).add(",\"CATEGORY\":\"").add(category->second).add("\"}");
    output.put(record.partition, record.key, row.view());
  }

 private:
  Decoder decode_;
  simdjson::ondemand::parser parser_;
  unordered_flat_map<std::int64_t, std::string> categories_;
};

}  // namespace bound
