#include <algorithm>
#include <deque>
#include <span>

#include "exec/operators/batch_ops.h"
#include "exec/operators/parts.h"
#include "exec/operators/ranked_rows.h"
#include "exec/operators/table_side.h"

namespace millrace::inline exec {
namespace {

/// Keeps, for each group, its first rows (of a stream, whose other rows never come back) or all (of a table) in order,
/// as one value of a store; the value's time is that of the row that changed the group last.
class TopRows final : public Operator {
 public:
  TopRows(const TopRowsNode& node, const LowerContext& lower, MapStore& store)
      : node_(node),
        context_(lower.context),
        keys_(*node.input),
        codec_(node.input->schema),
        order_(node.order, *node.input),
        store_(store),
        table_(node.input->kind == RelationKind::table),
        every_change_(lower.context.options().emit_every_change),
        emit_before_(lower.emit_before) {
    for (const ProjectItem& item : node.row_key) ids_.emplace_back(item.expr);
  }

  /// Its input's times say nothing about what it gives.
  Status on_time(int, std::int64_t, Emitter&) override { return {}; }
  Status on_batch(int, const Batch& in, Emitter& out) override {
    if (Status taken = take_in(in); !taken) return taken;
    return every_change_ ? give(out) : Status{};
  }
  Status on_commit(Emitter& out) override {
    if (every_change_) return {};
    for (Entry* entry : store_.changed()) {
      const std::byte* before = store_.before(*entry);
      const std::string_view old = before == nullptr ? std::string_view() : row_value(before).bytes();
      const Touched all{0, SIZE_MAX, std::nullopt};
      if (Status noted = note(store_.key(*entry), old, bytes_of(*entry), value_timestamp(entry->value()), all); !noted)
        return noted;
      if (node_.by_row || changes_.size() < kMaxBatchRows) continue;
      if (Status given = give(out); !given) return given;
    }
    if (node_.by_row) put_removals_first(changes_);
    return give(out);
  }

 private:
  struct Change {
    std::string_view group;
    std::int64_t number, timestamp;
    std::string_view row;
    RowKind kind;
  };

  /// What a change touched: places among the rows, and the row. Without a row it is not known: all that differs.
  struct Touched {
    std::size_t first, last;
    std::optional<std::string_view> id;
    bool differs(const RankedRow& old, const RankedRow& now) const { return id || old.row != now.row; }
  };

  static std::string_view bytes_of(const Entry& entry) {
    return entry.present() ? row_value(const_cast<Entry&>(entry).value()).bytes() : std::string_view();
  }
  bool counts(const Batch& in, std::uint32_t row) const {
    if (in.null_values.test(row)) return false;
    return node_.moves_rows() || !in.null_keys.test(row);
  }

  Status take_in(const Batch& in);
  Status take_row(const Batch& in, std::uint32_t row, Entry& entry, std::int64_t timestamp, bool removed, bool added);
  bool is_pair(const Batch& in, std::size_t i) const {
    return is_update(in, rows_[i]) && i + 1 < rows_.size() && rows_[i + 1] == rows_[i] + 1 &&
           entries_[i + 1] == entries_[i];
  }
  /// Whether a row of a stream is behind all that its group keeps.
  bool is_behind(const Entry& entry, std::uint32_t row) {
    if (table_ || !entry.present()) return false;
    if (!read_rows(bytes_of(entry), kept_)) return false;
    const std::size_t place = place_of(kept_, sorted_[row], {});
    if (node_.rank == RankFunction::row_number) return place >= static_cast<std::size_t>(node_.most);
    return place == kept_.size() && !kept_.empty() && kept_.back().order != sorted_[row] &&
           count_first(kept_, node_.rank, static_cast<std::size_t>(node_.most)) == kept_.size() && is_full();
  }
  bool is_full() const {
    std::size_t distinct = 0;
    for (std::size_t i = 0; i < kept_.size(); ++i) distinct += i == 0 || kept_[i].order != kept_[i - 1].order;
    return (node_.rank == RankFunction::rank ? kept_.size() : distinct) >= static_cast<std::size_t>(node_.most);
  }

  Status note(std::string_view group, std::string_view old, std::string_view now, std::int64_t timestamp,
              const Touched& touched);
  void note_numbers(std::string_view group, std::size_t old_count, std::size_t now_count, std::int64_t timestamp,
                    const Touched& touched);
  void note_rows(std::string_view group, std::size_t old_count, std::size_t now_count, std::int64_t timestamp,
                 const Touched& touched);
  void note_update(std::string_view group, std::int64_t number, const RankedRow& old, const RankedRow& now,
                   std::int64_t timestamp) {
    if (emit_before_)
      changes_.push_back({group, number, std::max(now.timestamp, timestamp), old.row, RowKind::update_before});
    note_now(group, number, now, timestamp, RowKind::update_after);
  }
  void note_now(std::string_view group, std::int64_t number, const RankedRow& now, std::int64_t timestamp,
                RowKind kind) {
    if (!emit_before_) kind = RowKind::update_after;
    changes_.push_back({group, number, std::max(now.timestamp, timestamp), now.row, kind});
  }
  Status give(Emitter& out);
  Status give_part(std::span<const Change> changes, Emitter& out);

  const TopRowsNode& node_;
  OperatorContext& context_;
  const StoreKeys keys_;
  RowCodec codec_;
  SortBytes order_;
  std::vector<Evaluator> ids_;
  MapStore& store_;
  const bool table_, every_change_, emit_before_;

  std::vector<Change> changes_;  // to be given out; their bytes are the store's or in held_
  std::deque<std::string> held_;

  // Scratch.
  std::vector<std::uint32_t> rows_;
  KeyBuffer key_bytes_, sorted_, id_bytes_;
  std::vector<Entry*> entries_;
  Encoded encoded_;
  RankedRows kept_, old_, now_;
  std::string written_;
};

Status TopRows::take_in(const Batch& all) {
  RowErrors errors;
  order_.encode(all, errors, sorted_);
  if (errors.count != 0) context_.report(errors, all);
  rows_.clear();
  RowErrors absent;
  for (std::uint32_t row = 0; row < all.rows; ++row)
    if (counts(all, row))
      rows_.push_back(row);
    else if (all.null_keys.test(row) && !all.null_values.test(row))
      absent.add(row, "The key of the row is NULL. It will be excluded from the table.");
  if (absent.count != 0) context_.report(absent, all);
  keys_.encode(all, rows_, key_bytes_);
  entries_.resize(rows_.size());
  if (Status found = store_.find_or_create(key_bytes_, entries_); !found) return found;
  if (!table_) {  // rows that do not count even now are not worth more work
    std::size_t kept = 0;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      if (is_behind(*entries_[i], rows_[i])) continue;
      rows_[kept] = rows_[i];
      entries_[kept++] = entries_[i];
    }
    rows_.resize(kept);
    entries_.resize(kept);
  }
  if (rows_.empty()) return {};
  if (Status encoded = codec_.encode(all, encoded_); !encoded) return encoded;
  if (table_) {
    std::vector<ColumnPtr> ids;
    for (Evaluator& id : ids_) ids.push_back(id.evaluate(all, errors));
    encode_keys(ids, all_rows(all.rows), {}, id_bytes_);
  }
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    const RowKind kind = all.kind(rows_[i]);
    const bool pair = is_pair(all, i);
    const bool removed = kind == RowKind::update_before || kind == RowKind::remove;
    const std::uint32_t row = rows_[i + (pair ? 1 : 0)];
    const std::int64_t timestamp = (*all.timestamps)[row];
    if (Status taken = take_row(all, row, *entries_[i], timestamp, table_, !removed || pair); !taken) return taken;
    if (pair) ++i;
  }
  return {};
}

/// `removed`: what the group holds of this row goes. `added`: the row as it is now comes.
Status TopRows::take_row(const Batch&, std::uint32_t row, Entry& entry, std::int64_t timestamp, bool removed,
                         bool added) {
  const std::string_view old = bytes_of(entry);
  if (!read_rows(old, now_)) return Error{Fault::bug, "kept rows cannot be read"};
  const std::string_view id = table_ ? id_bytes_[row] : std::string_view();
  const std::size_t at = removed ? find_row(now_, id) : now_.size();
  const bool found = at < now_.size();
  if (!found && !added) return {};
  Touched touched{at, SIZE_MAX, id};
  if (found) now_.erase(now_.begin() + static_cast<std::ptrdiff_t>(at));
  if (added) {
    const std::size_t place = place_of(now_, sorted_[row], id);
    now_.insert(now_.begin() + static_cast<std::ptrdiff_t>(place),
                RankedRow{sorted_[row], id, timestamp, encoded_.row(row)});
    if (!table_) {
      now_.resize(count_first(now_, node_.rank, static_cast<std::size_t>(node_.most)));
      if (place >= now_.size()) return {};
    }
    touched.first = found ? std::min(at, place) : place;
    if (found) touched.last = std::max(at, place);
  }
  written_.clear();
  write_rows(now_, written_);
  if (!every_change_) {
    if (now_.empty()) {
      store_.remove(entry);
      value_timestamp(entry.value()) = timestamp;
    } else {
      store_.put_row(entry, timestamp, written_);
    }
    return {};
  }
  const std::string& before = held_.emplace_back(old);
  const std::string& after = held_.emplace_back(written_);
  if (now_.empty())
    store_.remove(entry);
  else
    store_.put_row(entry, timestamp, written_);
  return note(store_.key(entry), before, after, timestamp, touched);
}

/// What changed for those who see the first rows only.
Status TopRows::note(std::string_view group, std::string_view old, std::string_view now, std::int64_t timestamp,
                     const Touched& touched) {
  if (!read_rows(old, old_) || !read_rows(now, now_)) return Error{Fault::bug, "kept rows cannot be read"};
  const auto most = static_cast<std::size_t>(node_.most);
  const std::size_t old_count = count_first(old_, node_.rank, most), now_count = count_first(now_, node_.rank, most);
  node_.by_row ? note_rows(group, old_count, now_count, timestamp, touched)
               : note_numbers(group, old_count, now_count, timestamp, touched);
  return {};
}

void TopRows::note_numbers(std::string_view group, std::size_t old_count, std::size_t now_count, std::int64_t timestamp,
                           const Touched& touched) {
  for (std::size_t i = touched.first; i < std::max(old_count, now_count) && i <= touched.last; ++i) {
    const auto number = static_cast<std::int64_t>(i + 1);
    if (i >= now_count) {
      changes_.push_back({group, number, timestamp, old_[i].row, RowKind::remove});
    } else if (i >= old_count) {
      note_now(group, number, now_[i], timestamp, RowKind::insert);
    } else if (touched.differs(old_[i], now_[i])) {
      note_update(group, number, old_[i], now_[i], timestamp);
    }
  }
}

void TopRows::note_rows(std::string_view group, std::size_t old_count, std::size_t now_count, std::int64_t timestamp,
                        const Touched& touched) {
  const auto among_first = [](const RankedRows& rows, std::size_t count, std::string_view id) {
    for (std::size_t i = 0; i < count; ++i)
      if (rows[i].id == id) return i;
    return count;
  };
  for (std::size_t i = 0; i < old_count; ++i)
    if (among_first(now_, now_count, old_[i].id) == now_count)
      changes_.push_back({group, 0, timestamp, old_[i].row, RowKind::remove});
  for (std::size_t i = 0; i < now_count; ++i) {
    const std::size_t before = among_first(old_, old_count, now_[i].id);
    if (before == old_count)
      note_now(group, 0, now_[i], timestamp, RowKind::insert);
    else if (touched.id ? *touched.id == now_[i].id : old_[before].row != now_[i].row)
      note_update(group, 0, old_[before], now_[i], timestamp);
  }
}

Status TopRows::give(Emitter& out) {
  const auto part = [&](std::span<const Change> changes) { return give_part(changes, out); };
  if (Status given = give_changes(changes_, part); !given) return given;
  changes_.clear();
  held_.clear();
  return {};
}

Status TopRows::give_part(std::span<const Change> changes, Emitter& out) {
  std::vector<std::string_view> groups;
  std::vector<std::optional<std::string_view>> rows;
  auto timestamps = std::make_shared<std::vector<std::int64_t>>();
  auto numbers = make_column(Type::bigint(), changes.size());
  Batch made;
  made.rows = changes.size();
  for (std::size_t i = 0; i < changes.size(); ++i) {
    const Change& change = changes[i];
    groups.push_back(change.group);
    rows.emplace_back(change.row);
    timestamps->push_back(change.timestamp);
    numbers->data.as<std::int64_t>()[i] = change.number;
    made.kinds.push_back(change.kind);
  }
  auto columns = codec_.decode(rows);
  if (!columns) return columns.error();
  made.columns = std::move(*columns);
  made.timestamps = std::move(timestamps);
  keys_.decode(groups, made);
  std::size_t keys = keys_.columns();
  if (node_.numbered()) {
    made.columns.insert(made.columns.begin(), std::move(numbers));
    ++keys;
  } else if (node_.by_row) {
    RowErrors errors;
    std::vector<ColumnPtr> ids;
    for (Evaluator& id : ids_) ids.push_back(id.evaluate(made, errors));
    made.columns.insert(made.columns.begin(), ids.begin(), ids.end());
    keys = ids.size();
  }
  if (!emit_before_) null_removed(made, keys);
  return out.batch(std::move(made));
}

}  // namespace

MadeOperator make_top_rows(const TopRowsNode& node, const LowerContext& lower) {
  const auto store = open_rows(lower.store("rows"));
  if (!store) return store.error();
  return std::make_unique<TopRows>(node, lower, **store);
}

}  // namespace millrace::inline exec
