#include "exec/operators/lower.h"

#include <fmt/format.h>

#include <chrono>
#include <utility>

#include "exec/operators/batch_ops.h"

namespace millrace::inline exec {
namespace {

template <class... Visitors>
struct Overload : Visitors... {
  using Visitors::operator()...;
};

/// Measures how long each operator of a task works, without those that it hands rows to.
class Meter {
 public:
  template <class Work>
  Status run(OperatorCounters* whose, const Work& work) {
    if (whose == nullptr) return work();
    const auto outer = std::exchange(inner_, Clock::duration{});
    const auto began = Clock::now();
    Status done = work();
    const auto took = Clock::now() - began;
    whose->busy_ns.fetch_add(static_cast<std::uint64_t>((took - inner_).count()), std::memory_order_relaxed);
    inner_ = outer + took;
    return done;
  }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::duration inner_{};  // of what the operator under way has called
};

/// Where rows go from one step to the next.
struct Passage {
  OperatorCounters* from;
  OperatorCounters* to;
  Meter& meter;

  template <class Work>
  Status pass(const Batch& batch, const Work& work) {
    if (from != nullptr) from->rows_out.fetch_add(batch.rows, std::memory_order_relaxed);
    if (to != nullptr) to->rows_in.fetch_add(batch.rows, std::memory_order_relaxed);
    return meter.run(to, work);
  }
};

/// Hands rows to an input of an operator.
class InputEmitter final : public Emitter {
 public:
  InputEmitter(Operator& target, int input, Emitter& next, Passage passage)
      : target_(target), input_(input), next_(next), passage_(passage) {}
  Status batch(Batch&& batch) override { return push(batch); }
  Status push(const Batch& batch) {
    if (batch.rows == 0) return {};
    return passage_.pass(batch, [&] { return target_.on_batch(input_, batch, next_); });
  }
  Status time(std::int64_t time) override {
    return passage_.meter.run(passage_.to, [&] { return target_.on_time(input_, time, next_); });
  }

 private:
  Operator& target_;
  int input_;
  Emitter& next_;
  Passage passage_;
};

/// Hands rows to the sink.
class RootEmitter final : public Emitter {
 public:
  RootEmitter(Emitter& out, Passage passage) : out_(out), passage_(passage) {}
  Status batch(Batch&& batch) override {
    return passage_.pass(batch, [&] { return out_.batch(std::move(batch)); });
  }
  Status time(std::int64_t time) override { return out_.time(time); }

 private:
  Emitter& out_;
  Passage passage_;
};

struct Stage {
  std::unique_ptr<OperatorContext> context;
  std::unique_ptr<Operator> op;
  Emitter* out;
  OperatorCounters* counters;
};

class TreePipeline final : public Pipeline {
 public:
  const std::vector<Leaf>& leaves() const override { return leaves_; }
  Status push(std::size_t leaf, const Batch& batch) override {
    if (InputEmitter* input = entries_[leaf]) return input->push(batch);
    return root_->batch(share(batch));  // a source right below the sink
  }
  Status time(std::size_t leaf, std::int64_t time) override {
    InputEmitter* input = entries_[leaf];
    return input != nullptr ? input->time(time) : root_->time(time);
  }
  Status commit() override {
    for (Stage& stage : stages_)
      if (Status done = meter_.run(stage.counters, [&] { return stage.op->on_commit(*stage.out); }); !done) return done;
    return {};
  }
  std::optional<std::int64_t> clock_due() const override {
    std::optional<std::int64_t> first;
    for (const Stage& stage : stages_)
      if (const auto due = stage.op->clock_due(); due && (!first || *due < *first)) first = due;
    return first;
  }
  Status clock(std::int64_t now) override {
    for (Stage& stage : stages_) {
      const auto due = stage.op->clock_due();
      if (!due || *due > now) continue;
      Status done = meter_.run(stage.counters, [&] { return stage.op->on_clock(now, *stage.out); });
      if (!done) return done;
    }
    return {};
  }
  std::size_t held_bytes() const override {
    std::size_t sum = 0;
    for (const Stage& stage : stages_) sum += stage.op->held_bytes();
    return sum;
  }
  OperatorStates save() const override {
    OperatorStates states;
    for (const Stage& stage : stages_) {
      std::string bytes;
      stage.op->save(bytes);
      if (!bytes.empty()) states.push_back({stage.context->step(), std::move(bytes)});
    }
    return states;
  }
  Status load(const OperatorStates& states) override {
    std::size_t next = 0;  // without names: of those that save something
    for (Stage& stage : stages_) {
      const std::string* found = find(states, stage, next);
      if (Status loaded = stage.op->load(found != nullptr ? std::string_view(*found) : std::string_view()); !loaded)
        return loaded;
    }
    return {};
  }

 private:
  friend class Builder;
  static const std::string* find(const OperatorStates& states, const Stage& stage, std::size_t& next) {
    if (!states.empty() && states.front().step.empty()) {
      std::string bytes;
      stage.op->save(bytes);
      return bytes.empty() || next == states.size() ? nullptr : &states[next++].bytes;
    }
    for (const OperatorState& state : states)
      if (state.step == stage.context->step()) return &state.bytes;
    return nullptr;
  }

  std::vector<Stage> stages_;  // inputs before what reads them
  std::vector<std::unique_ptr<InputEmitter>> emitters_;
  std::unique_ptr<RootEmitter> root_emitter_;
  Meter meter_;
  std::vector<Leaf> leaves_;
  std::vector<InputEmitter*> entries_;  // per leaf; null: straight to the root
  Emitter* root_ = nullptr;
};

class Builder {
 public:
  Builder(const Subtopology& subtopology, TaskContext& context, Emitter& out)
      : subtopology_(subtopology), context_(context), out_(out), pipeline_(std::make_unique<TreePipeline>()) {}

  Result<std::unique_ptr<Pipeline>> build() {
    const PlanNode& root = *subtopology_.root;
    const bool ends = root.as<SinkNode>() != nullptr || root.as<OutputNode>() != nullptr;
    const PlanNode& top = ends ? *inputs_of(root)[0] : root;
    pipeline_->root_ = &out_;
    if (ends) {
      pipeline_->root_emitter_ = std::make_unique<RootEmitter>(out_, passage(top, root));
      pipeline_->root_ = pipeline_->root_emitter_.get();
    }
    Status added = add(top, nullptr, *pipeline_->root_);
    if (!added) return added.error();
    return std::unique_ptr<Pipeline>(std::move(pipeline_));
  }

 private:
  OperatorCounters* counters_of(const PlanNode& node) { return context_.counters(subtopology_.name_of(node)); }
  Passage passage(const PlanNode& from, const PlanNode& to) {
    return {counters_of(from), counters_of(to), pipeline_->meter_};
  }

  /// Adds the tree under `node`; its rows go to `entry` (null: straight to the root).
  Status add(const PlanNode& node, InputEmitter* entry, Emitter& out) {
    if (inputs_of(node).empty()) {
      pipeline_->leaves_.push_back({&node, counters_of(node)});
      pipeline_->entries_.push_back(entry);
      return {};
    }
    auto context = std::make_unique<OperatorContext>(context_, subtopology_.name_of(node));
    LowerContext lower{*context, node, emits_before(node), {}};
    for (const StorePlan& store : subtopology_.stores)
      if (store.owner == &node) lower.stores.push_back({store.role, context_.store(store.name)});
    MadeOperator made = make(node, lower);
    if (!made) return made.error();
    Operator& op = **made;
    int input = 0;
    for (const NodePtr& below : inputs_of(node)) {
      pipeline_->emitters_.push_back(std::make_unique<InputEmitter>(op, input++, out, passage(*below, node)));
      InputEmitter* into = pipeline_->emitters_.back().get();
      if (Status added = add(*below, into, *into); !added) return added;
      if (below->as<LateNode>())
        context->give_late_to(static_cast<std::size_t>(input - 1), pipeline_->stages_.back().op->late_rows());
    }
    pipeline_->stages_.push_back({std::move(context), std::move(*made), &out, counters_of(node)});
    return {};
  }

  static MadeOperator make(const PlanNode& node, const LowerContext& lower) {
    const auto unexpected = [&](const char* what) -> MadeOperator {
      return Error{Fault::bug, fmt::format("{} inside a subtopology", what)};
    };
    return std::visit(Overload{[&](const FilterNode& n) { return make_filter(n, lower); },
                               [&](const ProjectNode& n) { return make_project(n, lower); },
                               [&](const FlatMapNode& n) { return make_flat_map(n, lower); },
                               [&](const RekeyNode& n) { return make_rekey(n, lower); },
                               [&](const CombineNode& n) { return make_combine(n, lower); },
                               [&](const ThinNode& n) { return make_thin(n, lower); },
                               [&](const AggregateNode& n) {
                                 const bool session = n.window && n.window->type == WindowType::session;
                                 return session ? make_session_aggregate(n, lower) : make_aggregate_operator(n, lower);
                               },
                               [&](const MaterializeNode& n) { return make_materialize(n, lower); },
                               [&](const StreamTableJoinNode& n) { return make_stream_table_join(n, lower); },
                               [&](const StreamStreamJoinNode& n) { return make_stream_stream_join(n, lower); },
                               [&](const TableTableJoinNode& n) { return make_table_table_join(n, lower); },
                               [&](const ForeignKeyJoinNode& n) { return make_foreign_key_join(n, lower); },
                               [&](const ForeignKeyRouteNode& n) { return make_foreign_key_route(n, lower); },
                               [&](const ForeignKeyMeetNode& n) { return make_foreign_key_meet(n, lower); },
                               [&](const ForeignKeySettleNode& n) { return make_foreign_key_settle(n, lower); },
                               [&](const ChangesNode& n) { return make_changes(n, lower); },
                               [&](const UnionNode& n) { return make_union(n, lower); },
                               [&](const BroadcastJoinNode& n) { return make_broadcast_join(n, lower); },
                               [&](const FiniteJoinNode& n) { return make_finite_join(n, lower); },
                               [&](const FiniteOverNode& n) { return make_finite_over(n, lower); },
                               [&](const PairJoinNode& n) { return make_pair_join(n, lower); },
                               [&](const GroupNode& n) { return make_group(n, lower); },
                               [&](const SortNode& n) { return make_sort(n, lower); },
                               [&](const LatestNode& n) { return make_latest(n, lower); },
                               [&](const TopRowsNode& n) { return make_top_rows(n, lower); },
                               [&](const CloseRanksNode& n) { return make_close_ranks(n, lower); },
                               [&](const OverNode& n) {
                                 const bool table = n.input->kind == RelationKind::table;
                                 if (n.exact) return make_over_exact(n, lower);
                                 return table ? make_over(n, lower) : make_over_stream(n, lower);
                               },
                               [&](const ExpandNode& n) { return make_expand(n, lower); },
                               [&](const RetimeNode& n) { return make_retime(n, lower); },
                               [&](const DedupNode& n) { return make_dedup(n, lower); },
                               [&](const TimeSortNode& n) { return make_time_sort(n, lower); },
                               [&](const CloseWindowsNode& n) { return make_close_windows(n, lower); },
                               [&](const AsOfJoinNode& n) { return make_as_of_join(n, lower); },
                               [&](const UnnestNode& n) { return make_unnest(n, lower); },
                               [&](const NewestNode& n) { return make_newest(n, lower); },
                               [&](const LateNode& n) { return make_late(n, lower); },
                               [&](const VersionsNode& n) { return make_versions(n, lower); },
                               [&](const EveryNode& n) { return make_every(n, lower); },
                               [&](const WindowRowsNode& n) { return make_window_rows(n, lower); },
                               [&](const TopicScanNode&) { return unexpected("a topic"); },
                               [&](const OneRowNode&) { return unexpected("a row"); },
                               [&](const SourceNode&) { return unexpected("a source"); },
                               [&](const KeyLookupNode&) { return unexpected("a look-up"); },
                               [&](const StoreScanNode&) { return unexpected("a scan"); },
                               [&](const RepartitionNode&) { return unexpected("a repartition"); },
                               [&](const SinkNode&) { return unexpected("a sink"); },
                               [&](const OutputNode&) { return unexpected("an output"); }},
                      node.node);
  }

  const Subtopology& subtopology_;
  TaskContext& context_;
  Emitter& out_;
  std::unique_ptr<TreePipeline> pipeline_;
};

}  // namespace

Result<StoreSlot> LowerContext::store(std::string_view role) const {
  for (const NamedStore& store : stores)
    if (store.role == role) return store.slot;
  return Error{Fault::bug, fmt::format("{} has no store {}", context.step(), role)};
}

Result<std::unique_ptr<Pipeline>> build_pipeline(const Subtopology& subtopology, TaskContext& context, Emitter& out) {
  return Builder(subtopology, context, out).build();
}

}  // namespace millrace::inline exec
