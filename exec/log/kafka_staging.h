#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "exec/log/log.h"

namespace millrace::kafka {

/// Records that wait in memory until the transaction they belong to may begin. One thread.
class Staging {
 public:
  struct Record {
    int topic;
    std::int32_t partition;
    std::int64_t timestamp;
    std::optional<std::string_view> key;
    std::optional<std::string_view> value;
    std::span<const HeaderView> headers;
  };

  void add(const Record& record);
  bool empty() const { return next_ == entries_.size(); }
  /// The oldest record; its views hold until the next call. Precondition: not empty.
  Record front();
  void pop();
  void clear();

 private:
  struct Entry {
    int topic;
    std::int32_t partition;
    std::int64_t timestamp;
    std::size_t at;           // in bytes_: key, value, then headers each {key, value}
    std::int64_t key, value;  // sizes; -1: null
    std::uint32_t first_header, headers;
  };
  struct HeaderSizes {
    std::size_t key;
    std::int64_t value;
  };
  std::vector<Entry> entries_;
  std::vector<HeaderSizes> header_sizes_;
  std::string bytes_;
  std::vector<HeaderView> headers_;  // of front()
  std::size_t next_ = 0;
};

}  // namespace millrace::kafka
