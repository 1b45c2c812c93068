#include "exec/schemas/avro_schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <map>

#include "parser/error/letter_case.h"

namespace millrace::inline exec::avro {
namespace {

namespace json = boost::json;

constexpr int kMaxDepth = 200;

const std::map<std::string_view, Kind> kPrimitives = {
    {"null", Kind::null},    {"boolean", Kind::boolean}, {"int", Kind::int_},    {"long", Kind::long_},
    {"float", Kind::float_}, {"double", Kind::double_},  {"bytes", Kind::bytes}, {"string", Kind::string}};

const std::map<std::string_view, Logical> kLogicals = {{"decimal", Logical::decimal},
                                                       {"date", Logical::date},
                                                       {"time-millis", Logical::time_millis},
                                                       {"time-micros", Logical::time_micros},
                                                       {"timestamp-millis", Logical::timestamp_millis},
                                                       {"local-timestamp-millis", Logical::timestamp_millis},
                                                       {"timestamp-micros", Logical::timestamp_micros},
                                                       {"local-timestamp-micros", Logical::timestamp_micros}};

struct BadSchema {
  std::string why;
};
[[noreturn]] void fail(std::string why) {
  throw BadSchema{std::move(why)};
}

std::string text_of(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value && value->is_string() ? std::string(value->as_string()) : "";
}

std::int64_t number_of(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value && value->is_int64() ? value->as_int64() : 0;
}

std::vector<std::string> texts_of(const json::object& object, std::string_view name) {
  std::vector<std::string> out;
  const json::value* value = object.if_contains(name);
  if (value && value->is_array())
    for (const json::value& item : value->as_array())
      if (item.is_string()) out.emplace_back(item.as_string());
  return out;
}

class Parser {
 public:
  explicit Parser(Schema& schema) : schema_(schema) {}

  const Node* node(const json::value& value, const std::string& space, int depth) {
    if (depth > kMaxDepth) fail("the schema is nested too deeply");
    if (value.is_string()) return by_name(std::string(value.as_string()), space);
    if (value.is_array()) return union_of(value.as_array(), space, depth);
    if (!value.is_object()) fail("a type must be a name, an object or an array");
    return object(value.as_object(), space, depth);
  }

 private:
  Node& add(Kind kind) {
    Node& node = schema_.nodes.emplace_back();
    node.kind = kind;
    return node;
  }

  const Node* by_name(const std::string& name, const std::string& space) {
    if (const auto found = kPrimitives.find(name); found != kPrimitives.end()) return &add(found->second);
    const auto found = named_.find(full_name(name, space));
    if (found != named_.end()) return found->second;
    const auto plain = named_.find(name);
    if (plain == named_.end()) fail(fmt::format("Undefined name: \"{}\"", name));
    return plain->second;
  }

  static std::string full_name(const std::string& name, const std::string& space) {
    return space.empty() || name.find('.') != std::string::npos ? name : space + "." + name;
  }

  const Node* union_of(const json::array& items, const std::string& space, int depth) {
    Node& out = add(Kind::union_);
    if (items.empty()) fail("a union needs a branch");
    for (const json::value& item : items) {
      const Node* branch = node(item, space, depth + 1);
      if (branch->kind == Kind::union_) fail("a union cannot hold a union");
      out.branches.push_back(branch);
    }
    return &out;
  }

  const Node* object(const json::object& from, const std::string& space, int depth) {
    const json::value* type = from.if_contains("type");
    if (type == nullptr) fail("No \"type\" property");
    if (!type->is_string()) return node(*type, space, depth + 1);
    const std::string_view name = type->as_string();
    if (name == "record" || name == "error") return record(from, space, depth);
    if (name == "enum" || name == "fixed") return named_scalar(from, space, name == "enum");
    if (name == "array" || name == "map") {
      Node& out = add(name == "array" ? Kind::array : Kind::map);
      const json::value* element = from.if_contains(name == "array" ? "items" : "values");
      if (element == nullptr) fail(fmt::format("an {} has no element type", name));
      out.element = node(*element, space, depth + 1);
      out.map_entries = is_map_entry(*out.element, text_of(from, "connect.internal.type"));
      return &out;
    }
    const Node* plain = by_name(std::string(name), space);
    const Logical logical = logical_of(from);
    std::string connect_name = text_of(from, "connect.name");
    if ((logical == Logical::none && connect_name.empty()) || !kPrimitives.contains(name)) return plain;
    Node& out = add(plain->kind);
    out.connect_name = std::move(connect_name);
    set_logical(out, logical, from);
    return &out;
  }

  // Where keys may be null or are no texts, Connect writes a MAP as a list of its entries.
  static bool is_map_entry(const Node& element, const std::string& mark) {
    if (element.kind != Kind::record || element.fields.size() != 2) return false;
    if (element.fields[0].name != "key" || element.fields[1].name != "value") return false;
    return mark == "MapEntry" || element.name.ends_with("MapEntry");
  }

  static Logical logical_of(const json::object& from) {
    const auto found = kLogicals.find(text_of(from, "logicalType"));
    if (found != kLogicals.end()) return found->second;
    const std::string connect = text_of(from, "connect.name");
    if (connect == "org.apache.kafka.connect.data.Date") return Logical::date;
    if (connect == "org.apache.kafka.connect.data.Time") return Logical::time_millis;
    if (connect == "org.apache.kafka.connect.data.Timestamp") return Logical::timestamp_millis;
    return Logical::none;
  }

  // A logical type that does not fit its base is to be ignored.
  static void set_logical(Node& node, Logical logical, const json::object& from) {
    const bool narrow = logical == Logical::date || logical == Logical::time_millis;
    if (logical == Logical::decimal) {
      const std::int64_t precision = number_of(from, "precision"), scale = number_of(from, "scale");
      if ((node.kind != Kind::bytes && node.kind != Kind::fixed) || precision < 1 || scale < 0 || scale > precision)
        return;
      node.precision = static_cast<int>(std::min<std::int64_t>(precision, 38));
      node.scale = static_cast<int>(std::min<std::int64_t>(scale, node.precision));
    } else if (node.kind != (narrow ? Kind::int_ : Kind::long_)) {
      return;
    }
    node.logical = logical;
  }

  Node& named(Kind kind, const json::object& from, std::string& space) {
    std::string name = text_of(from, "name");
    if (name.empty()) fail("No name in schema");
    if (const std::size_t dot = name.rfind('.'); dot != std::string::npos) {
      space = name.substr(0, dot);
    } else {
      if (const json::value* given = from.if_contains("namespace"); given && given->is_string())
        space = std::string(given->as_string());
      name = full_name(name, space);
    }
    Node& out = add(kind);
    out.name = name;
    for (const std::string& alias : texts_of(from, "aliases")) out.aliases.push_back(full_name(alias, space));
    if (!named_.emplace(name, &out).second) fail(fmt::format("Can't redefine: {}", name));
    return out;
  }

  const Node* named_scalar(const json::object& from, std::string space, bool enumeration) {
    Node& out = named(enumeration ? Kind::enumeration : Kind::fixed, from, space);
    if (enumeration) {
      out.symbols = texts_of(from, "symbols");
      if (out.symbols.empty()) fail("an enum has no symbols");
      out.default_symbol = text_of(from, "default");
      return &out;
    }
    const std::int64_t size = number_of(from, "size");
    if (size < 0 || size > (1 << 30)) fail("a fixed has no proper size");
    out.size = static_cast<std::size_t>(size);
    set_logical(out, logical_of(from), from);
    return &out;
  }

  const Node* record(const json::object& from, std::string space, int depth) {
    Node& out = named(Kind::record, from, space);
    const json::value* fields = from.if_contains("fields");
    if (fields == nullptr || !fields->is_array()) fail("Record has no fields");
    for (const json::value& item : fields->as_array()) {
      if (!item.is_object()) fail("a field must be an object");
      const json::object& object = item.as_object();
      Field field;
      field.name = text_of(object, "name");
      if (field.name.empty()) fail("No field name");
      field.aliases = texts_of(object, "aliases");
      const json::value* type = object.if_contains("type");
      if (type == nullptr) fail(fmt::format("No field type: {}", field.name));
      field.type = node(*type, space, depth + 1);
      if (const json::value* otherwise = object.if_contains("default")) field.otherwise = *otherwise;
      out.fields.push_back(std::move(field));
    }
    return &out;
  }

  Schema& schema_;
  std::map<std::string, const Node*> named_;
};

json::value parse_text(const std::string& text) {
  boost::system::error_code error;
  json::parse_options options;
  options.max_depth = kMaxDepth * 4;
  json::value value = json::parse(text, error, {}, options);
  // A primitive may stand there without quotes.
  if (error && kPrimitives.contains(text)) return json::value(text);
  if (error) fail(fmt::format("it is not JSON ({})", error.message()));
  return value;
}

class TypeMaker {
 public:
  Result<Type> type(const Node& node) {
    switch (node.kind) {
      case Kind::null:
        return user_error("a schema of nothing but null has no SQL type");
      case Kind::boolean:
        return Type::boolean();
      case Kind::int_:
        if (node.logical == Logical::date) return Type::date();
        return node.logical == Logical::time_millis ? Type::time() : Type::integer();
      case Kind::long_:
        if (node.logical == Logical::time_micros) return Type::time();
        return node.logical == Logical::none ? Type::bigint() : Type::timestamp();
      case Kind::float_:
      case Kind::double_:
        return Type::double_();
      case Kind::bytes:
      case Kind::fixed:
        return node.logical == Logical::decimal ? Type::decimal(node.precision, node.scale) : Type::bytes();
      case Kind::string:
      case Kind::enumeration:
        return Type::string();
      case Kind::record:
        return record(node);
      case Kind::array:
      case Kind::map:
        return list(node);
      case Kind::union_:
        break;
    }
    if (const Node* only = node.only_branch()) return type(*only);
    std::vector<StructField> fields;
    for (const Node* branch : node.branches) {
      if (branch->kind == Kind::null) continue;
      auto inner = type(*branch);
      if (!inner) return inner;
      fields.push_back({branch_name(*branch), *inner});
    }
    return Type::structure(std::move(fields));
  }

 private:
  Result<Type> record(const Node& node) {
    if (std::ranges::find(open_, &node) != open_.end())
      return user_error("record {} holds itself: name its columns in the statement instead", node.name);
    open_.push_back(&node);
    std::vector<StructField> fields;
    for (const Field& field : node.fields) {
      if (field.type->kind == Kind::null) continue;
      auto inner = type(*field.type);
      if (!inner) return inner;
      fields.push_back({field.name, *inner});
    }
    open_.pop_back();
    return Type::structure(std::move(fields));
  }

  Result<Type> list(const Node& node) {
    const Node& element = node.map_entries ? *node.element->fields[1].type : *node.element;
    auto inner = type(element);
    if (!inner) return inner;
    return node.kind == Kind::array && !node.map_entries ? Type::array(*inner) : Type::map(Type::string(), *inner);
  }

  std::vector<const Node*> open_;
};

json::object connect_logical(std::string_view type, std::string_view connect, std::string_view logical) {
  return {{"type", type}, {"connect.version", 1}, {"connect.name", connect}, {"logicalType", logical}};
}

json::value nullable(json::value type) {
  return json::array{"null", std::move(type)};
}

/// Types as Connect's converter writes them for the schemas ksqlDB gives it.
class Writer {
 public:
  json::value type(const Type& type, const std::string& name) {
    switch (type.kind()) {
      case TypeKind::boolean:
        return "boolean";
      case TypeKind::integer:
        return "int";
      case TypeKind::bigint:
        return "long";
      case TypeKind::double_:
        return "double";
      case TypeKind::bytes:
        return "bytes";
      case TypeKind::decimal:
        return json::object{
            {"type", "bytes"},
            {"scale", type.scale()},
            {"precision", type.precision()},
            {"connect.version", 1},
            {"connect.parameters", json::object{{"scale", std::to_string(type.scale())},
                                                {"connect.decimal.precision", std::to_string(type.precision())}}},
            {"connect.name", "org.apache.kafka.connect.data.Decimal"},
            {"logicalType", "decimal"}};
      case TypeKind::date:
        return connect_logical("int", "org.apache.kafka.connect.data.Date", "date");
      case TypeKind::time:
        return connect_logical("int", "org.apache.kafka.connect.data.Time", "time-millis");
      case TypeKind::timestamp:
        return connect_logical("long", "org.apache.kafka.connect.data.Timestamp", "timestamp-millis");
      case TypeKind::array:
        return json::object{{"type", "array"}, {"items", nullable(this->type(type.element(), name))}};
      case TypeKind::map:
        return map(type, name);
      case TypeKind::structure:
        return record(type.fields(), name);
      default:
        return "string";
    }
  }

  template <class Fields>
  json::object record(const Fields& columns, const std::string& name) {
    json::object out = named(name);
    const auto outer = std::exchange(space_, space_of(name));
    json::array fields;
    for (const auto& column : columns)
      fields.push_back(json::object{{"name", column.name},
                                    {"type", nullable(type(column.type, name + "_" + column.name))},
                                    {"default", nullptr}});
    out["fields"] = std::move(fields);
    out["connect.name"] = name;
    space_ = outer;
    return out;
  }

 private:
  static std::string space_of(const std::string& name) {
    const std::size_t dot = name.rfind('.');
    return dot == std::string::npos ? "" : name.substr(0, dot);
  }

  // A namespace that the record around it has already is not said again.
  json::object named(const std::string& name) const {
    const std::string space = space_of(name);
    json::object out{{"type", "record"}, {"name", space.empty() ? name : name.substr(space.size() + 1)}};
    if (space != space_) out["namespace"] = space;
    return out;
  }

  json::value map(const Type& type, const std::string& name) {
    json::object entry = named(name);
    entry["fields"] = json::array{
        json::object{{"name", "key"}, {"type", nullable("string")}, {"default", nullptr}},
        json::object{
            {"name", "value"}, {"type", nullable(this->type(type.value(), name + "_MapValue"))}, {"default", nullptr}}};
    entry["connect.internal.type"] = "MapEntry";
    return json::object{{"type", "array"}, {"items", std::move(entry)}, {"connect.internal.type", "MapEntry"}};
  }

  std::string space_;  // of the record around
};

}  // namespace

const Field* Node::find(std::string_view field) const {
  const auto exact = std::ranges::find(fields, field, &Field::name);
  if (exact != fields.end()) return &*exact;
  const auto capital = std::ranges::find_if(fields, [&](const Field& f) { return is_upper_case_of(field, f.name); });
  return capital == fields.end() ? nullptr : &*capital;
}

const Node* Node::only_branch() const {
  const Node* only = nullptr;
  for (const Node* branch : branches) {
    if (branch->kind == Kind::null) continue;
    if (only) return nullptr;
    only = branch;
  }
  return only;
}

bool Node::nullable() const {
  return kind == Kind::null || std::ranges::any_of(branches, [](const Node* b) { return b->kind == Kind::null; });
}

Result<SchemaPtr> parse(const SchemaText& schema) {
  auto out = std::make_shared<Schema>();
  try {
    Parser parser(*out);
    for (const auto& [name, text] : schema.imports) parser.node(parse_text(text), "", 0);
    out->root = parser.node(parse_text(schema.text), "", 0);
  } catch (const BadSchema& bad) {
    return user_error("not an Avro schema: {}", bad.why);
  }
  return SchemaPtr(std::move(out));
}

Result<Type> sql_type(const Node& node) {
  return TypeMaker().type(node);
}

std::string branch_name(const Node& branch) {
  for (const auto& [name, kind] : kPrimitives)
    if (kind == branch.kind) return std::string(name);
  if (branch.kind == Kind::array) return "array";
  if (branch.kind == Kind::map) return "map";
  const std::size_t dot = branch.name.rfind('.');
  return dot == std::string::npos ? branch.name : branch.name.substr(dot + 1);
}

std::string text_for(const std::vector<ColumnDef>& columns, const std::string& full_name, bool bare, bool nullable) {
  Writer writer;
  if (!bare) return json::serialize(writer.record(columns, full_name));
  json::value type = writer.type(columns.front().type, full_name);
  return json::serialize(nullable ? avro::nullable(std::move(type)) : type);
}

}  // namespace millrace::inline exec::avro
