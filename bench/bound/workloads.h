#pragma once

#include <memory>
#include <string>

#include "bench/bound/kafka.h"

namespace bound {

/// A workload written by hand: what happens with each bid, and what is left to do in the end.
class Loop {
 public:
  virtual ~Loop() = default;
  /// Reads the whole input. `first` is called before the first record.
  virtual void run(Input& input, std::int64_t events, const std::function<void()>& first, Output& output) = 0;
};

/// The table side of w5.
struct Table {
  std::string topic;
  std::int64_t rows = 0;
};

/// w1, w2, w3, w5 or `read`, which only consumes; none for another name. w5 reads its table here.
std::unique_ptr<Loop> make_loop(const std::string& name, const std::string& broker, const Table& table);

}  // namespace bound
