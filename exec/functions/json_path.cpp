#include "exec/functions/json_path.h"

#include <algorithm>
#include <span>

#include "exec/formats/json_walk.h"
#include "exec/formats/number_text.h"

namespace millrace::inline exec {
namespace {

using Text = std::string_view;
using json::Quoted;

/// Letters and digits of any script.
bool is_plain(char c) {
  return json::is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_' || static_cast<signed char>(c) < 0;
}

using Steps = std::span<const JsonPath::Step>;

const char* find(const char* at, const char* end, Steps steps, int depth, Text& found);

const char* find_member(const char* at, const char* end, Steps steps, int depth, Text& found) {
  return json::walk_object(at, end, [&](const Quoted& name, const char* value) {
    if (!name.is(steps[0].name)) return json::skip_value(value, end, depth + 1);
    found = {};
    return find(value, end, steps.subspan(1), depth + 1, found);
  });
}

const char* find_item(const char* at, const char* end, Steps steps, int depth, Text& found) {
  std::size_t place = 0;
  return json::walk_array(at, end, [&](const char* item) {
    if (place++ != *steps[0].index) return json::skip_value(item, end, depth + 1);
    return find(item, end, steps.subspan(1), depth + 1, found);
  });
}

/// Behind the value at `at`; nullptr: broken.
const char* find(const char* at, const char* end, Steps steps, int depth, Text& found) {
  if (!steps.empty() && at != end && depth < json::kMaxDepth) {
    if (*at == '{') return find_member(at, end, steps, depth, found);
    if (*at == '[' && steps[0].index) return find_item(at, end, steps, depth, found);
  }
  const char* after = json::skip_value(at, end, depth);
  if (after != nullptr && steps.empty()) found = {at, static_cast<std::size_t>(after - at)};
  return after;
}

}  // namespace

bool JsonPath::parse(Text path) {
  steps_.clear();
  if (!path.starts_with('$')) return false;
  path.remove_prefix(1);
  while (!path.empty()) {
    const char kind = path.front();
    path.remove_prefix(1);
    if (kind == '.' ? !read_step(path) : kind != '[' || !read_bracket(path)) return false;
  }
  return true;
}

bool JsonPath::follow(Text text, Text& found) const {
  const char* const end = text.data() + text.size();
  const char* const begin = json::skip_to_value(text.data(), end);
  found = {};
  const char* const after = find(begin, end, steps_, 0, found);
  return after != nullptr && json::ends_value(after, end);
}

void JsonPath::add_step(std::string name) {
  std::int32_t index = 0;
  Step step{std::move(name), std::nullopt};
  if (parse_int32(step.name, index) && index >= 0) step.index = static_cast<std::size_t>(index);
  steps_.push_back(std::move(step));
}

bool JsonPath::read_step(Text& path) {
  const auto end = std::ranges::find_if(path, [](char c) { return !is_plain(c) && c != ':' && c != '@'; });
  const auto size = static_cast<std::size_t>(end - path.begin());
  if (size == 0) return false;
  add_step(std::string(path.substr(0, size)));
  path.remove_prefix(size);
  return true;
}

bool JsonPath::read_bracket(Text& path) {
  if (!path.empty() && (path.front() == '"' || path.front() == '\'')) {
    if (!read_quoted(path)) return false;
  } else {
    const auto size = static_cast<std::size_t>(std::ranges::find_if_not(path, is_plain) - path.begin());
    if (size == 0) return false;
    add_step(std::string(path.substr(0, size)));
    path.remove_prefix(size);
  }
  if (!path.starts_with(']')) return false;
  path.remove_prefix(1);
  return true;
}

bool JsonPath::read_quoted(Text& path) {
  const char quote = path.front();
  std::string name;
  for (std::size_t i = 1; i < path.size(); ++i) {
    if (path[i] == quote) {
      path.remove_prefix(i + 1);
      add_step(std::move(name));
      return true;
    }
    if (path[i] == '\\' && (++i == path.size() || (path[i] != quote && path[i] != '\\'))) return false;
    name += path[i];
  }
  return false;
}

}  // namespace millrace::inline exec
