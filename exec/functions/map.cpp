#include <algorithm>

#include "exec/functions/declare.h"
#include "exec/functions/families.h"

namespace millrace::inline exec {
namespace {

using Arguments = std::span<const Value>;
using Entry = std::pair<Value, Value>;

void put(Value::Map& map, const Value& key, const Value& value) {
  const auto known = std::ranges::find(map, key, &Entry::first);
  if (known != map.end())
    known->second = value;
  else
    map.emplace_back(key, value);
}

Result<Value> entries(Arguments arguments, const CallTypes&) {
  if (arguments[0].is_null()) return Value();
  Value::Map map = arguments[0].entries();
  if (!arguments[1].is_null() && arguments[1].as<bool>())
    std::ranges::stable_sort(map, [](const Entry& a, const Entry& b) { return compare(a.first, b.first) < 0; });
  Value::List out;
  for (Entry& entry : map) out.push_back(Value::structure({std::move(entry.first), std::move(entry.second)}));
  return Value::list(std::move(out));
}

Result<Value> as_map(Arguments arguments, const CallTypes&) {
  const Value::List& values = arguments[1].items();
  Value::Map map;
  for (std::size_t i = 0; i < arguments[0].items().size(); ++i) {
    const Value& key = arguments[0].items()[i];
    put(map, key, i < values.size() ? values[i] : Value());
  }
  return Value::map(std::move(map));
}

Result<Value> map_keys(Arguments arguments, const CallTypes&) {
  Value::List out;
  for (const auto& [key, value] : arguments[0].entries()) out.push_back(key);
  return Value::list(std::move(out));
}
Result<Value> map_values(Arguments arguments, const CallTypes&) {
  Value::List out;
  for (const auto& [key, value] : arguments[0].entries()) out.push_back(value);
  return Value::list(std::move(out));
}
Result<Value> map_union(Arguments arguments, const CallTypes&) {
  if (arguments[0].is_null()) return arguments[1];
  if (arguments[1].is_null()) return arguments[0];
  Value::Map out = arguments[0].entries();
  for (const auto& [key, value] : arguments[1].entries()) put(out, key, value);
  return Value::map(std::move(out));
}

FunctionVariant entries_of(const std::string& type) {
  return boxed("MAP<STRING, " + type + "> map, BOOLEAN sorted -> ARRAY<STRUCT<K STRING, V " + type + ">>", entries,
               OnNull::pass);
}
FunctionDef map(DefinitionSpec spec) {
  return define(FunctionKind::scalar, "MAP", std::move(spec));
}

}  // namespace

FunctionFamily map_functions() {
  return {
      map({"ENTRIES",
           "The entries as structs of K and V, sorted by key on demand.",
           {entries_of("INT"), entries_of("BIGINT"), entries_of("DOUBLE"), entries_of("BOOLEAN"), entries_of("STRING")},
           {{"ENTRIES(MAP('b' := 2, 'a' := 1), true)", "ARRAY[STRUCT(K := 'a', V := 1), STRUCT(K := 'b', V := 2)]"}}}),
      map({"AS_MAP",
           "A map of keys and values that stand at the same places of two lists.",
           {boxed("ARRAY<STRING> keys, ARRAY<T> values -> MAP<STRING, T>", as_map)},
           {{"AS_MAP(ARRAY['a', 'b'], ARRAY[1])", "MAP('a' := 1, 'b' := CAST(NULL AS INT))"}}}),
      map({"MAP_KEYS",
           "The keys of the map.",
           {boxed("MAP<STRING, T> map -> ARRAY<STRING>", map_keys)},
           {{"MAP_KEYS(MAP('a' := 1))", "ARRAY['a']"}}}),
      map({"MAP_VALUES",
           "The values of the map.",
           {boxed("MAP<STRING, T> map -> ARRAY<T>", map_values)},
           {{"MAP_VALUES(MAP('a' := 1))", "ARRAY[1]"}}}),
      map({"MAP_UNION",
           "The entries of both maps; the second wins.",
           {boxed("MAP<STRING, T> left, MAP<STRING, T> right -> MAP<STRING, T>", map_union, OnNull::pass)},
           {{"MAP_UNION(MAP('a' := 1), MAP('a' := 2))", "MAP('a' := 2)"}}})};
}

}  // namespace millrace::inline exec
