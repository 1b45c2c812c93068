#include <algorithm>
#include <deque>

#include "exec/operators/batch_ops.h"
#include "exec/operators/table_side.h"
#include "exec/operators/windows.h"

namespace millrace::inline exec {
namespace {

/// Keeps the newest row of each key, and from that knows the row before. Windowed rows are kept for the retention, back
/// from the newest window.
class Materialize final : public Operator {
 public:
  Materialize(const LowerContext& lower, std::unique_ptr<TableSide> side)
      : side_(std::move(side)),
        kept_(lower.stores[0].slot.retention_ms),
        emit_before_(lower.emit_before),
        every_change_(lower.context.options().emit_every_change) {}

  Status on_batch(int, const Batch& in, Emitter& out) override {
    const std::vector<std::uint32_t> rows = TableSide::news(in);
    if (rows.empty()) return {};
    kept_.see(in, rows);
    if (!every_change_) return side_->apply(in, rows, [](std::size_t, const Entry&) {});
    if (emit_before_) return give_with_before(in, rows, out);
    if (Status applied = side_->apply(in, rows, [](std::size_t, const Entry&) {}); !applied) return applied;
    Batch news = is_all(rows, in.rows) ? share(in) : gather(in, rows);
    for (RowKind& kind : news.kinds)
      if (kind == RowKind::insert) kind = RowKind::update_after;
    return out.batch(std::move(news));
  }

  Status on_commit(Emitter& out) override {
    kept_.expire(side_->store());
    if (every_change_) return {};
    const auto changed = side_->store().changed();
    for (std::size_t from = 0; from < changed.size(); from += kMaxBatchRows) {
      const auto part = changed.subspan(from, std::min(kMaxBatchRows, changed.size() - from));
      if (Status given = give_changed(part, out); !given) return given;
    }
    return {};
  }

  void save(std::string& bytes) const override { kept_.save(bytes); }
  Status load(std::string_view bytes) override {
    kept_.load(bytes);
    kept_.expired(side_->store());
    return {};
  }

 private:
  /// One output per input row, the row before taken as of that row.
  Status give_with_before(const Batch& in, const std::vector<std::uint32_t>& rows, Emitter& out) {
    std::deque<std::string> kept;
    std::vector<std::optional<std::string_view>> old;
    std::vector<ChangeRow> changes;
    Status applied = side_->apply(in, rows, [&](std::size_t i, const Entry& entry) {
      const bool removed = in.kind(rows[i]) == RowKind::remove;
      const auto old_row = static_cast<std::uint32_t>(old.size());
      if (entry.present()) {
        kept.emplace_back(row_value(entry.value()).bytes());
        old.emplace_back(kept.back());
        changes.push_back({rows[i], true, old_row, removed ? RowKind::remove : RowKind::update_before});
      }
      if (!removed)
        changes.push_back({rows[i], false, rows[i], entry.present() ? RowKind::update_after : RowKind::insert});
    });
    if (!applied) return applied;
    Result<std::vector<ColumnPtr>> columns = side_->codec().decode(old);
    if (!columns) return columns.error();
    if (changes.empty()) return {};
    return out.batch(assemble(in, side_->keys().columns(), *columns, changes));
  }

  Status give_changed(std::span<Entry* const> entries, Emitter& out) {
    Frame frame;
    for (Entry* entry : entries) add_change(*entry, frame);
    if (frame.changes.empty()) return {};
    Result<std::vector<ColumnPtr>> now = side_->codec().decode(frame.now);
    if (!now) return now.error();
    Result<std::vector<ColumnPtr>> old = side_->codec().decode(frame.old);
    if (!old) return old.error();
    Batch batch;
    batch.rows = frame.keys.size();
    batch.columns = std::move(*now);
    side_->keys().decode(frame.keys, batch);
    batch.timestamps = std::make_shared<const std::vector<std::int64_t>>(std::move(frame.timestamps));
    return out.batch(assemble(batch, side_->keys().columns(), *old, frame.changes));
  }

  struct Frame {
    std::vector<std::string_view> keys;
    std::vector<std::optional<std::string_view>> now, old;
    std::vector<std::int64_t> timestamps;
    std::vector<ChangeRow> changes;
  };
  void add_change(const Entry& entry, Frame& frame) {
    const std::byte* before = side_->store().before(entry);
    const bool now = entry.present(), had = before != nullptr;
    if (!now && !had) return;
    const auto row = static_cast<std::uint32_t>(frame.keys.size()),
               old_row = static_cast<std::uint32_t>(frame.old.size());
    frame.keys.push_back(side_->store().key(entry));
    frame.timestamps.push_back(value_timestamp(entry.value()));
    frame.now.push_back(now ? std::optional(row_value(entry.value()).bytes()) : std::nullopt);
    if (emit_before_ && had) {
      frame.old.emplace_back(row_value(before).bytes());
      frame.changes.push_back({row, true, old_row, now ? RowKind::update_before : RowKind::remove});
    } else if (!now) {
      frame.changes.push_back({row, false, row, RowKind::remove});
    }
    if (now) frame.changes.push_back({row, false, row, emit_before_ && !had ? RowKind::insert : RowKind::update_after});
  }

  std::unique_ptr<TableSide> side_;
  WindowRetention kept_;  // of windowed rows
  bool emit_before_, every_change_;
};

}  // namespace

MadeOperator make_materialize(const MaterializeNode&, const LowerContext& lower) {
  Result<std::unique_ptr<TableSide>> side = TableSide::make(lower.node, lower.store("rows"));
  if (!side) return side.error();
  return std::make_unique<Materialize>(lower, std::move(*side));
}

}  // namespace millrace::inline exec
