#include "planner/physical/replace.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "planner/physical/stores.h"

namespace millrace::inline planner {
namespace {

[[noreturn]] void refuse(const std::string& why) {
  throw SqlError(Code::invalid_statement, Span{}, "Query is not upgradeable. " + why)
      .hint("drop the query and create it again, or replace it with the settings that it was created with");
}

/// Where the columns of a relation go in a form that continues an old one.
struct Form {
  Schema schema;                  // the old columns first
  std::vector<std::size_t> from;  // for each of them: the column of the relation, kNone for one that is gone
  std::vector<std::size_t> to;    // for each column of the relation: its place in `schema`
  bool changed = false;
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
};

Form continue_form(const Schema& old, const Schema& next) {
  Form form{.schema = old, .from = std::vector<std::size_t>(old.size(), Form::kNone), .to = {}};
  const std::size_t keys = next.key_count();
  if (old.key_count() != keys) refuse("Its replacement has other keys.");
  for (std::size_t i = 0; i < next.size(); ++i) {
    if (i < keys) {  // keys are what they are by position
      if (!(old.columns[i].type == next.columns[i].type)) refuse("Its replacement has keys of another type.");
      form.schema.columns[i] = next.columns[i];
      form.from[i] = i;
      form.to.push_back(i);
      continue;
    }
    std::size_t place = keys;
    while (place < old.size() && !(form.from[place] == Form::kNone && old.columns[place] == next.columns[i])) ++place;
    if (place == old.size()) {
      place = form.schema.size();
      form.schema.columns.push_back(next.columns[i]);
      form.from.push_back(i);
    } else {
      form.from[place] = i;
    }
    form.to.push_back(place);
  }
  form.changed = form.schema.size() != next.size();
  for (std::size_t i = 0; i < next.size(); ++i) form.changed = form.changed || form.to[i] != i;
  return form;
}

NodePtr project(NodePtr input, std::vector<ProjectItem> items) {
  const bool before = emits_before(*input);
  return make_node(ProjectNode{.input = std::move(input), .items = std::move(items), .emit_before = before});
}

ProjectItem item(const ColumnDef& column, std::size_t index) {
  return {column, make_column(index, column.type, column.name)};
}

NodePtr to_form(const NodePtr& node, const Form& form) {
  std::vector<ProjectItem> items;
  for (std::size_t i = 0; i < form.schema.size(); ++i) {
    const ColumnDef& column = form.schema.columns[i];
    if (form.from[i] == Form::kNone) {
      items.push_back({column, make_literal(Value(), column.type)});
    } else {
      items.push_back(item(column, form.from[i]));
    }
  }
  return project(node, std::move(items));
}

NodePtr from_form(const NodePtr& node, const Schema& wanted, const Form& form) {
  std::vector<ProjectItem> items;
  for (std::size_t i = 0; i < wanted.size(); ++i) items.push_back(item(wanted.columns[i], form.to[i]));
  return project(node, std::move(items));
}

class Keeper {
 public:
  Keeper(const Subtopology& subtopology, const PhysicalPlan& old) : subtopology_(subtopology), old_(old) {}

  NodePtr keep(const NodePtr& node) const {
    std::vector<NodePtr> inputs = inputs_of(*node);
    for (NodePtr& input : inputs) input = keep(input);
    if (const auto* source = node->as<SourceNode>(); source && source->internal) return keep_source(node, *source);
    if (const auto* sink = node->as<SinkNode>(); sink && sink->internal) {
      const Form form = form_of_topic(sink->topic, inputs.front()->schema);
      return with_inputs(*node, {form.changed ? to_form(inputs.front(), form) : inputs.front()});
    }
    if (node->as<MaterializeNode>()) return keep_rows(node, inputs.front());
    return with_inputs(*node, std::move(inputs));
  }

 private:
  NodePtr keep_source(const NodePtr& node, const SourceNode& source) const {
    const Form form = form_of_topic(source.topic, source.declared);
    if (!form.changed) return node;
    SourceNode changed = source;
    changed.declared = form.schema;
    for (std::size_t& column : changed.read) column = form.to[column];
    return make_node(std::move(changed));
  }

  NodePtr keep_rows(const NodePtr& node, const NodePtr& input) const {
    const std::string store = subtopology_.name_of(*node) + "/rows";
    for (const Subtopology& subtopology : old_.subtopologies) {
      for (const StorePlan& known : subtopology.stores) {
        if (known.name != store) continue;
        const Form form = continue_form(known.owner->schema, input->schema);
        if (!form.changed) break;
        return from_form(with_inputs(*node, {to_form(input, form)}), input->schema, form);
      }
    }
    return with_inputs(*node, {input});
  }

  Form form_of_topic(const std::string& topic, const Schema& next) const {
    for (const Subtopology& subtopology : old_.subtopologies) {
      const auto* sink = subtopology.root->as<SinkNode>();
      if (!sink || !sink->internal || sink->topic != topic) continue;
      Form form = continue_form(subtopology.root->schema, next);
      for (std::size_t i = 0; i < form.schema.size(); ++i)
        if (form.from[i] == Form::kNone && form.schema.columns[i].name == CombineNode::kStates)
          refuse(fmt::format("Rows under way in {} are sums of several rows, which its replacement does not take.",
                             topic));
      return form;
    }
    return continue_form(next, next);
  }

  const Subtopology& subtopology_;
  const PhysicalPlan& old_;
};

std::set<std::string> moving_topics(const PhysicalPlan& plan) {
  std::set<std::string> topics;
  for (const InternalTopic& topic : plan.topics)
    if (!topic.changelog) topics.insert(topic.name);
  return topics;
}

}  // namespace

void keep_forms(PhysicalPlan& plan, const PhysicalPlan& old) {
  if (moving_topics(plan) != moving_topics(old))
    refuse("Its replacement moves rows by key where it does not, or the other way round.");
  for (Subtopology& subtopology : plan.subtopologies)
    subtopology.root = Keeper(subtopology, old).keep(subtopology.root);
  name_steps(plan);
}

}  // namespace millrace::inline planner
