#include "exec/operators/batch_ops.h"
#include "exec/operators/lower.h"

namespace millrace::inline exec {
namespace {

std::string_view change_word(RowKind kind) {
  if (kind == RowKind::insert) return "INSERT";
  return kind == RowKind::remove ? "DELETE" : "UPDATE";
}

/// Changes of a table as rows of a stream. The input gives rows before, so that a removal has the old values.
class Changes final : public Operator {
 public:
  Status on_batch(int, const Batch& in, Emitter& out) override {
    rows_.clear();
    for (std::uint32_t row = 0; row < in.rows; ++row)
      if (in.kind(row) != RowKind::update_before) rows_.push_back(row);
    if (rows_.empty()) return {};
    Batch made = is_all(rows_, in.rows) ? share(in) : gather(in, rows_);
    auto words = make_column(Type::string(), made.rows);
    auto* views = words->values_mut<std::string_view>();
    for (std::size_t i = 0; i < made.rows; ++i) views[i] = change_word(in.kind(rows_[i]));
    made.columns.push_back(std::move(words));
    made.kinds.clear();
    return out.batch(std::move(made));
  }

 private:
  std::vector<std::uint32_t> rows_;
};

}  // namespace

MadeOperator make_changes(const ChangesNode&, const LowerContext&) {
  return std::make_unique<Changes>();
}

}  // namespace millrace::inline exec
