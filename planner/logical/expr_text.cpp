#include <fmt/format.h>

#include <algorithm>

#include "planner/logical/expr.h"

namespace millrace::inline planner {
namespace {

std::string join(const std::vector<ExprPtr>& items) {
  std::string text;
  for (const auto& item : items) text += (text.empty() ? "" : ", ") + to_string(*item);
  return text;
}

std::string quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("''") : std::string(1, c);
  return out + "'";
}

std::string_view symbol(ArithmeticOp op) {
  static constexpr std::string_view kSymbols[] = {"+", "-", "*", "/", "%"};
  return kSymbols[static_cast<std::size_t>(op)];
}

std::string_view symbol(CompareOp op) {
  static constexpr std::string_view kSymbols[] = {
      "=", "<>", "<", "<=", ">", ">=", "IS DISTINCT FROM", "IS NOT DISTINCT FROM"};
  return kSymbols[static_cast<std::size_t>(op)];
}

struct Render {
  const Type& type;

  std::string operator()(const LiteralExpr& e) const {
    if (e.value.is_null()) return "null";
    const bool text = type.kind() == TypeKind::string || type.is_temporal() || type.kind() == TypeKind::bytes;
    return text ? quoted(to_text(e.value, type)) : to_text(e.value, type);
  }
  std::string operator()(const ColumnExpr& e) const { return fmt::format("#{}", e.index); }
  std::string operator()(const PseudoExpr& e) const { return std::string(pseudo_column_name(e.column)); }
  std::string operator()(const ParameterExpr& e) const { return fmt::format("?{}", e.index); }
  std::string operator()(const LambdaParamExpr& e) const { return e.name.empty() ? fmt::format("p{}", e.id) : e.name; }
  std::string operator()(const LambdaExpr& e) const {
    std::string names;
    for (const int id : e.parameters) names += fmt::format("{}p{}", names.empty() ? "" : ", ", id);
    return fmt::format("({}) => {}", names, to_string(*e.body));
  }
  std::string operator()(const CallExpr& e) const { return fmt::format("{}({})", e.function->name, join(e.arguments)); }
  std::string operator()(const CastExpr& e) const {
    return fmt::format("CAST({} AS {})", to_string(*e.operand), type.to_string());
  }
  std::string operator()(const ArithmeticExpr& e) const {
    return fmt::format("({} {} {})", to_string(*e.left), symbol(e.op), to_string(*e.right));
  }
  std::string operator()(const NegateExpr& e) const { return "-" + to_string(*e.operand); }
  std::string operator()(const CompareExpr& e) const {
    return fmt::format("({} {} {})", to_string(*e.left), symbol(e.op), to_string(*e.right));
  }
  std::string operator()(const LogicalExpr& e) const {
    return fmt::format("({} {} {})", to_string(*e.left), e.is_and ? "AND" : "OR", to_string(*e.right));
  }
  std::string operator()(const NotExpr& e) const { return fmt::format("(NOT {})", to_string(*e.operand)); }
  std::string operator()(const IsNullExpr& e) const {
    return fmt::format("({} IS {}NULL)", to_string(*e.operand), e.negated ? "NOT " : "");
  }
  std::string operator()(const InExpr& e) const {
    return fmt::format("({} {}IN ({}))", to_string(*e.value), e.negated ? "NOT " : "", join(e.items));
  }
  std::string operator()(const LikeExpr& e) const {
    const std::string escape = e.escape == 0 ? "" : " ESCAPE " + quoted(std::string(1, e.escape));
    return fmt::format("({} {}LIKE {}{})", to_string(*e.value), e.negated ? "NOT " : "", to_string(*e.pattern), escape);
  }
  std::string operator()(const CaseExpr& e) const {
    std::string text = "(CASE";
    for (const auto& [condition, result] : e.whens)
      text += fmt::format(" WHEN {} THEN {}", to_string(*condition), to_string(*result));
    if (e.otherwise) text += " ELSE " + to_string(*e.otherwise);
    return text + " END)";
  }
  std::string operator()(const FieldExpr& e) const {
    return fmt::format("{}->{}", to_string(*e.base), e.base->type.fields()[e.field].name);
  }
  std::string operator()(const SubscriptExpr& e) const {
    return fmt::format("{}[{}]", to_string(*e.base), to_string(*e.index));
  }
  std::string operator()(const ArrayExpr& e) const { return fmt::format("ARRAY[{}]", join(e.items)); }
  std::string operator()(const MapExpr& e) const {
    std::string text;
    for (const auto& [key, value] : e.entries)
      text += fmt::format("{}{}:={}", text.empty() ? "" : ", ", to_string(*key), to_string(*value));
    return "MAP(" + text + ")";
  }
  std::string operator()(const StructExpr& e) const {
    std::string text;
    for (std::size_t i = 0; i < e.fields.size(); ++i)
      text += fmt::format("{}{}:={}", text.empty() ? "" : ", ", type.fields()[i].name, to_string(*e.fields[i]));
    return "STRUCT(" + text + ")";
  }
};

}  // namespace

std::string to_string(const Expr& expr) {
  return expr.sql.empty() ? std::visit(Render{expr.type}, expr.node) : expr.sql;
}

}  // namespace millrace::inline planner
