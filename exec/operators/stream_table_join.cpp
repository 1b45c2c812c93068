#include "exec/operators/batch_ops.h"
#include "exec/operators/table_side.h"

namespace millrace::inline exec {
namespace {

/// Stream rows meet the newest table row of their key. Only stream rows give results. A row without a key meets none.
class StreamTableJoin final : public Operator {
 public:
  StreamTableJoin(const StreamTableJoinNode& node, OperatorContext& context, std::unique_ptr<TableSide> table)
      : context_(context), table_(std::move(table)), left_(node.type == JoinType::left) {
    if (node.condition) condition_.emplace(node.condition, context.parameters());
  }

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
    return join(in, out);
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
  Status join(const Batch& in, Emitter& out) {
    kept_.clear();
    bytes_.clear();
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      if (matches_[i] == nullptr && !left_) continue;
      kept_.push_back(rows_[i]);
      bytes_.push_back(matches_[i] ? std::optional(row_value(matches_[i]->value()).bytes()) : std::nullopt);
    }
    if (kept_.empty()) return {};
    Result<Batch> joined = paired(in);
    if (!joined || !condition_) return joined ? out.batch(std::move(*joined)) : joined.error();
    if (!drop_failing(*joined)) return out.batch(std::move(*joined));
    joined = paired(in);
    return joined ? out.batch(std::move(*joined)) : joined.error();
  }
  /// Rows that match but for the condition match nothing; true when there are any. Inner joins have a filter instead.
  bool drop_failing(const Batch& joined) {
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
  Result<Batch> paired(const Batch& in) {
    Batch left = is_all(kept_, in.rows) ? share(in) : gather(in, kept_);
    Result<std::vector<ColumnPtr>> right = table_->codec().decode(bytes_);
    if (!right) return right.error();
    const std::size_t keys = table_->keys().columns();
    std::vector<ColumnPtr> columns(left.columns.begin(), left.columns.begin() + static_cast<std::ptrdiff_t>(keys));
    columns.insert(columns.end(), left.columns.begin(), left.columns.end());
    for (std::size_t k = 0; k < keys; ++k) columns.push_back(right_key(*left.columns[k], bytes_));
    columns.insert(columns.end(), right->begin(), right->end());
    left.columns = std::move(columns);
    return left;
  }
  /// The table's key column: that of the stream row where there is a match.
  static ColumnPtr right_key(const Column& key, std::span<const std::optional<std::string_view>> matches) {
    const auto rows = all_rows(key.size);
    std::shared_ptr<Column> column = gather(key, rows);
    for (std::size_t i = 0; i < matches.size(); ++i)
      if (!matches[i]) column->nulls.set(i, matches.size());
    return column;
  }

  OperatorContext& context_;
  std::unique_ptr<TableSide> table_;
  bool left_;
  std::optional<Evaluator> condition_;
  std::vector<std::uint32_t> selected_;
  std::vector<std::uint32_t> rows_, keyed_, kept_;
  std::vector<Entry*> matches_;
  std::vector<std::optional<std::string_view>> bytes_;  // of the table rows that match, by kept row
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
