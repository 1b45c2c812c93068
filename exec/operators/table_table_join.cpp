#include <algorithm>

#include "exec/operators/batch_ops.h"
#include "exec/operators/join_rows.h"
#include "exec/operators/windows.h"

namespace millrace::inline exec {
namespace {

/// Both sides are kept; each row that comes meets the newest row of the other side.
class TableTableJoin final : public Operator {
 public:
  TableTableJoin(const TableTableJoinNode& node, const LowerContext& lower, std::unique_ptr<TableSide> left,
                 std::unique_ptr<TableSide> right)
      : type_(node.type),
        sides_{std::move(left), std::move(right)},
        rows_(lower.node, *node.left, *node.right),
        kept_(lower.node.window ? lower.stores[0].slot.retention_ms : std::nullopt),
        emit_before_(lower.emit_before) {}

  /// Its input's times say nothing about what it gives.
  Status on_time(int, std::int64_t, Emitter&) override { return {}; }
  Status on_batch(int input, const Batch& in, Emitter& out) override {
    const std::vector<std::uint32_t> rows = TableSide::news(in);
    if (rows.empty()) return {};
    kept_.see(in, rows);
    TableSide& own = *sides_[input];
    if (Status found = sides_[1 - input]->find(in, rows, others_); !found) return found;
    Status applied = own.apply(in, rows, [&](std::size_t i, const Entry& entry) {
      const bool removed = in.kind(rows[i]) == RowKind::remove;
      JoinRows::Bytes old, now;
      if (entry.present()) old = row_value(entry.value()).bytes();
      if (!removed) now = own.encoded_rows().row(rows[i]);
      rows_.set_headers(in, rows[i]);
      const Entry* other = is_keyed(in, own.keys().columns(), rows[i]) ? others_[i] : nullptr;
      if (old || now) join(input, own.store().key(entry), old, now, (*in.timestamps)[rows[i]], other);
    });
    return applied ? rows_.flush(out) : applied;
  }

  Status on_commit(Emitter&) override {
    for (const auto& side : sides_) kept_.expire(side->store());
    return {};
  }
  void save(std::string& bytes) const override { kept_.save(bytes); }
  Status load(std::string_view bytes) override {
    kept_.load(bytes);
    for (const auto& side : sides_) kept_.expired(side->store());
    return {};
  }

 private:
  using Pair = JoinRows::Pair;
  void join(int input, std::string_view key, JoinRows::Bytes old, JoinRows::Bytes now, std::int64_t timestamp,
            const Entry* other) {
    JoinRows::Bytes across;
    if (other != nullptr) {
      across = row_value(other->value()).bytes();
      timestamp = std::max(timestamp, value_timestamp(other->value()));
    }
    rows_.change(key, result(input, old, across), result(input, now, across), timestamp, emit_before_);
  }
  std::optional<Pair> result(int input, JoinRows::Bytes own, JoinRows::Bytes across) const {
    const Pair pair = input == 0 ? Pair{own, across} : Pair{across, own};
    if (!exists(pair.left.has_value(), pair.right.has_value())) return std::nullopt;
    return pair;
  }
  bool exists(bool left, bool right) const {
    switch (type_) {
      case JoinType::inner:
        return left && right;
      case JoinType::left:
        return left;
      case JoinType::right:
        return right;
      case JoinType::full:
        return left || right;
    }
    return false;
  }

  JoinType type_;
  std::unique_ptr<TableSide> sides_[2];
  JoinRows rows_;
  WindowRetention kept_;  // of windowed rows
  bool emit_before_;
  std::vector<Entry*> others_;
};

}  // namespace

MadeOperator make_table_table_join(const TableTableJoinNode& node, const LowerContext& lower) {
  Result<std::unique_ptr<TableSide>> left = TableSide::make(*node.left, lower.store("left"));
  if (!left) return left.error();
  Result<std::unique_ptr<TableSide>> right = TableSide::make(*node.right, lower.store("right"));
  if (!right) return right.error();
  return std::make_unique<TableTableJoin>(node, lower, std::move(*left), std::move(*right));
}

}  // namespace millrace::inline exec
