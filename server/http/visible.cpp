#include "server/http/visible.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string>

namespace millrace::inline server {
namespace json = boost::json;
namespace {

constexpr std::string_view kHidden = "(hidden)";
/// Lists whose items have a name, or sinks and sources.
constexpr std::array<std::string_view, 9> kLists = {
    "streams",           "tables",     "topics",      "sourceDescriptions", "queries",
    "queryDescriptions", "connectors", "readQueries", "writeQueries"};
/// Texts of statements, which may name others.
constexpr std::array<std::string_view, 2> kTexts = {"queryString", "statement"};

std::string_view text_of(const json::value& value) {
  return value.is_string() ? std::string_view(value.get_string()) : std::string_view();
}

template <class Keep>
void keep_if(json::value& list, Keep&& keep) {
  json::array kept;
  for (json::value& item : list.get_array())
    if (keep(item)) kept.push_back(std::move(item));
  list = std::move(kept);
}

bool is_word(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '-' || c == '.' || c == '$';
}

}  // namespace

/// Names that are no source's are nobody's secret.
bool Visible::source(std::string_view name) const {
  return catalog_.find(std::string(name)) == nullptr || access_.sees(user_, name);
}
bool Visible::source(const json::value& name) const {
  return access_.sees(user_, text_of(name));
}

bool Visible::all_of(const json::object& item, std::string_view list) const {
  const json::value* names = item.if_contains(list);
  return names == nullptr || !names->is_array() ||
         std::ranges::all_of(names->get_array(), [&](const json::value& name) { return source(name); });
}

bool Visible::tells(std::string_view text) const {
  const auto names = Access::names_in(text, catalog_);
  return !names || !std::ranges::all_of(*names, [&](const std::string& name) { return source(name); });
}

bool Visible::hides(const json::value& item) const {
  if (!item.is_object()) return false;
  const json::object& object = item.get_object();
  if (const json::value* name = object.if_contains("name"); name != nullptr && name->is_string()) return !source(*name);
  if (!all_of(object, "sinks") || !all_of(object, "sources")) return true;
  const json::value* sinks = object.if_contains("sinks");
  const json::value* query = object.if_contains("queryString");
  return query != nullptr && (sinks == nullptr || !sinks->is_array() || sinks->get_array().empty()) &&
         tells(text_of(*query));
}

void Visible::filter(json::object& entity) const {
  for (auto& field : entity) {
    const std::string_view name = field.key();
    json::value& value = field.value();
    if (std::ranges::find(kTexts, name) != kTexts.end()) {
      if (tells(text_of(value))) value = kHidden;
    } else if (name == "sourceDescription" && value.is_object()) {
      filter(value.get_object());
    } else if (name == "sourceConstraints" && value.is_array()) {
      keep_if(value, [&](const json::value& item) { return source(item); });
    } else if (name == "queryOffsetSummaries" && value.is_array()) {
      for (json::value& group : value.get_array())
        if (json::value* topics = group.is_object() ? group.get_object().if_contains("topicSummaries") : nullptr)
          keep_if(*topics, [&](const json::value& item) { return source(item.at("kafkaTopic")); });
    } else if (name == "types" && value.is_object()) {
      json::object kept;
      for (auto& type : value.get_object())
        if (access_.sees(user_, std::string_view(type.key()))) kept.insert_or_assign(type.key(), type.value());
      value = std::move(kept);
    } else if (name == "indexes" && value.is_array()) {
      keep_if(value, [&](const json::value& item) { return source(item.at("table")); });
    } else if (std::ranges::find(kLists, name) != kLists.end() && value.is_array()) {
      keep_if(value, [&](const json::value& item) { return !hides(item); });
      for (json::value& item : value.get_array())
        if (item.is_object()) filter(item.get_object());
    }
  }
}

void Visible::filter(json::array& entities) const {
  for (json::value& entity : entities)
    if (entity.is_object()) filter(entity.get_object());
}

/// Of a source or topic, or of a query that has the name in its id.
bool Visible::hides_word(std::string_view word) const {
  for (const auto& [name, source] : catalog_.sources) {
    if (access_.sees(user_, name)) continue;
    if (word == name || (word == source->topic && !access_.sees(user_, source->topic))) return true;
    if (const std::size_t at = word.find("_" + name + "_"); at != std::string_view::npos)
      if (word.find_first_not_of("0123456789", at + name.size() + 2) == std::string_view::npos) return true;
  }
  return false;
}

void Visible::cleanse(ServiceError& error) const {
  error.hint.clear();
  if (const std::size_t at = error.message.find("\nDid you mean"); at != std::string::npos) error.message.resize(at);
  std::string out;
  for (std::string_view rest = error.message; !rest.empty();) {
    std::size_t size = 0;
    while (size < rest.size() && is_word(rest[size])) ++size;
    // A sentence may end behind a name.
    std::size_t word = size;
    while (word > 0 && rest[word - 1] == '.') --word;
    if (word > 0 && hides_word(rest.substr(0, word)))
      out.append(kHidden).append(rest.substr(word, size - word));
    else
      out.append(rest.substr(0, size));
    rest.remove_prefix(size);
    if (rest.empty()) break;
    out += rest.front();
    rest.remove_prefix(1);
  }
  error.message = std::move(out);
  filter(error.entities);
}

bool Visible::command(std::string_view id) const {
  const std::size_t first = std::min(id.find('/'), id.size());
  const std::string_view kind = id.substr(0, first);
  std::string_view name = id.substr(std::min(first + 1, id.size()));
  name = name.substr(0, std::min(name.rfind('/'), name.size()));
  if (name.size() > 1 && name.front() == '`' && name.back() == '`') name = name.substr(1, name.size() - 2);
  if (kind == "stream" || kind == "table" || kind == "type") return access_.sees(user_, name);
  return access_.allows(user_, kind == "cluster" ? Privilege::configure : Privilege::terminate);
}

}  // namespace millrace::inline server
