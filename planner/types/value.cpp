#include "planner/types/value.h"

#include <algorithm>

#include "planner/types/decimal.h"
#include "planner/types/text_order.h"

namespace millrace::inline planner {
namespace {

bool maps_equal(const Value::Map& a, const Value::Map& b) {
  if (a.size() != b.size()) return false;
  return std::all_of(a.begin(), a.end(), [&b](const auto& entry) {
    return std::any_of(b.begin(), b.end(), [&entry](const auto& other) {
      return entry.first == other.first && entry.second == other.second;
    });
  });
}

template <class T>
std::weak_ordering order(const T& a, const T& b) {
  if (a < b) return std::weak_ordering::less;
  if (b < a) return std::weak_ordering::greater;
  return std::weak_ordering::equivalent;
}

}  // namespace

bool operator==(const Value& a, const Value& b) {
  if (a.data_.index() != b.data_.index()) return false;
  if (std::holds_alternative<std::shared_ptr<const Value::List>>(a.data_)) return a.items() == b.items();
  if (std::holds_alternative<std::shared_ptr<const Value::Map>>(a.data_)) return maps_equal(a.entries(), b.entries());
  if (std::holds_alternative<std::shared_ptr<const Value::Struct>>(a.data_)) return a.fields() == b.fields();
  if (const auto* decimal = a.get_if<Decimal>()) return decimal_compare(*decimal, b.as<Decimal>()) == 0;
  return a.data_ == b.data_;
}

std::weak_ordering compare(const Value& a, const Value& b) {
  return std::visit(
      [&b](const auto& left) -> std::weak_ordering {
        using T = std::decay_t<decltype(left)>;
        const T& right = b.as<T>();
        if constexpr (std::is_same_v<T, Decimal>)
          return decimal_compare(left, right);
        else if constexpr (std::is_same_v<T, std::string>)
          return compare_text(left, right);
        else if constexpr (std::is_same_v<T, Bytes>)
          return order(left.data, right.data);  // char_traits compare as unsigned
        else if constexpr (std::is_same_v<T, std::monostate> || std::is_same_v<T, std::shared_ptr<const Value::List>> ||
                           std::is_same_v<T, std::shared_ptr<const Value::Map>> ||
                           std::is_same_v<T, std::shared_ptr<const Value::Struct>>)
          return std::weak_ordering::equivalent;
        else
          return order(left, right);
      },
      a.data());
}

}  // namespace millrace::inline planner
