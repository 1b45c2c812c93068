#pragma once

#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "exec/operators/table_side.h"

namespace millrace::inline exec {

/// Rows of a stream with what they match in a table, on their way out: the key, the stream's columns, the table's. Of
/// an outer join those that match nothing, or nothing for which the condition holds, come with NULLs.
class RowMatches {
 public:
  using Bytes = std::optional<std::string_view>;  // of a table row, as its codec has them; absent: no match

  /// `codec` and `keys` are the table's. `condition` is over what is given out; null: none.
  RowMatches(const ExprPtr& condition, bool outer, OperatorContext& context, RowCodec& codec, std::size_t keys);

  /// For rows `rows` of `in` what each matches.
  Status give(const Batch& in, std::span<const std::uint32_t> rows, std::span<const Bytes> matches, Emitter& out);

 private:
  bool drop_failing(const Batch& joined);
  Result<Batch> paired(const Batch& in);

  OperatorContext& context_;
  RowCodec& codec_;
  const std::size_t keys_;
  const bool outer_;
  std::optional<Evaluator> condition_;
  std::vector<std::uint32_t> selected_, kept_;
  std::vector<Bytes> bytes_;  // by kept row
};

}  // namespace millrace::inline exec
