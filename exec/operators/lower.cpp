#include "exec/operators/lower.h"

#include <fmt/format.h>

#include <cstring>

#include "exec/operators/batch_ops.h"

namespace millrace::inline exec {
namespace {

template <class... Visitors>
struct Overload : Visitors... {
  using Visitors::operator()...;
};

/// Hands rows to an input of an operator.
class InputEmitter final : public Emitter {
 public:
  InputEmitter(Operator& target, int input, Emitter& next) : target_(target), input_(input), next_(next) {}
  Status batch(Batch&& batch) override { return push(batch); }
  Status push(const Batch& batch) { return batch.rows == 0 ? Status{} : target_.on_batch(input_, batch, next_); }

 private:
  Operator& target_;
  int input_;
  Emitter& next_;
};

struct Stage {
  std::unique_ptr<Operator> op;
  Emitter* out;
};

class TreePipeline final : public Pipeline {
 public:
  const std::vector<Leaf>& leaves() const override { return leaves_; }
  Status push(std::size_t leaf, const Batch& batch) override {
    if (InputEmitter* input = entries_[leaf]) return input->push(batch);
    return root_->batch(share(batch));  // a source right below the sink
  }
  Status commit() override {
    for (Stage& stage : stages_)
      if (Status done = stage.op->on_commit(*stage.out); !done) return done;
    return {};
  }
  std::size_t held_bytes() const override {
    std::size_t sum = 0;
    for (const Stage& stage : stages_) sum += stage.op->held_bytes();
    return sum;
  }
  std::string save() const override {
    std::string out;
    for (const Stage& stage : stages_) {
      std::string bytes;
      stage.op->save(bytes);
      const auto size = static_cast<std::uint32_t>(bytes.size());
      out.append(reinterpret_cast<const char*>(&size), sizeof(size)).append(bytes);
    }
    return out;
  }
  Status load(std::string_view bytes) override {
    if (bytes.empty()) {  // no progress yet: as new
      for (Stage& stage : stages_)
        if (Status loaded = stage.op->load({}); !loaded) return loaded;
      return {};
    }
    for (Stage& stage : stages_) {
      std::uint32_t size = 0;
      if (bytes.size() < sizeof(size)) return Error{Fault::bug, "progress of operators is cut off"};
      std::memcpy(&size, bytes.data(), sizeof(size));
      bytes.remove_prefix(sizeof(size));
      if (bytes.size() < size) return Error{Fault::bug, "progress of operators is cut off"};
      if (Status loaded = stage.op->load(bytes.substr(0, size)); !loaded) return loaded;
      bytes.remove_prefix(size);
    }
    return {};
  }

 private:
  friend class Builder;
  std::vector<Stage> stages_;  // inputs before what reads them
  std::vector<std::unique_ptr<InputEmitter>> emitters_;
  std::vector<Leaf> leaves_;
  std::vector<InputEmitter*> entries_;  // per leaf; null: straight to the root
  Emitter* root_ = nullptr;
};

/// Whether input `input` of a node must give before rows, given that the node itself must (`wanted`). DESIGN §3.
bool needs_before(const PlanNode& node, bool wanted) {
  const bool table = node.kind == RelationKind::table;
  return std::visit(Overload{[&](const FilterNode& n) { return wanted || n.retract; },
                             [&](const ProjectNode&) { return wanted; }, [&](const RekeyNode&) { return table; },
                             [&](const AggregateNode& n) { return n.input->kind == RelationKind::table; },
                             [&](const SinkNode& n) { return table && n.value_format.name == "ROW"; },
                             [](const auto&) { return false; }},
                    node.node);
}

class Builder {
 public:
  Builder(const Subtopology& subtopology, OperatorContext& context, Emitter& out)
      : subtopology_(subtopology), context_(context), pipeline_(std::make_unique<TreePipeline>()) {
    pipeline_->root_ = &out;
  }

  Result<std::unique_ptr<Pipeline>> build() {
    const PlanNode& root = *subtopology_.root;
    const bool ends = root.as<SinkNode>() != nullptr || root.as<OutputNode>() != nullptr;
    const bool before = ends && needs_before(root, false);
    Status added = add(ends ? *inputs_of(root)[0] : root, before, nullptr, *pipeline_->root_);
    if (!added) return added.error();
    return std::unique_ptr<Pipeline>(std::move(pipeline_));
  }

 private:
  /// Adds the tree under `node`; its rows go to `entry` (null: straight to the root).
  Status add(const PlanNode& node, bool before, InputEmitter* entry, Emitter& out) {
    if (node.as<SourceNode>() != nullptr) {
      pipeline_->leaves_.push_back({&node});
      pipeline_->entries_.push_back(entry);
      return {};
    }
    LowerContext lower{context_, node, before, {}};
    for (const StorePlan& store : subtopology_.stores)
      if (store.owner == &node) lower.stores.push_back(context_.store(store.name));
    MadeOperator made = make(node, lower);
    if (!made) return made.error();
    Operator& op = **made;
    int input = 0;
    for (const NodePtr& below : inputs_of(node)) {
      pipeline_->emitters_.push_back(std::make_unique<InputEmitter>(op, input++, out));
      InputEmitter* into = pipeline_->emitters_.back().get();
      if (Status added = add(*below, needs_before(node, before), into, *into); !added) return added;
    }
    pipeline_->stages_.push_back({std::move(*made), &out});
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
                               [&](const AggregateNode& n) {
                                 const bool session = n.window && n.window->type == WindowType::session;
                                 return session ? make_session_aggregate(n, lower) : make_aggregate_operator(n, lower);
                               },
                               [&](const MaterializeNode& n) { return make_materialize(n, lower); },
                               [&](const StreamTableJoinNode& n) { return make_stream_table_join(n, lower); },
                               [&](const StreamStreamJoinNode& n) { return make_stream_stream_join(n, lower); },
                               [&](const TableTableJoinNode& n) { return make_table_table_join(n, lower); },
                               [&](const ForeignKeyJoinNode& n) { return make_foreign_key_join(n, lower); },
                               [&](const SourceNode&) { return unexpected("a source"); },
                               [&](const RepartitionNode&) { return unexpected("a repartition"); },
                               [&](const SinkNode&) { return unexpected("a sink"); },
                               [&](const OutputNode&) { return unexpected("an output"); }},
                      node.node);
  }

  const Subtopology& subtopology_;
  OperatorContext& context_;
  std::unique_ptr<TreePipeline> pipeline_;
};

}  // namespace

Result<std::unique_ptr<Pipeline>> build_pipeline(const Subtopology& subtopology, OperatorContext& context,
                                                 Emitter& out) {
  return Builder(subtopology, context, out).build();
}

}  // namespace millrace::inline exec
