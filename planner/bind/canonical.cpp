#include "planner/bind/canonical.h"

#include <algorithm>

#include "parser/ast/format.h"
#include "planner/bind/ast_rewrite.h"
#include "planner/types/topic_name.h"

namespace millrace::inline planner {
namespace {

constexpr std::int64_t kDefaultRetention = 604'800'000;

void set_default(ast::Properties& properties, const std::string& name, const ast::ExprPtr& value) {
  const bool given = std::ranges::find(properties, name, &ast::Property::name) != properties.end();
  if (!given) properties.push_back({name, value, {}});
}

ast::ExprPtr text(const std::string& value) {
  return make_ast(ast::StringLiteral{value}, {});
}
ast::ExprPtr number(int value) {
  return make_ast(ast::IntegerLiteral{value}, {});
}

std::string with_end(std::string statement) {
  if (!statement.ends_with(';')) statement += ';';
  return statement;
}

template <class Node>
std::string print(Node node) {
  ast::Statement statement;
  statement.node = std::move(node);
  return with_end(ast::format(statement));
}

const char* policy(const SourceDef& source) {
  if (source.kind == RelationKind::stream) return "delete";
  return source.window ? "compact,delete" : "compact";
}

ast::QueryPtr completed(const ast::Query& query) {
  auto copy = std::make_shared<ast::Query>(query);
  const auto named = [](const ast::FromSource& source) { return !source.alias && !source.query; };
  if (named(copy->from.first)) copy->from.first.alias = copy->from.first.name;
  for (auto& join : copy->from.joins) {
    if (named(join.source)) join.source.alias = join.source.name;
  }
  if (copy->emit == ast::Emit::none) copy->emit = ast::Emit::changes;
  return copy;
}

}  // namespace

std::string canonical_text(const ast::CreateSource& statement, const BoundCreate& bound) {
  ast::CreateSource copy = statement;
  const bool both = std::ranges::find(copy.properties, "FORMAT", &ast::Property::name) != copy.properties.end();
  set_default(copy.properties, "CLEANUP_POLICY", text(policy(bound.source)));
  if (both) std::erase_if(copy.properties, [](const ast::Property& property) { return property.name == "FORMAT"; });
  set_default(copy.properties, "KEY_FORMAT", text(bound.source.key_format.name));
  set_default(copy.properties, "VALUE_FORMAT", text(bound.source.value_format.name));
  return print(std::move(copy));
}

std::string canonical_text(const ast::CreateAs& statement, const BoundQuery& bound) {
  ast::CreateAs copy = statement;
  const SourceDef& sink = *bound.sink;
  set_default(copy.properties, "CLEANUP_POLICY", text(policy(sink)));
  set_default(copy.properties, "KAFKA_TOPIC", text(std::string(split_topic(sink.topic).name)));
  set_default(copy.properties, "PARTITIONS", number(sink.partitions));
  set_default(copy.properties, "REPLICAS", number(sink.replicas));
  if (sink.kind == RelationKind::stream || sink.window) {
    const std::int64_t retention = bound.retention_ms.value_or(kDefaultRetention);
    set_default(copy.properties, "RETENTION_MS", make_ast(ast::BigintLiteral{retention}, {}));
  }
  copy.query = completed(*statement.query);
  return print(std::move(copy));
}

std::string canonical_text(const ast::InsertSelect& statement) {
  ast::InsertSelect copy = statement;
  copy.query = completed(*statement.query);
  return print(std::move(copy));
}

std::string canonical_text(const ast::Statement& statement) {
  return with_end(ast::format(statement));
}

}  // namespace millrace::inline planner
