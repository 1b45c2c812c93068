#include <fmt/format.h>

#include <cmath>

#include "cli/testing/wire.h"
#include "parser/error/letter_case.h"

namespace millrace::inline cli::harness {
namespace {

constexpr double kTolerance = 0.000001;

/// Compares a decoded value with what the case expects, by the structure of the latter (conformance/README.md). The SQL
/// type tells doubles from decimals; null where it is not known.
class Comparison {
 public:
  explicit Comparison(bool exact) : exact_(exact) {}

  bool same(const Json& expected, const Json& actual, const Type* type) const {
    switch (expected.kind) {
      case Json::Kind::null:
        return actual.is_null();
      case Json::Kind::boolean:
        return actual.kind == Json::Kind::boolean && actual.truth == expected.truth;
      case Json::Kind::string:
      case Json::Kind::raw:
        return same_text(expected, actual);
      case Json::Kind::number:
        return actual.is_number() && same_number(expected.text, actual.text, type);
      case Json::Kind::array:
        return same_list(expected, actual, type);
      case Json::Kind::object:
        return same_object(expected, actual, type);
    }
    return false;
  }

 private:
  static bool same_text(const Json& expected, const Json& actual) {
    if (actual.is_string()) return actual.text == expected.text;
    if (!actual.is_number()) return false;
    const auto wanted = parse_number(expected.text), got = parse_number(actual.text);
    return wanted && got && *wanted == *got;
  }
  bool same_number(const std::string& expected, const std::string& actual, const Type* type) const {
    const Number wanted = *parse_number(expected), got = *parse_number(actual);
    const bool is_double = type && type->kind() == TypeKind::double_;
    if (is_double && exact_) return std::strtod(expected.c_str(), nullptr) == std::strtod(actual.c_str(), nullptr);
    if (got.integer) return same_value(wanted, got);
    if (!exact_)
      return std::fabs(std::strtod(expected.c_str(), nullptr) - std::strtod(actual.c_str(), nullptr)) < kTolerance;
    if (wanted.integer) return got.scale <= 0 && same_value(wanted, got);
    return wanted == got;
  }
  bool same_list(const Json& expected, const Json& actual, const Type* type) const {
    if (actual.kind != Json::Kind::array || actual.items.size() != expected.items.size()) return false;
    const Type* element = type && type->kind() == TypeKind::array ? &type->element() : nullptr;
    for (std::size_t i = 0; i < expected.items.size(); ++i)
      if (!same(expected.items[i], actual.items[i], element)) return false;
    return true;
  }
  static const Type* type_of(const Type* type, const std::string& name) {
    if (!type) return nullptr;
    if (type->kind() == TypeKind::map) return &type->value();
    if (type->kind() != TypeKind::structure) return nullptr;
    for (const auto& field : type->fields())
      if (field.name == name) return &field.type;
    return nullptr;
  }
  bool same_object(const Json& expected, const Json& actual, const Type* type) const {
    if (!actual.is_object() || actual.members.size() != expected.members.size()) return false;
    static const Json kAbsent;
    for (const auto& [name, value] : expected.members) {
      std::string found_name = name;
      const Json* found = actual.find(name);
      if (!found || found->is_null()) {
        found_name = upper_case(name);
        found = actual.find(found_name);
      }
      if (!same(value, found ? *found : kAbsent, type_of(type, found_name))) return false;
    }
    return true;
  }

  const bool exact_;
};

// The type that the decoded key or value has as a whole: a struct of the columns, or the bare column.
std::optional<Type> shape_of(const std::vector<ColumnDef>& columns, const Json& decoded) {
  if (columns.empty()) return std::nullopt;
  const bool inside_object = decoded.is_object() && (columns.size() > 1 || decoded.find(columns.front().name));
  if (columns.size() == 1 && !inside_object) return columns.front().type;
  std::vector<StructField> fields;
  for (const auto& column : columns) fields.push_back({column.name, column.type});
  return Type::structure(std::move(fields));
}

std::string window_text(const std::optional<RecordSpec::Window>& window) {
  if (!window) return "no window";
  return fmt::format("{} {}..{}", window->session ? "session" : "time", window->start, window->end);
}

}  // namespace

bool same_json(const Json& expected, const Json& actual) {
  return Comparison(true).same(expected, actual, nullptr);
}

std::optional<std::string> compare_record(const RecordSpec& expected, const StoredRecord& actual, const SourceDef& sink,
                                          bool exact, bool any_zero_timestamp, SchemaRegistry* registry) {
  const DecodedRecord decoded = decode_record(actual, sink, registry);
  const std::string wanted_window = window_text(expected.window), window = window_text(decoded.window);
  if (wanted_window != window) return fmt::format("window {} instead of {}", window, wanted_window);
  const Comparison comparison(exact);
  const auto key_type = shape_of(sink.schema.keys(), decoded.key),
             value_type = shape_of(sink.schema.values(), decoded.value);
  if (!comparison.same(expected.key, decoded.key, key_type ? &*key_type : nullptr))
    return fmt::format("key {} instead of {}", print_json(decoded.key), print_json(expected.key));
  if (!comparison.same(expected.value, decoded.value, value_type ? &*value_type : nullptr))
    return fmt::format("value {} instead of {}", print_json(decoded.value), print_json(expected.value));
  if (expected.headers != actual.headers) return std::string("other headers");
  const bool any_timestamp = !expected.has_timestamp || (any_zero_timestamp && expected.timestamp == 0);
  if (!any_timestamp && expected.timestamp != actual.timestamp)
    return fmt::format("timestamp {} instead of {}", actual.timestamp, expected.timestamp);
  return std::nullopt;
}

}  // namespace millrace::inline cli::harness
