#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace::inline cli::harness {

struct JsonMember;

/// A JSON value that keeps numbers as their characters: the corpus tells 1.1 from 1.10.
struct Json {
  enum class Kind {
    null,
    boolean,
    number,
    string,
    array,
    object,
    raw
  };  // raw: bytes that are no JSON, from tests only
  Kind kind = Kind::null;
  bool truth = false;
  std::string text;  // characters of a number, content of a string
  std::vector<Json> items;
  std::vector<JsonMember> members;

  bool is_null() const { return kind == Kind::null; }
  bool is_string() const { return kind == Kind::string; }
  bool is_number() const { return kind == Kind::number; }
  bool is_object() const { return kind == Kind::object; }
  /// First member of that name; null when absent.
  const Json* find(std::string_view name) const;
  /// Text of a string or number member, or `otherwise`.
  std::string text_of(std::string_view name, std::string_view otherwise = "") const;

  static Json string(std::string content);
  static Json number(std::string characters);
};

struct JsonMember {
  std::string first;
  Json second;
};

/// Absent when the text is not JSON.
std::optional<Json> parse_json(std::string_view text);
/// Compact; numbers as they stand, or in plain notation.
std::string print_json(const Json& value, bool plain_numbers = false);

/// unscaled × 10^-scale, as Java's BigDecimal splits a literal.
struct Number {
  bool negative = false;
  std::string digits;  // of the unscaled value, no leading zeros, "0" for zero
  int scale = 0;
  bool integer = false;  // written without point and exponent
  friend bool operator==(const Number& a, const Number& b) {
    return a.digits == b.digits && a.scale == b.scale && (a.negative == b.negative || a.digits == "0");
  }
};
std::optional<Number> parse_number(std::string_view characters);
/// Equal as numbers, whatever the scales.
bool same_value(Number a, Number b);
std::string plain_text(const Number& number);

}  // namespace millrace::inline cli::harness
