#include "planner/types/type.h"

#include <fmt/format.h>

#include "parser/error/ensure.h"

namespace millrace::inline planner {

struct Type::Nested {
  std::vector<Type> arguments;      // ARRAY: element; MAP: key, value
  std::vector<StructField> fields;  // STRUCT
  friend bool operator==(const Nested&, const Nested&) = default;
};

Type Type::decimal(int precision, int scale) {
  ensure(precision >= 1 && scale >= 0 && scale <= precision);
  Type type(TypeKind::decimal);
  type.precision_ = static_cast<std::uint16_t>(precision);
  type.scale_ = static_cast<std::uint16_t>(scale);
  return type;
}

Type Type::array(Type element) {
  Type type(TypeKind::array);
  type.nested_ = std::make_shared<const Nested>(Nested{{std::move(element)}, {}});
  return type;
}

Type Type::map(Type key, Type value) {
  Type type(TypeKind::map);
  type.nested_ = std::make_shared<const Nested>(Nested{{std::move(key), std::move(value)}, {}});
  return type;
}

Type Type::structure(std::vector<StructField> fields) {
  Type type(TypeKind::structure);
  type.nested_ = std::make_shared<const Nested>(Nested{{}, std::move(fields)});
  return type;
}

const Type& Type::element() const {
  ensure(kind_ == TypeKind::array);
  return nested_->arguments[0];
}

const Type& Type::key() const {
  ensure(kind_ == TypeKind::map);
  return nested_->arguments[0];
}

const Type& Type::value() const {
  ensure(kind_ == TypeKind::map);
  return nested_->arguments[1];
}

std::span<const StructField> Type::fields() const {
  ensure(kind_ == TypeKind::structure);
  return nested_->fields;
}

std::string Type::base_name() const {
  switch (kind_) {
    case TypeKind::null:
      return "null";
    case TypeKind::boolean:
      return "BOOLEAN";
    case TypeKind::integer:
      return "INTEGER";
    case TypeKind::bigint:
      return "BIGINT";
    case TypeKind::decimal:
      return "DECIMAL";
    case TypeKind::double_:
      return "DOUBLE";
    case TypeKind::string:
      return "STRING";
    case TypeKind::bytes:
      return "BYTES";
    case TypeKind::time:
      return "TIME";
    case TypeKind::date:
      return "DATE";
    case TypeKind::timestamp:
      return "TIMESTAMP";
    case TypeKind::array:
      return "ARRAY";
    case TypeKind::map:
      return "MAP";
    case TypeKind::structure:
      return "STRUCT";
  }
  return "null";
}

std::string Type::to_string() const {
  switch (kind_) {
    case TypeKind::decimal:
      return fmt::format("DECIMAL({}, {})", precision_, scale_);
    case TypeKind::array:
      return fmt::format("ARRAY<{}>", element().to_string());
    case TypeKind::map:
      return fmt::format("MAP<{}, {}>", key().to_string(), value().to_string());
    case TypeKind::structure: {
      std::string text = "STRUCT<";
      for (const auto& field : fields()) {
        if (text.size() > 7) text += ", ";
        text += fmt::format("`{}` {}", field.name, field.type.to_string());
      }
      return text + ">";
    }
    default:
      return base_name();
  }
}

bool operator==(const Type& a, const Type& b) {
  if (a.kind_ != b.kind_ || a.precision_ != b.precision_ || a.scale_ != b.scale_) return false;
  if (a.nested_ == b.nested_) return true;
  return a.nested_ && b.nested_ && *a.nested_ == *b.nested_;
}

}  // namespace millrace::inline planner
