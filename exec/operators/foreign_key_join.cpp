#include <algorithm>

#include "exec/operators/foreign_key_parts.h"
#include "exec/operators/join_rows.h"
#include "exec/operators/valued_row.h"
#include "exec/state/pair_store.h"

namespace millrace::inline exec {
namespace {

/// Left rows meet the right row whose key an expression over them names. Both tables lie in one partition. Which left
/// rows refer to a right key is an index of the left store.
class ForeignKeyJoin final : public Operator {
 public:
  ForeignKeyJoin(const ForeignKeyJoinNode& node, const LowerContext& lower, std::unique_ptr<TableSide> left,
                 std::unique_ptr<TableSide> right, PairStore& references)
      : context_(lower.context),
        outer_(node.type == JoinType::left),
        foreign_keys_(evaluators(node)),
        left_(std::move(left)),
        right_(std::move(right)),
        rows_(lower.node, *node.left, *node.right, JoinRows::RightKey::apart),
        emit_before_(lower.emit_before),
        references_(references) {
    references_.fill_by([this](bool all) { return find_references(all); });
  }

  /// Its input's times say nothing about what it gives.
  Status on_time(int, std::int64_t, Emitter&) override { return {}; }
  Status on_batch(int input, const Batch& in, Emitter& out) override {
    if (Status found = references_.ready(); !found) return found;
    if (Status taken = input == 0 ? take_left(in) : take_right(in); !taken) return taken;
    return rows_.flush(out);
  }

 private:
  static std::vector<Evaluator> evaluators(const ForeignKeyJoinNode& node) {
    std::vector<Evaluator> made;
    made.emplace_back(node.foreign_key);
    for (const ExprPtr& key : node.more_keys) made.emplace_back(key);
    return made;
  }
  Status find_references(bool all) {
    Status loaded;
    if (!all) {
      left_->store().for_each([&](const Entry& entry) {
        if (!loaded || !entry.present()) return;
        const ValuedRow left = read_valued(row_value(entry.value()).bytes());
        if (left.value) loaded = references_.load(*left.value, left_->store().key(entry));
      });
      return loaded;
    }
    Status scanned = left_->store().scan({}, {}, [&](std::string_view key, std::string_view value) {
      const ValuedRow left = read_valued(value.substr(sizeof(std::int64_t)));
      if (left.value) loaded = references_.load(*left.value, key);
      return loaded.has_value();
    });
    return scanned ? loaded : scanned;
  }
  Status take_left(const Batch& in);
  Status take_left_row(const Batch& in, std::uint32_t row, Entry& entry, std::optional<std::string_view> foreign_key);
  Status take_right(const Batch& in);
  Status result_of(std::string_view row, std::optional<std::string_view> foreign_key,
                   std::optional<JoinRows::Pair>& result, std::int64_t& timestamp);
  Status change_right(std::string_view right_key, JoinRows::Bytes old, JoinRows::Bytes now, std::int64_t timestamp);
  Status find_one(MapStore& store, std::string_view key, Entry*& entry) {
    one_.clear();
    one_.bytes = key;
    one_.ends.push_back(static_cast<std::uint32_t>(key.size()));
    return store.find(one_, {&entry, 1});
  }

  OperatorContext& context_;
  bool outer_;
  std::vector<Evaluator> foreign_keys_;  // one for each column of the right key
  std::unique_ptr<TableSide> left_, right_;
  JoinRows rows_;
  bool emit_before_;
  PairStore& references_;  // right key, left key
  KeyBuffer one_, left_keys_, right_keys_;
  Encoded encoded_;
};

Status ForeignKeyJoin::take_left(const Batch& in) {
  const std::vector<std::uint32_t> rows = TableSide::news(in);
  if (rows.empty()) return {};
  RowErrors errors;
  Bitmap failed;
  std::vector<ColumnPtr> names;
  for (Evaluator& key : foreign_keys_) names.push_back(key.evaluate(in, errors, failed));
  report_standing(context_, errors, failed, in);
  encode_keys(names, rows, {}, right_keys_);
  left_->keys().encode(in, rows, left_keys_);
  if (Status encoded = left_->codec().encode(in, encoded_); !encoded) return encoded;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    KeyBuffer key;
    key.bytes = left_keys_[i];
    key.ends.push_back(static_cast<std::uint32_t>(key.bytes.size()));
    Entry* entry = nullptr;
    if (Status found = left_->store().find_or_create(key, {&entry, 1}); !found) return found;
    std::optional<std::string_view> foreign_key;
    const auto is_null = [&](const ColumnPtr& name) { return name->is_null(rows[i]); };
    if (std::none_of(names.begin(), names.end(), is_null)) foreign_key = right_keys_[i];
    if (Status taken = take_left_row(in, rows[i], *entry, foreign_key); !taken) return taken;
  }
  if (errors.count != 0 && in.kinds.empty()) context_.report(errors, in);
  return {};
}

/// The result of a left row that refers to `foreign_key`; `timestamp` becomes that of the right row if that is later.
Status ForeignKeyJoin::result_of(std::string_view row, std::optional<std::string_view> foreign_key,
                                 std::optional<JoinRows::Pair>& result, std::int64_t& timestamp) {
  result.reset();
  Entry* right = nullptr;
  if (foreign_key)
    if (Status found = find_one(right_->store(), *foreign_key, right); !found) return found;
  if (right != nullptr) {
    timestamp = std::max(timestamp, value_timestamp(right->value()));
    result = JoinRows::Pair{row, row_value(right->value()).bytes(), foreign_key};
  } else if (outer_) {
    result = JoinRows::Pair{row, std::nullopt};
  }
  return {};
}

Status ForeignKeyJoin::take_left_row(const Batch& in, std::uint32_t row, Entry& entry,
                                     std::optional<std::string_view> foreign_key) {
  MapStore& store = left_->store();
  const std::string key(store.key(entry));
  std::int64_t timestamp = (*in.timestamps)[row], ignored = 0;
  std::optional<JoinRows::Pair> old, now;
  bool referred = false;
  if (entry.present()) {
    const ValuedRow left = read_valued(row_value(entry.value()).bytes());
    if (Status found = result_of(left.row, left.value, old, ignored); !found) return found;
    referred = left.value.has_value();
    if (referred) references_.remove(*left.value, key);
  }
  rows_.set_headers(in, row);
  if (in.kind(row) == RowKind::remove) {
    // A row that referred to something is withdrawn even if its result is gone already.
    if (!old && referred && !emit_before_) old = JoinRows::Pair{};
    rows_.change(key, old, std::nullopt, timestamp, emit_before_);
    if (entry.present()) store.remove(entry);
    return {};
  }
  const std::string_view bytes = encoded_.row(row);
  if (Status found = result_of(bytes, foreign_key, now, timestamp); !found) return found;
  if (foreign_key) references_.add(*foreign_key, key);
  rows_.change(key, old, now, timestamp, emit_before_);
  store.put_row(entry, (*in.timestamps)[row], write_valued(foreign_key, bytes));
  return {};
}

Status ForeignKeyJoin::take_right(const Batch& in) {
  const std::vector<std::uint32_t> rows = TableSide::news(in);
  Status failed;
  Status applied = right_->apply(in, rows, [&](std::size_t i, const Entry& entry) {
    JoinRows::Bytes old, now;
    if (entry.present()) old = row_value(entry.value()).bytes();
    if (in.kind(rows[i]) != RowKind::remove) now = right_->encoded_rows().row(rows[i]);
    rows_.set_headers(in, rows[i]);
    if (failed && (old || now)) failed = change_right(right_->store().key(entry), old, now, (*in.timestamps)[rows[i]]);
  });
  return applied ? failed : applied;
}

/// Every left row that refers to the right row gives a new result.
Status ForeignKeyJoin::change_right(std::string_view right_key, JoinRows::Bytes old, JoinRows::Bytes now,
                                    std::int64_t timestamp) {
  const auto pair = [&](std::string_view row, JoinRows::Bytes right) -> std::optional<JoinRows::Pair> {
    if (right) return JoinRows::Pair{row, right, right_key};
    if (outer_) return JoinRows::Pair{row, std::nullopt};
    return std::nullopt;
  };
  return references_.visit(right_key, [&](std::string_view left_key) -> Status {
    Entry* left = nullptr;
    if (Status found = find_one(left_->store(), left_key, left); !found) return found;
    if (left == nullptr) return {};
    const auto [foreign_key, row] = read_valued(row_value(left->value()).bytes());
    if (foreign_key != right_key) return {};  // it refers to another one now
    const std::int64_t time = std::max(timestamp, value_timestamp(left->value()));
    rows_.change(left_key, pair(row, old), pair(row, now), time, emit_before_);
    return {};
  });
}

}  // namespace

MadeOperator make_foreign_key_join(const ForeignKeyJoinNode& node, const LowerContext& lower) {
  Result<StoreSlot> slot = lower.store("left");
  Result<std::unique_ptr<TableSide>> left = TableSide::make(*node.left, slot);
  if (!left) return left.error();
  slot->prefix += "|references";
  Result<std::unique_ptr<PairStore>> index = PairStore::open(*slot, &(*left)->store());
  if (!index) return index.error();
  auto* references = static_cast<PairStore*>(slot->attach_index(std::move(*index)));
  Result<std::unique_ptr<TableSide>> right = TableSide::make(*node.right, lower.store("right"));
  if (!right) return right.error();
  return std::make_unique<ForeignKeyJoin>(node, lower, std::move(*left), std::move(*right), *references);
}

}  // namespace millrace::inline exec
