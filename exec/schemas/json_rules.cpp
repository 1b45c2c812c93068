#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <regex>
#include <set>

#include "exec/schemas/json_documents.h"
#include "exec/schemas/reading_rules.h"

namespace millrace::inline exec {
namespace {

namespace json = boost::json;
using json_schema::Documents;

/// A place in a document. What it says is not looked up yet: it may be a reference.
struct Place {
  const json::value* value = nullptr;
  std::size_t document = 0;
};

const json::value* part(const json::object& schema, std::string_view name) {
  return schema.if_contains(name);
}
const json::object* object_part(const json::object& schema, std::string_view name) {
  const json::value* value = schema.if_contains(name);
  return value && value->is_object() ? &value->as_object() : nullptr;
}
const json::array* array_part(const json::object& schema, std::string_view name) {
  const json::value* value = schema.if_contains(name);
  return value && value->is_array() ? &value->as_array() : nullptr;
}
std::optional<double> number_part(const json::object& schema, std::string_view name) {
  const json::value* value = schema.if_contains(name);
  if (value == nullptr || !value->is_number()) return std::nullopt;
  return value->to_number<double>();
}
bool is_false(const json::value& schema) {
  return schema.is_bool() && !schema.as_bool();
}

std::set<std::string> names_in(const json::value* list) {
  std::set<std::string> out;
  if (list && list->is_array())
    for (const json::value& name : list->as_array())
      if (name.is_string()) out.emplace(name.as_string());
  return out;
}

/// The type a value has as JSON.
std::string_view word_of(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null:
      return "null";
    case json::kind::bool_:
      return "boolean";
    case json::kind::int64:
    case json::kind::uint64:
      return "integer";
    case json::kind::double_:
      return "number";
    case json::kind::string:
      return "string";
    case json::kind::array:
      return "array";
    case json::kind::object:
      break;
  }
  return "object";
}

bool has_any(const json::object& schema, std::initializer_list<std::string_view> keywords) {
  return std::ranges::any_of(keywords, [&](std::string_view word) { return schema.contains(word); });
}

/// The types a schema allows: those it names, of its values, or whose keywords it has. Empty: any.
std::set<std::string> words_of(const json::object& schema) {
  std::set<std::string> out;
  if (const json::value* type = part(schema, "type")) {
    if (type->is_string()) return {std::string(type->as_string())};
    return names_in(type);
  }
  if (const json::array* values = array_part(schema, "enum"))
    for (const json::value& value : *values) out.emplace(word_of(value));
  if (const json::value* value = part(schema, "const")) out.emplace(word_of(*value));
  if (has_any(schema, {"properties", "required", "additionalProperties", "patternProperties", "minProperties",
                       "maxProperties"}))
    out.emplace("object");
  if (has_any(schema, {"items", "prefixItems", "additionalItems", "minItems", "maxItems", "uniqueItems"}))
    out.emplace("array");
  if (has_any(schema, {"minLength", "maxLength", "pattern"})) out.emplace("string");
  if (has_any(schema, {"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}))
    out.emplace("number");
  return out;
}

std::optional<std::vector<json::value>> values_of(const json::object& schema) {
  if (const json::value* value = part(schema, "const")) return std::vector<json::value>{*value};
  const json::array* list = array_part(schema, "enum");
  if (list == nullptr) return std::nullopt;
  return std::vector<json::value>(list->begin(), list->end());
}

/// Whether the keywords beside combinations say anything of a value.
bool constrains(const json::object& schema) {
  static const std::set<std::string_view> kSilent = {"$schema", "$id",      "id",          "title",    "description",
                                                     "default", "$comment", "definitions", "$defs",    "examples",
                                                     "oneOf",   "anyOf",    "allOf",       "readOnly", "$ref"};
  return std::ranges::any_of(schema, [](const auto& pair) {
    return !kSilent.contains(pair.key()) && !std::string_view(pair.key()).starts_with("connect.");
  });
}

/// Which values the reader accepts, part by part: each must accept all that the writer accepts.
class JsonCheck {
 public:
  JsonCheck(const Documents& reader, const Documents& writer, ContentPolicy policy, int depth = 0)
      : reader_(reader), writer_(writer), strict_(policy == ContentPolicy::strict), depth_(depth) {}

  Result<Finding> check() {
    Finding found = schema({&reader_.root(), 0}, {&writer_.root(), 0}, "");
    if (broken_) return std::move(*broken_);
    return found;
  }

 private:
  static constexpr std::size_t kMaxPath = 2000;
  static constexpr std::size_t kMaxSteps = 20'000;
  static constexpr int kMaxNegations = 8, kMaxLevel = 400;
  using Pair = std::pair<const json::object*, const json::object*>;

  /// Follows references.
  Place looked_up(Place place, const Documents& documents) {
    for (int hops = 0; hops < 32; ++hops) {
      const json::object* object = place.value->if_object();
      const json::value* reference = object ? part(*object, "$ref") : nullptr;
      if (reference == nullptr || !reference->is_string()) return place;
      auto target = documents.resolve(std::string(reference->as_string()), place.document);
      if (!target) {
        if (!broken_) broken_ = target.error();
        static const json::value kAnything = true;
        return {&kAnything, 0};
      }
      place.value = *target;
    }
    return place;
  }

  static std::string at(const std::string& path) { return path.empty() ? "#" : "#" + path; }

  Finding schema(Place now, Place old, const std::string& path) {
    if (path.size() > kMaxPath) return {};
    now = looked_up(now, reader_);
    old = looked_up(old, writer_);
    if (is_false(*old.value)) return {};
    const json::object* reader = now.value->if_object();
    if (reader == nullptr)
      return is_false(*now.value) ? Finding("TYPE_CHANGED: nothing is allowed at " + at(path)) : Finding();
    static const json::object kAnything;
    const json::object* writer = old.value->if_object();
    return combined(*reader, now.document, writer ? *writer : kAnything, old.document, path);
  }

  bool fits(Place now, Place old, const std::string& path) { return !schema(now, old, path); }

  // --- allOf, oneOf, anyOf, not

  /// Once for each pair: what is under way, as in circles, is taken for good until it is found not to be.
  Finding combined(const json::object& now, std::size_t now_in, const json::object& old, std::size_t old_in,
                   const std::string& path) {
    const Pair pair{&now, &old};
    if (const auto known = failed_.find(pair); known != failed_.end()) return known->second;
    if (++steps_ > kMaxSteps || level_ > kMaxLevel) return "TOO_COMPLEX: at " + at(path);
    const std::size_t mark = trail_.size();
    if (!seen_.insert(pair).second) return {};
    trail_.push_back(pair);
    ++level_;
    Finding found = conjuncts(now, now_in, old, old_in, path);
    --level_;
    if (!found) return {};
    // What was taken for good on the way is looked at again where it is met again.
    for (; trail_.size() > mark; trail_.pop_back()) seen_.erase(trail_.back());
    failed_.emplace(pair, *found);
    return found;
  }

  Finding conjuncts(const json::object& now, std::size_t now_in, const json::object& old, std::size_t old_in,
                    const std::string& path) {
    for (const char* word : {"oneOf", "anyOf"}) {
      // Of a choice of the writer each branch must be accepted; what stands beside it says more of each.
      const json::array* branches = array_part(old, word);
      if (branches == nullptr) continue;
      if (Finding found = branches_fit(now, now_in, old, old_in, *branches, word, path)) return found;
      return {};
    }
    if (const json::array* parts = array_part(now, "allOf")) {
      for (const json::value& one : *parts) {
        const Finding found = accepted_by_part({&one, now_in}, old, old_in, path);
        if (found) return array_part(old, "allOf") ? "PRODUCT_TYPE_EXTENDED: at " + at(path) : found;
      }
    }
    if (const json::array* parts = array_part(old, "allOf"); parts && constrains(now)) {
      const bool fitting = std::ranges::any_of(*parts, [&](const json::value& one) {
        return !reader_accepts(now, now_in, {&one, old_in}, path);
      });
      if (fitting) return {};
    }
    for (const char* word : {"oneOf", "anyOf"}) {
      const json::array* branches = array_part(now, word);
      if (branches == nullptr) continue;
      const bool fitting = std::ranges::any_of(*branches, [&](const json::value& branch) {
        return !accepted_by_part({&branch, now_in}, old, old_in, path);
      });
      if (!fitting) return "TYPE_CHANGED: no branch of the new schema fits at " + at(path);
    }
    if (const json::value* excluded = part(now, "not")) {
      const json::value* before = part(old, "not");
      const auto policy = strict_ ? ContentPolicy::strict : ContentPolicy::lenient;
      if (before == nullptr || depth_ >= kMaxNegations ||
          !JsonCheck(writer_, reader_, policy, depth_ + 1).fits({before, old_in}, {excluded, now_in}, path))
        return "NOT_TYPE_EXTENDED: at " + at(path);
    }
    return constrains(now) ? itself(now, now_in, old, old_in, path) : Finding();
  }

  Finding branches_fit(const json::object& now, std::size_t now_in, const json::object& old, std::size_t old_in,
                       const json::array& branches, const char* word, const std::string& path) {
    if (std::string_view(word) == "anyOf" && branches.size() > 1 && array_part(now, "oneOf"))
      return "COMBINED_TYPE_CHANGED: from anyOf to oneOf at " + at(path);
    const json::array* choices = array_part(now, "oneOf");
    if (choices == nullptr) choices = array_part(now, "anyOf");
    for (std::size_t i = 0; i < branches.size(); ++i) {
      const Place branch{&branches[i], old_in};
      const std::string where = fmt::format("{}/{}/{}", path, word, i);
      if (choices == nullptr) {
        if (Finding found = reader_accepts(now, now_in, branch, where)) return found;
        continue;
      }
      const bool fitting = std::ranges::any_of(*choices, [&](const json::value& choice) {
        return fits({&choice, now_in}, branch, where);
      });
      if (!fitting)
        return fmt::format("{}: a branch of the old schema fits none of the new one at {}",
                           choices->size() < branches.size() ? "SUM_TYPE_NARROWED" : "COMBINED_TYPE_SUBSCHEMAS_CHANGED",
                           at(where));
    }
    return constrains(now) && constrains(old) ? itself(now, now_in, old, old_in, path) : Finding();
  }

  Finding reader_accepts(const json::object& now, std::size_t now_in, Place branch, const std::string& path) {
    branch = looked_up(branch, writer_);
    static const json::object kAnything;
    if (is_false(*branch.value)) return {};
    const json::object* old = branch.value->if_object();
    return combined(now, now_in, old ? *old : kAnything, branch.document, path);
  }

  /// Whether one part of the reader accepts the writer as a whole or one part of it.
  Finding accepted_by_part(Place now, const json::object& old, std::size_t old_in, const std::string& path) {
    if (const json::array* parts = array_part(old, "allOf"))
      for (const json::value& one : *parts)
        if (fits(now, {&one, old_in}, path)) return {};
    now = looked_up(now, reader_);
    const json::object* reader = now.value->if_object();
    if (reader == nullptr)
      return is_false(*now.value) ? Finding("TYPE_CHANGED: nothing is allowed at " + at(path)) : Finding();
    return combined(*reader, now.document, old, old_in, path);
  }

  // --- one schema without combinations

  Finding itself(const json::object& now, std::size_t now_in, const json::object& old, std::size_t old_in,
                 const std::string& path) {
    if (Finding found = types(now, old, path)) return found;
    if (Finding found = values(now, old, path)) return found;
    const auto words = words_of(old);
    const auto concerns = [&](const char* word) { return words.empty() || words.contains(word); };
    if (concerns("string"))
      if (Finding found = strings(now, old, path)) return found;
    if (concerns("number") || concerns("integer"))
      if (Finding found = numbers(now, old, path)) return found;
    if (concerns("array"))
      if (Finding found = arrays(now, now_in, old, old_in, path)) return found;
    return concerns("object") ? objects(now, now_in, old, old_in, path) : Finding();
  }

  static Finding types(const json::object& now, const json::object& old, const std::string& path) {
    const auto reader = words_of(now), writer = words_of(old);
    if (reader.empty()) return {};
    if (writer.empty()) return "TYPE_NARROWED: at " + at(path);
    for (const std::string& word : writer) {
      if (reader.contains(word) || (word == "integer" && reader.contains("number"))) continue;
      const bool narrower = word == "number" && reader.contains("integer");
      return fmt::format("{}: {} at {}", narrower ? "TYPE_NARROWED" : "TYPE_CHANGED", word, at(path));
    }
    return {};
  }

  static Finding values(const json::object& now, const json::object& old, const std::string& path) {
    const auto reader = values_of(now), writer = values_of(old);
    if (!reader) return {};
    if (!writer) return "ENUM_ARRAY_NARROWED: at " + at(path);
    for (const json::value& value : *writer)
      if (std::ranges::find(*reader, value) == reader->end())
        return fmt::format("{}: {} at {}", part(now, "const") ? "CONST_CHANGED" : "ENUM_ARRAY_NARROWED",
                           json::serialize(value), at(path));
    return {};
  }

  struct Bound {
    std::string_view keyword;
    std::string_view name;
    bool upper;
  };
  static Finding bounds(std::initializer_list<Bound> all, const json::object& now, const json::object& old,
                        const std::string& path) {
    for (const Bound& bound : all) {
      const auto reader = number_part(now, bound.keyword), writer = number_part(old, bound.keyword);
      if (!reader) continue;
      if (!writer) return fmt::format("{}_ADDED: at {}", bound.name, at(path));
      if (bound.upper ? *reader < *writer : *reader > *writer)
        return fmt::format("{}_{}: at {}", bound.name, bound.upper ? "DECREASED" : "INCREASED", at(path));
    }
    return {};
  }

  static Finding strings(const json::object& now, const json::object& old, const std::string& path) {
    const json::value *reader = part(now, "pattern"), *writer = part(old, "pattern");
    if (reader && !writer) return "PATTERN_ADDED: at " + at(path);
    if (reader && *reader != *writer) return "PATTERN_CHANGED: at " + at(path);
    return bounds({{"maxLength", "MAX_LENGTH", true}, {"minLength", "MIN_LENGTH", false}}, now, old, path);
  }

  static Finding numbers(const json::object& now, const json::object& old, const std::string& path) {
    if (Finding found = bounds({{"maximum", "MAXIMUM", true},
                                {"minimum", "MINIMUM", false},
                                {"exclusiveMaximum", "EXCLUSIVE_MAXIMUM", true},
                                {"exclusiveMinimum", "EXCLUSIVE_MINIMUM", false}},
                               now, old, path))
      return found;
    const auto reader = number_part(now, "multipleOf"), writer = number_part(old, "multipleOf");
    if (!reader || *reader == 0) return {};
    if (!writer) return "MULTIPLE_OF_ADDED: at " + at(path);
    if (std::fmod(*writer, *reader) == 0) return {};
    return fmt::format("{}: at {}", std::fmod(*reader, *writer) == 0 ? "MULTIPLE_OF_EXPANDED" : "MULTIPLE_OF_CHANGED",
                       at(path));
  }

  // --- arrays

  static std::vector<const json::value*> leading(const json::object& schema) {
    const json::array* list = array_part(schema, "prefixItems");
    if (list == nullptr) list = array_part(schema, "items");
    std::vector<const json::value*> out;
    if (list)
      for (const json::value& one : *list) out.push_back(&one);
    return out;
  }

  /// What is said of the items behind the leading ones; null: nothing.
  static const json::value* rest(const json::object& schema) {
    const bool tuple = array_part(schema, "items") != nullptr;
    const json::value* value = part(schema, tuple ? "additionalItems" : "items");
    return value && value->is_bool() && value->as_bool() ? nullptr : value;
  }

  Finding arrays(const json::object& now, std::size_t now_in, const json::object& old, std::size_t old_in,
                 const std::string& path) {
    const auto reader = leading(now), writer = leading(old);
    const json::value *reader_rest = rest(now), *writer_rest = rest(old);
    static const json::value kAnything = true;
    for (std::size_t i = 0; i < std::max(reader.size(), writer.size()); ++i) {
      const json::value* accepted = i < reader.size() ? reader[i] : reader_rest;
      const json::value* given = i < writer.size() ? writer[i] : writer_rest;
      if (accepted == nullptr) continue;
      const Finding found =
          schema({accepted, now_in}, {given ? given : &kAnything, old_in}, fmt::format("{}/items/{}", path, i));
      if (!found) continue;
      if (i < reader.size() && i < writer.size()) return found;
      if (i < reader.size()) return fmt::format("ITEM_ADDED_TO_OPEN_CONTENT_MODEL: item {} at {}", i, at(path));
      return fmt::format("ITEM_REMOVED_FROM_CLOSED_CONTENT_MODEL: item {} at {}", i, at(path));
    }
    if (reader_rest && !writer_rest) return "ADDITIONAL_ITEMS_NARROWED: at " + at(path);
    if (reader_rest && writer_rest)
      if (Finding found = schema({reader_rest, now_in}, {writer_rest, old_in}, path + "/items")) return found;
    const auto unique = [](const json::object& schema) {
      const json::value* value = part(schema, "uniqueItems");
      return value && value->is_bool() && value->as_bool();
    };
    if (unique(now) && !unique(old)) return "UNIQUE_ITEMS_ADDED: at " + at(path);
    return bounds({{"maxItems", "MAX_ITEMS", true}, {"minItems", "MIN_ITEMS", false}}, now, old, path);
  }

  // --- objects

  /// What a schema says of a property that it does not name: a schema, false (closed), or null (anything).
  static const json::value* unnamed(const json::object& schema, const std::string& name) {
    if (const json::object* patterns = object_part(schema, "patternProperties"))
      for (const auto& [pattern, said] : *patterns) {
        try {
          if (std::regex_search(name, std::regex(std::string(pattern), std::regex::ECMAScript))) return &said;
        } catch (const std::regex_error&) {  // of a dialect that is not ours: says nothing
        }
      }
    const json::value* more = part(schema, "additionalProperties");
    return more && more->is_bool() && more->as_bool() ? nullptr : more;
  }

  Finding objects(const json::object& now, std::size_t now_in, const json::object& old, std::size_t old_in,
                  const std::string& path) {
    static const json::object kNone;
    const json::object* mine = object_part(now, "properties");
    const json::object* theirs = object_part(old, "properties");
    const json::object& reader = mine ? *mine : kNone;
    const json::object& writer = theirs ? *theirs : kNone;
    if (Finding found = required(now, reader, old, writer, path)) return found;
    for (const auto& [key, property] : writer) {
      const std::string name(key), where = path + "/properties/" + name;
      const json::value* known = reader.if_contains(key);
      if (known == nullptr) {
        if (Finding found = removed(now, now_in, name, {&property, old_in}, where)) return found;
      } else if (Finding found = schema({known, now_in}, {&property, old_in}, where)) {
        return found;
      }
    }
    for (const auto& [key, property] : reader)
      if (!writer.contains(key))
        if (Finding found =
                added({&property, now_in}, std::string(key), old, old_in, path + "/properties/" + std::string(key)))
          return found;
    if (Finding found = additional(now, now_in, old, old_in, path)) return found;
    if (Finding found = dependencies(now, now_in, old, old_in, path)) return found;
    return bounds({{"maxProperties", "MAX_PROPERTIES", true}, {"minProperties", "MIN_PROPERTIES", false}}, now, old,
                  path);
  }

  static Finding required(const json::object& now, const json::object& reader, const json::object& old,
                          const json::object& writer, const std::string& path) {
    const auto before = names_in(part(old, "required"));
    for (const std::string& name : names_in(part(now, "required"))) {
      if (before.contains(name)) continue;
      const json::object* property = object_part(reader, name);
      if (property && property->contains("default")) continue;
      return fmt::format(
          "{}: {} at {}",
          writer.contains(name) ? "REQUIRED_ATTRIBUTE_ADDED" : "REQUIRED_PROPERTY_ADDED_TO_UNOPEN_CONTENT_MODEL", name,
          at(path));
    }
    return {};
  }

  Finding removed(const json::object& now, std::size_t now_in, const std::string& name, Place old,
                  const std::string& path) {
    const json::value* said = unnamed(now, name);
    if (said == nullptr || is_false(*old.value)) return {};
    if (is_false(*said)) return "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL: " + at(path);
    if (fits({said, now_in}, old, path) || !strict_) return {};
    return "PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL: " + at(path);
  }

  Finding added(Place now, const std::string& name, const json::object& old, std::size_t old_in,
                const std::string& path) {
    if (!strict_) return {};
    const json::value* said = unnamed(old, name);
    if (said && is_false(*said)) return {};
    if (said) {
      if (fits(now, {said, old_in}, path)) return {};
      return "PROPERTY_ADDED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL: " + at(path);
    }
    now = looked_up(now, reader_);
    const json::object* object = now.value->if_object();
    const bool anything =
        object ? !constrains(*object) && !has_any(*object, {"oneOf", "anyOf", "allOf"}) : !is_false(*now.value);
    return anything ? Finding() : "PROPERTY_ADDED_TO_OPEN_CONTENT_MODEL: " + at(path);
  }

  Finding additional(const json::object& now, std::size_t now_in, const json::object& old, std::size_t old_in,
                     const std::string& path) {
    const json::value *reader = part(now, "additionalProperties"), *writer = part(old, "additionalProperties");
    if (reader == nullptr || (reader->is_bool() && reader->as_bool())) return {};
    const bool open = writer == nullptr || (writer->is_bool() && writer->as_bool());
    const bool closes = is_false(*reader);
    if (!open && is_false(*writer)) return {};
    if (open || closes) {
      if (!strict_) return {};
      return fmt::format("ADDITIONAL_PROPERTIES_{}: at {}", closes ? "REMOVED" : "NARROWED", at(path));
    }
    return schema({reader, now_in}, {writer, old_in}, path + "/additionalProperties");
  }

  Finding dependencies(const json::object& now, std::size_t now_in, const json::object& old, std::size_t old_in,
                       const std::string& path) {
    for (const char* keyword : {"dependencies", "dependentRequired", "dependentSchemas"}) {
      const json::object* reader = object_part(now, keyword);
      if (reader == nullptr) continue;
      const json::object* writer = object_part(old, keyword);
      for (const auto& [key, needs] : *reader) {
        const json::value* before = writer ? writer->if_contains(key) : nullptr;
        const char* kind = needs.is_array() ? "ARRAY" : "SCHEMA";
        if (before == nullptr || before->is_array() != needs.is_array())
          return fmt::format("DEPENDENCY_{}_ADDED: {} at {}", kind, std::string_view(key), at(path));
        if (needs.is_array()) {
          const auto wanted = names_in(&needs), given = names_in(before);
          if (!std::ranges::includes(given, wanted))
            return fmt::format("DEPENDENCY_ARRAY_EXTENDED: {} at {}", std::string_view(key), at(path));
        } else if (Finding found = schema({&needs, now_in}, {before, old_in}, path + "/" + keyword)) {
          return found;
        }
      }
    }
    return {};
  }

  const Documents& reader_;
  const Documents& writer_;
  const bool strict_;
  const int depth_;  // of `not` in `not`
  std::set<Pair> seen_;
  std::vector<Pair> trail_;  // of seen_, in order
  std::map<Pair, std::string> failed_;
  std::size_t steps_ = 0;
  int level_ = 0;
  std::optional<Error> broken_;
};

}  // namespace

Result<Finding> json_reading_fault(const SchemaText& reader, const SchemaText& writer, ContentPolicy policy) {
  const auto now = Documents::parse(reader), old = Documents::parse(writer);
  if (!now) return now.error();
  if (!old) return old.error();
  return JsonCheck(*now, *old, policy).check();
}

}  // namespace millrace::inline exec
