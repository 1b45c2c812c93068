#include <fmt/format.h>

#include "server/queries/topics.h"
#include "server/statements/families.h"

namespace millrace::inline server {

SourcePtr insert_target(const ast::Identifier& name, const StatementContext& context) {
  const SourceDef& target = require_insert_target(name, context.bind());
  if (matches_topic_list(target.topic, context.config.text("ksql.readonly.topics")))
    throw general_error(Code::read_only, fmt::format("Cannot insert values into read-only topic: {}", target.topic));
  return context.state.catalog.sources.find(target.name)->second;
}

Planned plan(const ast::InsertValues& insert, const ast::Statement&, const StatementContext& context) {
  SourcePtr source = insert_target(insert.target, context);
  return RowInsert{std::move(source), bind_insert_values(insert, context.bind())};
}

}  // namespace millrace::inline server
