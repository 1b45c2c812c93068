#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <map>
#include <utility>

namespace millrace::inline exec {

/// Values by key, all of them within a number of bytes: those that were not asked for longest go first. One thread at a
/// time.
template <class Key, class Value>
class AgedCache {
 public:
  explicit AgedCache(std::size_t most_bytes) : most_bytes_(most_bytes) {}

  std::size_t most_bytes() const { return most_bytes_; }
  /// Null: it is not there. Good until the next change; counts as asked for.
  const Value* find(const Key& key) {
    const auto found = kept_.find(key);
    if (found == kept_.end()) return nullptr;
    found->second.asked = Clock::now();
    return &found->second.value;
  }
  /// In the place of what was there. What is larger than all that may be kept is kept alone.
  void put(Key key, Value value, std::size_t bytes) {
    erase(key);
    while (!kept_.empty() && bytes_ + bytes > most_bytes_)
      erase(std::ranges::min_element(kept_, {}, [](const auto& kept) { return kept.second.asked; }));
    bytes_ += bytes;
    kept_.emplace(std::move(key), Kept{std::move(value), bytes, Clock::now()});
  }
  void erase(const Key& key) {
    if (const auto found = kept_.find(key); found != kept_.end()) erase(found);
  }
  /// Forgets what nobody has asked for so long.
  void forget_idle(std::chrono::steady_clock::duration idle) {
    const auto since = Clock::now() - idle;
    for (auto at = kept_.begin(); at != kept_.end();) {
      const auto here = at++;
      if (here->second.asked < since) erase(here);
    }
  }

 private:
  using Clock = std::chrono::steady_clock;
  struct Kept {
    Value value;
    std::size_t bytes;
    Clock::time_point asked;
  };
  using Map = std::map<Key, Kept>;
  void erase(typename Map::iterator at) {
    bytes_ -= at->second.bytes;
    kept_.erase(at);
  }

  const std::size_t most_bytes_;
  std::size_t bytes_ = 0;
  Map kept_;
};

}  // namespace millrace::inline exec
