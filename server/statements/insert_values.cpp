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

Planned plan(const ast::InsertOnce& insert, const ast::Statement&, const StatementContext& context) {
  SourcePtr source = insert_target(insert.target, context);
  return RowChangeStatement{std::move(source), bind_insert_once(insert, context.bind())};
}
Planned plan(const ast::UpsertValues& upsert, const ast::Statement&, const StatementContext& context) {
  SourcePtr source = insert_target(upsert.target, context);
  return RowChangeStatement{std::move(source), bind_upsert(upsert, context.bind())};
}
Planned plan(const ast::UpdateRows& update, const ast::Statement&, const StatementContext& context) {
  SourcePtr source = insert_target(update.target, context);
  return RowChangeStatement{std::move(source), bind_update(update, context.bind())};
}
Planned plan(const ast::DeleteRows& rows, const ast::Statement&, const StatementContext& context) {
  SourcePtr source = insert_target(rows.target, context);
  return RowChangeStatement{std::move(source), bind_delete(rows, context.bind())};
}

void need_changes(const ast::Identifier& table, Needs& needs) {
  needs.add(Privilege::read, table.text);
  needs.add(Privilege::write, table.text);
}

void need(const ast::InsertValues& insert, Needs& needs) {
  needs.add(Privilege::write, insert.target.text);
}

void need(const ast::InsertOnce& insert, Needs& needs) {
  needs.add(Privilege::write, insert.target.text);
  needs.add(*insert.query);
}

void need(const ast::UpsertValues& upsert, Needs& needs) {
  need_changes(upsert.target, needs);
}

void need(const ast::UpdateRows& update, Needs& needs) {
  need_changes(update.target, needs);
}

void need(const ast::DeleteRows& rows, Needs& needs) {
  need_changes(rows.target, needs);
}

}  // namespace millrace::inline server
