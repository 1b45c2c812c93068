#include "server/http/schema_api.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <charconv>

#include "exec/schemas/proto_schema.h"
#include "exec/schemas/schema_json.h"
#include "server/http/http_text.h"

namespace millrace::inline server {
namespace {

namespace json = boost::json;

/// An answer other than success.
struct SchemaFailure {
  int code;  // 40401, ...: the status and two digits
  std::string message;
};

template <class T>
T checked(Result<T> result, int code = 50001) {
  if (!result) throw SchemaFailure{code, result.error().message};
  return std::move(*result);
}
void checked(const Status& done) {
  if (!done) throw SchemaFailure{50001, done.error().message};
}

std::vector<std::string> parts_of(std::string_view path) {
  std::vector<std::string> parts;
  while (!path.empty()) {
    path.remove_prefix(1);
    const std::size_t slash = std::min(path.find('/'), path.size());
    parts.push_back(percent_decode(path.substr(0, slash)));
    path.remove_prefix(slash);
  }
  while (!parts.empty() && parts.back().empty()) parts.pop_back();
  return parts;
}

json::object body_of(const HttpRequest& request) {
  boost::system::error_code problem;
  json::value body = json::parse(request.body, problem);
  if (problem || !body.is_object()) throw SchemaFailure{42201, "The body must be a JSON object"};
  return std::move(body.as_object());
}

std::string text_in(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value && value->is_string() ? std::string(value->as_string()) : "";
}

SchemaSource schema_in(const HttpRequest& request) {
  const json::object body = body_of(request);
  SchemaSource schema;
  const std::string type = text_in(body, "schemaType");
  const auto kind = find_schema_kind(type.empty() ? "AVRO" : type);
  if (!kind) throw SchemaFailure{42201, fmt::format("Invalid schema type {}", type)};
  schema.kind = *kind;
  schema.text = text_in(body, "schema");
  if (schema.text.empty()) throw SchemaFailure{42201, "Empty schema"};
  if (const json::value* references = body.if_contains("references"); references && references->is_array()) {
    for (const json::value& item : references->as_array()) {
      if (!item.is_object()) throw SchemaFailure{42201, "A reference must be an object"};
      const json::value* version = item.as_object().if_contains("version");
      schema.references.push_back({text_in(item.as_object(), "name"), text_in(item.as_object(), "subject"),
                                   version && version->is_int64() ? static_cast<int>(version->as_int64()) : 0});
    }
  }
  return schema;
}

int version_number(const std::string& text) {
  if (text == "latest" || text == "-1") return 0;
  int number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() || number < 1)
    throw SchemaFailure{42202, fmt::format("The specified version '{}' is not a valid version id.", text)};
  return number;
}

class SchemaApi {
 public:
  SchemaApi(const HttpRequest& request, LocalRegistry& registry)
      : request_(request), registry_(registry), parts_(parts_of(request.path)) {}

  json::value answer() {
    const std::string& first = parts_.front();
    if (first == "subjects") return subjects();
    if (first == "schemas") return schemas();
    if (first == "compatibility") return compatibility();
    if (first == "config") return config();
    if (is("GET")) return json::object{{"mode", "READWRITE"}};
    throw SchemaFailure{40500, "The mode is always READWRITE"};
  }

 private:
  bool is(std::string_view method) const { return request_.method == method; }
  [[noreturn]] void unknown() const { throw SchemaFailure{40400, "Not Found"}; }

  std::vector<int> versions_of(const std::string& subject) {
    auto versions = checked(registry_.versions(subject));
    if (versions.empty()) throw SchemaFailure{40401, fmt::format("Subject '{}' not found.", subject)};
    return versions;
  }

  /// The text of a schema in the form that was asked for: clients without a parser want Protobuf serialized.
  std::string text_of(const SchemaSource& schema) {
    const bool serialized = request_.query.find("format=serialized") != std::string::npos;
    if (!serialized || schema.kind != SchemaKind::protobuf) return schema.text;
    return checked(proto::serialized(checked(resolve(registry_, schema))));
  }

  json::object to_json(const SubjectVersion& version) {
    json::object out{{"subject", version.subject}, {"version", version.version}, {"id", version.id}};
    put_schema(out, version.schema, text_of(version.schema));
    return out;
  }

  SubjectVersion version_of(const std::string& subject, const std::string& version) {
    (void)versions_of(subject);
    auto found = checked(registry_.find(subject, version_number(version)));
    if (!found) throw SchemaFailure{40402, fmt::format("Version {} not found.", version)};
    return std::move(*found);
  }

  json::value subjects() {
    if (parts_.size() == 1 && is("GET")) return json::value_from(checked(registry_.subjects()));
    if (parts_.size() < 2) unknown();
    const std::string& subject = parts_[1];
    if (parts_.size() == 2) return subject_itself(subject);
    if (parts_[2] != "versions") unknown();
    if (parts_.size() == 3) {
      if (is("POST")) return add(subject);
      return json::value_from(versions_of(subject));
    }
    const SubjectVersion version = version_of(subject, parts_[3]);
    if (parts_.size() == 5 && parts_[4] == "schema") return itself(version.schema);
    if (parts_.size() != 4) unknown();
    if (!is("DELETE")) return to_json(version);
    (void)checked(registry_.remove_version(subject, version.version));
    return version.version;
  }

  json::value itself(const SchemaSource& schema) {
    boost::system::error_code none;
    json::value parsed = json::parse(schema.text, none);
    return none ? json::value(schema.text) : parsed;
  }

  json::value subject_itself(const std::string& subject) {
    if (is("DELETE")) {
      const auto versions = versions_of(subject);
      (void)checked(registry_.remove(subject));
      return json::value_from(versions);
    }
    if (!is("POST")) throw SchemaFailure{40500, "Method Not Allowed"};
    (void)versions_of(subject);
    const auto found = checked(registry_.version_of(subject, schema_in(request_)));
    if (!found) throw SchemaFailure{40403, "Schema not found"};
    return to_json(*found);
  }

  json::value add(const std::string& subject) {
    const SchemaSource schema = schema_in(request_);
    if (const auto why = checked(registry_.refusal(subject, schema), 42201))
      throw SchemaFailure{40900, fmt::format("Schema being registered is incompatible with an earlier schema for "
                                             "subject \"{}\", details: {}",
                                             subject, *why)};
    return json::object{{"id", checked(registry_.add(subject, schema), 42201)}};
  }

  json::value schemas() {
    if (parts_.size() == 2 && parts_[1] == "types") return json::array{"JSON", "PROTOBUF", "AVRO"};
    if (parts_.size() < 3 || parts_[1] != "ids") unknown();
    const std::int32_t id = static_cast<std::int32_t>(version_number(parts_[2]));
    const auto found = checked(registry_.find(id));
    if (!found) throw SchemaFailure{40403, fmt::format("Schema {} not found", parts_[2])};
    if (parts_.size() == 4 && parts_[3] == "versions") return uses_of(id);
    json::object out;
    put_schema(out, *found, text_of(*found));
    return out;
  }

  json::array uses_of(std::int32_t id) {
    json::array out;
    for (const std::string& subject : checked(registry_.subjects()))
      for (const int version : checked(registry_.versions(subject)))
        if (const auto found = checked(registry_.find(subject, version)); found && found->id == id)
          out.push_back(json::object{{"subject", subject}, {"version", version}});
    return out;
  }

  json::value compatibility() {
    if (parts_.size() < 4 || parts_[1] != "subjects" || parts_[3] != "versions" || !is("POST")) unknown();
    const SchemaSource schema = schema_in(request_);
    (void)versions_of(parts_[2]);
    const auto why = parts_.size() > 4
                         ? checked(registry_.refusal_by(parts_[2], version_number(parts_[4]), schema), 42201)
                         : checked(registry_.refusal(parts_[2], schema), 42201);
    json::object out{{"is_compatible", !why.has_value()}};
    if (why && request_.query.find("verbose=true") != std::string::npos) out["messages"] = json::array{*why};
    return out;
  }

  json::value config() {
    const std::string subject = parts_.size() > 1 ? parts_[1] : "";
    if (is("PUT")) {
      const std::string word = text_in(body_of(request_), "compatibility");
      const auto level = find_compatibility(word);
      if (!level) throw SchemaFailure{42203, fmt::format("Invalid compatibility level: {}", word)};
      checked(registry_.set_level(subject, *level));
      return json::object{{"compatibility", word}};
    }
    if (is("DELETE")) {
      checked(registry_.set_level(subject, std::nullopt));
      return json::object{{"compatibilityLevel", compatibility_name(checked(registry_.level()))}};
    }
    auto level = subject.empty() ? std::optional(checked(registry_.level())) : checked(registry_.level(subject));
    if (!level && request_.query.find("defaultToGlobal=true") != std::string::npos) level = checked(registry_.level());
    if (!level)
      throw SchemaFailure{40408,
                          fmt::format("Subject '{}' does not have subject-level compatibility configured", subject)};
    return json::object{{"compatibilityLevel", compatibility_name(*level)}};
  }

  const HttpRequest& request_;
  LocalRegistry& registry_;
  const std::vector<std::string> parts_;
};

}  // namespace

bool is_schema_path(std::string_view path) {
  for (const std::string_view root : {"/subjects", "/schemas", "/compatibility", "/config", "/mode"})
    if (path.starts_with(root) && (path.size() == root.size() || path[root.size()] == '/')) return true;
  return false;
}

SchemaAnswer answer_schema_request(const HttpRequest& request, LocalRegistry& registry) {
  try {
    return {200, json::serialize(SchemaApi(request, registry).answer())};
  } catch (const SchemaFailure& failure) {
    const int status = failure.code / 100;
    const int code = failure.code % 100 == 0 ? status : failure.code;
    return {status, json::serialize(json::object{{"error_code", code}, {"message", failure.message}})};
  }
}

}  // namespace millrace::inline server
