#pragma once

#include "exec/data/wall_clock.h"
#include "exec/runtime/engine.h"

namespace millrace::inline exec {

/// One row without columns, of this moment.
class OneRow final : public TableRows {
 public:
  Result<std::optional<Batch>> next() override {
    if (given_) return std::optional<Batch>();
    given_ = true;
    Batch row;
    row.rows = 1;
    row.timestamps = std::make_shared<const std::vector<std::int64_t>>(1, wall_clock_ms());
    return std::optional(std::move(row));
  }

 private:
  bool given_ = false;
};

}  // namespace millrace::inline exec
