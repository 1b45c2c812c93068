#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "exec/operators/windows.h"

namespace millrace::inline exec {

/// How far time has come where several have to come there: as far as the last of them. Those who have said nothing hold
/// it up.
class LeastTime {
 public:
  explicit LeastTime(std::size_t members) : times_(members, INT64_MIN) {}

  std::int64_t least() const { return times_.empty() ? INT64_MIN : *std::min_element(times_.begin(), times_.end()); }
  const std::vector<std::int64_t>& times() const { return times_; }
  /// The least time, when it has moved.
  std::optional<std::int64_t> told(std::size_t member, std::int64_t time) {
    const std::int64_t before = least();
    times_[member] = std::max(times_[member], time);
    const std::int64_t now = least();
    return now > before ? std::optional(now) : std::nullopt;
  }

  void save(std::string& bytes) const {
    for (const std::int64_t time : times_) save_number(time, bytes);
  }
  void load(std::string_view& bytes) {
    for (std::int64_t& time : times_) time = load_number(bytes, INT64_MIN);
  }

 private:
  std::vector<std::int64_t> times_;
};

}  // namespace millrace::inline exec
