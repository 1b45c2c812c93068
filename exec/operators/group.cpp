#include <algorithm>
#include <vector>

#include "exec/data/footprint.h"
#include "exec/operators/batch_ops.h"
#include "exec/operators/finite.h"
#include "exec/operators/group_table.h"
#include "exec/operators/group_values.h"
#include "exec/operators/row_evaluators.h"

namespace millrace::inline exec {
namespace {

class GroupOperator final : public Operator {
 public:
  GroupOperator(const GroupNode& node, const LowerContext& lower)
      : context_(lower.context),
        keys_(node.merges ? places(node.keys) : expressions_of(node.keys), *node.input, lower.context.parameters()),
        arguments_(node.merges ? std::span<const AggregateCall>() : node.calls, *node.input),
        layout_(node.calls, true),
        keep_null_(node.keep_null),
        partial_(node.partial),
        merges_(node.merges),
        total_(node.total),
        types_(types_of(node.keys)),
        groups_(GroupTable::make(types_, layout_.size())) {}
  ~GroupOperator() override {
    if (layout_.trivial()) return;
    for (std::size_t group = 0; group < made_; ++group) layout_.destroy(groups_->value(group));
  }

  Status on_batch(int, const Batch& in, Emitter&) override {
    RowErrors errors;
    const std::vector<ColumnPtr> keys = keys_.evaluate(in, std::nullopt, errors);
    arguments_.evaluate(in, errors);
    if (errors.count != 0) context_.report(errors, in);
    const std::span<const std::uint32_t> rows = choose_rows(in, keys);
    if (Status taken = types_.empty() && rows.size() == in.rows && !merges_ ? take_all(in) : take(in, keys, rows);
        !taken)
      return taken;
    // What accumulators own beside their fixed part is at most what they were given.
    if (!layout_.trivial()) owned_ += footprint(in);
    return check_memory(context_, held_bytes());
  }

  Status on_commit(Emitter& out) override {
    if (types_.empty()) only_group();
    if (total_ && groups_->size() == 0) add_total();
    for (std::size_t from = 0; from < groups_->size(); from += kMaxBatchRows)
      if (Status given = give(from, std::min(from + kMaxBatchRows, groups_->size()), out); !given) return given;
    return {};
  }

  std::size_t held_bytes() const override { return groups_->memory() + owned_; }

 private:
  static std::vector<Type> types_of(const std::vector<ProjectItem>& keys) {
    std::vector<Type> types;
    for (const ProjectItem& key : keys) types.push_back(key.column.type);
    return types;
  }
  /// The keys as partial groups give them: the first columns.
  static std::vector<ExprPtr> places(const std::vector<ProjectItem>& keys) {
    std::vector<ExprPtr> columns;
    for (const ProjectItem& key : keys)
      columns.push_back(make_column(columns.size(), key.column.type, key.column.name));
    return columns;
  }

  std::span<const std::uint32_t> choose_rows(const Batch& in, const std::vector<ColumnPtr>& keys) {
    const bool may_lack =
        !keep_null_ && std::any_of(keys.begin(), keys.end(), [](const ColumnPtr& key) { return !key->nulls.empty(); });
    if (in.null_values.empty() && !may_lack) {
      if (all_.size() < in.rows) all_ = all_rows(std::max(in.rows, kMaxBatchRows));
      return std::span(all_).first(in.rows);
    }
    rows_.clear();
    const auto has_null = [&](std::uint32_t row) {
      return std::any_of(keys.begin(), keys.end(), [&](const ColumnPtr& key) { return key->is_null(row); });
    };
    for (std::uint32_t row = 0; row < in.rows; ++row)
      if (!in.null_values.test(row) && (keep_null_ || !has_null(row))) rows_.push_back(row);
    return rows_;
  }

  /// All rows into the only group.
  Status take_all(const Batch& in) {
    std::byte* value = only_group();
    const auto& timestamps = *in.timestamps;
    std::int64_t latest = value_timestamp(value);
    for (std::size_t row = 0; row < in.rows; ++row) latest = std::max(latest, timestamps[row]);
    value_timestamp(value) = latest;
    return arguments_.apply_all(layout_, value, in.rows);
  }

  Status take(const Batch& in, const std::vector<ColumnPtr>& keys, std::span<const std::uint32_t> rows) {
    if (types_.empty()) {
      values_.assign(rows.size(), only_group());
    } else {
      groups_->find(keys, rows, values_);
      for (; made_ < groups_->size(); ++made_) layout_.init(groups_->value(made_));
    }
    const auto& timestamps = *in.timestamps;
    for (std::size_t i = 0; i < rows.size(); ++i)
      value_timestamp(values_[i]) = std::max(value_timestamp(values_[i]), timestamps[rows[i]]);
    return merges_ ? merge(*in.columns.back(), rows) : arguments_.apply(layout_, values_, rows, false);
  }

  Status merge(const Column& states, std::span<const std::uint32_t> rows) {
    const auto* bytes = states.data.as<std::string_view>();
    states_.clear();
    for (const std::uint32_t row : rows) states_.push_back(bytes[row]);
    return layout_.merge_states(values_, states_);
  }

  std::byte* only_group() {
    if (made_ == 0) {
      static constexpr std::uint32_t kOne[] = {0};
      groups_->find({}, kOne, values_);
      layout_.init(groups_->value(made_++));
    }
    return groups_->value(0);
  }

  void add_total() {
    static constexpr std::uint32_t kOne[] = {0};
    std::vector<ColumnPtr> keys;
    for (const Type& type : types_) keys.push_back(make_null_column(type, 1));
    groups_->find(keys, kOne, values_);
    layout_.init(groups_->value(made_++));
  }

  Status give(std::size_t from, std::size_t to, Emitter& out) {
    std::vector<const std::byte*> values;
    auto timestamps = std::make_shared<std::vector<std::int64_t>>();
    for (std::size_t group = from; group < to; ++group) {
      values.push_back(groups_->value(group));
      timestamps->push_back(value_timestamp(values.back()));
    }
    Batch batch;
    batch.rows = values.size();
    if (!types_.empty()) batch.columns = groups_->keys(from, to);
    if (partial_)
      batch.columns.push_back(states_of(values));
    else
      for (ColumnPtr& result : layout_.results(values)) batch.columns.push_back(std::move(result));
    batch.timestamps = std::move(timestamps);
    return out.batch(std::move(batch));
  }

  ColumnPtr states_of(std::span<const std::byte* const> values) const {
    auto arena = std::make_shared<Arena>();
    auto column = make_column(Type::bytes(), values.size());
    std::string bytes;
    for (std::size_t i = 0; i < values.size(); ++i) {
      bytes.clear();
      layout_.encode_states(values[i], bytes);
      column->values_mut<std::string_view>()[i] = arena->copy(bytes);
    }
    column->keep.push_back(std::move(arena));
    return column;
  }

  OperatorContext& context_;
  RowEvaluators keys_;
  GroupArguments arguments_;
  const GroupLayout layout_;
  const bool keep_null_, partial_, merges_, total_;
  const std::vector<Type> types_;  // of the keys
  const std::unique_ptr<GroupTable> groups_;
  std::size_t made_ = 0;  // groups whose accumulators have begun
  std::size_t owned_ = 0;

  // Scratch.
  std::vector<std::uint32_t> all_, rows_;
  std::vector<std::byte*> values_;
  std::vector<std::string_view> states_;
};

}  // namespace

MadeOperator make_group(const GroupNode& node, const LowerContext& lower) {
  return std::make_unique<GroupOperator>(node, lower);
}

}  // namespace millrace::inline exec
