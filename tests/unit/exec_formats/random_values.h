#pragma once

#include <random>

#include "format_fixture.h"

namespace millrace::testing {

/// Random types and values, NULLs included. `depth` bounds nesting; 0 gives scalars.
class RandomValues {
 public:
  explicit RandomValues(std::uint64_t seed) : random_(seed) {}

  std::size_t below(std::size_t n) { return random_() % n; }
  Type type(int depth);
  Value value(const Type& type);
  std::string text();
  std::vector<ColumnDef> columns(int depth);

 private:
  Value scalar(const Type& type);
  std::mt19937_64 random_;
};

inline Type RandomValues::type(int depth) {
  switch (below(depth > 0 ? 13 : 10)) {
    case 0:
      return Type::boolean();
    case 1:
      return Type::integer();
    case 2:
      return Type::bigint();
    case 3:
      return Type::double_();
    case 4: {
      const int precision = static_cast<int>(below(38)) + 1;
      return Type::decimal(precision, static_cast<int>(below(static_cast<std::size_t>(precision) + 1)));
    }
    case 5:
      return Type::string();
    case 6:
      return Type::bytes();
    case 7:
      return Type::time();
    case 8:
      return Type::date();
    case 9:
      return Type::timestamp();
    case 10:
      return Type::array(type(depth - 1));
    case 11:
      return Type::map(Type::string(), type(depth - 1));
    default: {
      std::vector<StructField> fields;
      const std::size_t count = below(4) + 1;
      for (std::size_t i = 0; i < count; ++i) fields.push_back({"F" + std::to_string(i), type(depth - 1)});
      return Type::structure(std::move(fields));
    }
  }
}

inline std::string RandomValues::text() {
  static const std::vector<std::string> pieces = {
      "a",    "B",  "\"", "\\",     ",",
      "\n",   "\r", " ",  "\u00e9", "\U0001F600",
      "\x01", "#",  "-",  "{",      "longer piece of text without anything special"};
  std::string text;
  for (std::size_t n = below(6); n > 0; --n) text += pieces[below(pieces.size())];
  return text;
}

inline Value RandomValues::scalar(const Type& type) {
  const std::uint64_t bits = random_() >> below(64);
  switch (type.kind()) {
    case TypeKind::boolean:
      return (bits & 1) != 0;
    case TypeKind::integer:
      return static_cast<std::int32_t>(bits);
    case TypeKind::bigint:
      return static_cast<std::int64_t>(bits);
    case TypeKind::double_: {
      const double value =
          below(2) == 0 ? static_cast<double>(static_cast<std::int32_t>(bits)) / 100 : std::bit_cast<double>(random_());
      return std::isfinite(value) ? value : 0.5;
    }
    case TypeKind::decimal: {
      Int128 unscaled = 0;
      for (std::size_t n = below(static_cast<std::size_t>(type.precision()) + 1); n > 0; --n)
        unscaled = unscaled * 10 + static_cast<int>(below(10));
      return Decimal{below(2) == 0 ? unscaled : -unscaled, type.scale()};
    }
    case TypeKind::string:
      return text();
    case TypeKind::bytes:
      return Bytes{text()};
    case TypeKind::time:
      return Time{static_cast<std::int32_t>(bits % 86'400'000)};
    case TypeKind::date:
      return Date{static_cast<std::int32_t>(bits)};
    default:
      return Timestamp{static_cast<std::int64_t>(bits)};
  }
}

inline Value RandomValues::value(const Type& type) {
  if (below(8) == 0) return {};
  if (!type.is_nested()) return scalar(type);
  if (type.kind() == TypeKind::structure) {
    Value::List fields;
    for (const StructField& field : type.fields()) fields.push_back(value(field.type));
    return Value::structure(std::move(fields));
  }
  const std::size_t count = below(5);
  if (type.kind() == TypeKind::array) {
    Value::List items;
    for (std::size_t i = 0; i < count; ++i) items.push_back(value(type.element()));
    return Value::list(std::move(items));
  }
  Value::Map entries;
  for (std::size_t i = 0; i < count; ++i)
    entries.emplace_back(Value("k" + std::to_string(i) + text()), value(type.value()));
  return Value::map(std::move(entries));
}

inline std::vector<ColumnDef> RandomValues::columns(int depth) {
  std::vector<ColumnDef> columns;
  const std::size_t count = below(6) + 1;
  for (std::size_t i = 0; i < count; ++i) columns.push_back(column("C" + std::to_string(i), type(depth)));
  return columns;
}

}  // namespace millrace::testing
