#include <fmt/format.h>

#include <algorithm>

#include "planner/physical/json_codec.h"

namespace millrace::inline planner::plan_json {
namespace {

std::string signature(const TypePattern& pattern) {
  std::string text =
      fmt::format("{}:{}:{}", static_cast<int>(pattern.kind),
                  pattern.kind == TypePattern::Kind::concrete ? pattern.type.to_string() : "", pattern.variable);
  for (const auto& argument : pattern.arguments) text += "(" + signature(argument) + ")";
  return text;
}

std::string signature(const FunctionVariant& variant) {
  std::string text = std::to_string(variant.variadic);
  for (const auto& parameter : variant.parameters) text += "," + signature(parameter.type);
  return text;
}

json::array write_all(const std::vector<ExprPtr>& items) {
  json::array out;
  for (const auto& item : items) out.push_back(write(item));
  return out;
}

json::array write_pairs(const std::vector<std::pair<ExprPtr, ExprPtr>>& pairs) {
  json::array out;
  for (const auto& [first, second] : pairs) {
    out.push_back(write(first));
    out.push_back(write(second));
  }
  return out;
}

struct WriteExpr {
  json::object& out;

  void operator()(const LiteralExpr& e) const { put("literal")["value"] = write(e.value); }
  void operator()(const ColumnExpr& e) const { put("column")["index"] = e.index; }
  void operator()(const PseudoExpr& e) const { put("pseudo")["column"] = static_cast<int>(e.column); }
  void operator()(const ParameterExpr& e) const { put("value")["index"] = e.index; }
  void operator()(const LambdaParamExpr& e) const {
    put("parameter")["id"] = e.id;
    out["name"] = e.name;
  }
  void operator()(const LambdaExpr& e) const {
    put("lambda")["parameters"] = json::value_from(e.parameters);
    out["body"] = write(e.body);
  }
  void operator()(const CallExpr& e) const {
    put("call")["arguments"] = write_all(e.arguments);
    write_function(*e.function, e.variant, out);
  }
  void operator()(const CastExpr& e) const { put("cast")["operand"] = write(e.operand); }
  void operator()(const ArithmeticExpr& e) const { binary("arithmetic", static_cast<int>(e.op), e.left, e.right); }
  void operator()(const NegateExpr& e) const { put("negate")["operand"] = write(e.operand); }
  void operator()(const CompareExpr& e) const { binary("compare", static_cast<int>(e.op), e.left, e.right); }
  void operator()(const LogicalExpr& e) const { binary("logical", e.is_and ? 1 : 0, e.left, e.right); }
  void operator()(const NotExpr& e) const { put("not")["operand"] = write(e.operand); }
  void operator()(const IsNullExpr& e) const {
    put("is_null")["operand"] = write(e.operand);
    out["negated"] = e.negated;
  }
  void operator()(const InExpr& e) const {
    put("in")["operand"] = write(e.value);
    out["items"] = write_all(e.items);
    out["negated"] = e.negated;
  }
  void operator()(const LikeExpr& e) const {
    put("like")["operand"] = write(e.value);
    out["pattern"] = write(e.pattern);
    out["escape"] = static_cast<int>(e.escape);
    out["negated"] = e.negated;
  }
  void operator()(const CaseExpr& e) const {
    put("case")["whens"] = write_pairs(e.whens);
    if (e.otherwise) out["else"] = write(e.otherwise);
  }
  void operator()(const FieldExpr& e) const {
    put("field")["operand"] = write(e.base);
    out["field"] = e.field;
  }
  void operator()(const SubscriptExpr& e) const {
    put("subscript")["operand"] = write(e.base);
    out["index"] = write(e.index);
  }
  void operator()(const ArrayExpr& e) const { put("array")["items"] = write_all(e.items); }
  void operator()(const MapExpr& e) const { put("map")["entries"] = write_pairs(e.entries); }
  void operator()(const StructExpr& e) const { put("struct")["items"] = write_all(e.fields); }

 private:
  json::object& put(std::string_view name) const {
    out["e"] = name;
    return out;
  }
  void binary(std::string_view name, int op, const ExprPtr& left, const ExprPtr& right) const {
    put(name)["op"] = op;
    out["left"] = write(left);
    out["right"] = write(right);
  }
};

class ReadExpr {
 public:
  ReadExpr(const json::object& from, const FunctionCatalog& functions) : from_(from), functions_(functions) {}

  decltype(Expr::node) read() const {
    const std::string_view name = from_.at("e").as_string();
    const auto at =
        std::find_if(std::begin(kReaders), std::end(kReaders), [&](const auto& row) { return row.name == name; });
    if (at == std::end(kReaders)) malformed("expression");
    return (this->*(at->read))();
  }

 private:
  using Node = decltype(Expr::node);
  struct Row {
    std::string_view name;
    Node (ReadExpr::*read)() const;
  };

  ExprPtr child(std::string_view key) const { return read_expr(from_.at(key), functions_); }
  ExprPtr operand() const { return child("operand"); }
  bool negated() const { return from_.at("negated").as_bool(); }
  template <class T>
  T number(std::string_view key) const {
    return from_.at(key).to_number<T>();
  }
  std::vector<ExprPtr> all(std::string_view key) const {
    std::vector<ExprPtr> items;
    for (const auto& item : from_.at(key).as_array()) items.push_back(read_expr(item, functions_));
    return items;
  }
  std::vector<std::pair<ExprPtr, ExprPtr>> pairs(std::string_view key) const {
    const auto flat = all(key);
    std::vector<std::pair<ExprPtr, ExprPtr>> out;
    for (std::size_t i = 0; i + 1 < flat.size(); i += 2) out.emplace_back(flat[i], flat[i + 1]);
    return out;
  }

  Node literal() const { return LiteralExpr{read_value(from_.at("value"))}; }
  Node column() const { return ColumnExpr{number<std::size_t>("index")}; }
  Node pseudo() const { return PseudoExpr{static_cast<PseudoColumn>(number<int>("column"))}; }
  Node value() const { return ParameterExpr{number<std::size_t>("index")}; }
  Node parameter() const { return LambdaParamExpr{number<int>("id"), std::string(from_.at("name").as_string())}; }
  Node lambda() const { return LambdaExpr{json::value_to<std::vector<int>>(from_.at("parameters")), child("body")}; }
  Node call() const {
    const auto [function, variant] = read_function(from_, functions_);
    return CallExpr{function, variant, all("arguments")};
  }
  Node cast() const { return CastExpr{operand()}; }
  Node arithmetic() const {
    return ArithmeticExpr{static_cast<ArithmeticOp>(number<int>("op")), child("left"), child("right")};
  }
  Node negate() const { return NegateExpr{operand()}; }
  Node compare() const { return CompareExpr{static_cast<CompareOp>(number<int>("op")), child("left"), child("right")}; }
  Node logical() const { return LogicalExpr{number<int>("op") != 0, child("left"), child("right")}; }
  Node negation() const { return NotExpr{operand()}; }
  Node is_null() const { return IsNullExpr{operand(), negated()}; }
  Node in() const { return InExpr{operand(), all("items"), negated()}; }
  Node like() const {
    return LikeExpr{operand(), child("pattern"), static_cast<char>(number<int>("escape")), negated()};
  }
  Node cases() const { return CaseExpr{pairs("whens"), from_.contains("else") ? child("else") : nullptr}; }
  Node field() const { return FieldExpr{operand(), number<std::size_t>("field")}; }
  Node subscript() const { return SubscriptExpr{operand(), child("index")}; }
  Node array() const { return ArrayExpr{all("items")}; }
  Node map() const { return MapExpr{pairs("entries")}; }
  Node structure() const { return StructExpr{all("items")}; }

  static constexpr Row kReaders[] = {
      {"literal", &ReadExpr::literal},     {"column", &ReadExpr::column},       {"pseudo", &ReadExpr::pseudo},
      {"value", &ReadExpr::value},         {"parameter", &ReadExpr::parameter}, {"lambda", &ReadExpr::lambda},
      {"call", &ReadExpr::call},           {"cast", &ReadExpr::cast},           {"arithmetic", &ReadExpr::arithmetic},
      {"negate", &ReadExpr::negate},       {"compare", &ReadExpr::compare},     {"logical", &ReadExpr::logical},
      {"not", &ReadExpr::negation},        {"is_null", &ReadExpr::is_null},     {"in", &ReadExpr::in},
      {"like", &ReadExpr::like},           {"case", &ReadExpr::cases},          {"field", &ReadExpr::field},
      {"subscript", &ReadExpr::subscript}, {"array", &ReadExpr::array},         {"map", &ReadExpr::map},
      {"struct", &ReadExpr::structure}};

  const json::object& from_;
  const FunctionCatalog& functions_;
};

}  // namespace

void write_function(const FunctionDef& function, std::size_t variant, json::object& out) {
  out["function"] = function.name;
  out["signature"] = signature(function.variants.at(variant));
}

std::pair<const FunctionDef*, std::size_t> read_function(const json::object& from, const FunctionCatalog& functions) {
  const FunctionDef* function = functions.find(from.at("function").as_string());
  if (function == nullptr) malformed("function");
  for (std::size_t i = 0; i < function->variants.size(); ++i)
    if (signature(function->variants[i]) == from.at("signature").as_string()) return {function, i};
  malformed("function signature");
}

json::value write(const ExprPtr& expr) {
  json::object out;
  std::visit(WriteExpr{out}, expr->node);
  out["type"] = write(expr->type);
  if (!expr->sql.empty()) out["sql"] = expr->sql;
  return out;
}

ExprPtr read_expr(const json::value& value, const FunctionCatalog& functions) {
  const json::object& from = value.as_object();
  auto expr = std::make_shared<Expr>();
  expr->type = read_type(from.at("type"));
  expr->node = ReadExpr(from, functions).read();
  if (const auto* sql = from.if_contains("sql")) expr->sql = std::string(sql->as_string());
  return expr;
}

}  // namespace millrace::inline planner::plan_json
