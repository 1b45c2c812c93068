#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "exec/data/batch.h"
#include "exec/data/result.h"
#include "exec/expr/evaluator.h"
#include "planner/logical/plan.h"

namespace millrace::inline exec {

/// Reads event times out of the column named by TIMESTAMP=: BIGINT or TIMESTAMP as they are, STRING by its java.time
/// pattern.
class TimestampStage {
 public:
  /// `format` is given for STRING columns only. `strict`: NULL and unparsable values are user errors.
  TimestampStage(const Type& type, const std::optional<std::string>& format, bool strict);

  /// Event time of every row into `times` (sized by the call). Rows without a usable one are set in `bad` and noted in
  /// `errors`, but for those already set in `skip`.
  Status extract(const ColumnPtr& column, std::size_t rows, const Bitmap& skip, std::vector<std::int64_t>& times,
                 Bitmap& bad, RowErrors& errors);

 private:
  std::optional<Evaluator> parser_;
  bool strict_;
};

}  // namespace millrace::inline exec
