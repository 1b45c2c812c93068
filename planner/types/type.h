#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace millrace::inline planner {

enum class TypeKind : std::uint8_t {
  null,  // the type of a bare NULL; never a column type
  boolean,
  integer,
  bigint,
  decimal,
  double_,
  string,
  bytes,
  time,       // milliseconds of the day
  date,       // days since 1970-01-01
  timestamp,  // milliseconds since 1970-01-01 UTC
  array,
  map,
  structure,
};

struct StructField;

/// A SQL type. A small value: copying shares the nested part. Immutable, any thread.
class Type {
 public:
  Type() = default;
  explicit Type(TypeKind kind) : kind_(kind) {}

  static Type null() { return Type(TypeKind::null); }
  static Type boolean() { return Type(TypeKind::boolean); }
  static Type integer() { return Type(TypeKind::integer); }
  static Type bigint() { return Type(TypeKind::bigint); }
  static Type double_() { return Type(TypeKind::double_); }
  static Type string() { return Type(TypeKind::string); }
  static Type bytes() { return Type(TypeKind::bytes); }
  static Type time() { return Type(TypeKind::time); }
  static Type date() { return Type(TypeKind::date); }
  static Type timestamp() { return Type(TypeKind::timestamp); }
  /// Precondition: 1 <= precision, scale <= precision. Values hold at most 38 digits at run time.
  static Type decimal(int precision, int scale);
  static Type array(Type element);
  static Type map(Type key, Type value);
  static Type structure(std::vector<StructField> fields);

  TypeKind kind() const { return kind_; }
  int precision() const { return precision_; }
  int scale() const { return scale_; }
  const Type& element() const;                  // ARRAY
  const Type& key() const;                      // MAP
  const Type& value() const;                    // MAP
  std::span<const StructField> fields() const;  // STRUCT

  bool is_null() const { return kind_ == TypeKind::null; }
  bool is_numeric() const {
    return kind_ == TypeKind::integer || kind_ == TypeKind::bigint || kind_ == TypeKind::decimal ||
           kind_ == TypeKind::double_;
  }
  bool is_temporal() const {
    return kind_ == TypeKind::time || kind_ == TypeKind::date || kind_ == TypeKind::timestamp;
  }
  bool is_nested() const { return kind_ == TypeKind::array || kind_ == TypeKind::map || kind_ == TypeKind::structure; }

  /// As ksqlDB prints it: `DECIMAL(4, 2)`, ``STRUCT<`F` INTEGER>``, `ARRAY<STRING>`.
  std::string to_string() const;
  /// The base name alone: `DECIMAL`, `STRUCT`.
  std::string base_name() const;

  friend bool operator==(const Type& a, const Type& b);

 private:
  struct Nested;
  TypeKind kind_ = TypeKind::null;
  std::uint16_t precision_ = 0;
  std::uint16_t scale_ = 0;
  std::shared_ptr<const Nested> nested_;
};

struct StructField {
  std::string name;
  Type type;
  friend bool operator==(const StructField&, const StructField&) = default;
};

}  // namespace millrace::inline planner
