#include <algorithm>
#include <optional>
#include <vector>

#include "exec/operators/batch_ops.h"
#include "exec/operators/broadcast_rows.h"
#include "exec/operators/side_values.h"
#include "exec/operators/table_side.h"

namespace millrace::inline exec {
namespace {

/// Rows of a stream meet the rows of a table that all of them can see. Only stream rows give results; those of one row
/// come in the order of the table's key.
class BroadcastJoin final : public Operator {
 public:
  BroadcastJoin(const BroadcastJoinNode& node, OperatorContext& context, BroadcastRows& table)
      : context_(context),
        table_(table),
        left_(node.type == JoinType::left),
        left_keys_(node.left->schema.key_count()),
        left_columns_(node.left->schema.size()),
        name_(node.right->as<SourceNode>() != nullptr ? node.right->as<SourceNode>()->name : "the table"),
        most_bytes_(static_cast<std::size_t>(node.most_bytes)),
        left_values_(node.left_values, context.parameters()),
        right_values_(node.right_values, context.parameters()),
        right_keys_(*node.right),
        codec_(node.right->schema) {
    if (node.condition) condition_.emplace(node.condition, context.parameters());
  }

  Status on_batch(int input, const Batch& in, Emitter& out) override {
    return input == 1 ? take_table(in) : take_stream(in, out);
  }
  Status on_time(int input, std::int64_t time, Emitter& out) override {
    return input == 0 ? out.time(time) : Status{};  // a table says nothing about the stream
  }

 private:
  /// A stream row and a row of the table that it may meet, or none.
  struct Pair {
    std::uint32_t row;
    const BroadcastRows::Rows::value_type* other;
  };

  Status take_table(const Batch& in);
  Status take_stream(const Batch& in, Emitter& out);
  Status give(const Batch& in, Emitter& out);
  Result<Batch> joined(const Batch& in) const;
  void keep_meeting(const Batch& all);

  OperatorContext& context_;
  BroadcastRows& table_;
  bool left_;
  std::size_t left_keys_, left_columns_;
  std::string name_;
  std::size_t most_bytes_;
  SideValues left_values_, right_values_;
  StoreKeys right_keys_;
  mutable RowCodec codec_;
  std::optional<Evaluator> condition_;
  std::vector<Pair> pairs_;
  std::vector<std::uint32_t> rows_, selected_;
  std::vector<std::uint8_t> whole_;
  KeyBuffer values_, keys_;
  Encoded encoded_;
};

Status BroadcastJoin::take_table(const Batch& in) {
  const std::vector<std::uint32_t> rows = TableSide::news(in);
  if (rows.empty()) return {};
  right_keys_.encode(in, rows, keys_);
  if (Status encoded = codec_.encode(in, encoded_); !encoded) return encoded;
  Batch over = share(in);
  over.columns.insert(over.columns.begin(), left_keys_ + left_columns_, nullptr);
  RowErrors errors;
  right_values_.encode(over, rows, errors, values_, whole_);
  if (errors.count != 0) context_.report(errors, in);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const bool gone = in.kind(rows[i]) == RowKind::remove || in.null_values.test(rows[i]);
    if (gone || whole_[i] == 0)
      table_.remove(keys_[i]);
    else
      table_.put(values_[i], keys_[i], encoded_.row(rows[i]));
  }
  if (table_.memory_bytes() <= most_bytes_) return {};
  return user_error("{} has grown beyond {} bytes (millrace.broadcast.max.bytes); join it without BROADCAST.", name_,
                    most_bytes_);
}

Status BroadcastJoin::take_stream(const Batch& in, Emitter& out) {
  rows_.clear();
  for (std::uint32_t row = 0; row < in.rows; ++row)
    if (!in.null_values.test(row)) rows_.push_back(row);
  if (rows_.empty()) return {};
  Batch over = share(in);
  over.columns.insert(over.columns.begin(), in.columns.begin(),
                      in.columns.begin() + static_cast<std::ptrdiff_t>(left_keys_));
  RowErrors errors;
  left_values_.encode(over, rows_, errors, values_, whole_);
  if (errors.count != 0) context_.report(errors, in);
  pairs_.clear();
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    const BroadcastRows::Rows* others = whole_[i] != 0 ? table_.find(values_[i]) : nullptr;
    if (others != nullptr)
      for (const auto& other : *others) pairs_.push_back({rows_[i], &other});
    else if (left_)
      pairs_.push_back({rows_[i], nullptr});
    if (pairs_.size() < kMaxBatchRows) continue;
    if (Status given = give(in, out); !given) return given;
  }
  return give(in, out);
}

Status BroadcastJoin::give(const Batch& in, Emitter& out) {
  if (pairs_.empty()) return {};
  Result<Batch> made = joined(in);
  if (!made) return made.error();
  if (condition_) {
    keep_meeting(*made);
    if (pairs_.empty()) return {};
    made = joined(in);
    if (!made) return made.error();
  }
  pairs_.clear();
  return out.batch(std::move(*made));
}

/// Of the pairs those for which the condition holds; in a left join a row that has none of them stays alone.
void BroadcastJoin::keep_meeting(const Batch& all) {
  RowErrors errors;
  condition_->select(all, errors, selected_);
  if (errors.count != 0) context_.report(errors, all);
  std::vector<Pair> kept;
  std::size_t next = 0;
  for (std::size_t from = 0; from < pairs_.size();) {
    const std::uint32_t row = pairs_[from].row;
    const std::size_t before = kept.size();
    std::size_t to = from;
    for (; to < pairs_.size() && pairs_[to].row == row; ++to) {
      const bool selected = next < selected_.size() && selected_[next] == to;
      if (selected) ++next;
      if (selected && pairs_[to].other != nullptr) kept.push_back(pairs_[to]);
    }
    if (left_ && kept.size() == before) kept.push_back({row, nullptr});
    from = to;
  }
  pairs_ = std::move(kept);
}

Result<Batch> BroadcastJoin::joined(const Batch& in) const {
  std::vector<std::uint32_t> positions, present;
  std::vector<std::string_view> keys;
  std::vector<std::optional<std::string_view>> bytes;
  for (std::uint32_t i = 0; i < pairs_.size(); ++i) {
    positions.push_back(pairs_[i].row);
    bytes.push_back(pairs_[i].other != nullptr ? std::optional<std::string_view>(pairs_[i].other->second)
                                               : std::nullopt);
    if (pairs_[i].other == nullptr) continue;
    present.push_back(i);
    keys.push_back(pairs_[i].other->first);
  }
  Batch made = gather(in, positions);
  const std::vector<ColumnPtr> own(made.columns.begin(),
                                   made.columns.begin() + static_cast<std::ptrdiff_t>(left_keys_));
  made.columns.insert(made.columns.begin(), own.begin(), own.end());
  Batch right;
  right_keys_.decode(keys, right);
  for (const ColumnPtr& column : right.columns) made.columns.push_back(spread(*column, present, pairs_.size()));
  Result<std::vector<ColumnPtr>> columns = codec_.decode(bytes);
  if (!columns) return columns.error();
  made.columns.insert(made.columns.end(), columns->begin(), columns->end());
  return made;
}

}  // namespace

MadeOperator make_broadcast_join(const BroadcastJoinNode& node, const LowerContext& lower) {
  Result<StoreSlot> slot = lower.store("table");
  if (!slot) return slot.error();
  auto* table = static_cast<BroadcastRows*>(slot->attach_index(std::make_unique<BroadcastRows>()));
  return std::make_unique<BroadcastJoin>(node, lower.context, *table);
}

}  // namespace millrace::inline exec
