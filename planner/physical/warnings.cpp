#include "planner/physical/warnings.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "planner/logical/one_group.h"
#include "planner/types/civil.h"

namespace millrace::inline planner {
namespace {

/// In the largest unit that it is whole in.
std::string duration_words(std::int64_t ms) {
  constexpr std::pair<std::int64_t, std::string_view> kUnits[] = {
      {kMillisPerDay, "day"}, {3'600'000, "hour"}, {60'000, "minute"}, {1'000, "second"}, {1, "millisecond"}};
  for (const auto& [length, name] : kUnits)
    if (ms % length == 0) return fmt::format("{} {}{}", ms / length, name, ms == length ? "" : "s");
  return {};
}

/// As the binder has it for windows that say nothing.
bool has_default_grace(const WindowSpec& window) {
  return window.grace_ms > 0 && window.grace_ms == std::max<std::int64_t>(kMillisPerDay - window.size_ms, 0);
}

class Warner {
 public:
  explicit Warner(const PhysicalPlan& plan) : plan_(plan) {}

  std::vector<std::string> run() {
    for (const PlanPtr& part : plan_.parts) look_at(*part);
    look_at(plan_);
    if (drops_late_ && !keeps_late_ && is_persistent())
      warnings_.push_back("Late rows are dropped; LATE INTO keeps them.");
    if (by_clock_) warnings_.push_back("The result depends on the wall clock.");
    return std::move(warnings_);
  }

 private:
  void look_at(const PhysicalPlan& plan) {
    for (const Subtopology& subtopology : plan.subtopologies)
      for (const StepName& step : subtopology.steps) look_at(step);
  }
  void look_at(const StepName& step) {
    const auto* source = step.node->as<SourceNode>();
    by_clock_ = by_clock_ || (source != nullptr && source->idle_ms) || step.node->as<EveryNode>() != nullptr;
    drops_late_ = drops_late_ || drops_late(*step.node);
    keeps_late_ = keeps_late_ || step.node->as<LateNode>() != nullptr;
    if (has_one_group(*step.node)) warn_of_one_task(step.name);
    const auto* aggregate = step.node->as<AggregateNode>();
    if (aggregate != nullptr && aggregate->window && has_default_grace(*aggregate->window))
      warnings_.push_back(
          fmt::format("Windows stay open for {} (default GRACE PERIOD).", duration_words(aggregate->window->grace_ms)));
    if (const auto* join = step.node->as<StreamStreamJoinNode>(); join != nullptr && !join->retention_ms()) {
      for (const NodePtr* side : {&join->left, &join->right})
        warnings_.push_back(fmt::format("{} keeps every row of {} for ever. Bound it with WITHIN, TTL or a window.",
                                        step.name, names_of(**side)));
    }
    if (const auto* retime = step.node->as<RetimeNode>(); retime != nullptr && retime->time.empty()) by_clock_ = true;
    if (const auto* over = step.node->as<OverNode>()) look_at_over(step.name, *over);
    if (const auto* join = step.node->as<BroadcastJoinNode>(); join != nullptr && join->left_values.empty())
      warn_of_all_pairs(step.name, *join->left, *join->right);
    const auto* pairs = step.node->as<PairJoinNode>();
    if (pairs == nullptr || !is_constant(pairs->left_values)) return;
    warn_of_one_task(step.name);
    warn_of_all_pairs(step.name, *pairs->left, *pairs->right);
  }

  bool is_persistent() const { return plan_.subtopologies.back().root->as<SinkNode>() != nullptr; }
  /// What comes too late for it is in no result, where one with EMIT CHANGES would have been corrected within the
  /// grace.
  static bool drops_late(const PlanNode& node) {
    const auto* aggregate = node.as<AggregateNode>();
    const auto* join = node.as<StreamStreamJoinNode>();
    return (aggregate != nullptr && aggregate->window && aggregate->emit == EmitPolicy::final) ||
           (join != nullptr && join->final) || node.as<TimeSortNode>() != nullptr || node.as<DedupNode>() != nullptr;
  }

  void warn_of_one_task(const std::string& name) {
    warnings_.push_back(fmt::format("{} has no key: all rows go through one task.", name));
  }
  void warn_of_all_pairs(const std::string& name, const PlanNode& left, const PlanNode& right) {
    warnings_.push_back(fmt::format("{} has no equality: each row of {} is compared with all kept rows of {}.", name,
                                    names_of(left), names_of(right)));
  }

  static bool is_constant(const std::vector<ExprPtr>& values) {
    return std::ranges::all_of(values, [](const ExprPtr& value) { return value->as<LiteralExpr>() != nullptr; });
  }
  /// Of what puts rows with one key together: there is one key.
  bool has_one_group(const PlanNode& node) const {
    const bool groups =
        node.as<AggregateNode>() != nullptr || node.as<TopRowsNode>() != nullptr || node.as<OverNode>() != nullptr;
    return groups && keyed_by_constant(*inputs_of(node).front());
  }
  bool keyed_by_constant(const PlanNode& node) const {
    if (const auto* rekey = node.as<RekeyNode>()) return one_group(node) && !rekey->window;
    if (const auto* source = node.as<SourceNode>()) {
      const PlanNode* written = source->internal ? written_to(source->topic) : nullptr;
      return written != nullptr && keyed_by_constant(*written);
    }
    const bool same_key = node.as<CombineNode>() != nullptr || own_first(node) == std::size_t{0};
    return same_key && keyed_by_constant(*inputs_of(node).front());
  }
  /// What is written to an internal topic.
  const PlanNode* written_to(const std::string& topic) const { return written_to(topic, plan_); }
  static const PlanNode* written_to(const std::string& topic, const PhysicalPlan& plan) {
    for (const Subtopology& writer : plan.subtopologies) {
      const auto* sink = writer.root->as<SinkNode>();
      if (sink != nullptr && sink->topic == topic) return sink->input.get();
    }
    for (const PlanPtr& part : plan.parts)
      if (const PlanNode* written = written_to(topic, *part)) return written;
    return nullptr;
  }

  void look_at_over(const std::string& name, const OverNode& over) {
    if (over.exact) return;
    if (over.input->kind == RelationKind::stream)
      warnings_.push_back(
          fmt::format("{} answers at once; rows that come out of order do not correct earlier answers.", name));
    else
      warnings_.push_back(fmt::format("{} keeps every row of {} for ever. Bound it with WITHIN, TTL or a window.", name,
                                      names_of(*over.input)));
  }

  /// The streams and tables that a relation is made of, in the order of the query.
  std::string names_of(const PlanNode& node) const {
    std::vector<std::string> names;
    collect(node, names);
    return fmt::format("{}", fmt::join(names, ", "));
  }
  void collect(const PlanNode& node, std::vector<std::string>& names) const {
    const auto* source = node.as<SourceNode>();
    if (source != nullptr && source->internal) {
      if (const PlanNode* written = written_to(source->topic)) collect(*written, names);
    } else if (source != nullptr && std::find(names.begin(), names.end(), source->name) == names.end()) {
      names.push_back(source->name);
    }
    for (const NodePtr& input : inputs_of(node)) collect(*input, names);
  }

  const PhysicalPlan& plan_;
  std::vector<std::string> warnings_;
  bool by_clock_ = false, drops_late_ = false, keeps_late_ = false;
};

}  // namespace

std::vector<std::string> warnings_of(const PhysicalPlan& plan) {
  return Warner(plan).run();
}

}  // namespace millrace::inline planner
