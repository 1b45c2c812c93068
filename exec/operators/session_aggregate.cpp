#include <algorithm>

#include "exec/operators/batch_ops.h"
#include "exec/operators/due_keys.h"
#include "exec/operators/group_values.h"
#include "exec/operators/windows.h"
#include "exec/state/ordered_store.h"
#include "planner/logical/window_trace.h"

namespace millrace::inline exec {
namespace {

/// Groups by key and session: rows no further apart than the gap. A row that touches sessions withdraws them and makes
/// one of all, itself included. Results carry the session's end as their time.
class SessionAggregate final : public Operator {
 public:
  SessionAggregate(const AggregateNode& node, const LowerContext& lower, std::shared_ptr<const GroupLayout> layout,
                   OrderedStore& store)
      : context_(lower.context),
        spec_(*node.window),
        keys_(lower.node),
        layout_(std::move(layout)),
        arguments_(node.calls, *node.input),
        store_(store),
        global_(node.global),
        final_(node.emit == EmitPolicy::final),
        every_change_(lower.context.options().emit_every_change),
        emit_before_(lower.emit_before),
        stream_(node.stream),
        aligned_(time_is_told(*node.input)) {}

  Status on_batch(int, const Batch& in, Emitter& out) override {
    if (const auto rows = countable_rows(in, global_))
      return rows->empty() ? Status{} : take_in(gather(in, *rows), out);
    return take_in(in, out);
  }
  Status on_time(int, std::int64_t time, Emitter& out) override {
    stream_time_ = std::max(stream_time_, time);
    if (!final_) return {};
    if (Status closed = close(out); !closed) return closed;
    return tell(out);
  }
  Status on_commit(Emitter& out) override;
  void save(std::string& bytes) const override {
    save_number(stream_time_, bytes);
    save_number(closed_, bytes);
  }
  Status load(std::string_view bytes) override {
    stream_time_ = load_number(bytes, INT64_MIN);
    closed_ = load_number(bytes, -1);
    told_ = closed_;
    due_.begin_at(closed_ + 1);
    store_.map().expired_before(expired_before());
    return {};
  }

 private:
  Status take_in(const Batch& in, Emitter& out);
  Status take_row(const Batch& in, std::uint32_t row, std::string_view key, OrderedStore::List& list,
                  std::int64_t kept_from);
  Result<Entry*> merge(std::string_view key, OrderedStore::List& list, std::size_t first, std::size_t last,
                       std::int64_t start, std::int64_t end);
  Status withdraw(const OrderedStore::List& list, std::size_t first, std::size_t last);
  Status close(Emitter& out);
  /// Says up to which end all sessions have been given out.
  Status tell(Emitter& out) {
    const std::int64_t bound = close_time();
    if (bound == INT64_MIN || bound - 1 <= told_) return {};
    told_ = bound - 1;
    return out.time(told_);
  }
  Status find_due(std::int64_t bound, std::vector<Entry*>& sessions);

  void note(const Entry& entry, const std::byte* value, RowKind kind) {
    keys_out_.emplace_back(store_.map().key(entry));
    kinds_out_.push_back(kind);
    times_out_.push_back(OrderedStore::end_of(keys_out_.back()));
    std::byte* copy = new_value();
    layout_->copy(value, copy);
    values_out_.push_back(copy);
    if (headers_) headers_out_.resize(values_out_.size() - 1);
    if (headers_) headers_out_.push_back(headers_);
  }
  Status flush(Emitter& out);
  std::byte* new_value() { return static_cast<std::byte*>(::operator new(layout_->size(), std::align_val_t(16))); }
  void free_values() {
    for (const std::byte* value : values_out_) {
      auto* owned = const_cast<std::byte*>(value);
      if (!layout_->trivial()) layout_->destroy(owned);
      ::operator delete(owned, std::align_val_t(16));
    }
    values_out_.clear();
    headers_out_.clear();
    keys_out_.clear();
    kinds_out_.clear();
    times_out_.clear();
  }
  std::int64_t close_time() const {
    return stream_time_ == INT64_MIN ? INT64_MIN : stream_time_ - spec_.grace_ms - spec_.size_ms;
  }
  std::int64_t expired_before() const {
    if (final_) return closed_ + 1;  // what was given out is kept above, and never opened again
    return stream_time_ == INT64_MIN ? INT64_MIN : stream_time_ - spec_.retention_ms;
  }

  OperatorContext& context_;
  WindowSpec spec_;
  StoreKeys keys_;
  std::shared_ptr<const GroupLayout> layout_;
  GroupArguments arguments_;
  OrderedStore& store_;
  bool global_, final_, every_change_, emit_before_, stream_;
  bool aligned_;  // rows do not move stream time
  std::int64_t stream_time_ = INT64_MIN;
  std::int64_t closed_ = -1;  // EMIT FINAL: sessions that end up to here have been given out

  std::int64_t told_ = -1;  // EMIT FINAL: how far it has said that it has come

  DueKeys due_;  // EMIT FINAL: sessions by their ends, some of them gone by now

  KeyBuffer key_bytes_;
  std::vector<OrderedStore::List*> lists_;
  std::vector<std::int64_t> lists_from_;
  std::vector<std::string> keys_out_;
  std::vector<const std::byte*> values_out_;
  std::vector<std::int64_t> times_out_;
  std::vector<RowKind> kinds_out_;
  std::vector<std::shared_ptr<const Headers>> headers_out_;
  std::shared_ptr<const Headers> headers_;  // of the row under way
  std::vector<LateRow> late_;               // of the batch
};

Status SessionAggregate::take_in(const Batch& in, Emitter& out) {
  RowErrors errors;
  arguments_.evaluate(in, errors);
  if (errors.count != 0) context_.report(errors, in);
  const std::vector<std::uint32_t> rows = all_rows(in.rows);
  encode_keys({in.columns.data(), keys_.columns()}, rows, {}, key_bytes_);
  lists_from_.clear();
  for (const std::uint32_t row : rows)
    lists_from_.push_back(std::max((*in.timestamps)[row] - spec_.size_ms, expired_before()));
  if (Status found = store_.lists(key_bytes_, lists_from_, lists_); !found) return found;
  late_.clear();
  for (const std::uint32_t row : rows) {
    if (!in.headers.empty()) headers_ = in.headers[row];
    const std::int64_t kept_from = expired_before();  // when a commit drops what is older must not matter
    if (!aligned_) stream_time_ = std::max(stream_time_, (*in.timestamps)[row]);
    if (Status taken = take_row(in, row, key_bytes_[row], *lists_[row], kept_from); !taken) return taken;
    if (final_)
      if (Status closed = close(out); !closed) return closed;
  }
  headers_ = nullptr;
  if (Status told = context_.late_rows(in, late_); !told) return told;
  const Status given = flush(out);
  return given && final_ ? tell(out) : given;
}

Status SessionAggregate::take_row(const Batch& in, std::uint32_t row, std::string_view key, OrderedStore::List& list,
                                  std::int64_t kept_from) {
  const std::int64_t time = (*in.timestamps)[row];
  std::size_t first = 0;
  while (first < list.size() && list[first].end < std::max(time - spec_.size_ms, kept_from)) ++first;
  std::size_t last = first;
  std::int64_t start = time, end = time;
  for (; last < list.size() && list[last].start <= time + spec_.size_ms; ++last) {
    start = std::min(start, list[last].start);
    end = std::max(end, list[last].end);
  }
  if (end < close_time()) {
    late_.push_back({row, close_time() - end, start, end});
    return {};
  }
  const bool same = start == time && end == time;  // a session of this very instant is not withdrawn
  if (every_change_ && !final_ && !same)
    if (Status withdrawn = withdraw(list, first, last); !withdrawn) return withdrawn;
  const bool had = same && last != first;
  if (had && every_change_ && emit_before_ && !final_)
    note(*list[first].entry, list[first].entry->value(), RowKind::update_before);
  Result<Entry*> session = merge(key, list, first, last, start, end);
  if (!session) return session.error();
  std::byte* value = (*session)->value();
  value_timestamp(value) = end;
  if (Status added = arguments_.apply(*layout_, {&value, 1}, {&row, 1}, false); !added) return added;
  if (final_ && end < due_.known_to()) due_.add({end, false, std::string(store_.map().key(**session))});
  if (every_change_ && !final_) note(**session, value, emit_before_ && !had ? RowKind::insert : RowKind::update_after);
  return {};
}

Status SessionAggregate::withdraw(const OrderedStore::List& list, std::size_t first, std::size_t last) {
  for (std::size_t i = first; i < last; ++i) note(*list[i].entry, list[i].entry->value(), RowKind::remove);
  return {};
}

/// Sessions [first, last) of the list become one with these bounds.
Result<Entry*> SessionAggregate::merge(std::string_view key, OrderedStore::List& list, std::size_t first,
                                       std::size_t last, std::int64_t start, std::int64_t end) {
  MapStore& map = store_.map();
  if (last == first + 1 && list[first].start == start && list[first].end == end) {
    map.change(*list[first].entry);
    return list[first].entry;
  }
  // The earliest one's value goes on; the others are added to it.
  std::vector<OrderedStore::Item> merged(list.begin() + static_cast<std::ptrdiff_t>(first),
                                         list.begin() + static_cast<std::ptrdiff_t>(last));
  for (std::size_t i = 1; i < merged.size(); ++i) {
    map.change(*merged[0].entry);
    if (Status added = layout_->merge(merged[0].entry->value(), merged[i].entry->value()); !added) return added.error();
  }
  // One of them may have the new bounds already: it is in the list and stays.
  for (std::size_t i = 0; i < merged.size(); ++i) {
    if (merged[i].start != start || merged[i].end != end) continue;
    if (i != 0) {
      map.remove(*merged[i].entry);
      map.move_value(*merged[0].entry, *merged[i].entry);
    }
    for (std::size_t j = 0; j < merged.size(); ++j)
      if (j != i && merged[j].entry->present()) map.remove(*merged[j].entry);
    OrderedStore::Item kept = merged[i];
    list.erase(list.begin() + static_cast<std::ptrdiff_t>(first), list.begin() + static_cast<std::ptrdiff_t>(last));
    list.insert(list.begin() + static_cast<std::ptrdiff_t>(first), kept);
    return kept.entry;
  }
  for (std::size_t i = last; i > first + 1; --i) store_.erase(list, i - 1);
  Entry* made = store_.insert(list, key, start, end);
  if (merged.empty()) {
    layout_->init(made->value());
    made->set(Entry::kPresent);
    return made;
  }
  const auto old =
      std::find_if(list.begin(), list.end(), [&](const auto& item) { return item.entry == merged[0].entry; });
  store_.move(list, static_cast<std::size_t>(old - list.begin()), *made);
  return made;
}

Status SessionAggregate::flush(Emitter& out) {
  if (keys_out_.empty()) return {};
  const std::vector<std::string_view> keys(keys_out_.begin(), keys_out_.end());
  Batch batch = group_batch(keys_, *layout_, keys, values_out_, times_out_, kinds_out_);
  if (!headers_out_.empty()) headers_out_.resize(batch.rows);
  batch.headers = std::move(headers_out_);
  free_values();
  if (stream_) batch.kinds.clear();
  if (!emit_before_ && !stream_) null_removed(batch, keys_.columns());
  return out.batch(std::move(batch));
}

/// From the last commit to now: sessions that are gone first, then those that are new or changed.
Status SessionAggregate::on_commit(Emitter& out) {
  store_.map().expire_before(expired_before());
  if (final_ || every_change_) return {};
  const MapStore& map = store_.map();
  for (const bool removals : {true, false}) {
    for (const Entry* entry : map.changed()) {
      const std::byte* before = map.before(*entry);
      if (removals) {
        if (!entry->present() && before != nullptr) note(*entry, before, RowKind::remove);
      } else if (entry->present()) {
        if (emit_before_ && before != nullptr) note(*entry, before, RowKind::update_before);
        note(*entry, entry->value(), emit_before_ && before == nullptr ? RowKind::insert : RowKind::update_after);
      }
      if (keys_out_.size() + 1 < kMaxBatchRows) continue;
      if (Status given = flush(out); !given) return given;
    }
  }
  return flush(out);
}

/// EMIT FINAL: gives out sessions that no row can reach any more, by end, start and key.
Status SessionAggregate::close(Emitter& out) {
  const std::int64_t bound = close_time();  // ends before this are closed
  if (bound <= closed_ + 1 || due_.none_before(bound)) return {};
  closed_ = bound - 1;
  while (!due_.none_before(bound)) {
    std::vector<Entry*> sessions;
    if (Status found = find_due(bound, sessions); !found) return found;
    std::sort(sessions.begin(), sessions.end(), [this](const Entry* a, const Entry* b) {
      const std::string_view x = store_.map().key(*a), y = store_.map().key(*b);
      if (a->window != b->window) return a->window < b->window;
      const std::int64_t s = OrderedStore::start_of(x), t = OrderedStore::start_of(y);
      return s != t ? s < t : x < y;
    });
    for (const Entry* session : sessions)
      note(*session, session->value(), emit_before_ ? RowKind::insert : RowKind::update_after);
    if (Status given = flush(out); !given) return given;
    if (due_.known_to() >= bound) return {};
    Status read =
        due_.read_on(bound, store_.map().segment_end(due_.known_to()), [this](std::int64_t from, std::int64_t to) {
          return store_.map().visit_windows(from, to, [this](std::string_view key, const Entry*, std::string_view) {
            due_.add({OrderedStore::end_of(key), false, std::string(key)});
          });
        });
    if (!read) return read;
  }
  return {};
}

/// Takes those that end before `bound` from due_.
Status SessionAggregate::find_due(std::int64_t bound, std::vector<Entry*>& sessions) {
  auto& keys = due_.keys();
  const auto end = keys.lower_bound({bound, false, {}});
  KeyBuffer buffer;
  for (auto due = keys.begin(); due != end; ++due) {
    buffer.bytes.append(due->key);
    buffer.ends.push_back(static_cast<std::uint32_t>(buffer.bytes.size()));
  }
  keys.erase(keys.begin(), end);
  sessions.resize(buffer.size());
  if (Status found = store_.map().find(buffer, sessions); !found) return found;
  std::erase(sessions, nullptr);
  return {};
}

}  // namespace

MadeOperator make_session_aggregate(const AggregateNode& node, const LowerContext& lower) {
  Result<StoreSlot> slot = lower.store("groups");
  if (!slot) return slot.error();
  auto layout = std::make_shared<const GroupLayout>(node);
  auto store = OrderedStore::open(
      *slot,
      {.layout = layout, .advance_ms = std::max<std::int64_t>(node.window->size_ms, 1), .retention_ms = kept_ms(node)});
  if (!store) return store.error();
  auto* attached = static_cast<OrderedStore*>(slot->attach(std::move(*store)));
  return std::make_unique<SessionAggregate>(node, lower, std::move(layout), *attached);
}

}  // namespace millrace::inline exec
