#include "server/statements/entities.h"
#include "server/statements/families.h"

namespace millrace::inline server {
namespace {

[[noreturn]] void fail_unsupported(const ast::Statement& statement) {
  throw SqlError(Code::not_supported, statement.span, "Indexes are not supported yet.")
      .hint("pull queries find rows by the key of a table; PARTITION BY or GROUP BY makes a table with another key");
}

}  // namespace

Planned plan(const ast::CreateIndex&, const ast::Statement& statement, const StatementContext&) {
  fail_unsupported(statement);
}

Planned plan(const ast::DropIndex&, const ast::Statement& statement, const StatementContext&) {
  fail_unsupported(statement);
}

Planned plan(const ast::ShowIndexes&, const ast::Statement& statement, const StatementContext&) {
  fail_unsupported(statement);
}

void need(const ast::CreateIndex& create, Needs& needs) {
  needs.add(Privilege::create, create.name.text);
}

void need(const ast::DropIndex& drop, Needs& needs) {
  needs.add(Privilege::drop, drop.name.text);
}

}  // namespace millrace::inline server
