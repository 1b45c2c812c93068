#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <set>

#include "exec/schemas/json_documents.h"
#include "exec/schemas/json_schema.h"
#include "parser/error/letter_case.h"

namespace millrace::inline exec::json_schema {
namespace {

namespace json = boost::json;

struct Place {
  const json::value* value;
  std::size_t document;
};

const json::array* array_in(const json::object& schema, std::string_view name) {
  const json::value* value = schema.if_contains(name);
  return value && value->is_array() ? &value->as_array() : nullptr;
}

bool is_null(const json::value& schema) {
  const json::value* type = schema.is_object() ? schema.as_object().if_contains("type") : nullptr;
  return type && *type == "null";
}

/// The types a schema names; none: any.
std::set<std::string_view> words_of(const json::object& schema) {
  std::set<std::string_view> out;
  const json::value* type = schema.if_contains("type");
  if (type && type->is_string()) out.insert(type->as_string());
  if (type && type->is_array())
    for (const json::value& one : type->as_array())
      if (one.is_string()) out.insert(one.as_string());
  return out;
}

/// What a value of a SQL type is as JSON.
std::string_view word_for(TypeKind kind) {
  switch (kind) {
    case TypeKind::boolean:
      return "boolean";
    case TypeKind::integer:
    case TypeKind::bigint:
    case TypeKind::date:
    case TypeKind::time:
    case TypeKind::timestamp:
      return "integer";
    case TypeKind::double_:
    case TypeKind::decimal:
      return "number";
    case TypeKind::array:
      return "array";
    case TypeKind::map:
    case TypeKind::structure:
      return "object";
    default:
      return "string";
  }
}

class ShapeMaker {
 public:
  explicit ShapeMaker(const Documents& documents) : documents_(documents) {}

  Result<std::vector<Shape>> columns(const std::vector<ColumnDef>& columns, bool bare) {
    const Place root{&documents_.root(), 0};
    if (!bare) return fields(columns, root);
    auto shape = value(columns.front().type, root, columns.front().name);
    if (!shape) return shape.error();
    return std::vector<Shape>{std::move(*shape)};
  }

 private:
  /// Behind references and choices with nothing but null beside one.
  Result<Place> open(Place place) const {
    for (int hops = 0; hops < kMaxHops && place.value->is_object(); ++hops) {
      const json::object& schema = place.value->as_object();
      if (const json::value* reference = schema.if_contains("$ref"); reference && reference->is_string()) {
        auto target = documents_.resolve(std::string(reference->as_string()), place.document);
        if (!target) return target.error();
        place.value = *target;
        continue;
      }
      const auto branches = branches_of(schema);
      if (branches.size() != 1) break;
      place.value = branches.front();
    }
    return place;
  }

  /// Of a choice: all but null; of parts that hold together: the only one.
  static std::vector<const json::value*> branches_of(const json::object& schema) {
    std::vector<const json::value*> out;
    for (const char* word : {"oneOf", "anyOf"})
      if (const json::array* list = array_in(schema, word)) {
        for (const json::value& one : *list)
          if (!is_null(one)) out.push_back(&one);
        return out;
      }
    if (const json::array* parts = array_in(schema, "allOf"); parts && parts->size() == 1)
      out.push_back(&parts->front());
    return out;
  }

  Result<Shape> value(const Type& type, Place place, const std::string& name) {
    if (++steps_ > kMaxSteps || depth_ >= kMaxDepth)
      return user_error("the JSON Schema holds itself, or is too complex: {}", name);
    ++depth_;
    auto shape = shape_of(type, place, name);
    --depth_;
    return shape;
  }

  Result<Shape> shape_of(const Type& type, Place place, const std::string& name) {
    const auto opened = open(place);
    if (!opened) return opened.error();
    Shape shape{name, false, false, {}};
    const json::object* schema = opened->value->if_object();
    if (schema == nullptr) return free(type, name);
    if (branches_of(*schema).size() > 1) return choice(type, *opened, name);
    const auto words = words_of(*schema);
    const std::string_view word = word_for(type.kind());
    const bool fits = words.empty() || words.contains(word) || (word == "integer" && words.contains("number"));
    if (!fits) return user_error("the JSON Schema has no {} where {} is written: {}", word, type.to_string(), name);
    if (type.kind() == TypeKind::structure) {
      auto inner = fields(type.fields(), *opened);
      if (!inner) return inner.error();
      shape.children = std::move(*inner);
    } else if (type.kind() == TypeKind::array) {
      return with_children(std::move(shape), {&type.element()}, part(*schema, "items"), opened->document);
    } else if (type.kind() == TypeKind::map) {
      return with_children(std::move(shape), {&type.key(), &type.value()}, part(*schema, "additionalProperties"),
                           opened->document);
    }
    return shape;
  }

  static const json::value* part(const json::object& schema, std::string_view name) {
    const json::value* value = schema.if_contains(name);
    return value && value->is_object() ? value : nullptr;
  }

  /// Elements, or keys and values; the last as the schema says.
  Result<Shape> with_children(Shape shape, const std::vector<const Type*>& types, const json::value* schema,
                              std::size_t document) {
    for (const Type* type : types) {
      if (schema == nullptr || type != types.back()) {
        shape.children.push_back(free(*type, ""));
        continue;
      }
      auto child = value(*type, {schema, document}, "");
      if (!child) return child;
      shape.children.push_back(std::move(*child));
    }
    return shape;
  }

  /// Where a schema says nothing: as the type is.
  static Shape free(const Type& type, const std::string& name) {
    Shape shape{name, false, false, {}};
    if (type.kind() == TypeKind::array) shape.children.push_back(free(type.element(), ""));
    if (type.kind() == TypeKind::map) shape.children = {free(type.key(), ""), free(type.value(), "")};
    if (type.kind() == TypeKind::structure)
      for (const StructField& field : type.fields()) shape.children.push_back(free(field.type, field.name));
    return shape;
  }

  Result<Shape> choice(const Type& type, Place place, const std::string& name) {
    const auto branches = branches_of(place.value->as_object());
    if (type.kind() != TypeKind::structure || !upper_case(type.fields().front().name).starts_with("CONNECT_UNION_")) {
      for (const json::value* branch : branches)
        if (auto shape = value(type, {branch, place.document}, name)) return shape;
      return user_error("the JSON Schema has no {} among its choices: {}", type.to_string(), name);
    }
    Shape shape{name, false, true, {}};
    for (std::size_t i = 0; i < type.fields().size(); ++i) {
      const StructField& field = type.fields()[i];
      if (i >= branches.size() || upper_case(field.name) != fmt::format("CONNECT_UNION_FIELD_{}", i))
        return user_error("the JSON Schema has no choice {}: {}", field.name, name);
      auto child = value(field.type, {branches[i], place.document}, "");
      if (!child) return child;
      shape.children.push_back(std::move(*child));
    }
    return shape;
  }

  Result<bool> takes_null(Place place) const {
    for (int hops = 0; hops < kMaxHops; ++hops) {
      if (!place.value->is_object()) return true;
      const json::value* reference = place.value->as_object().if_contains("$ref");
      if (reference == nullptr || !reference->is_string()) break;
      auto target = documents_.resolve(std::string(reference->as_string()), place.document);
      if (!target) return target.error();
      place.value = *target;
    }
    const json::object& schema = place.value->as_object();
    if (const auto words = words_of(schema); !words.empty()) return words.contains("null");
    for (const char* word : {"oneOf", "anyOf"})
      if (const json::array* list = array_in(schema, word)) return std::ranges::any_of(*list, is_null);
    const json::array* values = array_in(schema, "enum");
    return values == nullptr || std::ranges::any_of(*values, [](const json::value& one) { return one.is_null(); });
  }

  /// The property of a name, else of that name in capitals; null value: there is none.
  Result<std::pair<std::string, Place>> property(const json::object& schema, std::size_t document,
                                                 const std::string& name, int depth = 0) const {
    if (depth > kMaxHops) return user_error("the JSON Schema holds itself");
    if (const json::value* properties = part(schema, "properties")) {
      const json::object& all = properties->as_object();
      const auto exact = all.find(name);
      const auto found = exact != all.end() ? exact : std::ranges::find_if(all, [&](const auto& pair) {
        return upper_case(pair.key()) == name;
      });
      if (found != all.end()) return std::pair(std::string(found->key()), Place{&found->value(), document});
    }
    if (const json::array* parts = array_in(schema, "allOf"))
      for (const json::value& one : *parts) {
        const auto opened = open({&one, document});
        if (!opened) return opened.error();
        if (!opened->value->is_object()) continue;
        auto found = property(opened->value->as_object(), opened->document, name, depth + 1);
        if (!found || found->second.value != nullptr) return found;
      }
    return std::pair(std::string(), Place{nullptr, document});
  }

  template <class Fields>
  Result<std::vector<Shape>> fields(const Fields& all, Place place) {
    const auto opened = open(place);
    if (!opened) return opened.error();
    const json::object* schema = opened->value->if_object();
    std::vector<Shape> out;
    std::set<std::string> written, needed;
    if (const json::array* required = schema ? array_in(*schema, "required") : nullptr)
      for (const json::value& name : *required)
        if (name.is_string()) needed.emplace(name.as_string());
    for (const auto& field : all) {
      if (schema == nullptr) {
        out.push_back(free(field.type, field.name));
        continue;
      }
      const auto found = property(*schema, opened->document, field.name);
      if (!found) return found.error();
      if (found->second.value == nullptr) return user_error("the JSON Schema has no property {}", field.name);
      auto shape = value(field.type, found->second, found->first);
      if (!shape) return shape.error();
      const auto nullable = takes_null(found->second);
      if (!nullable) return nullable.error();
      written.insert(found->first);
      shape->leave_out_null = !*nullable && !needed.contains(found->first);
      out.push_back(std::move(*shape));
    }
    for (const std::string& name : needed)
      if (!written.contains(name)) return user_error("the JSON Schema requires the property {}", name);
    return out;
  }

  static constexpr int kMaxHops = 32, kMaxDepth = 64, kMaxSteps = 100'000;
  int depth_ = 0, steps_ = 0;
  const Documents& documents_;
};

}  // namespace

Result<std::vector<Shape>> shapes_for(const SchemaText& schema, const std::vector<ColumnDef>& columns, bool bare) {
  const auto documents = Documents::parse(schema);
  return documents ? ShapeMaker(*documents).columns(columns, bare) : documents.error();
}

}  // namespace millrace::inline exec::json_schema
