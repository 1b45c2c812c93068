#include "tests/harness/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "exec/data/wall_clock.h"
#include "exec/expr/evaluator.h"
#include "exec/formats/format.h"
#include "parser/ast/format.h"
#include "parser/syntax/parse.h"
#include "planner/bind/dialect.h"
#include "planner/bind/insert_branches.h"
#include "planner/bind/macros.h"
#include "planner/bind/views.h"
#include "planner/physical/shared_parts.h"
#include "planner/query/plan_query.h"

namespace millrace::harness {
namespace {

const ast::Property* find_property(const ast::Properties& properties, std::string_view name) {
  for (const auto& property : properties)
    if (property.name == name) return &property;
  return nullptr;
}

bool has_repartition(const PhysicalPlan& plan) {
  for (const auto& topic : plan.topics)
    if (topic.name.ends_with("-repartition")) return true;
  return false;
}

void collect_topics(const PlanNode& node, std::set<std::string>& topics) {
  if (const auto* source = node.as<SourceNode>()) topics.insert(source->topic);
  for (const auto& input : inputs_of(node)) collect_topics(*input, topics);
}

}  // namespace

Session::Session(const PropertyMap& properties, std::set<std::string> rules_off, const FunctionCatalog& functions)
    : rules_off_(std::move(rules_off)), functions_(functions) {
  properties_["auto.offset.reset"] = "earliest";
  properties_["cache.max.bytes.buffering"] = "0";
  properties_["ksql.service.id"] = std::string(kServiceId);
  for (const auto& [name, value] : properties) {
    constexpr std::string_view kPrefix = "ksql.streams.";
    properties_[name.starts_with(kPrefix) ? name.substr(kPrefix.size()) : name] = value;
  }
}

void Session::declare_topics_of(const std::vector<ast::StatementPtr>& statements, int partitions) {
  for (const auto& statement : statements) {
    const auto* create = statement->as<ast::CreateSource>();
    if (!create || create->columns.empty()) continue;
    const auto* topic = find_property(create->properties, "KAFKA_TOPIC");
    const auto* name = topic ? topic->value->as<ast::StringLiteral>() : nullptr;
    if (!name) continue;
    const auto number = [&](std::string_view property, int otherwise) {
      const auto* found = find_property(create->properties, property);
      const auto* literal = found ? found->value->as<ast::IntegerLiteral>() : nullptr;
      return literal ? literal->value : otherwise;
    };
    declare_topic(name->value,
                  TopicInfo{.partitions = number("PARTITIONS", partitions), .replicas = number("REPLICAS", 1)});
  }
}

void Session::declare_schemas_of(const ast::CreateSource& statement) {
  try {
    (void)bind_create(statement, context());
  } catch (const SqlError&) {  // comes again when the statement is applied
  }
}

std::optional<TopicInfo> Session::find_topic(const std::string& name) {
  const auto found = topics_.find(name);
  if (found == topics_.end()) return std::nullopt;
  return found->second;
}

Dialect Session::dialect() const {
  return dialect_of(properties_);
}

BindContext Session::context() {
  return BindContext{.catalog = catalog_,
                     .functions = functions_,
                     .topics = *this,
                     .properties = properties_,
                     .evaluate = evaluate_constant,
                     .schemas = &registrar_};
}

SourcePtr Session::source_on(const std::string& topic) const {
  for (const auto& source : declared_)
    if (source->topic == topic) return source;
  return nullptr;
}

void Session::apply(const ast::StatementPtr& statement) {
  std::visit(
      [&](const auto& node) {
        if constexpr (requires { this->apply(node); }) {
          this->apply(node);
        } else {
          throw SqlError(Code::not_supported, statement->span, "This statement has no place in a test.");
        }
      },
      statement->node);
}

void Session::apply(const ast::CreateSource& statement) {
  BoundCreate bound = bind_create(statement, context());
  if (statement.if_not_exists && catalog_.find(bound.source.name)) return;
  if (bound.create_topic) topics_.emplace(bound.source.topic, *bound.create_topic);
  if (bound.source.read_only && bound.source.kind == RelationKind::table) {
    PersistentQuery query;
    query.sources = {bound.source.name};
    query.source_topics = {bound.source.topic};
    queries_.push_back(std::move(query));
  }
  add_source(std::move(bound.source));
}

void Session::apply(const ast::CreateAs& statement) {
  if (statement.if_not_exists && catalog_.find(statement.name.text)) return;
  BoundQuery bound = bind_create_as(statement, context());
  const std::string kind = statement.kind == ast::SourceKind::table ? "CTAS" : "CSAS";
  std::string id = fmt::format("{}_{}_{}", kind, statement.name.text, next_query_++);
  if (const auto replaced = query_into(statement.name.text); statement.or_replace && replaced != queries_.end())
    id = replaced->plan->query_id;
  if (bound.create_topic) topics_.emplace(bound.sink->topic, *bound.create_topic);
  SourceDef sink = *bound.sink;
  sink.from_query = true;
  sink.created_by = id;
  add_late_streams(bound);
  add_query(std::move(bound), id, statement.or_replace);
  add_source(std::move(sink));
}

void Session::apply(const ast::InsertSelect& statement) {
  BoundQuery bound = bind_insert_select(statement, context());
  const std::string id = bound.query_id.value_or(fmt::format("INSERTQUERY_{}", next_query_));
  ++next_query_;
  add_late_streams(bound);
  add_query(std::move(bound), id, false);
}

void Session::add_late_streams(const BoundQuery& bound) {
  for (const BoundLate& late : bound.late) {
    if (!late.made) continue;
    if (late.create_topic) topics_.emplace(late.sink.topic, *late.create_topic);
    add_source(late.sink);
  }
}

void Session::apply(const ast::InsertBranches& statement) {
  for (const ast::InsertSelect& branch : split_branches(statement)) apply(branch);
}

void Session::apply(const ast::Select& statement) {
  if (statement.query->emit == ast::Emit::none)
    (void)plan_pull(*statement.query);
  else
    (void)plan_push(*statement.query);
}

void Session::apply(const ast::SetProperty& statement) {
  constexpr std::string_view prefix = "ksql.streams.";
  properties_[statement.name.starts_with(prefix) ? statement.name.substr(prefix.size()) : statement.name] =
      statement.value;
}

void Session::apply(const ast::InsertValues& statement) {
  const BoundInsert bound = bind_insert_values(statement, context());
  for (const BoundInsert::Row& row : bound.rows) keep(*catalog_.find(bound.target), row.values, false, row.time);
}

void Session::keep(const SourceDef& target, std::span<const Value> row, bool removed,
                   std::optional<std::int64_t> time) {
  const auto key_columns = target.schema.keys(), value_columns = target.schema.values();
  auto key = encode_row(target.key_format, key_columns, row.first(key_columns.size()), true);
  if (!key) throw SqlError(Code::invalid_insert, Span{}, key.error().message, ErrorClass::general);
  StoredRecord record{.key = *key, .value = std::nullopt, .timestamp = time.value_or(wall_clock_ms()), .headers = {}};
  if (!removed) {
    auto value =
        encode_row(target.value_format, value_columns, row.subspan(key_columns.size(), value_columns.size()), false);
    if (!value) throw SqlError(Code::invalid_insert, Span{}, value.error().message, ErrorClass::general);
    record.value = *value;
  }
  records_[target.topic].push_back(std::move(record));
}

std::optional<BoundChange> Session::bind_change(const ast::Statement& statement) {
  if (const auto* upsert = statement.as<ast::UpsertValues>()) return bind_upsert(*upsert, context());
  if (const auto* update = statement.as<ast::UpdateRows>()) return bind_update(*update, context());
  if (const auto* insert = statement.as<ast::InsertOnce>()) return bind_insert_once(*insert, context());
  if (const auto* rows = statement.as<ast::DeleteRows>()) return bind_delete(*rows, context());
  return std::nullopt;
}

void Session::write(const BoundChange& change, const std::vector<RowChange>& rows) {
  for (const RowChange& row : rows) keep(*catalog_.find(change.target), row.values, row.removed, row.time);
}

void Session::apply(const ast::AlterSource& statement) {
  add_source(bind_alter(statement, context()));
}

void Session::apply(const ast::DropSource& statement) {
  const SourceDef* source = catalog_.find(statement.name.text);
  if (!source) {
    if (statement.if_exists) return;
    throw SqlError(Code::unknown_source, statement.name.span,
                   fmt::format("Source {} does not exist.", statement.name.text));
  }
  if (statement.delete_topic && source->read_only) {
    throw SqlError(Code::read_only, statement.name.span,
                   fmt::format("Cannot delete topic for read-only source: {}", statement.name.text),
                   ErrorClass::general);
  }
  const std::string by = source->created_by;
  std::erase_if(queries_, [&](const PersistentQuery& query) { return query.plan && query.plan->query_id == by; });
  catalog_.sources.erase(statement.name.text);
  ++catalog_.version;
}

void Session::apply(const ast::CreateFunction& statement) {
  if (has_variant(statement, catalog_) && !statement.or_replace) {
    if (statement.if_not_exists) return;
    throw SqlError(Code::already_exists, statement.name.span, "It is there already.");
  }
  (void)bind_function(statement, context());
  // As the command log has it.
  const ast::Statement plain{without_aliases(statement, catalog_), {}, ""};
  const ast::StatementPtr kept = parse_statement(ast::format(plain));
  catalog_.macros[statement.name.text] = add_macro(*kept->as<ast::CreateFunction>(), catalog_);
  ++catalog_.version;
}

void Session::apply(const ast::DropFunction& statement) {
  check_drop(statement, catalog_, functions_);
  catalog_.macros.erase(statement.name.text);
  ++catalog_.version;
}

void Session::apply(const ast::CreateView& statement) {
  check_view(statement, context());
  catalog_.views[statement.name.text] = make_view(statement, {});
  ++catalog_.version;
}

void Session::apply(const ast::DropView& statement) {
  catalog_.views.erase(statement.name.text);
  ++catalog_.version;
}

void Session::change_indexes(const std::string& table, const std::function<void(std::vector<TableIndex>&)>& change) {
  const SourceDef* source = catalog_.find(table);
  for (PersistentQuery& query : queries_) {
    if (!source || !query.plan || query.plan->query_id != source->created_by) continue;
    auto plan = std::make_shared<PhysicalPlan>(*query.plan);
    change(plan->materialization->indexes);
    query.plan = std::move(plan);
  }
  ++catalog_.version;
}

void Session::apply(const ast::CreateIndex& statement) {
  TableIndex index{.name = statement.name.text, .columns = {}};
  for (const ast::SortItem& item : statement.items) index.columns.push_back(item.expr->as<ast::ColumnRef>()->name.text);
  catalog_.indexes[index.name] = std::make_shared<const IndexDef>(
      IndexDef{.name = index.name, .table = statement.table.text, .columns = index.columns, .statement = {}});
  change_indexes(statement.table.text, [&](auto& indexes) { indexes.push_back(index); });
}

void Session::apply(const ast::DropIndex& statement) {
  const IndexPtr index = catalog_.indexes.at(statement.name.text);
  catalog_.indexes.erase(statement.name.text);
  change_indexes(index->table, [&](auto& indexes) {
    std::erase_if(indexes, [&](const TableIndex& other) { return other.name == index->name; });
  });
}

void Session::apply(const ast::CreateType& statement) {
  if (catalog_.types.contains(statement.name.text)) {
    if (statement.if_not_exists) return;
    throw SqlError(
        Code::already_exists, statement.name.span,
        fmt::format("Cannot register custom type '{}' since it is already registered.", statement.name.text));
  }
  catalog_.types.emplace(statement.name.text, resolve_type(statement.type, catalog_));
}

void Session::apply(const ast::DropType& statement) {
  catalog_.types.erase(statement.name.text);
}

std::shared_ptr<const PhysicalPlan> Session::plan_push(const ast::Query& query) {
  BoundQuery bound = bind_push(query, context());
  bound.options.emit_every_change = true;  // as the server has it
  return plan_query(bound.root, bound.options,
                    {.physical = {.service_id = std::string(kServiceId),
                                  .query_id = fmt::format("transient_{}", next_query_++),
                                  .transient = true},
                     .evaluate = evaluate_constant,
                     .rules_off = rules_off_});
}

Session::Pull Session::plan_pull(const ast::Query& query) {
  return is_finite_form(query, context()) ? plan_pull(bind_finite(query, context()))
                                          : plan_pull(bind_pull(query, context()));
}

Session::Pull Session::plan_pull(const BoundFinite& bound) {
  const auto find = [this](const std::string& name, bool versions) -> FiniteSource {
    const auto keeper = versions ? nullptr : keeper_of(catalog_.sources.at(name));
    return keeper ? FiniteSource{keeper, nullptr} : FiniteSource{nullptr, bind_source_rows(name, context()).root};
  };
  return {nullptr, {}, plan_finite(bound, find, pull_context())};
}

std::shared_ptr<const PhysicalPlan> Session::plan_kept(const SourceDef& source, const std::string& id) {
  BoundQuery bound = bind_source_rows(source.name, context());
  PlanContext own = pull_context();
  own.physical.query_id = id;
  return plan_kept_table(std::move(bound.root), bound.options, own);
}

std::shared_ptr<const PhysicalPlan> Session::keeper_of(const SourcePtr& source) const {
  if (source->kind != RelationKind::table) return nullptr;
  if (source->created_by.empty()) return keep_table_ ? keep_table_(source) : nullptr;
  const auto keeper = std::find_if(queries_.begin(), queries_.end(), [&](const PersistentQuery& known) {
    return known.plan && known.plan->query_id == source->created_by;
  });
  return keeper != queries_.end() ? keeper->plan : nullptr;
}

Session::Pull Session::plan_pull(const BoundPull& bound) {
  const SourcePtr source = catalog_.sources.at(bound.source);
  if (const auto keeper = keeper_of(source)) return {millrace::plan_pull(bound, *keeper, pull_context()), {}, {}};
  return {nullptr, plan_topic(bound), {}};
}

PlanContext Session::pull_context() const {
  return {.physical = {.service_id = std::string(kServiceId), .query_id = "pull", .transient = true},
          .evaluate = evaluate_constant,
          .rules_off = rules_off_};
}

TopicPullPlan Session::plan_topic(const BoundPull& bound) {
  return plan_topic_pull(bound, bind_source_rows(bound.source, context()).root, pull_context());
}

void Session::add_source(SourceDef source) {
  auto shared = std::make_shared<const SourceDef>(std::move(source));
  declared_.push_back(shared);
  catalog_.sources[shared->name] = std::move(shared);
  ++catalog_.version;
}

std::vector<PersistentQuery>::iterator Session::query_into(const std::string& sink) {
  return std::find_if(queries_.begin(), queries_.end(), [&](const PersistentQuery& known) {
    return known.plan && known.sink == sink && known.plan->query_id.starts_with("C");
  });
}

void Session::add_query(BoundQuery bound, const std::string& query_id, bool replace) {
  const auto replaced = replace ? query_into(bound.sink->name) : queries_.end();
  PlanContext context{.physical = {.service_id = std::string(kServiceId), .query_id = query_id, .transient = false},
                      .evaluate = evaluate_constant,
                      .rules_off = rules_off_};
  if (replaced != queries_.end()) context.physical.replaced = replaced->plan.get();
  auto plan = plan_query(bound.root, bound.options, context);
  if (replaced != queries_.end() && plan->incarnation != replaced->plan->incarnation) {
    auto next = std::make_shared<PhysicalPlan>(*plan);
    next->incarnation = replaced->plan->incarnation;
    plan = std::move(next);
  } else if (shares_ && replaced == queries_.end()) {
    const PlannedQuery one{plan, context.physical};
    PlannedQuery other = one;
    other.context.query_id += "_TWIN";
    if (auto shared = share_parts(std::vector{one, other}).front()) plan = std::move(shared);
  }

  PersistentQuery query;
  query.sink = bound.sink->name;
  query.sink_topic = bound.sink->topic;
  query.sources = bound.sources;
  collect_topics(*bound.root, query.source_topics);
  query.moves_rows = has_repartition(*plan) || !plan->parts.empty();
  query.plan = std::move(plan);
  if (replaced != queries_.end()) {
    *replaced = std::move(query);
  } else {
    queries_.push_back(std::move(query));
  }
}

}  // namespace millrace::harness
