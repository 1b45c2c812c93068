#include "bind_session.h"

#include <fmt/format.h>

#include "exec/expr/evaluator.h"
#include "exec/functions/builtin.h"

namespace millrace {

BindSession::BindSession() {
  run("CREATE STREAM S (ID INT KEY, NAME STRING, PRICE DECIMAL(4, 2), TAGS ARRAY<STRING>, ADDRESS STRUCT<CITY STRING, "
      "ZIP INT>) "
      "WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=4);");
  run("CREATE TABLE T (ID INT PRIMARY KEY, LABEL STRING, OWNER BIGINT) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON', "
      "PARTITIONS=4);");
}

std::optional<TopicInfo> BindSession::Topics::find_topic(const std::string& name) {
  const auto found = known.find(name);
  return found == known.end() ? std::nullopt : std::optional(found->second);
}

BindContext BindSession::context() {
  return {catalog_, builtin_functions(), topics_, properties_,
          [](const Expr& expr) { return evaluate_constant(expr); }};
}

void BindSession::apply(const SourceDef& source) {
  topics_.known.try_emplace(source.topic, TopicInfo{source.partitions, source.replicas});
  catalog_.sources[source.name] = std::make_shared<const SourceDef>(source);
}

std::string BindSession::run(const std::string& sql) {
  const auto statement = parse_statement(sql);
  if (const auto* create = statement->as<ast::CreateSource>()) {
    const auto bound = bind_create(*create, context());
    apply(bound.source);
    return bound.source.schema.to_string();
  }
  if (const auto* alter = statement->as<ast::AlterSource>()) {
    const auto source = bind_alter(*alter, context());
    apply(source);
    return source.schema.to_string();
  }
  if (const auto* type = statement->as<ast::CreateType>()) {
    catalog_.types[type->name.text] = resolve_type(type->type, catalog_);
    return catalog_.types[type->name.text].to_string();
  }
  if (const auto* insert = statement->as<ast::InsertSelect>())
    return explain(bind_insert_select(*insert, context()).root);
  if (const auto* select = statement->as<ast::Select>()) return explain(bind_push(*select->query, context()).root);
  if (const auto* values = statement->as<ast::InsertValues>()) return bind_insert_values(*values, context()).target;
  const auto bound = bind_create_as(*statement->as<ast::CreateAs>(), context());
  apply(*bound.sink);
  return explain(bound.root);
}

std::string BindSession::error(const std::string& sql) {
  try {
    const auto statement = parse_statement(sql);
    const auto* select = statement->as<ast::Select>();
    if (select && select->query->emit == ast::Emit::none) {
      bind_pull(*select->query, context());
    } else {
      run(sql);
    }
  } catch (const SqlError& error) {
    return fmt::format("{} at {}:{}: {}", code_name(error.code()), error.span().line, error.span().column,
                       error.what());
  }
  return "no error";
}

std::string BindSession::canonical(const std::string& sql) {
  const auto statement = parse_statement(sql);
  if (const auto* create = statement->as<ast::CreateSource>())
    return canonical_text(*create, bind_create(*create, context()));
  if (const auto* as = statement->as<ast::CreateAs>()) return canonical_text(*as, bind_create_as(*as, context()));
  return canonical_text(*statement);
}

BoundPull BindSession::pull(const std::string& sql) {
  const auto statement = parse_statement(sql);
  return bind_pull(*statement->as<ast::Select>()->query, context());
}

NodePtr BindSession::plan(const std::string& sql) {
  return bind_create_as(*parse_statement(sql)->as<ast::CreateAs>(), context()).root;
}

BoundInsert BindSession::insert(const std::string& sql) {
  const auto statement = parse_statement(sql);
  return bind_insert_values(*statement->as<ast::InsertValues>(), context());
}

}  // namespace millrace
