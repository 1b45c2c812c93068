#include <algorithm>
#include <deque>
#include <map>

#include "exec/operators/batch_ops.h"
#include "exec/operators/over_values.h"
#include "exec/operators/parts.h"
#include "exec/operators/placed_rows.h"

namespace millrace::inline exec {
namespace {

/// Functions over windows of a table. Each row lies by itself, with its values, so that a change writes only the rows
/// whose values it changes; the order of the rows of a partition is an index that is made anew from them.
class Over final : public Operator {
 public:
  Over(const OverNode& node, const LowerContext& lower, std::unique_ptr<PlacedRows> rows)
      : context_(lower.context),
        values_(node),
        value_codec_(values_.schema()),
        rows_(std::move(rows)),
        store_(rows_->store()),
        every_change_(lower.context.options().emit_every_change),
        emit_before_(lower.emit_before) {}

  Status on_batch(int, const Batch& in, Emitter& out) override {
    Status taken = rows_->take_in(in, context_, [this](const PlacedChange& change) { return take(change); });
    if (!taken) return taken;
    return every_change_ ? give(out) : Status{};
  }
  /// Its input's times say nothing about what it gives.
  Status on_time(int, std::int64_t, Emitter&) override { return {}; }
  Status on_commit(Emitter& out) override;
  std::size_t held_bytes() const override { return touched_bytes_; }

 private:
  /// What changed of a partition since its values were computed last.
  struct Touched {
    std::vector<std::string> places;  // of rows that came and went
    std::int64_t timestamp = INT64_MIN;
  };
  /// A row to be given out. Bytes are PlacedRows.
  struct Change {
    RowKind kind;
    std::int64_t timestamp;
    std::string_view key, bytes;
  };

  Status take(const PlacedChange& change);
  Status settle(std::string_view group, Touched& touched);
  Status settle_beside(std::string_view group, const std::string& place, std::size_t reach, std::int64_t timestamp);
  Status compute(std::string_view group, const std::vector<std::string>& places, std::size_t from, std::size_t to,
                 std::int64_t timestamp);
  Status put_values(Entry& entry, std::string_view values, std::int64_t timestamp);
  void note(const Entry& entry, std::string_view old, bool had);
  Status give(Emitter& out);
  Status give_part(std::span<const Change> changes, Emitter& out);

  OperatorContext& context_;
  OverValues values_;
  RowCodec value_codec_;
  const std::unique_ptr<PlacedRows> rows_;
  MapStore& store_;
  const bool every_change_, emit_before_;

  std::map<std::string, Touched, std::less<>> touched_;  // by partition
  std::size_t touched_bytes_ = 0;
  std::string fresh_;  // the key of the row that is being taken in
  std::string fresh_old_;
  bool fresh_had_ = false;
  std::vector<Change> changes_;   // to be given out
  std::deque<std::string> held_;  // their bytes

  // Scratch.
  Encoded encoded_values_;
  std::vector<Entry*> entries_;
};

Status Over::take(const PlacedChange& change) {
  Entry* entry = nullptr;
  if (Status found = rows_->find(change, entry, fresh_old_); !found) return found;
  if (!entry->present() && !change.added) return {};
  Touched alone;
  Touched& touched = every_change_ ? alone : touched_[std::string(change.group)];
  touched.timestamp = std::max(touched.timestamp, change.timestamp);
  PlacedRow before;
  fresh_ = std::string(change.group).append(change.id);
  fresh_had_ = entry->present();
  if (fresh_had_) {
    if (!before.read(fresh_old_)) return PlacedRows::unreadable();
    touched.places.push_back(PlacedRows::place_of(before.order, change.id));
  }
  if (change.added && (!fresh_had_ || before.order != change.order))
    touched.places.push_back(PlacedRows::place_of(change.order, change.id));
  if (Status applied = rows_->apply(change, *entry, fresh_old_, before.values); !applied) return applied;
  if (every_change_ && !change.added) {
    const std::string& key = held_.emplace_back(fresh_);
    changes_.push_back({RowKind::remove, change.timestamp, key, held_.emplace_back(fresh_old_)});
  }
  if (every_change_) return settle(change.group, touched);
  if (!values_.reach()) touched.places.clear();  // all of it is computed again
  for (const std::string& place : touched.places) touched_bytes_ += place.size();
  return {};
}

/// Computes the values that a change of the partition may have changed.
Status Over::settle(std::string_view group, Touched& touched) {
  const std::optional<std::size_t> reach = values_.reach();
  if (reach) {
    std::sort(touched.places.begin(), touched.places.end());
    touched.places.erase(std::unique(touched.places.begin(), touched.places.end()), touched.places.end());
    for (const std::string& place : touched.places)
      if (Status settled = settle_beside(group, place, *reach, touched.timestamp); !settled) return settled;
    return {};
  }
  std::vector<std::string> places;
  Status visited = rows_->places().visit(group, [&](std::string_view place) -> Status {
    places.emplace_back(place);
    return {};
  });
  return visited ? compute(group, places, 0, places.size(), touched.timestamp) : visited;
}

Status Over::settle_beside(std::string_view group, const std::string& place, std::size_t reach,
                           std::int64_t timestamp) {
  std::vector<std::string> places;
  std::size_t less = 0;
  if (Status found = rows_->places().around(group, place, 2 * reach, 2 * reach + 1, places, less); !found) return found;
  return compute(group, places, less - std::min(less, reach), std::min(places.size(), less + reach + 1), timestamp);
}

/// The values of rows [from, to) of those at `places`.
Status Over::compute(std::string_view group, const std::vector<std::string>& places, std::size_t from, std::size_t to,
                     std::int64_t timestamp) {
  if (from >= to) return {};
  if (Status found = rows_->find_rows(group, places, entries_); !found) return found;
  std::vector<std::optional<std::string_view>> rows;
  std::vector<std::string_view> orders;
  auto timestamps = std::make_shared<std::vector<std::int64_t>>();
  for (Entry* entry : entries_) {
    PlacedRow row;
    if (!row.read(PlacedRows::bytes_of(*entry))) return PlacedRows::unreadable();
    rows.emplace_back(row.row);
    orders.push_back(row.order);
    timestamps->push_back(row.timestamp);
  }
  auto columns = rows_->codec().decode(rows);
  if (!columns) return columns.error();
  Batch batch;
  batch.rows = places.size();
  batch.columns = std::move(*columns);
  batch.timestamps = std::move(timestamps);
  rows_->groups().decode(std::vector<std::string_view>(places.size(), group), batch);
  const WindowRows::Part part{0, static_cast<std::uint32_t>(places.size()), static_cast<std::uint32_t>(from),
                              static_cast<std::uint32_t>(to)};
  RowErrors errors;
  std::vector<ColumnPtr> values;
  if (Status done = values_.evaluate(batch, orders, {&part, 1}, errors, values); !done) return done;
  if (errors.count != 0) context_.report(errors, batch);
  Batch made;
  made.rows = to - from;
  made.columns = std::move(values);
  if (Status encoded = value_codec_.encode(made, encoded_values_); !encoded) return encoded;
  for (std::size_t i = from; i < to; ++i)
    if (Status put = put_values(*entries_[i], encoded_values_.row(i - from), timestamp); !put) return put;
  return {};
}

Status Over::put_values(Entry& entry, std::string_view values, std::int64_t timestamp) {
  const bool fresh = every_change_ && store_.key(entry) == fresh_;
  const std::string now(PlacedRows::bytes_of(entry));
  PlacedRow row;
  if (!row.read(now)) return PlacedRows::unreadable();
  const bool same = row.values == values;
  if (same && !fresh) return {};
  row.values = values;
  if (!same) store_.put_row(entry, std::max(row.timestamp, timestamp), row.written());
  if (!every_change_) return {};
  fresh ? note(entry, fresh_old_, fresh_had_) : note(entry, now, true);
  if (fresh) fresh_.clear();  // it is given out once
  return {};
}

/// The row is given out as it is now. `old`: as it was, if it `had` been there.
void Over::note(const Entry& entry, std::string_view old, bool had) {
  const std::string& key = held_.emplace_back(store_.key(entry));
  const std::int64_t timestamp = value_timestamp(const_cast<Entry&>(entry).value());
  if (had && emit_before_) changes_.push_back({RowKind::update_before, timestamp, key, held_.emplace_back(old)});
  const RowKind kind = had || !emit_before_ ? RowKind::update_after : RowKind::insert;
  changes_.push_back({kind, timestamp, key, held_.emplace_back(PlacedRows::bytes_of(entry))});
}

Status Over::on_commit(Emitter& out) {
  if (every_change_) return {};
  for (auto& [group, touched] : touched_)
    if (Status settled = settle(group, touched); !settled) return settled;
  touched_.clear();
  touched_bytes_ = 0;
  for (Entry* entry : store_.changed()) {
    const std::byte* before = store_.before(*entry);
    const std::string_view old = before == nullptr ? std::string_view() : row_value(before).bytes();
    if (!entry->present()) {
      if (before == nullptr) continue;
      const std::int64_t timestamp = value_timestamp(entry->value());
      changes_.push_back({RowKind::remove, timestamp, store_.key(*entry), old});
      continue;
    }
    PlacedRow was, is;
    if ((before != nullptr && !was.read(old)) || !is.read(PlacedRows::bytes_of(*entry)))
      return PlacedRows::unreadable();
    if (before != nullptr && was.same_result(is)) continue;
    note(*entry, old, before != nullptr);
  }
  put_removals_first(changes_);
  return give(out);
}

Status Over::give(Emitter& out) {
  const auto part = [&](std::span<const Change> changes) { return give_part(changes, out); };
  if (Status given = give_changes(changes_, part); !given) return given;
  changes_.clear();
  held_.clear();
  return {};
}

Status Over::give_part(std::span<const Change> changes, Emitter& out) {
  std::vector<std::string_view> groups;
  std::vector<std::optional<std::string_view>> rows, values;
  auto timestamps = std::make_shared<std::vector<std::int64_t>>();
  Batch made;
  made.rows = changes.size();
  for (const Change& change : changes) {
    PlacedRow row;
    if (!row.read(change.bytes)) return PlacedRows::unreadable();
    groups.push_back(change.key.substr(0, row.group_bytes));
    rows.emplace_back(row.row);
    values.push_back(row.values.empty() ? std::nullopt : std::optional(row.values));
    timestamps->push_back(change.timestamp);
    made.kinds.push_back(change.kind);
  }
  auto columns = rows_->codec().decode(rows);
  if (!columns) return columns.error();
  made.columns = std::move(*columns);
  made.timestamps = std::move(timestamps);
  rows_->groups().decode(groups, made);
  const std::vector<ColumnPtr> ids = rows_->row_keys(made);
  auto called = value_codec_.decode(values);
  if (!called) return called.error();
  made.columns.insert(made.columns.begin(), ids.begin(), ids.end());
  made.columns.insert(made.columns.end(), called->begin(), called->end());
  if (!emit_before_) null_removed(made, ids.size());
  return out.batch(std::move(made));
}

}  // namespace

MadeOperator make_over(const OverNode& node, const LowerContext& lower) {
  Result<StoreSlot> slot = lower.store("rows");
  if (!slot) return slot.error();
  Result<std::unique_ptr<PlacedRows>> rows = PlacedRows::open(*slot, *node.input, node.order, node.row_key);
  if (!rows) return rows.error();
  return std::make_unique<Over>(node, lower, std::move(*rows));
}

}  // namespace millrace::inline exec
