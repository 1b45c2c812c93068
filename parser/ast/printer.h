#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "parser/ast/statement.h"

namespace millrace::inline parser::ast {

/// Writes trees as SQL into one string. How much an operand must be wrapped depends on where it
/// stands, hence the several ways to print an expression.
class Printer {
 public:
  // format_expression.cpp
  void expression(const Expression& expression);
  void type(const TypeName& type);
  // format_query.cpp
  void query(const Query& query);
  void duration(const Duration& duration);
  // format_statement.cpp
  void statement(const Statement& statement);

  std::string take() { return std::move(out_); }

 private:
  friend struct ExpressionWriter;
  friend struct StatementWriter;

  void text(std::string_view text) { out_ += text; }
  void name(std::string_view name);
  void name(const Identifier& identifier) { name(identifier.text); }
  void quoted(std::string_view value);
  void primary(const ExprPtr& expression);   // may be followed by `->` or `[`
  void argument(const ExprPtr& expression);  // of a function call
  void list(const std::vector<ExprPtr>& expressions);
  void names(const std::vector<Identifier>& identifiers);

  void item(const SelectItem& item);
  void source(const FromSource& source);
  void within(const Within& within);
  void late_into(const std::optional<Identifier>& stream);
  void join(const JoinedSource& join);
  void window(const Window& window);
  void window_bounds(const Window& window);
  void clauses(const Query& query);
  void grouping(std::string_view words, const Grouping& grouping);
  void sorting(std::string_view words, const std::vector<SortItem>& items);
  void modifiers(const CallModifiers& modifiers);  // behind the parenthesis
  void over(const Over& over);
  void bound(const FrameBound& bound);

  std::string out_;
};

/// One spelling per type: INT is INTEGER, VARCHAR is STRING.
std::string_view canonical_type_name(std::string_view name);

}  // namespace millrace::inline parser::ast
