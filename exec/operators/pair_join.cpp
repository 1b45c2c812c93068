#include <algorithm>

#include "exec/operators/batch_ops.h"
#include "exec/operators/join_rows.h"
#include "exec/operators/side_values.h"
#include "exec/operators/valued_row.h"
#include "exec/state/reference_store.h"

namespace millrace::inline exec {
namespace {

/// Rows of two tables meet where their values are equal. Each side keeps its rows with their values; which rows have a
/// value is an index that is made anew from them after a restart.
class PairJoin final : public Operator {
 public:
  struct Side {
    std::unique_ptr<TableSide> rows;
    ReferenceStore& by_value;  // value, key
    SideValues values;
    bool outer;          // its rows without a partner are in the result
    std::string absent;  // key bytes of a row that is not there
  };
  PairJoin(const PairJoinNode& node, const LowerContext& lower, Side left, Side right)
      : context_(lower.context),
        sides_{std::move(left), std::move(right)},
        left_columns_(node.left->schema.size()),
        own_(lower.node.schema.key_count()),
        rows_(lower.node, *node.left, *node.right, JoinRows::RightKey::behind),
        emit_before_(lower.emit_before) {}

  /// Its input's times say nothing about what it gives.
  Status on_time(int, std::int64_t, Emitter&) override { return {}; }
  Status on_batch(int input, const Batch& in, Emitter& out) override {
    for (Side& side : sides_)
      if (Status found = known_ ? Status{} : find_values(side); !found) return found;
    known_ = true;
    if (Status taken = take(input, in); !taken) return taken;
    return rows_.flush(out);
  }

 private:
  /// A row with its value, or none.
  struct Version {
    std::optional<std::string> value;
    std::string row;
    std::int64_t timestamp;
  };

  static Status find_values(Side& side);
  Status take(int input, const Batch& in);
  Status change(int input, std::string_view key, const std::optional<Version>& old, const std::optional<Version>& now);
  Status partners(int input, const std::optional<Version>& version, std::vector<std::string>& keys);
  Status count(int input, std::string_view value, std::size_t& rows) const;
  Status meet(int input, std::string_view key, std::string_view other, const Version* old, const Version* now);
  Status alone(int input, std::string_view key, const Version* old, const Version* now);
  Status other_alone(int input, std::string_view other, bool now_alone, std::int64_t timestamp);
  Status find_one(Side& side, std::string_view key, Entry*& entry);
  std::string result_key(int input, std::string_view key, std::string_view other) const {
    return std::string(input == 0 ? key : other).append(input == 0 ? other : key);
  }

  OperatorContext& context_;
  Side sides_[2];
  std::size_t left_columns_, own_;
  JoinRows rows_;
  bool emit_before_;
  bool known_ = false;
  KeyBuffer one_, keys_, values_;
  std::vector<std::uint8_t> whole_;
  Encoded encoded_;
};

Status PairJoin::find_values(Side& side) {
  if (Status cleared = side.by_value.clear(); !cleared) return cleared;
  Status loaded;
  Status scanned = side.rows->store().scan({}, {}, [&](std::string_view key, std::string_view stored) {
    const ValuedRow row = read_valued(stored.substr(sizeof(std::int64_t)));
    if (row.value) loaded = side.by_value.load(*row.value, key);
    return loaded.has_value();
  });
  return scanned ? loaded : scanned;
}

Status PairJoin::find_one(Side& side, std::string_view key, Entry*& entry) {
  one_.clear();
  one_.bytes = key;
  one_.ends.push_back(static_cast<std::uint32_t>(key.size()));
  return side.rows->store().find(one_, {&entry, 1});
}

Status PairJoin::take(int input, const Batch& in) {
  const std::vector<std::uint32_t> rows = TableSide::news(in);
  if (rows.empty()) return {};
  Side& side = sides_[input];
  Batch over = share(in);
  over.columns.insert(over.columns.begin(), own_ + (input == 0 ? 0 : left_columns_), nullptr);
  RowErrors errors;
  side.values.encode(over, rows, errors, values_, whole_);
  side.rows->keys().encode(in, rows, keys_);
  if (Status encoded = side.rows->codec().encode(in, encoded_); !encoded) return encoded;
  bool stays = false;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::uint32_t row = rows[i];
    const std::int64_t timestamp = (*in.timestamps)[row];
    Entry* entry = nullptr;
    KeyBuffer key;
    key.bytes = keys_[i];
    key.ends.push_back(static_cast<std::uint32_t>(key.bytes.size()));
    if (Status found = side.rows->store().find_or_create(key, {&entry, 1}); !found) return found;
    std::optional<Version> old, now;
    if (entry->present()) {
      const ValuedRow stored = read_valued(row_value(entry->value()).bytes());
      old = Version{stored.value ? std::optional(std::string(*stored.value)) : std::nullopt, std::string(stored.row),
                    timestamp};
    }
    if (in.kind(row) != RowKind::remove && !in.null_values.test(row)) {
      now = Version{whole_[i] != 0 ? std::optional(std::string(values_[i])) : std::nullopt,
                    std::string(encoded_.row(row)), timestamp};
      stays = true;
    }
    if (!old && !now) continue;
    if (old && old->value) side.by_value.remove(*old->value, key.bytes);
    if (now && now->value) side.by_value.add(*now->value, key.bytes);
    if (now)
      side.rows->store().put_row(*entry, timestamp, write_valued(now->value, now->row));
    else
      side.rows->store().remove(*entry);
    rows_.set_headers(in, row);
    if (Status changed = change(input, key.bytes, old, now); !changed) return changed;
  }
  if (errors.count != 0 && stays) context_.report(errors, in);
  return {};
}

/// The keys of the rows of the other side that a row meets.
Status PairJoin::partners(int input, const std::optional<Version>& version, std::vector<std::string>& keys) {
  keys.clear();
  if (!version || !version->value) return {};
  return sides_[1 - input].by_value.visit(*version->value, [&](std::string_view key) -> Status {
    keys.emplace_back(key);
    return {};
  });
}

/// How many rows of the side have the value.
Status PairJoin::count(int input, std::string_view value, std::size_t& rows) const {
  rows = 0;
  return sides_[input].by_value.visit(value, [&](std::string_view) -> Status {
    ++rows;
    return {};
  });
}

/// What was before goes first, then comes what is now, each in the order of the other side's keys.
Status PairJoin::change(int input, std::string_view key, const std::optional<Version>& old,
                        const std::optional<Version>& now) {
  const std::int64_t timestamp = now ? now->timestamp : old->timestamp;
  const Version* before = old ? &*old : nullptr;
  const Version* after = now ? &*now : nullptr;
  std::vector<std::string> had, has;
  if (Status found = partners(input, old, had); !found) return found;
  if (Status found = partners(input, now, has); !found) return found;
  const bool was_alone = old && had.empty(), is_alone = now && has.empty();
  const bool same = old && now && old->value == now->value;
  if (same && !had.empty()) {
    for (const std::string& other : had)
      if (Status met = meet(input, key, other, before, after); !met) return met;
    return {};
  }
  std::size_t left_behind = 1, found_there = 2;  // rows of this side with the old and the new value
  const bool others_outer = sides_[1 - input].outer;
  if (others_outer && !had.empty())
    if (Status counted = count(input, *old->value, left_behind); !counted) return counted;
  if (others_outer && !has.empty())
    if (Status counted = count(input, *now->value, found_there); !counted) return counted;
  for (const std::string& other : had)
    if (Status met = meet(input, key, other, before, nullptr); !met) return met;
  if (sides_[input].outer && was_alone && is_alone) return alone(input, key, before, after);
  if (sides_[input].outer && was_alone)
    if (Status done = alone(input, key, before, nullptr); !done) return done;
  for (const std::string& other : had)
    if (left_behind == 0)
      if (Status done = other_alone(input, other, true, timestamp); !done) return done;
  for (const std::string& other : has) {
    if (found_there == 1)
      if (Status done = other_alone(input, other, false, timestamp); !done) return done;
    if (Status met = meet(input, key, other, nullptr, after); !met) return met;
  }
  return sides_[input].outer && is_alone ? alone(input, key, nullptr, after) : Status{};
}

/// The pair of a row with one of the other side goes, comes or changes.
Status PairJoin::meet(int input, std::string_view key, std::string_view other, const Version* old, const Version* now) {
  Entry* entry = nullptr;
  if (Status found = find_one(sides_[1 - input], other, entry); !found) return found;
  if (entry == nullptr) return {};
  const std::string_view across = read_valued(row_value(entry->value()).bytes()).row;
  const auto pair = [&](const Version* version) -> std::optional<JoinRows::Pair> {
    if (version == nullptr) return std::nullopt;
    return input == 0 ? JoinRows::Pair{version->row, across} : JoinRows::Pair{across, version->row};
  };
  const std::int64_t timestamp = now != nullptr ? now->timestamp : old->timestamp;
  rows_.change(result_key(input, key, other), pair(old), pair(now),
               std::max(timestamp, value_timestamp(entry->value())), emit_before_);
  return {};
}

/// The same of a row that meets none.
Status PairJoin::alone(int input, std::string_view key, const Version* old, const Version* now) {
  const auto pair = [&](const Version* version) -> std::optional<JoinRows::Pair> {
    if (version == nullptr) return std::nullopt;
    return input == 0 ? JoinRows::Pair{version->row, std::nullopt} : JoinRows::Pair{std::nullopt, version->row};
  };
  rows_.change(result_key(input, key, sides_[1 - input].absent), pair(old), pair(now),
               now != nullptr ? now->timestamp : old->timestamp, emit_before_);
  return {};
}

/// A row of the other side has lost its last partner, or has found its first.
Status PairJoin::other_alone(int input, std::string_view other, bool now_alone, std::int64_t timestamp) {
  Entry* entry = nullptr;
  if (Status found = find_one(sides_[1 - input], other, entry); !found) return found;
  if (entry == nullptr) return {};
  const Version version{std::nullopt, std::string(read_valued(row_value(entry->value()).bytes()).row),
                        std::max(timestamp, value_timestamp(entry->value()))};
  return alone(1 - input, other, now_alone ? nullptr : &version, now_alone ? &version : nullptr);
}

Result<PairJoin::Side> make_side(const PlanNode& relation, Result<StoreSlot> slot, const std::vector<ExprPtr>& values,
                                 const ParameterRow* parameters, bool outer) {
  Result<std::unique_ptr<TableSide>> rows = TableSide::make(relation, slot);
  if (!rows) return rows.error();
  slot->prefix += "|values";
  Result<std::unique_ptr<ReferenceStore>> index = ReferenceStore::open(*slot);
  if (!index) return index.error();
  auto* by_value = static_cast<ReferenceStore*>(slot->attach_index(std::move(*index)));
  // Each NULL is one byte (key_codec.h).
  return PairJoin::Side{std::move(*rows), *by_value, SideValues(values, parameters), outer,
                        std::string(relation.schema.key_count(), '\0')};
}

}  // namespace

MadeOperator make_pair_join(const PairJoinNode& node, const LowerContext& lower) {
  const bool full = node.type == JoinType::full;
  Result<PairJoin::Side> left = make_side(*node.left, lower.store("left"), node.left_values, lower.context.parameters(),
                                          full || node.type == JoinType::left);
  if (!left) return left.error();
  Result<PairJoin::Side> right = make_side(*node.right, lower.store("right"), node.right_values,
                                           lower.context.parameters(), full || node.type == JoinType::right);
  if (!right) return right.error();
  return std::make_unique<PairJoin>(node, lower, std::move(*left), std::move(*right));
}

}  // namespace millrace::inline exec
