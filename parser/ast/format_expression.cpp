#include <algorithm>
#include <array>

#include "parser/ast/format.h"
#include "parser/ast/printer.h"

namespace millrace::inline parser::ast {
namespace {

std::string_view symbol(BinaryOp op) {
  constexpr std::array<std::string_view, 8> kSymbols = {"+", "-", "*", "/", "%", "||", "AND", "OR"};
  return kSymbols.at(static_cast<std::size_t>(op));
}

std::string_view symbol(const Comparison& comparison) {
  constexpr std::array<std::string_view, 8> kSymbols = {
      "=", "<>", "<", "<=", ">", ">=", "IS DISTINCT FROM", "IS NOT DISTINCT FROM"};
  if (comparison.bang_equal) return "!=";
  return kSymbols.at(static_cast<std::size_t>(comparison.op));
}

bool is_negative_number(const Expression& expression) {
  if (const auto* value = expression.as<IntegerLiteral>()) return value->value < 0;
  if (const auto* value = expression.as<BigintLiteral>()) return value->value < 0;
  if (const auto* value = expression.as<DecimalLiteral>()) return value->text.starts_with('-');
  if (const auto* value = expression.as<DoubleLiteral>()) return value->text.starts_with('-');
  return false;
}

bool is_number(const Expression& expression) {
  return expression.as<IntegerLiteral>() != nullptr || expression.as<BigintLiteral>() != nullptr ||
         expression.as<DecimalLiteral>() != nullptr || expression.as<DoubleLiteral>() != nullptr;
}

bool is_unit_word(std::string_view name) {
  constexpr std::array<std::string_view, 7> kUnits = {"YEAR",   "MONTH",  "DAY",        "HOUR",
                                                      "MINUTE", "SECOND", "MILLISECOND"};
  if (name.ends_with('S')) name.remove_suffix(1);
  return std::find(kUnits.begin(), kUnits.end(), name) != kUnits.end();
}

}  // namespace

struct ExpressionWriter {
  Printer& out;

  void operator()(const NullLiteral&) { out.text("null"); }
  void operator()(const BooleanLiteral& it) { out.text(it.value ? "true" : "false"); }
  void operator()(const IntegerLiteral& it) { out.text(std::to_string(it.value)); }
  void operator()(const BigintLiteral& it) { out.text(std::to_string(it.value)); }
  void operator()(const DecimalLiteral& it) { out.text(it.text); }
  void operator()(const DoubleLiteral& it) { out.text(it.text); }
  void operator()(const StringLiteral& it) { out.quoted(it.value); }
  void operator()(const IntervalUnit& it) { out.text(it.unit); }
  void operator()(const ColumnRef& it) {
    if (it.qualifier) {
      out.name(*it.qualifier);
      out.text(".");
    }
    out.name(it.name);
  }
  void operator()(const Unary& it);
  void operator()(const Binary& it) { infix(*it.left, symbol(it.op), *it.right); }
  void operator()(const Comparison& it) { infix(*it.left, symbol(it), *it.right); }
  void operator()(const Between& it);
  void operator()(const In& it);
  void operator()(const Like& it);
  void operator()(const IsNull& it);
  void operator()(const Case& it);
  void operator()(const Cast& it);
  void operator()(const Call& it);
  void operator()(const Lambda& it);
  void operator()(const FieldAccess& it);
  void operator()(const Subscript& it);
  void operator()(const ArrayConstructor& it);
  void operator()(const MapConstructor& it);
  void operator()(const StructConstructor& it);
  void operator()(const AtTimeZone& it);
  void operator()(const Exists& it);
  void operator()(const ScalarQuery& it);
  void operator()(const Interval& it);

  void infix(const Expression& left, std::string_view op, const Expression& right);
};

void ExpressionWriter::infix(const Expression& left, std::string_view op, const Expression& right) {
  out.text("(");
  out.expression(left);
  out.text(" ");
  out.text(op);
  out.text(" ");
  out.expression(right);
  out.text(")");
}

void ExpressionWriter::operator()(const Unary& it) {
  if (it.op == UnaryOp::logical_not) {
    out.text("(NOT ");
    out.expression(*it.operand);
    out.text(")");
    return;
  }
  // `--` begins a comment, and `-1` would be read as one literal.
  const bool wrap = it.operand->as<Unary>() != nullptr || (it.op == UnaryOp::negate && is_number(*it.operand)) ||
                    is_negative_number(*it.operand);
  out.text(it.op == UnaryOp::negate ? "-" : "+");
  if (wrap) out.text("(");
  out.expression(*it.operand);
  if (wrap) out.text(")");
}

void ExpressionWriter::operator()(const Between& it) {
  out.text("(");
  out.expression(*it.value);
  out.text(it.negated ? " NOT BETWEEN " : " BETWEEN ");
  out.expression(*it.low);
  out.text(" AND ");
  out.expression(*it.high);
  out.text(")");
}

void ExpressionWriter::operator()(const In& it) {
  out.text("(");
  out.expression(*it.value);
  out.text(it.negated ? " NOT IN (" : " IN (");
  if (it.query) out.query(*it.query);
  out.list(it.items);
  out.text("))");
}

void ExpressionWriter::operator()(const Exists& it) {
  out.text("EXISTS (");
  out.query(*it.query);
  out.text(")");
}

void ExpressionWriter::operator()(const ScalarQuery& it) {
  out.text("(");
  out.query(*it.query);
  out.text(")");
}

void ExpressionWriter::operator()(const Interval& it) {
  out.text("INTERVAL '");
  out.text(std::to_string(it.count));
  out.text("' ");
  out.text(it.unit);
}

void ExpressionWriter::operator()(const Like& it) {
  out.text("(");
  out.expression(*it.value);
  out.text(it.negated ? " NOT LIKE " : " LIKE ");
  out.expression(*it.pattern);
  if (it.escape) {
    out.text(" ESCAPE ");
    out.quoted(*it.escape);
  }
  out.text(")");
}

void ExpressionWriter::operator()(const IsNull& it) {
  out.text("(");
  out.expression(*it.value);
  out.text(it.negated ? " IS NOT NULL)" : " IS NULL)");
}

void ExpressionWriter::operator()(const Case& it) {
  out.text("(CASE");
  if (it.operand) {
    out.text(" ");
    out.expression(*it.operand);
  }
  for (const Case::When& when : it.whens) {
    out.text(" WHEN ");
    out.expression(*when.condition);
    out.text(" THEN ");
    out.expression(*when.result);
  }
  if (it.otherwise) {
    out.text(" ELSE ");
    out.expression(*it.otherwise);
  }
  out.text(" END)");
}

void ExpressionWriter::operator()(const Cast& it) {
  out.text("CAST(");
  out.expression(*it.operand);
  out.text(" AS ");
  out.type(it.target);
  out.text(")");
}

void ExpressionWriter::operator()(const Call& it) {
  const bool constructor = it.name.text == "MAP" || it.name.text == "STRUCT";
  out.text(constructor ? "`" + it.name.text + "`" : format_name(it.name.text));
  out.text(it.star ? "(*" : it.modifiers && it.modifiers->distinct ? "(DISTINCT " : "(");
  for (std::size_t i = 0; i < it.arguments.size(); ++i) {
    if (i > 0) out.text(", ");
    out.argument(it.arguments[i]);
  }
  if (it.modifiers) {
    out.sorting(" ORDER BY ", it.modifiers->order_by);
    if (it.modifiers->limit) out.text(" LIMIT " + std::to_string(*it.modifiers->limit));
  }
  out.text(")");
  if (it.modifiers) out.modifiers(*it.modifiers);
}

void Printer::modifiers(const CallModifiers& modifiers) {
  if (modifiers.ignore_nulls) text(*modifiers.ignore_nulls ? " IGNORE NULLS" : " RESPECT NULLS");
  if (modifiers.filter) {
    text(" FILTER (WHERE ");
    expression(*modifiers.filter);
    text(")");
  }
  if (!modifiers.over) return;
  text(" OVER ");
  const Over& it = *modifiers.over;
  if (it.base && it.partition.empty() && it.order.empty() && !it.frame)
    name(*it.base);
  else
    over(it);
}

void Printer::over(const Over& over) {
  text("(");
  std::string_view space;
  if (over.base) {
    name(*over.base);
    space = " ";
  }
  if (!over.partition.empty()) {
    text(space);
    text("PARTITION BY ");
    list(over.partition);
    space = " ";
  }
  if (!over.order.empty()) {
    text(space);
    sorting("ORDER BY ", over.order);
    space = " ";
  }
  if (over.frame) {
    text(space);
    text(over.frame->range ? "RANGE BETWEEN " : "ROWS BETWEEN ");
    bound(over.frame->start);
    text(" AND ");
    bound(over.frame->end);
  }
  text(")");
}

void Printer::bound(const FrameBound& bound) {
  constexpr std::array<std::string_view, 5> kWords = {"UNBOUNDED PRECEDING", " PRECEDING", "CURRENT ROW", " FOLLOWING",
                                                      "UNBOUNDED FOLLOWING"};
  const bool distance = bound.kind == FrameBound::Kind::preceding || bound.kind == FrameBound::Kind::following;
  if (distance) {
    if (const auto* rows = std::get_if<std::int64_t>(&bound.distance)) text(std::to_string(*rows));
    if (const auto* number = std::get_if<double>(&bound.distance)) text(std::to_string(*number));
    if (const auto* time = std::get_if<Duration>(&bound.distance)) duration(*time);
  }
  text(kWords.at(static_cast<std::size_t>(bound.kind)));
}

void ExpressionWriter::operator()(const Lambda& it) {
  const bool several = it.parameters.size() != 1;
  if (several) out.text("(");
  out.names(it.parameters);
  out.text(several ? ") => " : " => ");
  out.expression(*it.body);
}

void ExpressionWriter::operator()(const FieldAccess& it) {
  out.primary(it.base);
  out.text("->");
  out.name(it.field);
}

void ExpressionWriter::operator()(const Subscript& it) {
  out.primary(it.base);
  out.text("[");
  out.expression(*it.index);
  out.text("]");
}

void ExpressionWriter::operator()(const ArrayConstructor& it) {
  out.text("ARRAY[");
  out.list(it.items);
  out.text("]");
}

void ExpressionWriter::operator()(const MapConstructor& it) {
  out.text("MAP(");
  for (std::size_t i = 0; i < it.entries.size(); ++i) {
    if (i > 0) out.text(", ");
    out.expression(*it.entries[i].first);
    out.text(":=");
    out.expression(*it.entries[i].second);
  }
  out.text(")");
}

void ExpressionWriter::operator()(const StructConstructor& it) {
  out.text("STRUCT(");
  for (std::size_t i = 0; i < it.fields.size(); ++i) {
    if (i > 0) out.text(", ");
    out.name(it.fields[i].first);
    out.text(":=");
    out.expression(*it.fields[i].second);
  }
  out.text(")");
}

void ExpressionWriter::operator()(const AtTimeZone& it) {
  out.text("(");
  out.primary(it.value);
  out.text(" AT TIME ZONE ");
  out.primary(it.zone);
  out.text(")");
}

void Printer::expression(const Expression& expression) {
  std::visit(ExpressionWriter{*this}, expression.node);
}

/// Signs bind weaker than `->` and `[`; a bare ARRAY before `[` would begin a constructor.
void Printer::primary(const ExprPtr& expression) {
  const auto* column = expression->as<ColumnRef>();
  if (column != nullptr && !column->qualifier && column->name.text == "ARRAY") {
    text("`ARRAY`");
    return;
  }
  const bool wrap = expression->as<Unary>() != nullptr || is_negative_number(*expression);
  if (wrap) text("(");
  this->expression(*expression);
  if (wrap) text(")");
}

/// A column named like a unit of time would be read as the unit.
void Printer::argument(const ExprPtr& expression) {
  const auto* column = expression->as<ColumnRef>();
  if (column != nullptr && !column->qualifier && is_unit_word(column->name.text)) {
    text("`");
    text(column->name.text);
    text("`");
    return;
  }
  this->expression(*expression);
}

void Printer::list(const std::vector<ExprPtr>& expressions) {
  for (std::size_t i = 0; i < expressions.size(); ++i) {
    if (i > 0) text(", ");
    expression(*expressions[i]);
  }
}

void Printer::names(const std::vector<Identifier>& identifiers) {
  for (std::size_t i = 0; i < identifiers.size(); ++i) {
    if (i > 0) text(", ");
    name(identifiers[i]);
  }
}

void Printer::name(std::string_view name) {
  out_ += format_name(name);
}

void Printer::quoted(std::string_view value) {
  out_ += '\'';
  for (const char c : value) {
    out_ += c;
    if (c == '\'') out_ += c;
  }
  out_ += '\'';
}

void Printer::type(const TypeName& type) {
  const bool structure = type.name.text == "STRUCT";
  name(canonical_type_name(type.name.text));
  if (!type.numbers.empty()) {
    for (std::size_t i = 0; i < type.numbers.size(); ++i) {
      text(i == 0 ? "(" : ", ");
      text(std::to_string(type.numbers[i]));
    }
    text(")");
  }
  if (type.arguments.empty()) return;
  for (std::size_t i = 0; i < type.arguments.size(); ++i) {
    text(i == 0 ? "<" : ", ");
    if (structure) {
      name(type.fields[i]);
      text(" ");
    }
    this->type(type.arguments[i]);
  }
  text(">");
}

std::string_view canonical_type_name(std::string_view name) {
  if (name == "INT") return "INTEGER";
  if (name == "VARCHAR") return "STRING";
  return name;
}

std::string format(const Expression& expression) {
  Printer printer;
  printer.expression(expression);
  return printer.take();
}

std::string format(const TypeName& type) {
  Printer printer;
  printer.type(type);
  return printer.take();
}

}  // namespace millrace::inline parser::ast
