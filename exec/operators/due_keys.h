#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <set>
#include <string>

#include "exec/state/map_store.h"

namespace millrace::inline exec {

/// Which keys of a store come due next, by time: the earliest only, however many there are. Those from `known_to` on
/// are read from the store when their time has come near. One thread.
class DueKeys {
 public:
  struct Key {
    std::int64_t time;
    bool left;  // of two stores, which
    std::string key;
    auto operator<=>(const Key&) const = default;
  };
  using Set = std::set<Key>;

  /// `most`: how many it keeps, about.
  explicit DueKeys(std::size_t most = 1 << 16) : most_(most), limit_(most) {}

  /// Forgets everything; nothing that is stored is due before `time`.
  void begin_at(std::int64_t time) {
    keys_.clear();
    known_to_ = std::max<std::int64_t>(time, 0);
  }
  std::int64_t known_to() const { return known_to_; }
  Set& keys() { return keys_; }
  /// True: nothing can be due before `bound`.
  bool none_before(std::int64_t bound) const {
    return known_to_ >= bound && (keys_.empty() || keys_.begin()->time >= bound);
  }

  void add(Key key) {
    if (key.time >= known_to_) return;
    keys_.insert(std::move(key));
    if (keys_.size() > limit_) trim();
  }
  void erase(const Key& key) {
    if (key.time < known_to_) keys_.erase(key);
  }
  /// Knows of the next segment too. `segment_end`: where the first one ends that has anything from known_to() on;
  /// nothing: there is none up to `bound`. `visit(from, to)` adds what is in between.
  template <class Visit>
  Status read_on(std::int64_t bound, std::optional<std::int64_t> segment_end, Visit visit) {
    const std::int64_t from = known_to_;
    known_to_ = segment_end.value_or(bound);
    return segment_end ? visit(from, *segment_end) : Status{};
  }

 private:
  /// Keeps the earlier half, and all of the first time.
  void trim() {
    auto middle = keys_.begin();
    std::advance(middle, keys_.size() / 2);
    auto cut = keys_.lower_bound({middle->time, false, {}});
    if (cut == keys_.begin()) cut = keys_.lower_bound({middle->time + 1, false, {}});
    if (cut != keys_.end()) {
      known_to_ = cut->time;
      keys_.erase(cut, keys_.end());
    }
    limit_ = std::max(most_, 2 * keys_.size());
  }

  Set keys_;
  const std::size_t most_;
  std::size_t limit_;
  std::int64_t known_to_ = 0;
};

}  // namespace millrace::inline exec
