#include <algorithm>
#include <deque>

#include "exec/operators/batch_ops.h"
#include "exec/operators/foreign_key_parts.h"
#include "exec/operators/table_side.h"
#include "exec/operators/windows.h"

namespace millrace::inline exec {
namespace {

/// What is known of a left row.
struct Standing {
  std::int64_t newest = 0;  // version
  bool shown = false;       // it has a result: `row`
  /// Moves of which only one end has told: the one that it left, or the one that it came to. As long as there is one,
  /// something older may still come.
  std::vector<std::int64_t> half_told;
  std::string_view row;

  static Standing read(std::string_view bytes) {
    Standing standing;
    standing.newest = load_number(bytes, 0);
    const std::int64_t counts = load_number(bytes, 0);
    standing.shown = (counts & 1) != 0;
    for (std::int64_t left = counts >> 1; left > 0; --left) standing.half_told.push_back(load_number(bytes, 0));
    standing.row = bytes;
    return standing;
  }
  std::string write() const {
    std::string bytes;
    save_number(newest, bytes);
    save_number(static_cast<std::int64_t>(half_told.size()) << 1 | (shown ? 1 : 0), bytes);
    for (const std::int64_t version : half_told) save_number(version, bytes);
    if (shown) bytes += row;
    return bytes;
  }
  void told(std::int64_t move) {
    if (std::erase(half_told, move) == 0) half_told.push_back(move);
  }
};

class ForeignKeySettle final : public Operator {
 public:
  ForeignKeySettle(const ForeignKeySettleNode& node, const LowerContext& lower, MapStore& store)
      : outer_(node.outer),
        emit_before_(lower.emit_before),
        version_(node.version),
        mark_(node.mark),
        matched_(node.matched),
        keys_(lower.node),
        codec_(lower.node.schema),
        store_(store) {}

  Status on_batch(int, const Batch& in, Emitter& out) override {
    const std::vector<std::uint32_t> all = all_rows(in.rows);
    keys_.encode(in, all, key_bytes_);
    entries_.resize(in.rows);
    if (Status found = store_.find_or_create(key_bytes_, entries_); !found) return found;
    if (Status encoded = codec_.encode(in, encoded_); !encoded) return encoded;
    RowErrors errors;  // of columns: none
    const ColumnPtr versions = version_.evaluate(in, errors), marks = mark_.evaluate(in, errors),
                    matched = matched_.evaluate(in, errors);
    changes_.clear();
    old_.clear();
    for (std::uint32_t row = 0; row < in.rows; ++row)
      take(in, row, versions->values<std::int64_t>()[row], ForeignKeyMarks(marks->values<std::int32_t>()[row]),
           outer_ || !matched->is_null(row));
    if (changes_.empty()) return {};
    const std::vector<std::optional<std::string_view>> old(old_.begin(), old_.end());
    Result<std::vector<ColumnPtr>> columns = codec_.decode(old);
    if (!columns) return columns.error();
    Batch made = assemble(in, keys_.columns(), *columns, changes_);
    if (!emit_before_) null_removed(made, keys_.columns());
    return out.batch(std::move(made));
  }

 private:
  void take(const Batch& in, std::uint32_t row, std::int64_t version, ForeignKeyMarks mark, bool matched) {
    Entry& entry = *entries_[row];
    std::string before;
    if (entry.present()) before = row_value(entry.value()).bytes();
    Standing standing = Standing::read(before);
    const ForeignKeyMark kind = mark.kind();
    if (kind == ForeignKeyMark::left || mark.has(ForeignKeyMark::moved)) standing.told(version);
    if (kind != ForeignKeyMark::left && version >= standing.newest) {
      standing.newest = version;
      change(row, standing, kind == ForeignKeyMark::row && matched, kind == ForeignKeyMark::removed);
    }
    if (standing.shown || !standing.half_told.empty())
      store_.put_row(entry, (*in.timestamps)[row], standing.write());
    else if (entry.present())
      store_.remove(entry);
  }

  /// A row that has gone is withdrawn even if its result is gone already.
  void change(std::uint32_t row, Standing& standing, bool shown, bool removed) {
    const auto old = static_cast<std::uint32_t>(old_.size());
    if (emit_before_ && standing.shown) {
      old_.emplace_back(standing.row);
      changes_.push_back({row, true, old, shown ? RowKind::update_before : RowKind::remove});
    } else if (!shown && (standing.shown || (removed && !emit_before_))) {
      changes_.push_back({row, false, row, RowKind::remove});
    }
    if (shown)
      changes_.push_back({row, false, row, emit_before_ && !standing.shown ? RowKind::insert : RowKind::update_after});
    standing.shown = shown;
    standing.row = encoded_.row(row);
  }

  const bool outer_, emit_before_;
  Evaluator version_, mark_, matched_;
  StoreKeys keys_;
  RowCodec codec_;
  MapStore& store_;
  KeyBuffer key_bytes_;
  Encoded encoded_;
  std::vector<Entry*> entries_;
  std::vector<ChangeRow> changes_;
  std::deque<std::string> old_;  // rows that changes name
};

}  // namespace

MadeOperator make_foreign_key_settle(const ForeignKeySettleNode& node, const LowerContext& lower) {
  auto store = open_rows(lower.store("results"));
  if (!store) return store.error();
  return std::make_unique<ForeignKeySettle>(node, lower, **store);
}

}  // namespace millrace::inline exec
