#include "exec/operators/batch_ops.h"
#include "exec/operators/lower.h"

namespace millrace::inline exec {
namespace {

class Union final : public Operator {
 public:
  Status on_batch(int, const Batch& in, Emitter& out) override { return out.batch(share(in)); }
};

}  // namespace

MadeOperator make_union(const UnionNode&, const LowerContext&) {
  return std::make_unique<Union>();
}

}  // namespace millrace::inline exec
