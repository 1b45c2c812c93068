#include <algorithm>
#include <unordered_map>

#include "exec/formats/json_canonical.h"
#include "exec/formats/json_text.h"
#include "exec/formats/json_walk.h"
#include "exec/formats/number_text.h"
#include "exec/functions/families.h"
#include "exec/functions/json_path.h"
#include "exec/functions/scalar.h"

// Every function reads the first value of its text, as a stream does; what is broken anywhere in it is an error.
namespace millrace::inline exec {
namespace {

using Text = std::string_view;
using json::NumberStyle;
using json::Quoted;

Error broken(Text text) {
  return user_error("{}", json::broken_reason(text));
}

bool blank(Text text) {
  const char* const end = text.data() + text.size();
  return json::skip_to_value(text.data(), end) == end;
}

const char* end_of(Text value) {
  return value.data() + value.size();
}

/// Precondition: `value` is JSON.
std::string canonical(Text value, NumberStyle style = NumberStyle::java) {
  std::string out;
  json::append_canonical(value.data(), end_of(value), style, out);
  return out;
}

/// The text of a string, everything else as JSON text.
std::string plain_text(Text value) {
  Quoted quoted;
  return json::take_quoted(value.data(), end_of(value), quoted) == nullptr ? canonical(value) : quoted.text();
}

/// The members of an object: each name once, at its first place with its last value.
std::vector<std::pair<std::string, Text>> members_of(Text object) {
  std::vector<std::pair<std::string, Text>> members;
  std::unordered_map<std::string, std::size_t> places;
  json::walk_object(object.data(), end_of(object), [&](const Quoted& quoted, const char* value) {
    const char* after = json::skip_value(value, end_of(object));
    const Text text(value, static_cast<std::size_t>(after - value));
    const auto [place, is_new] = places.emplace(quoted.text(), members.size());
    if (is_new)
      members.emplace_back(place->first, text);
    else
      members[place->second].second = text;
    return after;
  });
  return members;
}

std::vector<Text> items_of(Text array) {
  std::vector<Text> items;
  json::walk_array(array.data(), end_of(array), [&](const char* item) {
    const char* after = json::skip_value(item, end_of(array));
    items.emplace_back(item, static_cast<std::size_t>(after - item));
    return after;
  });
  return items;
}

bool is_json_string(std::optional<Text> text) {
  return text && json::first_value(*text);
}

/// The path of this call; usually that of the call before.
const JsonPath* compiled_path(Text text) {
  thread_local JsonPath path;
  thread_local std::string source;
  if (source == text && !source.empty()) return &path;
  source.clear();
  if (!path.parse(text)) return nullptr;
  source = text;
  return &path;
}

Result<std::optional<Text>> extract_json_field(Arena& arena, Text text, Text path_text) {
  const JsonPath* path = compiled_path(path_text);
  if (path == nullptr) return user_error("Invalid JSON path: '{}'", path_text);
  if (blank(text)) return std::optional<Text>();
  Text found;
  if (!path->follow(text, found)) return broken(text);
  if (found.empty() || found == "null") return std::optional<Text>();
  if (found.front() == '"' && found.find('\\') == Text::npos)
    return std::optional(arena.copy(found.substr(1, found.size() - 2)));
  return std::optional(arena.copy(plain_text(found)));
}

/// Whether an item is a number of its own text and the wanted value.
bool is_integer(Text item, std::int64_t wanted) {
  std::int64_t value = 0;
  return parse_int64(item, value) && value == wanted;
}
bool is_float(Text item, double wanted) {
  double value = 0;
  return item.find_first_of(".eE") != Text::npos && parse_double(item, value) && value == wanted;
}

bool matches(Text item, const Value& wanted, const Type& type) {
  if (wanted.is_null()) return item == "null";
  const bool number = item.front() == '-' || json::is_digit(item.front());
  switch (type.kind()) {
    case TypeKind::boolean:
      return item == (wanted.as<bool>() ? "true" : "false");
    case TypeKind::integer:
      return number && is_integer(item, wanted.as<std::int32_t>());
    case TypeKind::bigint:
      return number && is_integer(item, wanted.as<std::int64_t>());
    case TypeKind::double_:
      return number && is_float(item, wanted.as<double>());
    case TypeKind::string:
      return item.front() == '"' && plain_text(item) == wanted.as<std::string>();
    default:
      return false;
  }
}

Result<Value> json_array_contains(std::span<const Value> arguments, const CallTypes& types) {
  if (arguments[0].is_null()) return Value(false);
  const auto array = json::first_value(arguments[0].as<std::string>());
  if (!array || array->front() != '[') return Value(false);
  const auto items = items_of(*array);
  return Value(std::ranges::any_of(items, [&](Text item) { return matches(item, arguments[1], types.arguments[1]); }));
}

Result<std::optional<std::int32_t>> json_array_length(Text text) {
  if (blank(text)) return std::optional<std::int32_t>();
  const auto array = json::first_value(text);
  if (!array) return broken(text);
  if (array->front() != '[') return std::optional<std::int32_t>();
  return std::optional(static_cast<std::int32_t>(items_of(*array).size()));
}

/// The value of the first argument when it begins with `bracket`; absent: NULL is due.
Result<std::optional<Text>> value_of_kind(std::span<const Value> arguments, char bracket) {
  const Text text = arguments[0].as<std::string>();
  if (blank(text)) return std::optional<Text>();
  const auto value = json::first_value(text);
  if (!value) return broken(text);
  return value->front() == bracket ? std::optional(*value) : std::nullopt;
}

Result<Value> json_items(std::span<const Value> arguments, const CallTypes&) {
  const auto array = value_of_kind(arguments, '[');
  if (!array) return array.error();
  if (!*array) return Value();
  Value::List items;
  for (const Text item : items_of(**array)) items.emplace_back(canonical(item));
  return Value::list(std::move(items));
}

Result<Value> json_keys(std::span<const Value> arguments, const CallTypes&) {
  const auto object = value_of_kind(arguments, '{');
  if (!object) return object.error();
  if (!*object) return Value();
  Value::List keys;
  for (auto& member : members_of(**object)) keys.emplace_back(std::move(member.first));
  return Value::list(std::move(keys));
}

Result<Value> json_records(std::span<const Value> arguments, const CallTypes&) {
  const auto object = value_of_kind(arguments, '{');
  if (!object) return object.error();
  if (!*object) return Value();
  Value::Map members;
  for (auto& [name, value] : members_of(**object)) members.emplace_back(std::move(name), plain_text(value));
  return Value::map(std::move(members));
}

/// One text as JSON_CONCAT writes it; absent: a number whose plain form would be absurdly long.
std::optional<std::string> written(Text value) {
  std::string out;
  if (json::append_canonical(value.data(), end_of(value), NumberStyle::plain, out) == nullptr) return std::nullopt;
  return out;
}

std::optional<std::string> concat_objects(const std::vector<Text>& objects) {
  // One object with the members of all: what comes twice is settled as in any object.
  std::string all = "{";
  for (const Text object : objects) {
    const Text inner = object.substr(1, object.size() - 2);
    if (blank(inner)) continue;
    if (all.size() > 1) all += ',';
    all += inner;
  }
  return written(all += '}');
}

std::optional<std::string> concat_arrays(const std::vector<Text>& values) {
  if (values.size() == 1) return written(values[0]);
  std::string all = "[";
  for (const Text value : values) {
    const Text inner = value.front() == '[' ? value.substr(1, value.size() - 2) : value;
    if (blank(inner)) continue;
    if (all.size() > 1) all += ',';
    all += inner;
  }
  return written(all += ']');
}

Result<std::optional<Text>> json_concat(Arena& arena, Variadic<Text> texts) {
  std::vector<Text> values;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto text = texts[i];
    if (!text || blank(*text)) return std::optional<Text>();
    const auto value = json::first_value(*text);
    if (!value) return broken(*text);
    values.push_back(*value);
  }
  if (values.empty()) return std::optional<Text>();
  const bool objects = std::ranges::all_of(values, [](Text value) { return value.front() == '{'; });
  const auto out = objects ? concat_objects(values) : concat_arrays(values);
  if (!out) return user_error("a number has too many digits without exponent");
  return std::optional(arena.copy(*out));
}

void write_sorted(const Value& value, const Type& type, std::string& out);

void write_members(std::vector<std::pair<std::string, std::string>> members, std::string& out) {
  std::ranges::sort(members);
  out += '{';
  bool first = true;
  for (const auto& [name, json] : members) {
    if (!std::exchange(first, false)) out += ',';
    append_json_string(name, out);
    out += ':' + json;
  }
  out += '}';
}

void write_nested(const Value& value, const Type& type, std::string& out) {
  if (type.kind() == TypeKind::array) {
    out += '[';
    bool first = true;
    for (const Value& item : value.items()) {
      if (!std::exchange(first, false)) out += ',';
      write_sorted(item, type.element(), out);
    }
    out += ']';
    return;
  }
  std::vector<std::pair<std::string, std::string>> members;
  const auto add = [&members](std::string name, const Value& part, const Type& part_type) {
    std::string json;
    write_sorted(part, part_type, json);
    members.emplace_back(std::move(name), std::move(json));
  };
  if (type.kind() == TypeKind::map)
    for (const auto& [key, mapped] : value.entries()) add(to_text(key, type.key()), mapped, type.value());
  else
    for (std::size_t i = 0; i < value.fields().size(); ++i)
      add(type.fields()[i].name, value.fields()[i], type.fields()[i].type);
  write_members(std::move(members), out);
}

void write_sorted(const Value& value, const Type& type, std::string& out) {
  if (!value.is_null() && type.is_nested())
    write_nested(value, type, out);
  else
    out += to_json(value, type);
}

Result<Value> to_json_string(std::span<const Value> arguments, const CallTypes& types) {
  std::string out;
  write_sorted(arguments[0], types.arguments[0], out);
  return Value(std::move(out));
}

FunctionDef json_function(DefinitionSpec spec) {
  return define(FunctionKind::scalar, "JSON", std::move(spec));
}

}  // namespace

FunctionFamily json_functions() {
  return {json_function({"EXTRACTJSONFIELD",
                         "The value at a path of a JSON text.",
                         {scalar<extract_json_field>({"json", "path"})},
                         {{"EXTRACTJSONFIELD('{\"a\":{\"b\":1}}', '$.a.b')", "'1'"}}}),
          json_function({"IS_JSON_STRING",
                         "Whether the text is JSON.",
                         {scalar<is_json_string>({"text"})},
                         {{"IS_JSON_STRING('[1]')", "true"}, {"IS_JSON_STRING('[1')", "false"}}}),
          json_function({"JSON_ARRAY_CONTAINS",
                         "Whether a JSON array holds a value of the same type.",
                         {boxed("STRING json, T value -> BOOLEAN", json_array_contains, OnNull::pass)},
                         {{"JSON_ARRAY_CONTAINS('[1, 2]', 2)", "true"}}}),
          json_function({"JSON_ARRAY_LENGTH",
                         "Number of elements of a JSON array.",
                         {scalar<json_array_length>({"json"})},
                         {{"JSON_ARRAY_LENGTH('[1, 2]')", "2"}}}),
          json_function({"JSON_CONCAT",
                         "JSON texts merged: if all are objects by member, else into one array.",
                         {scalar<json_concat>({"texts"})},
                         {{"JSON_CONCAT('{\"a\":1}', '{\"b\":2}')", "'{\"a\":1,\"b\":2}'"}}}),
          json_function({"JSON_ITEMS",
                         "The elements of a JSON array as JSON texts.",
                         {boxed("STRING json -> ARRAY<STRING>", json_items)},
                         {{"JSON_ITEMS('[{\"a\":1}]')", "ARRAY['{\"a\":1}']"}}}),
          json_function({"JSON_KEYS",
                         "The member names of a JSON object.",
                         {boxed("STRING json -> ARRAY<STRING>", json_keys)},
                         {{"JSON_KEYS('{\"a\":1}')", "ARRAY['a']"}}}),
          json_function({"JSON_RECORDS",
                         "The members of a JSON object.",
                         {boxed("STRING json -> MAP<STRING, STRING>", json_records)},
                         {{"JSON_RECORDS('{\"a\":{\"b\":1}}')['a']", "'{\"b\":1}'"},
                          {"JSON_RECORDS('[1]')", "NULL"},
                          {"JSON_RECORDS('{')", "error"}}}),
          json_function({"TO_JSON_STRING",
                         "Any value as a JSON text.",
                         {boxed("T value -> STRING", to_json_string, OnNull::pass)},
                         {{"TO_JSON_STRING(ARRAY[1, 2])", "'[1,2]'"}}})};
}

}  // namespace millrace::inline exec
