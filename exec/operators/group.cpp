#include <algorithm>
#include <vector>

#include "exec/data/footprint.h"
#include "exec/operators/batch_ops.h"
#include "exec/operators/finite.h"
#include "exec/operators/group_values.h"
#include "exec/operators/row_evaluators.h"
#include "exec/state/key_table.h"

namespace millrace::inline exec {
namespace {

class GroupOperator final : public Operator {
 public:
  GroupOperator(const GroupNode& node, const LowerContext& lower)
      : context_(lower.context),
        keys_(expressions_of(node.keys), *node.input, lower.context.parameters()),
        arguments_(node.calls, *node.input),
        layout_(node.calls, true),
        keep_null_(node.keep_null),
        groups_(layout_.size()) {
    for (const ProjectItem& key : node.keys) types_.push_back(key.column.type);
  }
  ~GroupOperator() override { clear(); }

  Status on_batch(int, const Batch& in, Emitter&) override {
    RowErrors errors;
    const std::vector<ColumnPtr> keys = keys_.evaluate(in, std::nullopt, errors);
    arguments_.evaluate(in, errors);
    if (errors.count != 0) context_.report(errors, in);
    choose_rows(in, keys);
    if (types_.empty()) {
      values_.assign(rows_.size(), only_group()->value());
    } else {
      encode_keys(keys, rows_, {}, encoded_);
      find_groups();
    }
    const auto& timestamps = *in.timestamps;
    for (std::size_t i = 0; i < rows_.size(); ++i)
      value_timestamp(values_[i]) = std::max(value_timestamp(values_[i]), timestamps[rows_[i]]);
    if (Status added = arguments_.apply(layout_, values_, rows_, false); !added) return added;
    // What accumulators own beside their fixed part is at most what they were given.
    if (!layout_.trivial()) owned_ += footprint(in);
    return check_memory(context_, held_bytes());
  }

  Status on_commit(Emitter& out) override {
    if (types_.empty()) only_group();
    for (std::size_t from = 0; from < order_.size(); from += kMaxBatchRows)
      if (Status given = give(std::span(order_).subspan(from, std::min(kMaxBatchRows, order_.size() - from)), out);
          !given)
        return given;
    return {};
  }

  std::size_t held_bytes() const override { return groups_.memory() + order_.size() * sizeof(Entry*) + owned_; }

 private:
  void choose_rows(const Batch& in, const std::vector<ColumnPtr>& keys) {
    rows_.clear();
    const auto has_null = [&](std::uint32_t row) {
      return std::any_of(keys.begin(), keys.end(), [&](const ColumnPtr& key) { return key->is_null(row); });
    };
    for (std::uint32_t row = 0; row < in.rows; ++row)
      if (!in.null_values.test(row) && (keep_null_ || !has_null(row))) rows_.push_back(row);
  }

  void find_groups() {
    hashes_.resize(rows_.size());
    values_.resize(rows_.size());
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      hashes_[i] = hash_key(encoded_[i]);
      groups_.prefetch_slot(hashes_[i]);
    }
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      Entry* group = groups_.find(hashes_[i], encoded_[i]);
      if (group == nullptr) group = add_group(hashes_[i], encoded_[i]);
      values_[i] = group->value();
    }
  }

  Entry* add_group(std::uint64_t hash, std::string_view key) {
    Entry* group = groups_.insert(hash, key, 0);
    layout_.init(group->value());
    order_.push_back(group);
    return group;
  }
  Entry* only_group() { return order_.empty() ? add_group(hash_key({}), {}) : order_.front(); }

  Status give(std::span<Entry* const> groups, Emitter& out) {
    std::vector<std::string_view> keys;
    std::vector<const std::byte*> values;
    auto timestamps = std::make_shared<std::vector<std::int64_t>>();
    for (const Entry* group : groups) {
      keys.push_back(group->key(layout_.size()));
      values.push_back(group->value());
      timestamps->push_back(value_timestamp(group->value()));
    }
    Batch batch;
    batch.rows = groups.size();
    if (!types_.empty()) batch.columns = decode_keys(types_, keys, 0);
    for (ColumnPtr& result : layout_.results(values)) batch.columns.push_back(std::move(result));
    batch.timestamps = std::move(timestamps);
    return out.batch(std::move(batch));
  }

  void clear() {
    if (layout_.trivial()) return;
    for (Entry* group : order_) layout_.destroy(group->value());
  }

  OperatorContext& context_;
  RowEvaluators keys_;
  GroupArguments arguments_;
  const GroupLayout layout_;
  const bool keep_null_;
  std::vector<Type> types_;  // of the keys
  KeyTable groups_;
  std::vector<Entry*> order_;
  std::size_t owned_ = 0;

  // Scratch.
  std::vector<std::uint32_t> rows_;
  KeyBuffer encoded_;
  std::vector<std::uint64_t> hashes_;
  std::vector<std::byte*> values_;
};

}  // namespace

MadeOperator make_group(const GroupNode& node, const LowerContext& lower) {
  return std::make_unique<GroupOperator>(node, lower);
}

}  // namespace millrace::inline exec
