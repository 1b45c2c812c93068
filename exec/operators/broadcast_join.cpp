#include <algorithm>
#include <optional>
#include <vector>

#include "exec/operators/batch_ops.h"
#include "exec/operators/broadcast_rows.h"
#include "exec/operators/side_values.h"
#include "exec/operators/table_side.h"

namespace millrace::inline exec {
namespace {

/// Rows of a stream meet the rows of a table that all of them can see, as it is when they come. Only stream rows give
/// results; those of one row come in the order of the table's key.
class BroadcastJoin final : public Operator {
 public:
  BroadcastJoin(const BroadcastJoinNode& node, OperatorContext& context, BroadcastTable& table)
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
    const BroadcastTable::Rows::value_type* other;
  };

  Status take_table(const Batch& in);
  Status take_stream(const Batch& in, Emitter& out);
  std::size_t pair_up(std::size_t from) REQUIRES_SHARED(table_.mutex());
  Result<Batch> meet(const Batch& in, std::size_t& from);
  Result<Batch> joined(const Batch& in) const;
  void keep_meeting(const Batch& all);

  OperatorContext& context_;
  BroadcastTable& table_;
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
  WriteLock lock(table_.mutex());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const bool gone = is_gone(in, rows[i]);
    if (gone || whole_[i] == 0)
      table_.remove(keys_[i]);
    else
      table_.put(values_[i], keys_[i], encoded_.row(rows[i]));
  }
  if (table_.bytes() <= most_bytes_) return {};
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
  for (std::size_t from = 0; from < rows_.size();) {
    Result<Batch> made = meet(in, from);
    if (!made) return made.error();
    if (made->rows == 0) continue;
    if (Status given = out.batch(std::move(*made)); !given) return given;
  }
  return {};
}

/// What rows_ from `from` on meet, until that is enough for a batch. Gives where it stopped.
std::size_t BroadcastJoin::pair_up(std::size_t from) {
  pairs_.clear();
  for (; from < rows_.size() && pairs_.size() < kMaxBatchRows; ++from) {
    const BroadcastTable::Rows* others = whole_[from] != 0 ? table_.find(values_[from]) : nullptr;
    if (others != nullptr)
      for (const auto& other : *others) pairs_.push_back({rows_[from], &other});
    else if (left_)
      pairs_.push_back({rows_[from], nullptr});
  }
  return from;
}

/// The next batch; it owns what it holds, so that the table may change as soon as it is made.
Result<Batch> BroadcastJoin::meet(const Batch& in, std::size_t& from) {
  const ReadLock lock(table_.mutex());
  from = pair_up(from);
  if (pairs_.empty()) return Batch{};
  Result<Batch> made = joined(in);
  if (!made || !condition_) return made;
  keep_meeting(*made);
  if (pairs_.empty()) return Batch{};
  return joined(in);
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
  const auto make = [] { return std::make_shared<BroadcastTable>(); };
  auto table = slot->common ? std::static_pointer_cast<BroadcastTable>(slot->common(make)) : make();
  BroadcastTable& rows = *table;
  slot->attach_index(std::make_unique<BroadcastRows>(std::move(table)));
  return std::make_unique<BroadcastJoin>(node, lower.context, rows);
}

}  // namespace millrace::inline exec
