#include <fmt/format.h>

#include <algorithm>

#include "exec/operators/batch_ops.h"
#include "exec/operators/distinct_values.h"
#include "exec/operators/group_changes.h"
#include "exec/operators/windows.h"
#include "planner/logical/combines.h"
#include "planner/logical/window_trace.h"

namespace millrace::inline exec {
namespace {

/// Groups by the key of its input, with or without time windows.
///
/// With every change emitted, a batch is worked on in runs of rows whose groups all differ, so that each row's result
/// is that of the rows up to it. Otherwise the batch is taken in as a whole, and changed groups are given out at the
/// commit; what the state database has of them is read then, where the states can be merged.
class AggregateOperator final : public Operator {
 public:
  AggregateOperator(const AggregateNode& node, const LowerContext& lower, std::shared_ptr<const GroupLayout> layout,
                    MapStore& store, std::unique_ptr<DistinctValues> distinct)
      : context_(lower.context),
        layout_(layout),
        changes_(lower, std::move(layout)),
        arguments_(node.calls, *node.input),
        store_(store),
        distinct_(std::move(distinct)),
        table_(node.input->kind == RelationKind::table),
        combined_(node.combined),
        global_(node.global),
        final_(node.emit == EmitPolicy::final),
        every_change_(lower.context.options().emit_every_change),
        read_late_(!table_ && !final_ && !every_change_ && !node.closing_key && combines(node.calls)),
        closing_key_(node.closing_key),
        closes_after_(node.closes_after) {
    if (!node.window) return;
    windows_.emplace(*node.window, time_is_told(*node.input));
    rows_at_once_ = rows_at_once(windows_per_row(*node.window));
  }

  Status on_batch(int, const Batch& in, Emitter& out) override {
    if (const auto rows = countable_rows(in, global_)) {
      if (rows->empty()) return {};
      const Batch kept = gather(in, *rows);
      return combined_ ? take_in_combined(kept, out) : take_in(kept, out);
    }
    return combined_ ? take_in_combined(in, out) : take_in(in, out);
  }
  Status on_time(int, std::int64_t time, Emitter& out) override {
    if (closing_key_ && final_) {
      if (Status given = close_windows(time, out); !given) return given;
      return out.time(time);
    }
    if (!windows_) return {};
    windows_->set_stream_time(std::max(windows_->stream_time(), time));
    const std::int64_t closing = final_ ? last_closing(windows_->stream_time()) : closed_;
    return closing > closed_ ? close_windows(closing, out) : Status{};
  }
  Status on_commit(Emitter& out) override {
    if (in_windows()) {
      store_.expire_before(expired_before());
      if (distinct_) distinct_->store().expire_before(expired_before());
    }
    if (final_ || every_change_) return {};
    if (read_late_) {
      const auto merge = [this](std::byte* into, const std::byte* later) { return layout_->merge(into, later); };
      if (Status read = store_.read_unread(merge); !read) return read;
    }
    return changes_.give_changed(store_, out);
  }
  void save(std::string& bytes) const override {
    if (!in_windows()) return;
    save_number(windows_ ? windows_->stream_time() : stream_time_, bytes);
    save_number(closed_, bytes);
  }
  Status load(std::string_view bytes) override {
    if (!in_windows()) return {};
    const std::int64_t stream_time = load_number(bytes, INT64_MIN);
    if (windows_)
      windows_->set_stream_time(stream_time);
    else
      stream_time_ = stream_time;
    closed_ = load_number(bytes, -1);
    store_.expired_before(expired_before());
    if (distinct_) distinct_->store().expired_before(expired_before());
    return {};
  }

 private:
  bool in_windows() const { return windows_ || closing_key_; }
  /// The start of the last window that is closed at a stream time; -1: none is.
  std::int64_t last_closing(std::int64_t stream_time) const {
    if (stream_time == INT64_MIN) return -1;
    const WindowSpec& spec = windows_->spec();
    const std::int64_t last = stream_time - spec.grace_ms - spec.size_ms;
    return last < 0 ? -1 : last / spec.advance_ms * spec.advance_ms;
  }
  /// Windows that start before this are not kept. Those whose final results were given out are kept above.
  std::int64_t expired_before() const {
    if (final_) return closed_ + 1;
    if (windows_) return windows_->expired_before();
    return stream_time_ == INT64_MIN ? INT64_MIN : stream_time_ + 1;
  }

  Status take_in(const Batch& in, Emitter& out) {
    if (!closing_key_ || final_) return take_in_all(in, out);
    const std::vector<std::uint32_t> kept = still_kept(in);
    if (kept.empty()) return {};
    return is_all(kept, in.rows) ? take_in_all(in, out) : take_in_all(gather(in, kept), out);
  }

  Status take_in_all(const Batch& in, Emitter& out) {
    RowErrors errors;
    arguments_.evaluate(in, errors);
    if (errors.count != 0) context_.report(errors, in);
    if (closing_key_ && !final_) return take_in_kept(in, out);
    if (closing_key_) return take_in_closing(in);
    if (final_) return take_in_final(in, out);
    if (!windows_) {
      rows_ = all_rows(in.rows);
      return take_in_groups(in, out);
    }
    for (std::size_t from = 0; from < in.rows;) {
      const std::size_t to = std::min(in.rows, from + rows_at_once_);
      if (Status assigned = assign_windows(in, from, to); !assigned) return assigned;
      if (Status taken = take_in_groups(in, out); !taken) return taken;
      from = to;
    }
    return {};
  }

  Status take_in_groups(const Batch& in, Emitter& out) {
    if (Status found = find_groups(in); !found) return found;
    if (table_) return take_in_changes(in, out);
    if (!every_change_) return add(in, 0, rows_.size());
    for (std::size_t from = 0; from < rows_.size();) {
      const std::size_t to = run_end(from);
      const std::span<Entry* const> groups(entries_.data() + from, to - from);
      changes_.remember(groups);
      if (Status added = add(in, from, to); !added) return added;
      const Origin origin{&in, {rows_.data() + from, to - from}};
      if (Status given = changes_.give(store_, groups, origin, out); !given) return given;
      from = to;
    }
    return {};
  }

  /// Rows [from, to) with each of their open windows into rows_ and starts_.
  Status assign_windows(const Batch& in, std::size_t from, std::size_t to) {
    rows_.clear();
    starts_.clear();
    late_.clear();
    const auto& timestamps = *in.timestamps;
    for (std::size_t row = from; row < to; ++row) {
      windows_->assign(timestamps[row], starts_, [&](std::int64_t start) {
        late_.push_back(windows_->late_row(static_cast<std::uint32_t>(row), start));
      });
      rows_.resize(starts_.size(), static_cast<std::uint32_t>(row));
    }
    return context_.late_rows(in, late_);
  }

  Status find_groups(const Batch& in) {
    if (in_windows()) {
      const std::span<const std::int64_t> starts(starts_);
      encode_keys({in.columns.data(), changes_.keys().columns()}, rows_, {&starts, 1}, keys_);
    } else {
      changes_.keys().encode(in, rows_, keys_);
    }
    entries_.resize(rows_.size());
    return read_late_ ? store_.find_or_create_unread(keys_, entries_) : store_.find_or_create(keys_, entries_);
  }

  /// End of the longest run from `from` in which no group comes twice.
  std::size_t run_end(std::size_t from) {
    next_run();
    std::size_t to = from;
    do entries_[to++]->mark = run_;
    while (to < entries_.size() && entries_[to]->mark != run_);
    return to;
  }
  /// Marks may be left over from 65,535 runs ago: that only cuts a run short.
  void next_run() {
    if (++run_ == 0) ++run_;
  }

  std::byte* open_group(Entry& entry, std::int64_t timestamp) {
    store_.change(entry);
    std::byte* value = entry.value();
    if (!entry.present()) {
      layout_->init(value);
      entry.set(Entry::kPresent);
    }
    value_timestamp(value) = std::max(value_timestamp(value), timestamp);
    return value;
  }

  Status add(const Batch& in, std::size_t from, std::size_t to) {
    values_.clear();
    const auto& timestamps = *in.timestamps;
    const std::size_t changed = store_.changed().size();
    for (std::size_t i = from; i < to; ++i) values_.push_back(open_group(*entries_[i], timestamps[rows_[i]]));
    Status applied = arguments_.apply(*layout_, {entries_.data() + from, to - from}, values_,
                                      {rows_.data() + from, to - from}, false, distinct_.get());
    store_.count_made(changed);
    return applied;
  }

  Status take_in_combined(const Batch& in, Emitter& out);
  Status merge(const Batch& in);
  Status take_in_final(const Batch& in, Emitter& out);
  Status take_in_closing(const Batch& in);
  std::vector<std::uint32_t> still_kept(const Batch& in);
  Status take_in_kept(const Batch& in, Emitter& out);
  Status close_windows(std::int64_t up_to, Emitter& out);
  Status take_in_changes(const Batch& in, Emitter& out);
  Status apply_steps(const Batch& in, Emitter& out);

  /// A change of a table row, as far as it concerns one group.
  struct Step {
    Entry* entry;
    std::int64_t undo, add;  // rows; -1 for none
  };

  OperatorContext& context_;
  std::shared_ptr<const GroupLayout> layout_;
  GroupChanges changes_;
  GroupArguments arguments_;
  MapStore& store_;
  std::unique_ptr<DistinctValues> distinct_;  // null: no call is DISTINCT
  std::optional<TimeWindows> windows_;
  std::size_t rows_at_once_ = kMaxBatchRows;  // into windows
  bool table_, combined_, global_, final_, every_change_;
  bool read_late_;                           // stored groups are met at the commit
  std::optional<std::int64_t> closing_key_;  // EMIT FINAL over windows of others: the key column that says their ends
  std::int64_t closes_after_;
  std::int64_t stream_time_ = INT64_MIN;  // groups by windows of others that change: kept until it is past them
  std::int64_t closed_ = -1;  // EMIT FINAL: windows up to this start, or of others to this end, have been given out

  // Scratch.
  std::vector<std::uint32_t> rows_;
  std::vector<std::int64_t> starts_;
  std::vector<LateRow> late_;
  KeyBuffer keys_;
  std::vector<Entry*> entries_;
  std::vector<std::byte*> values_;
  std::vector<std::string_view> states_;
  std::vector<Step> steps_;
  std::uint16_t run_ = 0;
};

/// Rows of a Combine: sums of rows, and rows as they came in.
Status AggregateOperator::take_in_combined(const Batch& in, Emitter& out) {
  const Column& states = *in.columns.back();
  std::vector<std::uint32_t> sums, plain;
  for (std::uint32_t row = 0; row < in.rows; ++row) (states.is_null(row) ? plain : sums).push_back(row);
  if (sums.empty()) return take_in(in, out);
  if (plain.empty()) return merge(in);
  if (Status merged = merge(gather(in, sums)); !merged) return merged;
  return take_in(gather(in, plain), out);
}

Status AggregateOperator::merge(const Batch& in) {
  rows_ = all_rows(in.rows);
  if (Status found = find_groups(in); !found) return found;
  values_.clear();
  const std::size_t changed = store_.changed().size();
  for (std::size_t i = 0; i < in.rows; ++i) values_.push_back(open_group(*entries_[i], (*in.timestamps)[i]));
  const auto states = in.columns.back()->values<std::string_view>();
  states_.assign(states.begin(), states.end());
  Status merged = layout_->merge_states(values_, states_);
  store_.count_made(changed);
  return merged;
}

/// The batch is cut at least behind each row that closes windows; those are given out before the next row is looked at.
Status AggregateOperator::take_in_final(const Batch& in, Emitter& out) {
  for (std::size_t from = 0; from < in.rows;) {
    std::size_t to = from;
    std::int64_t time = windows_->stream_time(), closing = -1;
    while (to < in.rows && closing <= closed_ && to - from < rows_at_once_) {
      time = windows_->after(time, (*in.timestamps)[to++]);
      closing = last_closing(time);
    }
    if (Status assigned = assign_windows(in, from, to); !assigned) return assigned;
    if (Status found = find_groups(in); !found) return found;
    if (Status added = add(in, 0, rows_.size()); !added) return added;
    if (closing > closed_)
      if (Status given = close_windows(closing, out); !given) return given;
    from = to;
  }
  return {};
}

/// Rows that are final results of windows: their time says when all of a window have come, so that none is late.
Status AggregateOperator::take_in_closing(const Batch& in) {
  rows_.clear();
  starts_.clear();
  const auto ends = in.columns[static_cast<std::size_t>(*closing_key_)]->values<std::int64_t>();
  for (std::uint32_t row = 0; row < in.rows; ++row) {
    const std::int64_t end = ends[row] + closes_after_;
    if (end <= closed_) continue;
    rows_.push_back(row);
    starts_.push_back(end);
  }
  if (const std::size_t late = in.rows - rows_.size(); late != 0) context_.late_rows(late);
  if (Status found = find_groups(in); !found) return found;
  return add(in, 0, rows_.size());
}

/// Changes of a table by windows of others: the groups are kept for so long as the key column says. Rows of those that
/// have gone are left out.
std::vector<std::uint32_t> AggregateOperator::still_kept(const Batch& in) {
  std::vector<std::uint32_t> kept;
  const auto bounds = in.columns[static_cast<std::size_t>(*closing_key_)]->values<std::int64_t>();
  for (std::uint32_t row = 0; row < in.rows; ++row) {
    stream_time_ = std::max(stream_time_, (*in.timestamps)[row]);
    if (bounds[row] + closes_after_ > stream_time_) kept.push_back(row);
  }
  if (kept.size() != in.rows) context_.late_rows(in.rows - kept.size());
  return kept;
}

Status AggregateOperator::take_in_kept(const Batch& in, Emitter& out) {
  const auto bounds = in.columns[static_cast<std::size_t>(*closing_key_)]->values<std::int64_t>();
  rows_ = all_rows(in.rows);
  starts_.clear();
  for (const std::uint32_t row : rows_) starts_.push_back(bounds[row] + closes_after_);
  return take_in_groups(in, out);
}

/// Gives out the windows that start up to `up_to` and were not given out yet, whatever the retention.
Status AggregateOperator::close_windows(std::int64_t up_to, Emitter& out) {
  const std::int64_t from = closed_ + 1;
  closed_ = up_to;
  std::vector<Entry*> groups;
  if (Status found = store_.collect_windows_in_order(from, up_to + 1, groups); !found) return found;
  for (std::size_t i = 0; i < groups.size(); i += kMaxBatchRows) {
    const std::span<Entry* const> part(groups.data() + i, std::min(kMaxBatchRows, groups.size() - i));
    changes_.remember_nothing(part.size());
    if (Status given = changes_.give(store_, part, {}, out); !given) return given;
  }
  return windows_ ? out.time(up_to + windows_->spec().size_ms) : Status{};
}

/// Table input: rows are undone and redone. An update within one group is one step and gives one result.
Status AggregateOperator::take_in_changes(const Batch& in, Emitter& out) {
  steps_.clear();
  next_run();
  for (std::size_t i = 0; i < in.rows; ++i) {
    const auto row = static_cast<std::int64_t>(i);
    const RowKind kind = in.kind(i);
    Step step{entries_[i], -1, row};
    const bool pair = is_update(in, i) && entries_[i + 1] == entries_[i];
    if (kind == RowKind::update_before || kind == RowKind::remove) step = {entries_[i], row, pair ? row + 1 : -1};
    if (step.entry->mark == run_) {
      if (Status applied = apply_steps(in, out); !applied) return applied;
      next_run();
    }
    step.entry->mark = run_;
    steps_.push_back(step);
    if (pair) ++i;
  }
  return apply_steps(in, out);
}

/// Precondition: no group comes twice in steps_.
Status AggregateOperator::apply_steps(const Batch& in, Emitter& out) {
  // Taking a row out of a group that does not exist changes nothing.
  std::erase_if(steps_, [](const Step& step) { return step.add < 0 && !step.entry->present(); });
  std::vector<Entry*> groups;
  std::vector<std::uint32_t> causes;
  for (const Step& step : steps_) {
    groups.push_back(step.entry);
    causes.push_back(static_cast<std::uint32_t>(step.add >= 0 ? step.add : step.undo));
  }
  if (every_change_) changes_.remember(groups);
  for (const bool undo : {true, false}) {
    std::vector<Entry*> entries;
    std::vector<std::byte*> values;
    std::vector<std::uint32_t> rows;
    for (const Step& step : steps_) {
      const std::int64_t row = undo ? step.undo : step.add;
      if (row < 0 || (undo && !step.entry->present())) continue;
      values.push_back(open_group(*step.entry, (*in.timestamps)[static_cast<std::size_t>(row)]));
      entries.push_back(step.entry);
      rows.push_back(static_cast<std::uint32_t>(row));
    }
    if (Status applied = arguments_.apply(*layout_, entries, values, rows, undo, distinct_.get()); !applied)
      return applied;
  }
  steps_.clear();
  return every_change_ && !groups.empty() ? changes_.give(store_, groups, {&in, causes}, out) : Status{};
}

}  // namespace

MadeOperator make_aggregate_operator(const AggregateNode& node, const LowerContext& lower) {
  Result<StoreSlot> slot = lower.store("groups");
  if (!slot) return slot.error();
  if (node.combined && lower.context.options().emit_every_change)
    return Error{Fault::bug, "rows were combined though every change is to be seen"};
  auto layout = std::make_shared<const GroupLayout>(node);
  if (node.input->kind == RelationKind::table)
    for (std::size_t c = 0; c < layout->calls(); ++c)
      if (!layout->aggregate(c).supports_undo())
        return user_error("{} cannot be applied to a table", node.calls[c].function->name);
  MapStoreOptions options{.layout = layout, .window_bytes = StoreKeys(lower.node).window_bytes()};
  if (node.closing_key) options.retention_ms = node.closing_size;
  if (node.window) {
    options.advance_ms = node.window->advance_ms;
    options.retention_ms = kept_ms(node);
  }
  Result<std::unique_ptr<MapStore>> store = MapStore::open(*slot, options);
  if (!store) return store.error();
  auto* attached = static_cast<MapStore*>(slot->attach(std::move(*store)));
  std::unique_ptr<DistinctValues> distinct;
  if (any_distinct(node.calls)) {
    Result<StoreSlot> values = lower.store(AggregateNode::kDistinct);
    if (!values) return values.error();
    auto opened =
        DistinctValues::open(node.calls, *values, options, *attached, node.input->kind == RelationKind::table);
    if (!opened) return opened.error();
    distinct = std::move(*opened);
  }
  return std::make_unique<AggregateOperator>(node, lower, std::move(layout), *attached, std::move(distinct));
}

}  // namespace millrace::inline exec
