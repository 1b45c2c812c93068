#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "parser/error/letter_case.h"
#include "planner/bind/coercion.h"

namespace millrace::inline planner {
namespace {

std::string trimmed(std::string text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; };
  while (!text.empty() && blank(text.back())) text.pop_back();
  std::size_t start = 0;
  while (start < text.size() && blank(text[start])) ++start;
  return text.substr(start);
}

const std::string* string_literal(const Expr& expr) {
  const auto* literal = expr.as<LiteralExpr>();
  return literal ? literal->value.get_if<std::string>() : nullptr;
}

bool is_literal(const Expr& expr) {
  return expr.as<LiteralExpr>() != nullptr;
}

[[noreturn]] void fail_syntax(const Type& type, const std::string& text, Span span) {
  throw CoercionError(Code::type_mismatch, span,
                      fmt::format("invalid input syntax for type {}: \"{}\".", type.base_name(), text));
}

std::optional<bool> parse_boolean(std::string text) {
  text = lower_case(trimmed(std::move(text)));
  if (text.empty()) return std::nullopt;
  for (const std::string_view word : {"true", "yes"}) {
    if (word.starts_with(text)) return true;
  }
  for (const std::string_view word : {"false", "no"}) {
    if (word.starts_with(text)) return false;
  }
  return std::nullopt;
}

std::optional<Type> step(const Type& current, const Expr& next);

std::optional<Type> fold(Type current, const std::vector<ExprPtr>& items) {
  for (const auto& item : items) {
    const auto* literal = item->as<LiteralExpr>();
    if (literal && literal->value.is_null()) continue;  // typed by its own constructor, yet fits anything
    auto next = step(current, *item);
    if (!next) return next;
    current = *next;
  }
  return current;
}

std::optional<Type> merge_types(const Type& a, const Type& b) {
  if (a.is_null() || a == b) return b;
  if (b.is_null()) return a;
  if (a.is_numeric() && b.is_numeric()) return wider_number(a, b);
  if (a.kind() != b.kind()) return std::nullopt;
  if (a.kind() == TypeKind::array) {
    const auto element = merge_types(a.element(), b.element());
    return element ? std::optional(Type::array(*element)) : std::nullopt;
  }
  if (a.kind() == TypeKind::map) {
    const auto key = merge_types(a.key(), b.key());
    const auto value = merge_types(a.value(), b.value());
    return key && value ? std::optional(Type::map(*key, *value)) : std::nullopt;
  }
  return std::nullopt;
}

std::optional<Type> step_number(const Type& current, const Expr& next) {
  if (next.type.is_numeric()) return wider_number(current, next.type);
  const auto* text = string_literal(next);
  if (!text) return std::nullopt;
  const auto number = parse_number(*text);
  if (!number) fail_syntax(current, *text, next.span);
  return wider_number(current, number->type);
}

std::optional<Type> step_map(const Type& current, const Expr& next) {
  if (next.type.kind() != TypeKind::map) return std::nullopt;
  const auto* map = next.as<MapExpr>();
  if (!map) return merge_types(current, next.type);
  std::vector<ExprPtr> keys;
  std::vector<ExprPtr> values;
  for (const auto& [key, value] : map->entries) {
    keys.push_back(key);
    values.push_back(value);
  }
  const auto key = fold(current.key(), keys);
  const auto value = fold(current.value(), values);
  if (!key || !value) return std::nullopt;
  return Type::map(*key, *value);
}

std::optional<Type> step_struct(const Type& current, const Expr& next) {
  if (next.type.kind() != TypeKind::structure) return std::nullopt;
  const auto* made = next.as<StructExpr>();
  std::vector<StructField> fields(current.fields().begin(), current.fields().end());
  for (std::size_t i = 0; i < next.type.fields().size(); ++i) {
    const auto& field = next.type.fields()[i];
    const auto known = std::ranges::find(fields, field.name, &StructField::name);
    if (known == fields.end()) {
      fields.push_back(field);
      continue;
    }
    const auto type = made ? step(known->type, *made->fields[i]) : merge_types(known->type, field.type);
    if (!type) return std::nullopt;
    known->type = *type;
  }
  return Type::structure(std::move(fields));
}

std::optional<Type> step_same(const Type& current, const Expr& next) {
  return next.type == current ? std::optional(current) : std::nullopt;
}

std::optional<Type> step(const Type& current, const Expr& next) {
  if (next.type.is_null()) return current;
  if (current.is_null()) return next.type;
  if (current.is_numeric()) return step_number(current, next);
  switch (current.kind()) {
    case TypeKind::boolean:
      if (const auto* text = string_literal(next)) {
        if (!parse_boolean(*text)) fail_syntax(current, *text, next.span);
        return current;
      }
      return step_same(current, next);
    case TypeKind::string:
      return is_literal(next) ? std::optional(current) : step_same(current, next);
    case TypeKind::array:
      if (const auto* array = next.as<ArrayExpr>()) {
        const auto element = fold(current.element(), array->items);
        return element ? std::optional(Type::array(*element)) : std::nullopt;
      }
      return merge_types(current, next.type);
    case TypeKind::map:
      return step_map(current, next);
    case TypeKind::structure:
      return step_struct(current, next);
    default:
      if (next.type.kind() == TypeKind::string) return current;
      return step_same(current, next);
  }
}

ExprPtr typed_literal(Value value, const Type& type, const Expr& like) {
  auto result = std::make_shared<Expr>();
  result->type = type;
  result->node = LiteralExpr{std::move(value)};
  result->span = like.span;
  result->sql = like.sql;
  return result;
}

ExprPtr coerce_text(const ExprPtr& expr, const std::string& text, const Type& type) {
  if (type.kind() == TypeKind::boolean) {
    const auto value = parse_boolean(text);
    if (!value) fail_syntax(type, text, expr->span);
    return typed_literal(Value(*value), type, *expr);
  }
  if (type.is_numeric()) {
    const auto number = parse_number(text);
    if (!number) fail_syntax(type, text, expr->span);
    return cast_to(typed_literal(number->value, number->type, *expr), type);
  }
  return cast_to(expr, type);
}

template <class Node>
ExprPtr rebuilt(const ExprPtr& expr, Node node, const Type& type) {
  auto result = std::make_shared<Expr>(*expr);
  result->node = std::move(node);
  result->type = type;
  return result;
}

ExprPtr coerce_struct(const ExprPtr& expr, const StructExpr& made, const Type& type) {
  StructExpr result;
  for (const auto& field : type.fields()) {
    const auto index = field_index(expr->type, field.name);
    result.fields.push_back(index ? coerce_element(made.fields[*index], field.type)
                                  : make_literal(Value(), field.type));
  }
  return rebuilt(expr, std::move(result), type);
}

}  // namespace

Type common_type(const std::vector<ListItem>& items, Span span) {
  Type current = Type::null();
  for (const auto& item : items) {
    const auto next = step(current, *item.expr);
    if (!next) {
      throw CoercionError(
          Code::type_mismatch, span,
          fmt::format("operator does not exist: {} = {} ({})\nHint: You might need to add explicit type casts.",
                      current.to_string(), item.expr->type.to_string(), item.text));
    }
    current = *next;
  }
  return current;
}

ExprPtr coerce_element(const ExprPtr& expr, const Type& type) {
  if (expr->type == type) return expr;
  if (const auto* literal = expr->as<LiteralExpr>(); literal && literal->value.is_null()) return cast_to(expr, type);
  if (const auto* text = string_literal(*expr)) return coerce_text(expr, *text, type);
  if (const auto* literal = expr->as<LiteralExpr>(); literal && type.kind() == TypeKind::string) {
    return typed_literal(Value(to_text(literal->value, expr->type)), type, *expr);
  }
  if (const auto* array = expr->as<ArrayExpr>(); array && type.kind() == TypeKind::array) {
    ArrayExpr result;
    for (const auto& item : array->items) result.items.push_back(coerce_element(item, type.element()));
    return rebuilt(expr, std::move(result), type);
  }
  if (const auto* map = expr->as<MapExpr>(); map && type.kind() == TypeKind::map) {
    MapExpr result;
    for (const auto& [key, value] : map->entries) {
      result.entries.emplace_back(coerce_element(key, type.key()), coerce_element(value, type.value()));
    }
    return rebuilt(expr, std::move(result), type);
  }
  if (const auto* made = expr->as<StructExpr>(); made && type.kind() == TypeKind::structure) {
    return coerce_struct(expr, *made, type);
  }
  return cast_to(expr, type);
}

std::optional<Number> parse_decimal(const std::string& text) {
  std::string_view rest = text;
  const bool negative = rest.starts_with('-');
  if (negative || rest.starts_with('+')) rest.remove_prefix(1);
  Int128 unscaled = 0;
  int digits = 0;
  int scale = 0;
  bool point = false;
  bool any = false;
  std::size_t i = 0;
  for (; i < rest.size(); ++i) {
    if (rest[i] == '.' && !point) {
      point = true;
      continue;
    }
    if (rest[i] < '0' || rest[i] > '9') break;
    any = true;
    if (digits > 0 || rest[i] != '0') ++digits;
    if (digits > 38) return std::nullopt;
    unscaled = unscaled * 10 + (rest[i] - '0');
    if (point) ++scale;
  }
  if (!any) return std::nullopt;
  if (i < rest.size()) {
    if (rest[i] != 'e' && rest[i] != 'E') return std::nullopt;
    int exponent = 0;
    std::string_view power = rest.substr(i + 1);
    if (power.starts_with('+')) power.remove_prefix(1);
    const auto parsed = std::from_chars(power.data(), power.data() + power.size(), exponent);
    if (parsed.ec != std::errc() || parsed.ptr != power.data() + power.size()) return std::nullopt;
    scale -= exponent;
  }
  for (; scale < 0; ++scale) {
    if (unscaled != 0 && ++digits > 38) return std::nullopt;
    unscaled *= 10;
  }
  if (scale > 38) return std::nullopt;
  const int precision = digits <= scale ? scale + 1 : std::max(1, digits);
  return Number{Type::decimal(precision, scale), Value(Decimal{negative ? -unscaled : unscaled, scale})};
}

std::optional<Number> parse_number(std::string text) {
  text = trimmed(std::move(text));
  if (text.find_first_of(".eE") == std::string::npos) {
    std::string_view digits = text;
    if (digits.starts_with('+')) digits.remove_prefix(1);
    std::int64_t value = 0;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (parsed.ec == std::errc() && parsed.ptr == digits.data() + digits.size()) {
      const auto narrow = static_cast<std::int32_t>(value);
      if (narrow == value) return Number{Type::integer(), Value(narrow)};
      return Number{Type::bigint(), Value(value)};
    }
  }
  return parse_decimal(text);
}

}  // namespace millrace::inline planner
