#include "exec/expr/evaluator.h"
#include "planner/bind/query_forms.h"
#include "server/statements/families.h"

namespace millrace::inline server {

BindContext StatementContext::bind() const {
  return {state.catalog, functions, topics, session.effective, evaluate_constant, schemas};
}

Planned plan_statement(const ast::Statement& statement, const StatementContext& context) {
  return std::visit([&](const auto& node) { return plan(node, statement, context); }, statement.node);
}

void add_needs(const ast::Statement& statement, Needs& needs) {
  std::visit([&](const auto& node) { need(node, needs); }, statement.node);
}

void Needs::add(const ast::Query& query) {
  for_each_source(query, [this](const ast::Identifier& name) { add(Privilege::read, name.text); });
}

SqlError general_error(Code code, const std::string& message) {
  return SqlError(code, {}, message, ErrorClass::general);
}

}  // namespace millrace::inline server
