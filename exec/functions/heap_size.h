#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "planner/types/value.h"

/// What objects hold on the heap, about, in bytes. It follows from what they hold alone, not from how they came to it:
/// a copy has as many.
namespace millrace::inline exec::heap {

constexpr std::size_t kPiece = 16;                         // what malloc adds to a piece
constexpr std::size_t kNode = 4 * sizeof(void*) + kPiece;  // of a tree or a hash table, beside what it holds

template <class T>
requires std::is_arithmetic_v<T>
constexpr std::size_t bytes(const T&) {
  return 0;
}
inline std::size_t bytes(const std::string& text) {
  constexpr std::size_t kWithin = 15;
  return text.size() <= kWithin ? 0 : text.size() + 1 + kPiece;
}
inline std::size_t bytes(const Value& value);
template <class A, class B>
std::size_t bytes(const std::pair<A, B>& pair) {
  return bytes(pair.first) + bytes(pair.second);
}
template <class Items>
std::size_t sum(const Items& items) {
  std::size_t all = 0;
  for (const auto& item : items) all += bytes(item);
  return all;
}
template <class T>
std::size_t bytes(const std::vector<T>& items) {
  return items.empty() ? 0 : items.size() * sizeof(T) + kPiece + sum(items);
}
template <class... T>
std::size_t bytes(const std::map<T...>& items) {
  return items.size() * (sizeof(*items.begin()) + kNode) + sum(items);
}
template <class... T>
std::size_t bytes(const std::unordered_map<T...>& items) {
  return items.size() * (sizeof(*items.begin()) + kNode) + sum(items);
}
template <class... T>
std::size_t bytes(const std::unordered_set<T...>& items) {
  return items.size() * (sizeof(*items.begin()) + kNode) + sum(items);
}
/// What several values share is counted for each of them.
inline std::size_t bytes(const Value& value) {
  if (const auto* text = value.get_if<std::string>()) return bytes(*text);
  if (const auto* binary = value.get_if<Bytes>()) return bytes(binary->data);
  if (value.get_if<std::shared_ptr<const Value::List>>() != nullptr) return kNode + bytes(value.items());
  if (value.get_if<std::shared_ptr<const Value::Map>>() != nullptr) return kNode + bytes(value.entries());
  if (value.get_if<std::shared_ptr<const Value::Struct>>() != nullptr) return kNode + bytes(value.fields());
  return 0;
}

}  // namespace millrace::inline exec::heap
