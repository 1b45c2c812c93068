// GCC 12 sees dangling pointers in simdjson's iterators where there are none, when optimizing.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdangling-pointer"
#include <simdjson.h>
#pragma GCC diagnostic pop

#include <algorithm>
#include <charconv>

#include "exec/functions/families.h"
#include "exec/functions/json_text.h"
#include "exec/functions/scalar.h"

namespace millrace::inline exec {
namespace {

using Text = std::string_view;
using simdjson::dom::element;
using simdjson::dom::element_type;

Error malformed() {
  return user_error("not a JSON text");
}

/// Parses with this thread's parser. The element lives until the next call on the thread.
bool parse_fast(std::string_view text, element& out) {
  thread_local simdjson::dom::parser parser;
  return parser.parse(text.data(), text.size()).get(out) == simdjson::SUCCESS;
}

bool is_json_string(std::optional<Text> text) {
  element parsed;
  return text && parse_fast(*text, parsed);
}

/// One step of a path: a member by name, or an element by place.
struct PathStep {
  std::string name;
  std::size_t index = 0;
  bool is_index = false;
};

class JsonPath {
 public:
  /// False: not a path like $.a.b[0]["c d"].
  bool parse(Text path) {
    steps_.clear();
    if (!path.starts_with("$")) return false;
    path.remove_prefix(1);
    while (!path.empty()) {
      if (path.front() == '.' ? !read_member(path) : path.front() != '[' || !read_bracket(path)) return false;
    }
    return true;
  }
  const std::vector<PathStep>& steps() const { return steps_; }

 private:
  bool read_member(Text& path) {
    path.remove_prefix(1);
    const std::size_t end = std::min(path.find_first_of(".["), path.size());
    if (end == 0) return false;
    steps_.push_back({std::string(path.substr(0, end))});
    path.remove_prefix(end);
    return true;
  }
  bool read_bracket(Text& path) {
    path.remove_prefix(1);
    if (!path.empty() && (path.front() == '"' || path.front() == '\'')) {
      const std::size_t end = path.find(path.front(), 1);
      if (end == Text::npos || end + 1 >= path.size() || path[end + 1] != ']') return false;
      steps_.push_back({std::string(path.substr(1, end - 1))});
      path.remove_prefix(end + 2);
      return true;
    }
    PathStep step;
    step.is_index = true;
    const auto [end, error] = std::from_chars(path.data(), path.data() + path.size(), step.index);
    if (error != std::errc() || end == path.data() + path.size() || *end != ']') return false;
    path.remove_prefix(static_cast<std::size_t>(end - path.data()) + 1);
    steps_.push_back(std::move(step));
    return true;
  }
  std::vector<PathStep> steps_;
};

bool follow(const JsonPath& path, element& at) {
  for (const PathStep& step : path.steps()) {
    if (step.is_index) {
      simdjson::dom::array array;
      if (at.get(array) != simdjson::SUCCESS || array.at(step.index).get(at) != simdjson::SUCCESS) return false;
    } else {
      simdjson::dom::object object;
      if (at.get(object) != simdjson::SUCCESS || object.at_key(step.name).get(at) != simdjson::SUCCESS) return false;
    }
  }
  return true;
}

const JsonNode* follow(const JsonPath& path, const JsonNode& root) {
  const JsonNode* at = &root;
  for (const PathStep& step : path.steps()) {
    if (step.is_index)
      at = at->kind == JsonNode::Kind::array && step.index < at->members.size() ? &at->members[step.index].second
                                                                                : nullptr;
    else
      at = at->kind == JsonNode::Kind::object ? at->find(step.name) : nullptr;
    if (at == nullptr) return nullptr;
  }
  return at;
}

/// Text itself, everything else as JSON text.
std::string plain_text(const JsonNode& value) {
  if (value.kind == JsonNode::Kind::string) return value.text;
  std::string out;
  write_json(value, out);
  return out;
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
  if (path == nullptr) return user_error("not a JSON path: {}", path_text);
  element at;
  if (!parse_fast(text, at)) return malformed();
  if (!follow(*path, at) || at.is_null()) return std::optional<Text>();
  if (at.is_string()) return std::optional(arena.copy(at.get_string().value_unsafe()));
  // The rest keeps its numbers as written, which the fast parser does not know.
  JsonNode document;
  if (!parse_json(text, document)) return malformed();
  const JsonNode* found = follow(*path, document);
  if (found == nullptr) return std::optional<Text>();
  return std::optional(arena.copy(plain_text(*found)));
}

bool matches(const element& item, const Value& wanted, const Type& type) {
  if (wanted.is_null()) return item.is_null();
  switch (type.kind()) {
    case TypeKind::boolean:
      return item.is_bool() && item.get_bool().value_unsafe() == wanted.as<bool>();
    case TypeKind::integer:
      return item.is_int64() && item.get_int64().value_unsafe() == wanted.as<std::int32_t>();
    case TypeKind::bigint:
      return item.is_int64() && item.get_int64().value_unsafe() == wanted.as<std::int64_t>();
    case TypeKind::double_:
      return item.type() == element_type::DOUBLE && item.get_double().value_unsafe() == wanted.as<double>();
    case TypeKind::string:
      return item.is_string() && item.get_string().value_unsafe() == wanted.as<std::string>();
    default:
      return false;
  }
}

Result<Value> json_array_contains(std::span<const Value> arguments, const CallTypes& types) {
  element parsed;
  if (arguments[0].is_null() || !parse_fast(arguments[0].as<std::string>(), parsed) || !parsed.is_array())
    return Value(false);
  const simdjson::dom::array items = parsed.get_array().value_unsafe();
  for (const element item : items)
    if (matches(item, arguments[1], types.arguments[1])) return Value(true);
  return Value(false);
}

Result<std::optional<std::int32_t>> json_array_length(Text text) {
  element parsed;
  if (!parse_fast(text, parsed)) return malformed();
  if (!parsed.is_array()) return std::optional<std::int32_t>();
  return std::optional(static_cast<std::int32_t>(parsed.get_array().value_unsafe().size()));
}

Result<Value> json_items(std::span<const Value> arguments, const CallTypes&) {
  JsonNode parsed;
  if (!parse_json(arguments[0].as<std::string>(), parsed)) return malformed();
  if (parsed.kind != JsonNode::Kind::array) return Value();
  Value::List items;
  for (const auto& member : parsed.members) {
    std::string text;
    write_json(member.second, text);
    items.emplace_back(std::move(text));
  }
  return Value::list(std::move(items));
}

Result<Value> json_keys(std::span<const Value> arguments, const CallTypes&) {
  JsonNode parsed;
  if (!parse_json(arguments[0].as<std::string>(), parsed)) return malformed();
  if (parsed.kind != JsonNode::Kind::object) return Value();
  Value::List keys;
  for (const auto& member : parsed.members) keys.emplace_back(member.first);
  return Value::list(std::move(keys));
}

Result<Value> json_records(std::span<const Value> arguments, const CallTypes&) {
  JsonNode parsed;
  if (!parse_json(arguments[0].as<std::string>(), parsed)) return malformed();
  if (parsed.kind != JsonNode::Kind::object) return Value();
  Value::Map members;
  for (const auto& [name, value] : parsed.members) members.emplace_back(name, plain_text(value));
  return Value::map(std::move(members));
}

/// What JSON_CONCAT has so far, taken apart one level deep, as JSON texts.
struct Merged {
  enum class Kind : std::uint8_t { nothing, scalar, array, object } kind = Kind::nothing;
  std::vector<std::pair<std::string, std::string>> parts;  // name (objects only) and JSON text

  static Merged of(const JsonNode& value) {
    Merged out;
    const auto text = [](const JsonNode& part) {
      std::string json;
      write_json(part, json);
      return json;
    };
    if (value.kind == JsonNode::Kind::array) {
      out.kind = Kind::array;
      for (const auto& item : value.members) out.parts.emplace_back("", text(item.second));
    } else if (value.kind == JsonNode::Kind::object) {
      out.kind = Kind::object;
      for (const auto& [name, member] : value.members) out.put(name, text(member));
    } else {
      out.kind = Kind::scalar;
      out.parts.emplace_back("", text(value));
    }
    return out;
  }

  void put(std::string name, std::string json) {
    for (auto& [known, value] : parts)
      if (known == name) {
        value = std::move(json);
        return;
      }
    parts.emplace_back(std::move(name), std::move(json));
  }

  void add(Merged other) {
    if (kind == Kind::nothing) {
      *this = std::move(other);
    } else if (kind == Kind::object && other.kind == Kind::object) {
      for (auto& [name, json] : other.parts) put(std::move(name), std::move(json));
    } else {
      as_array();
      other.as_array();
      parts.insert(parts.end(), other.parts.begin(), other.parts.end());
    }
  }

  void as_array() {
    if (kind == Kind::object) parts = {{"", text()}};
    kind = Kind::array;
  }

  std::string text() const {
    if (kind == Kind::scalar) return parts[0].second;
    std::string out(1, kind == Kind::array ? '[' : '{');
    for (const auto& [name, json] : parts) {
      if (out.size() > 1) out += ',';
      if (kind == Kind::object) {
        quote_json(name, out);
        out += ':';
      }
      out += json;
    }
    return out + (kind == Kind::array ? ']' : '}');
  }
};

Result<std::optional<Text>> json_concat(Arena& arena, Variadic<Text> texts) {
  Merged merged;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto text = texts[i];
    if (!text) return std::optional<Text>();
    JsonNode parsed;
    if (!parse_json(*text, parsed)) return malformed();
    merged.add(Merged::of(parsed));
  }
  if (merged.kind == Merged::Kind::nothing) return std::optional<Text>();
  return std::optional(arena.copy(merged.text()));
}

void write_sorted(const Value& value, const Type& type, std::string& out);

void write_members(std::vector<std::pair<std::string, std::string>> members, std::string& out) {
  std::ranges::sort(members);
  out += '{';
  bool first = true;
  for (const auto& [name, json] : members) {
    if (!std::exchange(first, false)) out += ',';
    quote_json(name, out);
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

FunctionDef json(DefinitionSpec spec) {
  return define(FunctionKind::scalar, "JSON", std::move(spec));
}

}  // namespace

FunctionFamily json_functions() {
  return {json({"EXTRACTJSONFIELD",
                "The value at a path of a JSON text.",
                {scalar<extract_json_field>({"json", "path"})},
                {{"EXTRACTJSONFIELD('{\"a\":{\"b\":1}}', '$.a.b')", "'1'"}}}),
          json({"IS_JSON_STRING",
                "Whether the text is JSON.",
                {scalar<is_json_string>({"text"})},
                {{"IS_JSON_STRING('[1]')", "true"}, {"IS_JSON_STRING('[1')", "false"}}}),
          json({"JSON_ARRAY_CONTAINS",
                "Whether a JSON array holds a value of the same type.",
                {boxed("STRING json, T value -> BOOLEAN", json_array_contains, OnNull::pass)},
                {{"JSON_ARRAY_CONTAINS('[1, 2]', 2)", "true"}}}),
          json({"JSON_ARRAY_LENGTH",
                "Number of elements of a JSON array.",
                {scalar<json_array_length>({"json"})},
                {{"JSON_ARRAY_LENGTH('[1, 2]')", "2"}}}),
          json({"JSON_CONCAT",
                "JSON texts merged: objects by member, everything else into one array.",
                {scalar<json_concat>({"texts"})},
                {{"JSON_CONCAT('{\"a\":1}', '{\"b\":2}')", "'{\"a\":1,\"b\":2}'"}}}),
          json({"JSON_ITEMS",
                "The elements of a JSON array as JSON texts.",
                {boxed("STRING json -> ARRAY<STRING>", json_items)},
                {{"JSON_ITEMS('[{\"a\":1}]')", "ARRAY['{\"a\":1}']"}}}),
          json({"JSON_KEYS",
                "The member names of a JSON object.",
                {boxed("STRING json -> ARRAY<STRING>", json_keys)},
                {{"JSON_KEYS('{\"a\":1}')", "ARRAY['a']"}}}),
          json({"JSON_RECORDS",
                "The members of a JSON object.",
                {boxed("STRING json -> MAP<STRING, STRING>", json_records)}}),
          json({"TO_JSON_STRING",
                "Any value as a JSON text.",
                {boxed("T value -> STRING", to_json_string, OnNull::pass)},
                {{"TO_JSON_STRING(ARRAY[1, 2])", "'[1,2]'"}}})};
}

}  // namespace millrace::inline exec
