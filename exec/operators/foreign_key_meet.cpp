#include <algorithm>
#include <cstring>

#include "exec/operators/batch_ops.h"
#include "exec/operators/foreign_key_parts.h"
#include "exec/operators/join_rows.h"
#include "exec/operators/valued_row.h"
#include "exec/state/reference_store.h"

namespace millrace::inline exec {
namespace {

/// The columns of the left input, none of them as key.
PlanNode as_values(const PlanNode& left) {
  PlanNode all = left;
  for (ColumnDef& column : all.schema.columns) column.role = ColumnRole::value;
  return all;
}

/// Left rows lie where the right row of their key does. Which of them refer to a right key is an index of their store.
class ForeignKeyMeet final : public Operator {
 public:
  ForeignKeyMeet(const ForeignKeyMeetNode& node, const LowerContext& lower, MapStore& left,
                 std::unique_ptr<TableSide> right, ReferenceStore& references)
      : foreign_keys_(node.left->schema.key_count()),
        mark_(node.mark),
        mark_column_(node.mark->as<ColumnExpr>()->index),
        codec_(as_values(*node.left).schema),
        left_(left),
        right_(std::move(right)),
        rows_(lower.node, as_values(*node.left), *node.right, JoinRows::RightKey::apart),
        references_(references) {
    for (const ProjectItem& key : node.keys) keys_.emplace_back(key.expr);
    references_.fill_by([this](bool all) { return find_references(all); });
  }

  Status on_batch(int input, const Batch& in, Emitter& out) override {
    if (Status found = references_.ready(); !found) return found;
    if (Status taken = input == 0 ? take_left(in) : take_right(in); !taken) return taken;
    return rows_.flush(out);
  }

 private:
  Status find_references(bool all) {
    Status loaded;
    if (!all) {
      left_.for_each([&](const Entry& entry) {
        if (!loaded || !entry.present()) return;
        const ValuedRow left = read_valued(row_value(entry.value()).bytes());
        if (left.value) loaded = references_.load(*left.value, left_.key(entry));
      });
      return loaded;
    }
    Status scanned = left_.scan({}, {}, [&](std::string_view key, std::string_view value) {
      const ValuedRow left = read_valued(value.substr(sizeof(std::int64_t)));
      if (left.value) loaded = references_.load(*left.value, key);
      return loaded.has_value();
    });
    return scanned ? loaded : scanned;
  }

  Status find_right(std::string_view key, Entry*& entry) {
    one_.clear();
    one_.bytes = key;
    one_.ends.push_back(static_cast<std::uint32_t>(key.size()));
    return right_->store().find(one_, {&entry, 1});
  }

  /// Rows as they came, and as they are kept: for answers to come they have no marks.
  Status encode_rows(const Batch& in, std::span<const std::int32_t> marks) {
    if (Status encoded = codec_.encode(in, sent_); !encoded) return encoded;
    marked_ = std::ranges::any_of(marks, [](std::int32_t mark) { return mark != 0; });
    if (!marked_) return {};
    auto none = make_column(Type::integer(), in.rows);
    std::memset(none->values_mut<std::int32_t>(), 0, in.rows * sizeof(std::int32_t));
    Batch plain = share(in);
    plain.columns[mark_column_] = std::move(none);
    return codec_.encode(plain, kept_);
  }

  Status take_left(const Batch& in) {
    const std::vector<std::uint32_t> all = all_rows(in.rows);
    RowErrors errors;  // of columns: none
    std::vector<ColumnPtr> keys;
    for (Evaluator& key : keys_) keys.push_back(key.evaluate(in, errors));
    encode_keys(keys, all, {}, key_bytes_);
    encode_keys(std::span(in.columns).first(foreign_keys_), all, {}, foreign_key_bytes_);
    const ColumnPtr marks = mark_.evaluate(in, errors);
    if (Status encoded = encode_rows(in, marks->values<std::int32_t>()); !encoded) return encoded;
    entries_.resize(in.rows);
    if (Status found = left_.find_or_create(key_bytes_, entries_); !found) return found;
    for (std::uint32_t row = 0; row < in.rows; ++row)
      if (Status taken = take_left_row(in, row, ForeignKeyMarks(marks->values<std::int32_t>()[row])); !taken)
        return taken;
    return {};
  }

  Status take_left_row(const Batch& in, std::uint32_t row, ForeignKeyMarks mark) {
    Entry& entry = *entries_[row];
    const std::string_view key = key_bytes_[row];
    std::int64_t timestamp = (*in.timestamps)[row];
    if (entry.present())
      if (const auto before = read_valued(row_value(entry.value()).bytes()).value) references_.remove(*before, key);
    rows_.set_headers(in, row);
    if (mark.kind() != ForeignKeyMark::row) {
      rows_.add(key, sent_.row(row), std::nullopt, timestamp);
      if (entry.present()) left_.remove(entry);
      return {};
    }
    JoinRows::Bytes foreign_key;
    if (!mark.has(ForeignKeyMark::no_key)) foreign_key = foreign_key_bytes_[row];
    Entry* right = nullptr;
    if (foreign_key)
      if (Status found = find_right(*foreign_key, right); !found) return found;
    if (right != nullptr) {
      timestamp = std::max(timestamp, value_timestamp(right->value()));
      rows_.add(key, sent_.row(row), row_value(right->value()).bytes(), timestamp, RowKind::insert, foreign_key);
    } else {
      rows_.add(key, sent_.row(row), std::nullopt, timestamp);
    }
    if (foreign_key) references_.add(*foreign_key, key);
    left_.put_row(entry, (*in.timestamps)[row], write_valued(foreign_key, (marked_ ? kept_ : sent_).row(row)));
    return {};
  }

  Status take_right(const Batch& in) {
    const std::vector<std::uint32_t> rows = TableSide::news(in);
    Status failed;
    Status applied = right_->apply(in, rows, [&](std::size_t i, const Entry& entry) {
      JoinRows::Bytes now;
      if (in.kind(rows[i]) != RowKind::remove) now = right_->encoded_rows().row(rows[i]);
      rows_.set_headers(in, rows[i]);
      if (failed && (entry.present() || now))
        failed = tell_all(right_->store().key(entry), now, (*in.timestamps)[rows[i]]);
    });
    return applied ? failed : applied;
  }

  /// Every left row that refers to the right row meets it anew.
  Status tell_all(std::string_view right_key, JoinRows::Bytes now, std::int64_t timestamp) {
    return references_.visit(right_key, [&](std::string_view left_key) -> Status {
      Entry* left = nullptr;
      one_.clear();
      one_.bytes = left_key;
      one_.ends.push_back(static_cast<std::uint32_t>(left_key.size()));
      if (Status found = left_.find(one_, {&left, 1}); !found) return found;
      if (left == nullptr) return {};
      const auto [foreign_key, row] = read_valued(row_value(left->value()).bytes());
      if (foreign_key != right_key) return {};  // it refers to another one now
      rows_.add(left_key, row, now, std::max(timestamp, value_timestamp(left->value())), RowKind::insert,
                now ? JoinRows::Bytes(right_key) : std::nullopt);
      return {};
    });
  }

  const std::size_t foreign_keys_;
  std::vector<Evaluator> keys_;
  Evaluator mark_;
  const std::size_t mark_column_;
  RowCodec codec_;  // of all columns of the left input
  MapStore& left_;
  std::unique_ptr<TableSide> right_;
  JoinRows rows_;
  ReferenceStore& references_;  // right key, left key
  KeyBuffer one_, key_bytes_, foreign_key_bytes_;
  std::vector<Entry*> entries_;
  Encoded sent_, kept_;
  bool marked_ = false;  // kept_ differs
};

}  // namespace

MadeOperator make_foreign_key_meet(const ForeignKeyMeetNode& node, const LowerContext& lower) {
  Result<StoreSlot> slot = lower.store("left");
  auto left = open_rows(slot);
  if (!left) return left.error();
  slot->prefix += "|references";
  Result<std::unique_ptr<ReferenceStore>> index = ReferenceStore::open(*slot, *left);
  if (!index) return index.error();
  auto* references = static_cast<ReferenceStore*>(slot->attach_index(std::move(*index)));
  Result<std::unique_ptr<TableSide>> right = TableSide::make(*node.right, lower.store("right"));
  if (!right) return right.error();
  return std::make_unique<ForeignKeyMeet>(node, lower, **left, std::move(*right), *references);
}

}  // namespace millrace::inline exec
