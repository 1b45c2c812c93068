#include "server/statements/families.h"

namespace millrace::inline server {
namespace {

SqlError test_only(const ast::Statement& statement) {
  return SqlError(Code::invalid_statement, statement.span,
                  "ASSERT VALUES, ASSERT STREAM|TABLE and RUN SCRIPT only run in `millrace test`.");
}

SqlError no_connectors(const ast::Statement& statement) {
  return SqlError(Code::not_supported, statement.span, "Connectors are not supported yet.")
      .hint("use Kafka Connect's own REST API");
}

}  // namespace

Planned plan(const ast::Select&, const ast::Statement&, const StatementContext&) {
  return QueryStatement{};
}
Planned plan(const ast::Print&, const ast::Statement&, const StatementContext&) {
  return QueryStatement{};
}

Planned plan(const ast::CreateConnector&, const ast::Statement& statement, const StatementContext&) {
  throw no_connectors(statement);
}
Planned plan(const ast::DropConnector&, const ast::Statement& statement, const StatementContext&) {
  throw no_connectors(statement);
}
Planned plan(const ast::DescribeConnector&, const ast::Statement& statement, const StatementContext&) {
  throw no_connectors(statement);
}
Planned plan(const ast::ShowConnectors&, const ast::Statement& statement, const StatementContext&) {
  throw no_connectors(statement);
}
Planned plan(const ast::ShowConnectorPlugins&, const ast::Statement& statement, const StatementContext&) {
  throw no_connectors(statement);
}

Planned plan(const ast::AssertValues&, const ast::Statement& statement, const StatementContext&) {
  throw test_only(statement);
}
Planned plan(const ast::AssertSource&, const ast::Statement& statement, const StatementContext&) {
  throw test_only(statement);
}
Planned plan(const ast::RunScript&, const ast::Statement& statement, const StatementContext&) {
  throw test_only(statement);
}

void need(const ast::Select& select, Needs& needs) {
  needs.add(*select.query);
}

void need(const ast::Print& print, Needs& needs) {
  needs.add(Privilege::read, print.topic.text);
}

void need(const ast::CreateConnector&, Needs& needs) {
  needs.add(Privilege::configure);
}

void need(const ast::DropConnector&, Needs& needs) {
  needs.add(Privilege::configure);
}

}  // namespace millrace::inline server
