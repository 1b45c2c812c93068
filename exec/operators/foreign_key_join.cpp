#include <algorithm>

#include "exec/operators/foreign_key_parts.h"
#include "exec/operators/join_rows.h"
#include "exec/operators/valued_row.h"
#include "exec/state/reference_store.h"

namespace millrace::inline exec {
namespace {

void append_key(std::string_view key, KeyBuffer& keys) {
  keys.bytes += key;
  keys.ends.push_back(static_cast<std::uint32_t>(keys.bytes.size()));
}

/// Left rows meet the right row whose key an expression over them names. Both tables lie in one partition. Which left
/// rows refer to a right key is an index of the left store.
class ForeignKeyJoin final : public Operator {
 public:
  ForeignKeyJoin(const ForeignKeyJoinNode& node, const LowerContext& lower, std::unique_ptr<TableSide> left,
                 std::unique_ptr<TableSide> right, ReferenceStore& references)
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
  Status find_left(const Batch& in, std::span<const std::uint32_t> rows);
  Status take_left_row(const Batch& in, std::uint32_t row, Entry& entry, std::optional<std::string_view> foreign_key,
                       const Entry* right);
  Status take_right(const Batch& in);
  std::optional<JoinRows::Pair> result_of(std::string_view row, std::optional<std::string_view> foreign_key,
                                          const Entry* right, std::int64_t& timestamp) const;
  Status change_right(std::string_view right_key, JoinRows::Bytes old, JoinRows::Bytes now, std::int64_t timestamp);
  OperatorContext& context_;
  bool outer_;
  std::vector<Evaluator> foreign_keys_;  // one for each column of the right key
  std::unique_ptr<TableSide> left_, right_;
  JoinRows rows_;
  bool emit_before_;
  ReferenceStore& references_;  // right key, left key

  // Scratch.
  KeyBuffer left_keys_, right_keys_, wanted_;
  std::vector<Entry*> left_entries_, right_entries_, found_;  // found_: of the keys in wanted_
  std::vector<std::uint32_t> referring_;
  Encoded encoded_;
  std::string valued_;
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
  referring_.clear();
  for (std::uint32_t i = 0; i < rows.size(); ++i)
    if (std::ranges::none_of(names, [&](const ColumnPtr& name) { return name->is_null(rows[i]); }))
      referring_.push_back(i);
  if (Status found = find_left(in, rows); !found) return found;
  if (Status encoded = left_->codec().encode(in, encoded_); !encoded) return encoded;
  std::size_t next = 0;
  for (std::uint32_t i = 0; i < rows.size(); ++i) {
    const bool refers = next < referring_.size() && referring_[next] == i;
    const Entry* right = refers ? right_entries_[next++] : nullptr;
    const auto foreign_key = refers ? std::optional(right_keys_[i]) : std::nullopt;
    if (Status taken = take_left_row(in, rows[i], *left_entries_[i], foreign_key, right); !taken) return taken;
  }
  if (errors.count != 0 && in.kinds.empty()) context_.report(errors, in);
  return {};
}

/// The entries of the rows' keys, and of those that referring_ rows name on the right.
Status ForeignKeyJoin::find_left(const Batch& in, std::span<const std::uint32_t> rows) {
  left_->keys().encode(in, rows, left_keys_);
  left_entries_.resize(rows.size());
  if (Status found = left_->store().find_or_create(left_keys_, left_entries_); !found) return found;
  wanted_.clear();
  for (const std::uint32_t i : referring_) append_key(right_keys_[i], wanted_);
  right_entries_.resize(wanted_.size());
  return right_->store().find(wanted_, right_entries_);
}

/// The result of a left row that refers to `foreign_key`, which `right` has if it is there; `timestamp` becomes that of
/// the right row if that is later.
std::optional<JoinRows::Pair> ForeignKeyJoin::result_of(std::string_view row,
                                                        std::optional<std::string_view> foreign_key, const Entry* right,
                                                        std::int64_t& timestamp) const {
  if (right != nullptr) {
    timestamp = std::max(timestamp, value_timestamp(right->value()));
    return JoinRows::Pair{row, row_value(right->value()).bytes(), foreign_key};
  }
  if (outer_) return JoinRows::Pair{row, std::nullopt};
  return std::nullopt;
}

Status ForeignKeyJoin::take_left_row(const Batch& in, std::uint32_t row, Entry& entry,
                                     std::optional<std::string_view> foreign_key, const Entry* right) {
  MapStore& store = left_->store();
  const std::string_view key = store.key(entry);
  std::int64_t timestamp = (*in.timestamps)[row], ignored = 0;
  std::optional<JoinRows::Pair> old, now;
  std::optional<std::string_view> referred;
  if (entry.present()) {
    const ValuedRow left = read_valued(row_value(entry.value()).bytes());
    referred = left.value;
    Entry* former = nullptr;
    if (referred && referred != foreign_key) {
      wanted_.clear();
      append_key(*referred, wanted_);
      if (Status found = right_->store().find(wanted_, {&former, 1}); !found) return found;
    }
    old = result_of(left.row, referred, referred && referred == foreign_key ? right : former, ignored);
  }
  rows_.set_headers(in, row);
  if (in.kind(row) == RowKind::remove) {
    // A row that referred to something is withdrawn even if its result is gone already.
    if (!old && referred && !emit_before_) old = JoinRows::Pair{};
    rows_.change(key, old, std::nullopt, timestamp, emit_before_);
    if (referred) references_.remove(*referred, key);
    if (entry.present()) store.remove(entry);
    return {};
  }
  const std::string_view bytes = encoded_.row(row);
  now = result_of(bytes, foreign_key, right, timestamp);
  rows_.change(key, old, now, timestamp, emit_before_);
  if (referred != foreign_key) {
    if (referred) references_.remove(*referred, key);
    if (foreign_key) references_.add(*foreign_key, key);
  }
  write_valued(foreign_key, bytes, valued_);
  store.put_row(entry, (*in.timestamps)[row], valued_);
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
  wanted_.clear();
  Status visited = references_.visit(right_key, [&](std::string_view left_key) {
    append_key(left_key, wanted_);
    return Status{};
  });
  if (!visited) return visited;
  found_.resize(wanted_.size());
  if (Status found = left_->store().find(wanted_, found_); !found) return found;
  for (std::size_t i = 0; i < found_.size(); ++i) {
    if (found_[i] == nullptr) continue;
    const std::byte* left = found_[i]->value();
    const auto [foreign_key, row] = read_valued(row_value(left).bytes());
    if (foreign_key != right_key) continue;  // it refers to another one now
    const std::int64_t time = std::max(timestamp, value_timestamp(left));
    rows_.change(wanted_[i], pair(row, old), pair(row, now), time, emit_before_);
  }
  return {};
}

}  // namespace

MadeOperator make_foreign_key_join(const ForeignKeyJoinNode& node, const LowerContext& lower) {
  Result<StoreSlot> slot = lower.store("left");
  Result<std::unique_ptr<TableSide>> left = TableSide::make(*node.left, slot);
  if (!left) return left.error();
  slot->prefix += "|references";
  Result<std::unique_ptr<ReferenceStore>> index = ReferenceStore::open(*slot, &(*left)->store());
  if (!index) return index.error();
  auto* references = static_cast<ReferenceStore*>(slot->attach_index(std::move(*index)));
  Result<std::unique_ptr<TableSide>> right = TableSide::make(*node.right, lower.store("right"));
  if (!right) return right.error();
  return std::make_unique<ForeignKeyJoin>(node, lower, std::move(*left), std::move(*right), *references);
}

}  // namespace millrace::inline exec
