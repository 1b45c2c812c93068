#include "exec/operators/batch_ops.h"
#include "exec/operators/row_matches.h"
#include "exec/operators/table_side.h"

namespace millrace::inline exec {
namespace {

/// Stream rows meet the newest table row of their key. Only stream rows give results. A row without a key meets none.
class StreamTableJoin final : public Operator {
 public:
  StreamTableJoin(const StreamTableJoinNode& node, OperatorContext& context, std::unique_ptr<TableSide> table)
      : table_(std::move(table)),
        left_(node.type == JoinType::left),
        joined_(node.condition, left_, context, table_->codec(), table_->keys().columns()) {}

  Status on_batch(int input, const Batch& in, Emitter& out) override {
    if (input == 1) return table_->apply(in, TableSide::news(in), [](std::size_t, const Entry&) {});
    rows_.clear();
    keyed_.clear();
    for (std::uint32_t row = 0; row < in.rows; ++row) {
      if (in.null_values.test(row)) continue;
      const bool keyed = is_keyed(in, table_->keys().columns(), row);
      if (keyed) keyed_.push_back(row);
      if (keyed || left_) rows_.push_back(row);
    }
    if (rows_.empty()) return {};
    if (Status found = table_->find(in, keyed_, matches_); !found) return found;
    if (keyed_.size() != rows_.size()) spread_matches();
    bytes_.clear();
    for (Entry* match : matches_)
      bytes_.push_back(match != nullptr ? RowMatches::Bytes(row_value(match->value()).bytes()) : std::nullopt);
    return joined_.give(in, rows_, bytes_, out);
  }
  Status on_time(int input, std::int64_t time, Emitter& out) override {
    return input == 0 ? out.time(time) : Status{};  // a table says nothing about the stream
  }

 private:
  /// From the rows with a key to all rows.
  void spread_matches() {
    std::size_t from = keyed_.size();
    matches_.resize(rows_.size());
    for (std::size_t to = rows_.size(); to-- > 0;)
      matches_[to] = from > 0 && keyed_[from - 1] == rows_[to] ? matches_[--from] : nullptr;
  }

  std::unique_ptr<TableSide> table_;
  bool left_;
  RowMatches joined_;
  std::vector<std::uint32_t> rows_, keyed_;
  std::vector<Entry*> matches_;
  std::vector<RowMatches::Bytes> bytes_;  // of the table rows that match, by row
};

}  // namespace

MadeOperator make_stream_table_join(const StreamTableJoinNode& node, const LowerContext& lower) {
  if (node.type != JoinType::inner && node.type != JoinType::left)
    return user_error("a stream can only be joined with a table by an inner or a left join");
  Result<std::unique_ptr<TableSide>> table = TableSide::make(*node.right, lower.store("table"));
  if (!table) return table.error();
  return std::make_unique<StreamTableJoin>(node, lower.context, std::move(*table));
}

}  // namespace millrace::inline exec
