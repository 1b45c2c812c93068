#include "parser/syntax/builder.h"

namespace millrace::inline parser {

Builder::Node Builder::assert_topic(P::AssertTopicContext* context) {
  return ast::AssertTopic{topic_name(context->topicName()), context->notExists() == nullptr,
                          properties(context->withClause()), timeout(context->timeout())};
}

Builder::Node Builder::assert_schema(P::AssertSchemaContext* context) {
  ast::AssertSchema check;
  check.exists = context->notExists() == nullptr;
  if (context->topicName() != nullptr) check.subject = topic_name(context->topicName()).text;
  if (context->INTEGER_VALUE() != nullptr) check.id = integer(context->INTEGER_VALUE()->getSymbol());
  check.timeout = timeout(context->timeout());
  return check;
}

Builder::Node Builder::assert_values(P::NameContext* source, P::NameListContext* columns, P::ValueListContext* list,
                                     bool tombstone) {
  return ast::AssertValues{name(source), names(columns), values(list), tombstone};
}

Builder::Node Builder::assert_source(P::AssertSourceContext* context) {
  ast::CreateSource expected;
  expected.kind = source_kind(context->sourceKind());
  expected.name = name(context->name());
  expected.columns = columns(context->columnList(), expected.kind);
  expected.properties = properties(context->withClause());
  return ast::AssertSource{std::move(expected)};
}

std::vector<ast::ExprPtr> Builder::values(P::ValueListContext* context) {
  return expressions(context->expression());
}

std::optional<ast::Duration> Builder::timeout(P::TimeoutContext* context) {
  if (context == nullptr) return std::nullopt;
  return duration(context->duration());
}

}  // namespace millrace::inline parser
