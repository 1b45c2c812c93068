#include <fmt/format.h>

#include <map>

#include "parser/ast/format.h"
#include "planner/bind/binder.h"

namespace millrace::inline planner {
namespace {

const std::map<std::string, TypeKind, std::less<>>& scalar_names() {
  static const std::map<std::string, TypeKind, std::less<>> kNames = {
      {"BOOLEAN", TypeKind::boolean}, {"INT", TypeKind::integer},        {"INTEGER", TypeKind::integer},
      {"BIGINT", TypeKind::bigint},   {"DOUBLE", TypeKind::double_},     {"STRING", TypeKind::string},
      {"VARCHAR", TypeKind::string},  {"BYTES", TypeKind::bytes},        {"TIME", TypeKind::time},
      {"DATE", TypeKind::date},       {"TIMESTAMP", TypeKind::timestamp}};
  return kNames;
}

Type resolve_decimal(const ast::TypeName& type) {
  const std::int64_t precision = type.numbers.empty() ? 0 : type.numbers[0];
  const std::int64_t scale = type.numbers.size() > 1 ? type.numbers[1] : 0;
  const auto fail = [&](const char* rule) {
    throw SqlError(Code::unknown_type, type.span, fmt::format("DECIMAL {}: DECIMAL({},{})", rule, precision, scale));
  };
  if (precision < 1) fail("precision must be >= 1");
  if (scale < 0) fail("scale must be >= 0");
  if (scale > precision) fail("precision must be >= scale");
  if (precision > 1000) fail("precision must be <= 1000");
  return Type::decimal(static_cast<int>(precision), static_cast<int>(scale));
}

}  // namespace

Type resolve_type(const ast::TypeName& type, const Catalog& catalog) {
  const std::string& name = type.name.text;
  if (!type.name.quoted) {
    if (const auto scalar = scalar_names().find(name); scalar != scalar_names().end()) return Type(scalar->second);
    if (name == "DECIMAL" || name == "DEC" || name == "NUMERIC") return resolve_decimal(type);
    if (name == "ARRAY" && type.arguments.size() == 1) return Type::array(resolve_type(type.arguments[0], catalog));
    if (name == "MAP" && type.arguments.size() == 2) {
      return Type::map(resolve_type(type.arguments[0], catalog), resolve_type(type.arguments[1], catalog));
    }
    if (name == "STRUCT") {
      std::vector<StructField> fields;
      for (std::size_t i = 0; i < type.arguments.size(); ++i) {
        fields.push_back({type.fields[i].text, resolve_type(type.arguments[i], catalog)});
      }
      return Type::structure(std::move(fields));
    }
  }
  if (const auto alias = catalog.types.find(name); alias != catalog.types.end()) return alias->second;
  throw SqlError(Code::unknown_type, type.span, "Cannot resolve unknown type or alias: " + name);
}

}  // namespace millrace::inline planner
