#pragma once

#include <compare>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "planner/types/type.h"

namespace millrace::inline planner {

using Int128 = __int128;

/// unscaled × 10^-scale. At most 38 digits.
struct Decimal {
  Int128 unscaled = 0;
  int scale = 0;
  friend bool operator==(const Decimal&, const Decimal&) = default;
};
struct Bytes {
  std::string data;
  friend auto operator<=>(const Bytes&, const Bytes&) = default;
};
struct Time {
  std::int32_t millis = 0;  // of the day
  friend auto operator<=>(const Time&, const Time&) = default;
};
struct Date {
  std::int32_t days = 0;  // since the epoch
  friend auto operator<=>(const Date&, const Date&) = default;
};
struct Timestamp {
  std::int64_t millis = 0;  // since the epoch
  friend auto operator<=>(const Timestamp&, const Timestamp&) = default;
};

/// One SQL value in a box: constants, keys of pull queries, rows of results, arguments of functions
/// over nested types. Not for the hot path, where values lie in columns. Owns what it holds.
class Value {
 public:
  using List = std::vector<Value>;                   // ARRAY; also STRUCT, fields in the order of its type
  using Map = std::vector<std::pair<Value, Value>>;  // entries in insertion order, keys unique
  struct Struct {
    List fields;
    friend bool operator==(const Struct&, const Struct&) = default;
  };
  using Data =
      std::variant<std::monostate, bool, std::int32_t, std::int64_t, double, Decimal, std::string, Bytes, Time, Date,
                   Timestamp, std::shared_ptr<const List>, std::shared_ptr<const Map>, std::shared_ptr<const Struct>>;

  Value() = default;  // NULL
  template <class T>
  requires std::is_constructible_v<Data, T&&> &&(!std::is_same_v<std::decay_t<T>, Value>)Value(T&& data)
      : data_(std::forward<T>(data)) {}  // NOLINT: implicit on purpose
  static Value list(List items) { return Value(Data(std::make_shared<const List>(std::move(items)))); }
  static Value map(Map entries) { return Value(Data(std::make_shared<const Map>(std::move(entries)))); }
  static Value structure(List fields) { return Value(Data(std::make_shared<const Struct>(Struct{std::move(fields)}))); }

  bool is_null() const { return std::holds_alternative<std::monostate>(data_); }
  template <class T>
  const T& as() const {
    return std::get<T>(data_);
  }
  template <class T>
  const T* get_if() const {
    return std::get_if<T>(&data_);
  }
  const List& items() const { return *std::get<std::shared_ptr<const List>>(data_); }
  const Map& entries() const { return *std::get<std::shared_ptr<const Map>>(data_); }
  const List& fields() const { return std::get<std::shared_ptr<const Struct>>(data_)->fields; }
  const Data& data() const { return data_; }

  /// Deep, null equals null; maps compare without regard to order.
  friend bool operator==(const Value& a, const Value& b);

 private:
  Data data_;
};

/// Order of two non-null values of one type: numbers by value, STRING by UTF-16 code units, BYTES
/// unsigned, FALSE before TRUE. Precondition: the type is not nested.
std::weak_ordering compare(const Value& a, const Value& b);

/// The text form that CAST(x AS STRING) gives (sql.md): doubles as Java prints them, decimals
/// plain with full scale, `[1, 3]`, `{k=v}`, `Struct{F0=1}`. NULL gives "null".
std::string to_text(const Value& value, const Type& type);

/// Shortest round-trip digits laid out as Java's Double.toString: plain from 1e-3 up to 1e7, else d.dddEx.
std::string double_text(double value);
/// Plain notation with exactly `scale` fraction digits.
std::string decimal_text(Decimal value);
std::string date_text(Date value);            // 2020-01-02
std::string time_text(Time value);            // HH:mm or HH:mm:ss
std::string timestamp_text(Timestamp value);  // 2020-01-02T03:04:05.678

/// Value as JSON as the HTTP API shows it (http-api.md): BYTES base64, times as ISO text.
std::string to_json(const Value& value, const Type& type);

std::string base64_encode(std::string_view bytes);
/// False when the text is not base64.
bool base64_decode(std::string_view text, std::string& bytes);

}  // namespace millrace::inline planner
