#pragma once

#include <memory>
#include <vector>

#include "exec/operators/batch_ops.h"
#include "exec/operators/group_values.h"
#include "exec/state/map_store.h"

namespace millrace::inline exec {

/// Gives out groups of an aggregate as table rows: upserts, or with before rows where asked for.
class GroupChanges {
 public:
  GroupChanges(const LowerContext& lower, std::shared_ptr<const GroupLayout> layout)
      : keys_(lower.node), layout_(std::move(layout)), emit_before_(lower.emit_before) {}

  const StoreKeys& keys() const { return keys_; }

  /// Remembers what these groups hold, for the rows that `give` makes of them next. Does nothing where nobody asked.
  void remember(std::span<Entry* const> entries);
  /// None of that many groups was given out before.
  void remember_nothing(std::size_t groups) { old_row_.assign(groups, -1); }
  /// What these groups hold now, one row each (two with a row before it). Precondition: present, no entry twice.
  /// The rows carry the headers of what caused them.
  Status give(const MapStore& store, std::span<Entry* const> entries, const Origin& origin, Emitter& out);
  /// From the last commit to now, for all groups that changed.
  Status give_changed(const MapStore& store, Emitter& out);

 private:
  Status give_rows(const MapStore& store, std::span<Entry* const> entries, const Origin& origin, Emitter& out);

  StoreKeys keys_;
  std::shared_ptr<const GroupLayout> layout_;
  bool emit_before_;
  std::vector<ColumnPtr> old_;
  std::vector<std::int32_t> old_row_;  // per entry: its row in old_, -1 for none
};

}  // namespace millrace::inline exec
