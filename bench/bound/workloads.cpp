#include "bench/bound/workloads.h"

#include "bench/bound/steps.h"

namespace bound {
namespace {

/// A loop whose step is known to the compiler.
template <class Step>
class StepLoop final : public Loop {
 public:
  Step& step() { return step_; }
  void run(Input& input, std::int64_t events, const std::function<void()>& first, Output& output) override {
    input.read(events, first, [&](const rd_kafka_message_t& message) {
      step_.take({message.partition, key_of(message), value_of(message)}, output);
    });
    step_.finish(output);
  }

 private:
  Step step_;
};

}  // namespace

std::unique_ptr<Loop> make_loop(const std::string& name, const std::string& broker, const Table& table) {
  if (name == "read") return std::make_unique<StepLoop<Read>>();
  if (name == "w1") return std::make_unique<StepLoop<Project>>();
  if (name == "w2") return std::make_unique<StepLoop<Filter>>();
  if (name == "w3") return std::make_unique<StepLoop<Aggregate>>();
  if (name != "w5") return nullptr;
  auto join = std::make_unique<StepLoop<Join>>();
  Input(broker, table.topic)
      .read(
          table.rows, [] {}, [&](const rd_kafka_message_t& message) { join->step().add(value_of(message)); });
  return join;
}

}  // namespace bound
