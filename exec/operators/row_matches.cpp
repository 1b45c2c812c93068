#include "exec/operators/row_matches.h"

#include "exec/operators/batch_ops.h"

namespace millrace::inline exec {
namespace {

/// The table's key column: that of the stream row where there is a match.
ColumnPtr matched_key(const Column& key, std::span<const RowMatches::Bytes> matches) {
  const auto rows = all_rows(key.size);
  std::shared_ptr<Column> column = gather(key, rows);
  for (std::size_t i = 0; i < matches.size(); ++i)
    if (!matches[i]) column->nulls.set(i, matches.size());
  return column;
}

}  // namespace

RowMatches::RowMatches(const ExprPtr& condition, bool outer, OperatorContext& context, RowCodec& codec,
                       std::size_t keys)
    : context_(context), codec_(codec), keys_(keys), outer_(outer) {
  if (condition) condition_.emplace(condition, context.parameters());
}

Status RowMatches::give(const Batch& in, std::span<const std::uint32_t> rows, std::span<const Bytes> matches,
                        Emitter& out) {
  kept_.clear();
  bytes_.clear();
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (!matches[i] && !outer_) continue;
    kept_.push_back(rows[i]);
    bytes_.push_back(matches[i]);
  }
  if (kept_.empty()) return {};
  Result<Batch> joined = paired(in);
  if (!joined || !condition_) return joined ? out.batch(std::move(*joined)) : joined.error();
  if (!drop_failing(*joined)) return out.batch(std::move(*joined));
  joined = paired(in);
  return joined ? out.batch(std::move(*joined)) : joined.error();
}

/// Rows that match but for the condition match nothing; true when there are any. Inner joins have a filter instead.
bool RowMatches::drop_failing(const Batch& joined) {
  RowErrors errors;
  condition_->select(joined, errors, selected_);
  if (errors.count != 0) context_.report(errors, joined);
  bool dropped = false;
  std::size_t next = 0;
  for (std::uint32_t i = 0; i < joined.rows; ++i) {
    if (next < selected_.size() && selected_[next] == i) {
      ++next;
    } else if (bytes_[i]) {
      bytes_[i].reset();
      dropped = true;
    }
  }
  return dropped;
}

Result<Batch> RowMatches::paired(const Batch& in) {
  Batch left = is_all(kept_, in.rows) ? share(in) : gather(in, kept_);
  Result<std::vector<ColumnPtr>> right = codec_.decode(bytes_);
  if (!right) return right.error();
  std::vector<ColumnPtr> columns(left.columns.begin(), left.columns.begin() + static_cast<std::ptrdiff_t>(keys_));
  columns.insert(columns.end(), left.columns.begin(), left.columns.end());
  for (std::size_t k = 0; k < keys_; ++k) columns.push_back(matched_key(*left.columns[k], bytes_));
  columns.insert(columns.end(), right->begin(), right->end());
  left.columns = std::move(columns);
  return left;
}

}  // namespace millrace::inline exec
