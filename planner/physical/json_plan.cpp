#include <fmt/format.h>

#include "planner/physical/json_codec.h"
#include "planner/physical/row_kinds.h"
#include "planner/physical/stores.h"

namespace millrace::inline planner {
namespace {

using namespace plan_json;

// Nodes are named by their place in the tree, root first.
void list_nodes(const NodePtr& node, std::vector<NodePtr>& out) {
  out.push_back(node);
  for (const auto& input : inputs_of(*node)) list_nodes(input, out);
}

std::size_t place_of(const NodePtr& root, const PlanNode* wanted) {
  std::vector<NodePtr> nodes;
  list_nodes(root, nodes);
  for (std::size_t i = 0; i < nodes.size(); ++i)
    if (nodes[i].get() == wanted) return i;
  malformed("node");
}

NodePtr node_at(const NodePtr& root, std::size_t place) {
  std::vector<NodePtr> nodes;
  list_nodes(root, nodes);
  if (place >= nodes.size()) malformed("node");
  return nodes[place];
}

json::value write_subtopology(const Subtopology& subtopology) {
  json::array stores;
  for (const auto& store : subtopology.stores) {
    json::object written{{"name", store.name},
                         {"changelog", store.changelog_topic},
                         {"owner", place_of(subtopology.root, store.owner)},
                         {"role", store.role},
                         {"layout", static_cast<int>(store.layout)},
                         {"windowed", store.windowed}};
    if (store.retention_ms) written["retention"] = *store.retention_ms;
    stores.push_back(written);
  }
  return {{"id", subtopology.id}, {"root", write(subtopology.root)}, {"stores", stores}};
}

Subtopology read_subtopology(const json::value& value, const FunctionCatalog& functions) {
  Subtopology out{.id = value.at("id").to_number<int>(), .root = read_node(value.at("root"), functions), .stores = {}};
  for (const auto& item : value.at("stores").as_array()) {
    const json::object& from = item.as_object();
    StorePlan store{.name = std::string(from.at("name").as_string()),
                    .changelog_topic = std::string(from.at("changelog").as_string()),
                    .owner = node_at(out.root, from.at("owner").to_number<std::size_t>()).get(),
                    .role = std::string(from.at("role").as_string()),
                    .layout = static_cast<StoreLayout>(from.at("layout").to_number<int>()),
                    .windowed = from.at("windowed").as_bool(),
                    .retention_ms = {}};
    if (const auto* retention = from.if_contains("retention"))
      store.retention_ms = retention->to_number<std::int64_t>();
    out.stores.push_back(std::move(store));
  }
  return out;
}

json::value write_materialization(const PhysicalPlan& plan) {
  if (!plan.materialization) return nullptr;
  const Materialization& found = *plan.materialization;
  const NodePtr& root = plan.subtopologies.at(static_cast<std::size_t>(found.subtopology)).root;
  json::array above;
  for (const auto& node : found.above) above.push_back(json::value(place_of(root, node.get())));
  json::object out{{"subtopology", found.subtopology},
                   {"store", found.store},
                   {"schema", write(found.store_schema)},
                   {"window", write(found.window)},
                   {"above", above}};
  if (!found.indexes.empty()) {
    json::object indexes;
    for (const TableIndex& index : found.indexes) indexes[index.name] = json::value_from(index.columns);
    out["indexes"] = std::move(indexes);
  }
  return out;
}

std::optional<Materialization> read_materialization(const json::value& value, const PhysicalPlan& plan) {
  if (value.is_null()) return std::nullopt;
  Materialization out{.subtopology = value.at("subtopology").to_number<int>(),
                      .store = std::string(value.at("store").as_string()),
                      .store_schema = read_schema(value.at("schema")),
                      .window = read_window(value.at("window")),
                      .above = {}};
  const NodePtr& root = plan.subtopologies.at(static_cast<std::size_t>(out.subtopology)).root;
  for (const auto& place : value.at("above").as_array())
    out.above.push_back(node_at(root, place.to_number<std::size_t>()));
  if (const json::value* indexes = value.as_object().if_contains("indexes"))
    for (const auto& [name, columns] : indexes->as_object())
      out.indexes.push_back({std::string(name), json::value_to<std::vector<std::string>>(columns)});
  return out;
}

json::array write_paces(const std::vector<PaceRule>& rules) {
  json::array out;
  for (const PaceRule& rule : rules) out.push_back({rule.size_ms, rule.advance_ms, rule.gap_ms, rule.grace_ms});
  return out;
}

std::vector<PaceRule> read_paces(const json::value& value) {
  std::vector<PaceRule> rules;
  for (const json::value& rule : value.as_array()) {
    const auto number = [&](std::size_t at) { return rule.at(at).to_number<std::int64_t>(); };
    rules.push_back({number(0), number(1), number(2), number(3)});
  }
  return rules;
}

/// Several readers are a list, which builds that know of one only do not take for one.
json::array write_topics(const std::vector<InternalTopic>& topics) {
  json::array out;
  for (const auto& topic : topics) {
    const json::value readers =
        topic.readers.size() == 1 ? json::value(topic.readers.front()) : json::value_from(topic.readers);
    json::object written{{"name", topic.name},
                         {"changelog", topic.changelog},
                         {"partitions", topic.partitions},
                         {"subtopology", topic.changelog ? json::value(topic.subtopology) : readers}};
    if (!topic.as_many_as.empty()) written["as_many_as"] = json::value_from(topic.as_many_as);
    if (!topic.paces.empty()) written["paces"] = write_paces(topic.paces);
    out.push_back(std::move(written));
  }
  return out;
}

std::vector<InternalTopic> read_topics(const json::value& value) {
  std::vector<InternalTopic> out;
  for (const auto& topic : value.as_array()) {
    InternalTopic& read = out.emplace_back();
    read.name = topic.at("name").as_string();
    read.changelog = topic.at("changelog").as_bool();
    read.partitions = topic.at("partitions").to_number<int>();
    const json::value& by = topic.at("subtopology");
    if (read.changelog)
      read.subtopology = by.to_number<int>();
    else
      read.readers = by.is_array() ? json::value_to<std::vector<int>>(by) : std::vector<int>{by.to_number<int>()};
    if (const json::value* sizes = topic.as_object().if_contains("as_many_as"))
      read.as_many_as = json::value_to<std::vector<std::string>>(*sizes);
    if (const json::value* paces = topic.as_object().if_contains("paces")) read.paces = read_paces(*paces);
  }
  return out;
}

// Version 1 left to exec which operators give rows before. No node comes or goes here, so places stay what they are.
void decide_before_rows(PhysicalPlan& plan) {
  BeforeByTopic topics;
  for (auto subtopology = plan.subtopologies.rbegin(); subtopology != plan.subtopologies.rend(); ++subtopology) {
    const NodePtr old = subtopology->root;
    subtopology->root = provide_before_rows(old, false, &topics);
    for (StorePlan& store : subtopology->stores)
      store.owner = node_at(subtopology->root, place_of(old, store.owner)).get();
    if (!plan.materialization || plan.materialization->subtopology != subtopology->id) continue;
    for (NodePtr& node : plan.materialization->above) node = node_at(subtopology->root, place_of(old, node.get()));
  }
}

PhysicalPlan complete_plan(PhysicalPlan plan) {
  decide_before_rows(plan);
  for (Subtopology& subtopology : plan.subtopologies)
    for (StorePlan& store : subtopology.stores) describe_store(store);
  name_steps(plan);  // other nodes now
  return plan;
}

json::object write_plan(const PhysicalPlan& plan);
PhysicalPlan read_any(json::object& from, const FunctionCatalog& functions);

/// Builds that know of no parts expect a list, and do not take it for a plan that does everything itself.
json::object write_topics_and_parts(const PhysicalPlan& plan) {
  json::array parts;
  for (const PlanPtr& part : plan.parts) parts.push_back(write_plan(*part));
  return {{"own", write_topics(plan.topics)}, {"parts", std::move(parts)}};
}

void read_topics_and_parts(const json::value& value, const FunctionCatalog& functions, PhysicalPlan& plan) {
  if (value.is_array()) {
    plan.topics = read_topics(value);
    return;
  }
  plan.topics = read_topics(value.at("own"));
  for (const json::value& written : value.at("parts").as_array()) {
    json::object part = written.as_object();
    plan.parts.push_back(std::make_shared<const PhysicalPlan>(read_any(part, functions)));
  }
}

PhysicalPlan read_plan(const json::object& from, const FunctionCatalog& functions) {
  PhysicalPlan plan;
  plan.query_id = std::string(from.at("query").as_string());
  if (const json::value* incarnation = from.if_contains("incarnation"))
    plan.incarnation = std::string(incarnation->as_string());
  for (const auto& item : from.at("subtopologies").as_array())
    plan.subtopologies.push_back(read_subtopology(item, functions));
  read_topics_and_parts(from.at("topics"), functions, plan);
  plan.materialization = read_materialization(from.at("materialization"), plan);
  const json::object& options = from.at("options").as_object();
  plan.options = QueryOptions{.emit_every_change = options.at("emit_every_change").as_bool(),
                              .from_earliest = options.at("from_earliest").as_bool(),
                              .fail_on_bad_record = options.at("fail_on_bad_record").as_bool(),
                              .fail_on_bad_timestamp = options.at("fail_on_bad_timestamp").as_bool()};
  if (const json::value* memory = options.if_contains("most_memory_bytes"))
    plan.options.most_memory_bytes = memory->to_number<std::int64_t>();
  plan.result = read_schema(from.at("result"));
  plan.kind = static_cast<RelationKind>(from.at("kind").to_number<int>());
  plan.window = read_window(from.at("window"));
  for (const auto& rule : from.at("rules").as_array()) plan.fired_rules.emplace_back(rule.as_string());
  if (const json::value* bound = from.if_contains("bound")) plan.bound = read_node(*bound, functions);
  name_steps(plan);
  return plan;
}

json::object write_plan(const PhysicalPlan& plan) {
  json::array subtopologies;
  for (const auto& subtopology : plan.subtopologies) subtopologies.push_back(write_subtopology(subtopology));
  json::object out = {{"version", kPlanVersion},
                      {"records", kRecordForm},
                      {"query", plan.query_id},
                      {"incarnation", plan.incarnation},
                      {"subtopologies", subtopologies},
                      {"topics", plan.parts.empty() ? json::value(write_topics(plan.topics))
                                                    : json::value(write_topics_and_parts(plan))},
                      {"materialization", write_materialization(plan)},
                      {"options",
                       {{"emit_every_change", plan.options.emit_every_change},
                        {"from_earliest", plan.options.from_earliest},
                        {"fail_on_bad_record", plan.options.fail_on_bad_record},
                        {"fail_on_bad_timestamp", plan.options.fail_on_bad_timestamp}}},
                      {"result", write(plan.result)},
                      {"kind", static_cast<int>(plan.kind)},
                      {"window", write(plan.window)},
                      {"rules", json::value_from(plan.fired_rules)}};
  if (plan.options.most_memory_bytes != 0)
    out["options"].as_object()["most_memory_bytes"] = plan.options.most_memory_bytes;
  if (plan.bound) out["bound"] = write(plan.bound);
  return out;
}

PhysicalPlan read_any(json::object& from, const FunctionCatalog& functions) {
  const int version = from.at("version").to_number<int>();
  if (version < 1 || version > kPlanVersion) malformed("version");
  const json::value* records = from.if_contains("records");  // plans had none as long as the form was the first
  if (const int form = records ? records->to_number<int>() : 1; form != kRecordForm) {
    throw SqlError(
        Code::not_supported, Span{},
        fmt::format("its internal topics hold records of form {}, this program reads form {}", form, kRecordForm));
  }
  if (version == kPlanVersion) return read_plan(from, functions);
  upgrade_plan(from);
  return complete_plan(read_plan(from, functions));
}

}  // namespace

std::string to_json(const PhysicalPlan& plan) {
  return json::serialize(write_plan(plan));
}

PhysicalPlan physical_from_json(const std::string& text, const FunctionCatalog& functions) {
  try {
    json::parse_options options;
    options.max_depth = 16'384;  // expressions nest
    json::value value = json::parse(text, {}, options);
    return read_any(value.as_object(), functions);
  } catch (const SqlError&) {
    throw;
  } catch (const std::exception&) {
    malformed("part");
  }
}

}  // namespace millrace::inline planner
