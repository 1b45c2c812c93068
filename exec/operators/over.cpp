#include <algorithm>
#include <deque>
#include <map>

#include "exec/functions/codec.h"
#include "exec/operators/batch_ops.h"
#include "exec/operators/over_values.h"
#include "exec/operators/parts.h"
#include "exec/operators/ranked_rows.h"
#include "exec/operators/table_side.h"
#include "exec/state/pair_store.h"

namespace millrace::inline exec {
namespace {

/// A row of a table with what functions over its window gave for it last.
struct OverRow {
  std::uint64_t group_bytes = 0;  // of its key, which is that of its partition, then its own
  std::string_view order;
  std::int64_t timestamp = 0;  // its own; the entry has that of its newest values
  std::string_view row, values;

  static std::string write(const OverRow& from) {
    std::string out;
    codec::put_unsigned(from.group_bytes, out);
    codec::put_text(from.order, out);
    codec::put(from.timestamp, out);
    codec::put_text(from.row, out);
    codec::put_text(from.values, out);
    return out;
  }
  static bool read(std::string_view bytes, OverRow& to) {
    return codec::get_unsigned(bytes, to.group_bytes) && codec::get_text(bytes, to.order) &&
           codec::get(bytes, to.timestamp) && codec::get_text(bytes, to.row) && codec::get_text(bytes, to.values);
  }
  bool same_result(const OverRow& other) const { return row == other.row && values == other.values; }
};

/// Functions over windows of a table. Each row lies by itself, with its values, so that a change writes only the rows
/// whose values it changes; the order of the rows of a partition is an index that is made anew from them.
class Over final : public Operator {
 public:
  Over(const OverNode& node, const LowerContext& lower, MapStore& store, PairStore& places)
      : context_(lower.context),
        groups_(*node.input),
        row_codec_(node.input->schema),
        values_(node),
        value_codec_(values_.schema()),
        order_(node.order, *node.input),
        store_(store),
        places_(places),
        every_change_(lower.context.options().emit_every_change),
        emit_before_(lower.emit_before) {
    for (const ProjectItem& item : node.row_key) ids_.emplace_back(item.expr);
    places_.fill_by([this](bool all) { return find_places(all); });
  }

  Status on_batch(int, const Batch& in, Emitter& out) override {
    if (Status found = places_.ready(); !found) return found;
    if (Status taken = take_in(in); !taken) return taken;
    return every_change_ ? give(out) : Status{};
  }
  Status on_commit(Emitter& out) override;
  std::size_t held_bytes() const override { return touched_bytes_; }

 private:
  /// What changed of a partition since its values were computed last.
  struct Touched {
    std::vector<std::string> places;  // of rows that came and went
    std::int64_t timestamp = INT64_MIN;
  };
  /// A row to be given out. Bytes are OverRows.
  struct Change {
    RowKind kind;
    std::int64_t timestamp;
    std::string_view key, bytes;
  };

  static std::string place_of(std::string_view order, std::string_view id) {
    std::string place = std::string(order).append(id);
    const auto size = static_cast<std::uint32_t>(order.size());
    return place.append(reinterpret_cast<const char*>(&size), sizeof(size));
  }
  static std::string_view id_of(std::string_view place) {
    std::uint32_t size = 0;
    std::memcpy(&size, place.data() + place.size() - sizeof(size), sizeof(size));
    return place.substr(size, place.size() - sizeof(size) - size);
  }
  static std::string_view bytes_of(const Entry& entry) {
    return entry.present() ? row_value(const_cast<Entry&>(entry).value()).bytes() : std::string_view();
  }
  static Error unreadable() { return Error{Fault::bug, "kept rows cannot be read"}; }

  Status find_places(bool all);
  Status load_place(std::string_view key, std::string_view bytes);
  Status take_in(const Batch& in);
  Status take_row(const Batch& in, std::size_t i, bool added);
  Status find_one(const std::string& key, Entry*& entry);
  Status settle(std::string_view group, Touched& touched);
  Status settle_beside(std::string_view group, const std::string& place, std::size_t reach, std::int64_t timestamp);
  Status compute(std::string_view group, const std::vector<std::string>& places, std::size_t from, std::size_t to,
                 std::int64_t timestamp);
  Status put_values(Entry& entry, std::string_view values, std::int64_t timestamp);
  void note(const Entry& entry, std::string_view old, bool had);
  Status give(Emitter& out);
  Status give_part(std::span<const Change> changes, Emitter& out);

  OperatorContext& context_;
  const StoreKeys groups_;
  RowCodec row_codec_;
  OverValues values_;
  RowCodec value_codec_;
  SortBytes order_;
  std::vector<Evaluator> ids_;
  MapStore& store_;
  PairStore& places_;
  const bool every_change_, emit_before_;

  std::map<std::string, Touched, std::less<>> touched_;  // by partition
  std::size_t touched_bytes_ = 0;
  std::string fresh_;  // the key of the row that is being taken in
  std::string fresh_old_;
  bool fresh_had_ = false;
  std::vector<Change> changes_;   // to be given out
  std::deque<std::string> held_;  // their bytes

  // Scratch.
  std::vector<std::uint32_t> rows_;
  KeyBuffer group_bytes_, sorted_, id_bytes_, keys_;
  Encoded encoded_, encoded_values_;
  std::vector<Entry*> entries_;
};

Status Over::load_place(std::string_view key, std::string_view bytes) {
  OverRow row;
  if (!OverRow::read(bytes, row)) return unreadable();
  return places_.load(key.substr(0, row.group_bytes), place_of(row.order, key.substr(row.group_bytes)));
}

Status Over::find_places(bool all) {
  Status loaded;
  if (!all) {
    store_.for_each([&](const Entry& entry) {
      if (loaded && entry.present()) loaded = load_place(store_.key(entry), bytes_of(entry));
    });
    return loaded;
  }
  Status scanned = store_.scan({}, {}, [&](std::string_view key, std::string_view value) {
    loaded = load_place(key, value.substr(sizeof(std::int64_t)));
    return loaded.has_value();
  });
  return scanned ? loaded : scanned;
}

Status Over::take_in(const Batch& in) {
  RowErrors errors;
  order_.encode(in, errors, sorted_);
  std::vector<ColumnPtr> ids;
  for (Evaluator& id : ids_) ids.push_back(id.evaluate(in, errors));
  if (errors.count != 0) context_.report(errors, in);
  rows_.clear();
  for (std::uint32_t row = 0; row < in.rows; ++row)
    if (!in.null_values.test(row)) rows_.push_back(row);
  if (rows_.empty()) return {};
  groups_.encode(in, rows_, group_bytes_);
  encode_keys(ids, all_rows(in.rows), {}, id_bytes_);
  if (Status encoded = row_codec_.encode(in, encoded_); !encoded) return encoded;
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    const RowKind kind = in.kind(rows_[i]);
    const bool pair = kind == RowKind::update_before && i + 1 < rows_.size() && rows_[i + 1] == rows_[i] + 1 &&
                      in.kind(rows_[i + 1]) == RowKind::update_after && group_bytes_[i] == group_bytes_[i + 1];
    if (pair) ++i;
    const bool removed = kind == RowKind::update_before || kind == RowKind::remove;
    if (Status taken = take_row(in, i, !removed || pair); !taken) return taken;
  }
  return {};
}

Status Over::find_one(const std::string& key, Entry*& entry) {
  keys_.clear();
  keys_.bytes = key;
  keys_.ends.push_back(static_cast<std::uint32_t>(key.size()));
  return store_.find_or_create(keys_, {&entry, 1});
}

/// `added`: the row as it is now takes the place of what is there; else that goes.
Status Over::take_row(const Batch& in, std::size_t i, bool added) {
  const std::uint32_t row = rows_[i];
  const std::string_view group = group_bytes_[i], id = id_bytes_[row];
  const std::string key = std::string(group).append(id);
  Entry* entry = nullptr;
  if (Status found = find_one(key, entry); !found) return found;
  if (!entry->present() && !added) return {};
  const std::int64_t timestamp = (*in.timestamps)[row];
  Touched alone;
  Touched& touched = every_change_ ? alone : touched_[std::string(group)];
  touched.timestamp = std::max(touched.timestamp, timestamp);
  const std::string old(bytes_of(*entry));
  OverRow before;
  if (entry->present()) {
    if (!OverRow::read(old, before)) return unreadable();
    touched.places.push_back(place_of(before.order, id));
    places_.remove(group, touched.places.back());
  }
  fresh_ = key;
  fresh_old_ = old;
  fresh_had_ = entry->present();
  if (added) {
    if (!fresh_had_ || before.order != sorted_[row]) touched.places.push_back(place_of(sorted_[row], id));
    places_.add(group, place_of(sorted_[row], id));
    store_.put_row(*entry, timestamp,
                   OverRow::write({group.size(), sorted_[row], timestamp, encoded_.row(row), before.values}));
  } else {
    store_.remove(*entry);
    value_timestamp(entry->value()) = timestamp;
    if (every_change_) {
      const std::string& held_key = held_.emplace_back(key);
      changes_.push_back({RowKind::remove, timestamp, held_key, held_.emplace_back(old)});
    }
  }
  if (every_change_) return settle(group, touched);
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
  Status visited = places_.visit(group, [&](std::string_view place) -> Status {
    places.emplace_back(place);
    return {};
  });
  return visited ? compute(group, places, 0, places.size(), touched.timestamp) : visited;
}

Status Over::settle_beside(std::string_view group, const std::string& place, std::size_t reach,
                           std::int64_t timestamp) {
  std::vector<std::string> places;
  std::size_t less = 0;
  if (Status found = places_.around(group, place, 2 * reach, 2 * reach + 1, places, less); !found) return found;
  return compute(group, places, less - std::min(less, reach), std::min(places.size(), less + reach + 1), timestamp);
}

/// The values of rows [from, to) of those at `places`.
Status Over::compute(std::string_view group, const std::vector<std::string>& places, std::size_t from, std::size_t to,
                     std::int64_t timestamp) {
  if (from >= to) return {};
  keys_.clear();
  for (const std::string& place : places) {
    keys_.bytes.append(group).append(id_of(place));
    keys_.ends.push_back(static_cast<std::uint32_t>(keys_.bytes.size()));
  }
  entries_.resize(places.size());
  if (Status found = store_.find(keys_, entries_); !found) return found;
  std::vector<std::optional<std::string_view>> rows;
  std::vector<std::string_view> orders;
  auto timestamps = std::make_shared<std::vector<std::int64_t>>();
  for (Entry* entry : entries_) {
    OverRow row;
    if (entry == nullptr || !OverRow::read(bytes_of(*entry), row)) return unreadable();
    rows.emplace_back(row.row);
    orders.push_back(row.order);
    timestamps->push_back(row.timestamp);
  }
  auto columns = row_codec_.decode(rows);
  if (!columns) return columns.error();
  Batch batch;
  batch.rows = places.size();
  batch.columns = std::move(*columns);
  batch.timestamps = std::move(timestamps);
  groups_.decode(std::vector<std::string_view>(places.size(), group), batch);
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
  const std::string now(bytes_of(entry));
  OverRow row;
  if (!OverRow::read(now, row)) return unreadable();
  const bool same = row.values == values;
  if (same && !fresh) return {};
  row.values = values;
  if (!same) store_.put_row(entry, std::max(row.timestamp, timestamp), OverRow::write(row));
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
  changes_.push_back({kind, timestamp, key, held_.emplace_back(bytes_of(entry))});
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
    OverRow was, is;
    if ((before != nullptr && !OverRow::read(old, was)) || !OverRow::read(bytes_of(*entry), is)) return unreadable();
    if (before != nullptr && was.same_result(is)) continue;
    note(*entry, old, before != nullptr);
  }
  // A row that went from one partition to another leaves before it comes, whichever is seen first.
  std::ranges::stable_partition(changes_, [](const Change& change) { return change.kind == RowKind::remove; });
  return give(out);
}

Status Over::give(Emitter& out) {
  const Status given = give_in_parts(
      changes_.size(), [&](std::size_t row) { return changes_[row].kind; },
      [&](std::size_t from, std::size_t to) { return give_part(std::span(changes_).subspan(from, to - from), out); });
  if (!given) return given;
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
    OverRow row;
    if (!OverRow::read(change.bytes, row)) return unreadable();
    groups.push_back(change.key.substr(0, row.group_bytes));
    rows.emplace_back(row.row);
    values.push_back(row.values.empty() ? std::nullopt : std::optional(row.values));
    timestamps->push_back(change.timestamp);
    made.kinds.push_back(change.kind);
  }
  auto columns = row_codec_.decode(rows);
  if (!columns) return columns.error();
  made.columns = std::move(*columns);
  made.timestamps = std::move(timestamps);
  groups_.decode(groups, made);
  RowErrors errors;
  std::vector<ColumnPtr> ids;
  for (Evaluator& id : ids_) ids.push_back(id.evaluate(made, errors));
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
  const MapStoreOptions options{.layout = std::shared_ptr<const ValueLayout>(&row_layout(), [](const ValueLayout*) {})};
  Result<std::unique_ptr<MapStore>> store = MapStore::open(*slot, options);
  if (!store) return store.error();
  auto* rows = static_cast<MapStore*>(slot->attach(std::move(*store)));
  slot->prefix += "|places";
  Result<std::unique_ptr<PairStore>> index = PairStore::open(*slot, rows);
  if (!index) return index.error();
  auto* places = static_cast<PairStore*>(slot->attach_index(std::move(*index)));
  return std::make_unique<Over>(node, lower, *rows, *places);
}

}  // namespace millrace::inline exec
