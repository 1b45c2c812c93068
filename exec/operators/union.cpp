#include "exec/operators/batch_ops.h"
#include "exec/operators/least_time.h"
#include "exec/operators/lower.h"

namespace millrace::inline exec {
namespace {

class Union final : public Operator {
 public:
  Status on_batch(int, const Batch& in, Emitter& out) override { return out.batch(share(in)); }
  Status on_time(int input, std::int64_t time, Emitter& out) override {
    const auto least = times_.told(static_cast<std::size_t>(input), time);
    return least ? out.time(*least) : Status{};
  }
  void save(std::string& bytes) const override {
    if (times_.times() != LeastTime(2).times()) times_.save(bytes);
  }
  Status load(std::string_view bytes) override {
    times_.load(bytes);
    return {};
  }

 private:
  LeastTime times_{2};
};

}  // namespace

MadeOperator make_union(const UnionNode&, const LowerContext&) {
  return std::make_unique<Union>();
}

}  // namespace millrace::inline exec
