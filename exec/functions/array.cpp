#include <algorithm>

#include "exec/functions/declare.h"
#include "exec/functions/families.h"
#include "parser/error/letter_case.h"

namespace millrace::inline exec {
namespace {

using Arguments = std::span<const Value>;

bool holds(const Value::List& list, const Value& value) {
  return std::ranges::find(list, value) != list.end();
}

Value::List distinct(const Value::List& list) {
  Value::List out;
  for (const Value& item : list)
    if (!holds(out, item)) out.push_back(item);
  return out;
}

Result<Value> array_concat(Arguments arguments, const CallTypes&) {
  if (arguments[0].is_null()) return arguments[1];
  if (arguments[1].is_null()) return arguments[0];
  Value::List out = arguments[0].items();
  out.insert(out.end(), arguments[1].items().begin(), arguments[1].items().end());
  return Value::list(std::move(out));
}
Result<Value> array_contains(Arguments arguments, const CallTypes&) {
  return Value(!arguments[0].is_null() && holds(arguments[0].items(), arguments[1]));
}
Result<Value> array_distinct(Arguments arguments, const CallTypes&) {
  return Value::list(distinct(arguments[0].items()));
}
Result<Value> array_except(Arguments arguments, const CallTypes&) {
  Value::List out = distinct(arguments[0].items());
  std::erase_if(out, [&](const Value& item) { return holds(arguments[1].items(), item); });
  return Value::list(std::move(out));
}
Result<Value> array_intersect(Arguments arguments, const CallTypes&) {
  Value::List out = distinct(arguments[0].items());
  std::erase_if(out, [&](const Value& item) { return !holds(arguments[1].items(), item); });
  return Value::list(std::move(out));
}
Result<Value> array_union(Arguments arguments, const CallTypes&) {
  Value::List out = arguments[0].items();
  out.insert(out.end(), arguments[1].items().begin(), arguments[1].items().end());
  return Value::list(distinct(out));
}
Result<Value> array_remove(Arguments arguments, const CallTypes&) {
  if (arguments[0].is_null()) return Value();
  Value::List out = arguments[0].items();
  std::erase(out, arguments[1]);
  return Value::list(std::move(out));
}
Result<Value> array_length(Arguments arguments, const CallTypes&) {
  return Value(static_cast<std::int32_t>(arguments[0].items().size()));
}

Result<Value> array_join(Arguments arguments, const CallTypes& types) {
  if (arguments[0].is_null()) return Value();
  const Type& element = types.arguments[0].element();
  if (!element.is_numeric() && element.kind() != TypeKind::boolean && element.kind() != TypeKind::string)
    return user_error("ARRAY_JOIN cannot join elements of type {}", element.to_string());
  const std::string delimiter = arguments.size() < 2     ? ","
                                : arguments[1].is_null() ? std::string()
                                                         : arguments[1].as<std::string>();
  std::string out;
  bool first = true;
  for (const Value& item : arguments[0].items()) {
    if (!std::exchange(first, false)) out += delimiter;
    out += to_text(item, element);
  }
  return Value(std::move(out));
}

template <bool Max>
Result<Value> array_extreme(Arguments arguments, const CallTypes&) {
  const Value* best = nullptr;
  for (const Value& item : arguments[0].items()) {
    if (item.is_null()) continue;
    if (best == nullptr || (Max ? compare(*best, item) < 0 : compare(item, *best) < 0)) best = &item;
  }
  return best == nullptr ? Value() : *best;
}

/// NULL elements come last either way.
Value sorted(const Value::List& items, bool ascending) {
  Value::List out = items;
  std::ranges::stable_sort(out, [ascending](const Value& a, const Value& b) {
    if (a.is_null() || b.is_null()) return !a.is_null() && b.is_null();
    return ascending ? compare(a, b) < 0 : compare(b, a) < 0;
  });
  return Value::list(std::move(out));
}
Result<Value> array_sort(Arguments arguments, const CallTypes&) {
  return sorted(arguments[0].items(), true);
}
Result<Value> array_sort_direction(Arguments arguments, const CallTypes&) {
  const std::string direction = upper_case(arguments[1].as<std::string>());
  if (direction == "ASC" || direction == "ASCENDING") return sorted(arguments[0].items(), true);
  if (direction == "DESC" || direction == "DESCENDING") return sorted(arguments[0].items(), false);
  return Value();
}

template <class T>
Result<Value> generate_series(Arguments arguments, const CallTypes&) {
  constexpr std::size_t kMaxItems = 1 << 22;
  const T from = arguments[0].as<T>();
  const T to = arguments[1].as<T>();
  const std::int32_t step = arguments.size() > 2 ? arguments[2].as<std::int32_t>() : to < from ? -1 : 1;
  if (step == 0) return user_error("GENERATE_SERIES step cannot be zero");
  if ((from < to && step < 0) || (from > to && step > 0)) return user_error("GENERATE_SERIES step has wrong sign");
  Value::List out;
  for (Int128 at = from; step > 0 ? at <= to : at >= to; at += step) {
    if (out.size() >= kMaxItems) return user_error("GENERATE_SERIES would give too many elements");
    out.emplace_back(static_cast<T>(at));
  }
  return Value::list(std::move(out));
}

Result<Value> slice(Arguments arguments, const CallTypes&) {
  if (arguments[0].is_null()) return Value();
  const Value::List& items = arguments[0].items();
  const std::int64_t size = static_cast<std::int64_t>(items.size());
  const std::int64_t from = arguments[1].is_null() ? 0 : arguments[1].as<std::int32_t>() - std::int64_t{1};
  const std::int64_t to = arguments[2].is_null() ? size : arguments[2].as<std::int32_t>();
  if (from < 0 || to > size || from > to) return Value();
  return Value::list({items.begin() + from, items.begin() + to});
}

FunctionDef array(DefinitionSpec spec) {
  return define(FunctionKind::scalar, "ARRAY", std::move(spec));
}

FunctionFamily set_functions() {
  return {array({"ARRAY_CONCAT",
                 "Both lists one after the other.",
                 {boxed("ARRAY<T> left, ARRAY<T> right -> ARRAY<T>", array_concat, OnNull::pass)},
                 {{"ARRAY_CONCAT(ARRAY[1, 2], ARRAY[2])", "ARRAY[1, 2, 2]"}}}),
          array({"ARRAY_DISTINCT",
                 "The distinct elements, first seen first.",
                 {boxed("ARRAY<T> list -> ARRAY<T>", array_distinct)},
                 {{"ARRAY_DISTINCT(ARRAY[1, 2, 1])", "ARRAY[1, 2]"}}}),
          array({"ARRAY_EXCEPT",
                 "The distinct elements of the first list that the second lacks.",
                 {boxed("ARRAY<T> left, ARRAY<T> right -> ARRAY<T>", array_except)},
                 {{"ARRAY_EXCEPT(ARRAY[1, 2, 2, 3], ARRAY[3])", "ARRAY[1, 2]"}}}),
          array({"ARRAY_INTERSECT",
                 "The distinct elements that both lists hold.",
                 {boxed("ARRAY<T> left, ARRAY<T> right -> ARRAY<T>", array_intersect)},
                 {{"ARRAY_INTERSECT(ARRAY[1, 2, 2], ARRAY[2, 5])", "ARRAY[2]"}}}),
          array({"ARRAY_UNION",
                 "The distinct elements of both lists.",
                 {boxed("ARRAY<T> left, ARRAY<T> right -> ARRAY<T>", array_union)},
                 {{"ARRAY_UNION(ARRAY[1, 2], ARRAY[2, 3])", "ARRAY[1, 2, 3]"}}}),
          array({"ARRAY_REMOVE",
                 "The list without the elements equal to a value.",
                 {boxed("ARRAY<T> list, T value -> ARRAY<T>", array_remove, OnNull::pass)},
                 {{"ARRAY_REMOVE(ARRAY[1, 2, 1], 1)", "ARRAY[2]"}}})};
}

}  // namespace

FunctionFamily array_functions() {
  FunctionFamily all = set_functions();
  all.push_back(array({"ARRAY_CONTAINS",
                       "Whether the list holds a value.",
                       {boxed("ARRAY<T> list, T value -> BOOLEAN", array_contains, OnNull::pass)},
                       {{"ARRAY_CONTAINS(ARRAY[1, 2], 2)", "true"}}}));
  all.push_back(array({"ARRAY_JOIN",
                       "The elements as one text, with a delimiter between them.",
                       {boxed("ARRAY<T> list -> STRING", array_join, OnNull::pass),
                        boxed("ARRAY<T> list, STRING delimiter -> STRING", array_join, OnNull::pass)},
                       {{"ARRAY_JOIN(ARRAY[1, 2], '-')", "'1-2'"}}}));
  all.push_back(array({"ARRAY_LENGTH",
                       "Number of elements.",
                       {boxed("ARRAY<T> list -> INT", array_length)},
                       {{"ARRAY_LENGTH(ARRAY[1, 2])", "2"}}}));
  all.push_back(array({"ARRAY_MAX",
                       "The largest element that is not NULL.",
                       {boxed("ARRAY<T> list -> T", array_extreme<true>)},
                       {{"ARRAY_MAX(ARRAY[1, 3])", "3"}}}));
  all.push_back(array({"ARRAY_MIN",
                       "The smallest element that is not NULL.",
                       {boxed("ARRAY<T> list -> T", array_extreme<false>)},
                       {{"ARRAY_MIN(ARRAY[1, 3])", "1"}}}));
  all.push_back(array({"ARRAY_SORT",
                       "The elements in order, NULL last.",
                       {boxed("ARRAY<T> list -> ARRAY<T>", array_sort),
                        boxed("ARRAY<T> list, STRING direction -> ARRAY<T>", array_sort_direction)},
                       {{"ARRAY_SORT(ARRAY[1, 3], 'DESC')", "ARRAY[3, 1]"}}}));
  all.push_back(array({"GENERATE_SERIES",
                       "The numbers from one to another, both included.",
                       {boxed("INT first, INT last -> ARRAY<INT>", generate_series<std::int32_t>),
                        boxed("BIGINT first, BIGINT last -> ARRAY<BIGINT>", generate_series<std::int64_t>),
                        boxed("INT first, INT last, INT step -> ARRAY<INT>", generate_series<std::int32_t>),
                        boxed("BIGINT first, BIGINT last, INT step -> ARRAY<BIGINT>", generate_series<std::int64_t>)},
                       {{"GENERATE_SERIES(0, 10, 5)", "ARRAY[0, 5, 10]"}}}));
  all.push_back(array({"SLICE",
                       "The elements from one place to another, counted from 1, both included.",
                       {boxed("ARRAY<T> list, INT first, INT last -> ARRAY<T>", slice, OnNull::pass)},
                       {{"SLICE(ARRAY[1, 2, 3], 1, 2)", "ARRAY[1, 2]"}}}));
  return all;
}

}  // namespace millrace::inline exec
