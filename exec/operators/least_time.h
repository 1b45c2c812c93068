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

/// How far time has come where several have to come there: as far as the last of them. Those who have said nothing yet
/// hold it up; those who have nothing to say (kNothing) do not, until they say something.
class LeastTime {
 public:
  static constexpr std::int64_t kNothing = INT64_MAX;

  explicit LeastTime(std::size_t members) : times_(members, INT64_MIN) {}

  std::int64_t least() const { return times_.empty() ? INT64_MIN : *std::min_element(times_.begin(), times_.end()); }
  const std::vector<std::int64_t>& times() const { return times_; }
  /// The least time, when it has moved on. Who begins to say something may be behind it.
  std::optional<std::int64_t> told(std::size_t member, std::int64_t time) {
    std::int64_t& own = times_[member];
    own = own == kNothing || time == kNothing ? time : std::max(own, time);
    const std::int64_t now = least();
    if (now == kNothing || now <= come_) return std::nullopt;
    come_ = now;
    return now;
  }

  void save(std::string& bytes) const {
    for (const std::int64_t time : times_) save_number(time, bytes);
  }
  void load(std::string_view& bytes) {
    for (std::int64_t& time : times_) time = load_number(bytes, INT64_MIN);
    come_ = least() == kNothing ? INT64_MIN : least();
  }

 private:
  std::vector<std::int64_t> times_;
  std::int64_t come_ = INT64_MIN;
};

}  // namespace millrace::inline exec
