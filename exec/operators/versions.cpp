#include "exec/operators/batch_ops.h"
#include "exec/operators/lower.h"

namespace millrace::inline exec {
namespace {

/// Rows of a table one by one as they came, removals among them.
class Versions final : public Operator {
 public:
  Status on_batch(int, const Batch& in, Emitter& out) override {
    rows_.clear();
    for (std::uint32_t row = 0; row < in.rows; ++row)
      if (!in.null_keys.test(row) && in.kind(row) != RowKind::update_before) rows_.push_back(row);
    if (rows_.empty()) return {};
    Batch made = is_all(rows_, in.rows) ? share(in) : gather(in, rows_);
    auto gone = make_column(Type::boolean(), made.rows), order = make_column(Type::bigint(), made.rows);
    for (std::size_t row = 0; row < made.rows; ++row) {
      gone->values_mut<std::uint8_t>()[row] = is_gone(made, row) ? 1 : 0;
      order->values_mut<std::int64_t>()[row] = next_++;
    }
    made.columns.push_back(std::move(gone));
    made.columns.push_back(std::move(order));
    made.kinds.clear();
    made.null_values = {};
    return out.batch(std::move(made));
  }

 private:
  std::int64_t next_ = 0;
  std::vector<std::uint32_t> rows_;
};

}  // namespace

MadeOperator make_versions(const VersionsNode&, const LowerContext&) {
  return std::make_unique<Versions>();
}

}  // namespace millrace::inline exec
