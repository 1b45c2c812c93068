#include <algorithm>
#include <boost/json.hpp>
#include <set>

#include "exec/schemas/avro_schema.h"

namespace millrace::inline exec::avro {
namespace {

namespace json = boost::json;

bool is_name(std::string_view name) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  return !name.empty() && letter(name.front()) &&
         std::ranges::all_of(name, [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

bool is_full_name(std::string_view name) {
  for (std::size_t dot = name.find('.'); dot != std::string_view::npos; dot = name.find('.')) {
    if (!is_name(name.substr(0, dot))) return false;
    name.remove_prefix(dot + 1);
  }
  return is_name(name);
}

bool fits(const json::value& value, const Node& node, int depth) {
  constexpr int kMaxDepth = 64;
  if (depth > kMaxDepth) return false;
  switch (node.kind) {
    case Kind::null:
      return value.is_null();
    case Kind::boolean:
      return value.is_bool();
    case Kind::int_:
      return value.is_int64() && value.as_int64() >= INT32_MIN && value.as_int64() <= INT32_MAX;
    case Kind::long_:
      return value.is_int64();
    case Kind::float_:
    case Kind::double_:
      return value.is_number() || value == "NaN" || value == "Infinity" || value == "-Infinity";
    case Kind::bytes:
    case Kind::string:
    case Kind::fixed:
      return value.is_string();
    case Kind::enumeration:
      return value.is_string() &&
             std::ranges::find(node.symbols, std::string_view(value.as_string())) != node.symbols.end();
    case Kind::array:
      return value.is_array() && std::ranges::all_of(value.as_array(), [&](const auto& one) {
               return fits(one, *node.element, depth + 1);
             });
    case Kind::map:
      return value.is_object() && std::ranges::all_of(value.as_object(), [&](const auto& pair) {
               return fits(pair.value(), *node.element, depth + 1);
             });
    case Kind::union_:
      return std::ranges::any_of(node.branches, [&](const Node* branch) { return fits(value, *branch, depth + 1); });
    case Kind::record:
      break;
  }
  return value.is_object() && std::ranges::all_of(node.fields, [&](const Field& field) {
           const json::value* given = value.as_object().if_contains(field.name);
           return given ? fits(*given, *field.type, depth + 1) : field.otherwise.has_value();
         });
}

Status check_record(const Node& node) {
  std::set<std::string_view> names;
  for (const Field& field : node.fields) {
    if (!is_name(field.name)) return user_error("not an Avro schema: Illegal character in: {}", field.name);
    if (!names.insert(field.name).second)
      return user_error("not an Avro schema: Duplicate field {} in record {}", field.name, node.name);
    if (field.otherwise && !fits(*field.otherwise, *field.type, 0))
      return user_error("not an Avro schema: Invalid default for field {}: {}", field.name,
                        json::serialize(*field.otherwise));
  }
  return {};
}

Status check_enumeration(const Node& node) {
  std::set<std::string_view> symbols;
  for (const std::string& symbol : node.symbols) {
    if (!is_name(symbol)) return user_error("not an Avro schema: Illegal character in: {}", symbol);
    if (!symbols.insert(symbol).second) return user_error("not an Avro schema: Duplicate enum symbol: {}", symbol);
  }
  if (!node.default_symbol.empty() && !symbols.contains(node.default_symbol))
    return user_error("not an Avro schema: The enum default {} is not in the symbols of {}", node.default_symbol,
                      node.name);
  return {};
}

Status check_union(const Node& node) {
  std::set<std::pair<Kind, std::string_view>> branches;  // the names of what has none are empty
  for (const Node* branch : node.branches)
    if (!branches.insert({branch->kind, branch->name}).second)
      return user_error("not an Avro schema: Duplicate in union: {}", branch_name(*branch));
  return {};
}

}  // namespace

Status validate(const Schema& schema) {
  for (const Node& node : schema.nodes) {
    if (!node.name.empty() && !is_full_name(node.name))
      return user_error("not an Avro schema: Illegal character in: {}", node.name);
    Status good;
    if (node.kind == Kind::record) good = check_record(node);
    if (node.kind == Kind::enumeration) good = check_enumeration(node);
    if (node.kind == Kind::union_) good = check_union(node);
    if (!good) return good;
  }
  return {};
}

}  // namespace millrace::inline exec::avro
