#include "server/http/schema_api.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>

#include "exec/schemas/proto_schema.h"
#include "exec/schemas/schema_forms.h"
#include "exec/schemas/schema_json.h"
#include "parser/error/letter_case.h"
#include "server/http/http_text.h"

namespace millrace::inline server {
namespace {

namespace json = boost::json;

using Which = LocalRegistry::Which;

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

[[noreturn]] void no_subject(const std::string& subject) {
  throw SchemaFailure{40401, fmt::format("Subject '{}' not found.", subject)};
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
int number_in(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value && value->is_int64() ? static_cast<int>(value->as_int64()) : 0;
}

/// What some registries know and this one does not is refused, not passed over.
void refuse_unknown(const json::object& body, std::initializer_list<const char*> names, int code) {
  for (const char* name : names)
    if (const json::value* value = body.if_contains(name); value && !value->is_null())
      throw SchemaFailure{code, fmt::format("{} is not supported by this schema registry", name)};
}

SchemaSource schema_in(const json::object& body) {
  refuse_unknown(body, {"metadata", "ruleSet"}, 42210);
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
      schema.references.push_back({text_in(item.as_object(), "name"), text_in(item.as_object(), "subject"),
                                   number_in(item.as_object(), "version")});
    }
  }
  return schema;
}

int version_number(const std::string& text) {
  if (text == "latest" || text == "-1") return 0;
  int number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
  if (parsed.ec != std::errc() || parsed.ptr != text.data() + text.size() || number < 1)
    throw SchemaFailure{
        42202,
        fmt::format("The specified version '{}' is not a valid version id. Allowed values are between [1, 2^31-1] "
                    "and the string \"latest\"",
                    text)};
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
    if (first == "config") return parts_.size() <= 2 ? config(parts_.size() > 1 ? parts_[1] : "") : unknown();
    if (first == "mode") return parts_.size() <= 2 ? mode(parts_.size() > 1 ? parts_[1] : "") : unknown();
    if (parts_.size() == 1 && is("GET")) return json::array{"."};  // contexts
    unknown();
  }

 private:
  bool is(std::string_view method) const { return request_.method == method; }
  bool flag(std::string_view name) const { return upper_case(query_value(request_.query, name)) == "TRUE"; }
  int count(std::string_view name, int otherwise) const {
    const std::string text = query_value(request_.query, name);
    int number = otherwise;
    std::from_chars(text.data(), text.data() + text.size(), number);
    return number < 0 ? otherwise : number;
  }
  Which which() const {
    if (flag("deletedOnly")) return Which::hidden;
    return flag("deleted") ? Which::all : Which::live;
  }
  [[noreturn]] static json::value unknown() { throw SchemaFailure{40400, "HTTP 404 Not Found"}; }
  void need(std::initializer_list<std::string_view> methods) const {
    if (std::ranges::find(methods, request_.method) == methods.end())
      throw SchemaFailure{40500, "HTTP 405 Method Not Allowed"};
  }

  template <class List>
  json::value page_of(const List& list) const {
    const auto from = static_cast<std::size_t>(count("offset", 0));
    const auto most = static_cast<std::size_t>(count("limit", INT32_MAX));
    json::array out;
    for (std::size_t i = from; i < list.size() && out.size() < most; ++i) out.push_back(json::value_from(list[i]));
    return out;
  }

  /// The text of a schema in the form that was asked for: clients without a parser want Protobuf serialized.
  std::string text_of(const SchemaSource& schema) {
    if (query_value(request_.query, "format") != "serialized" || schema.kind != SchemaKind::protobuf)
      return schema.text;
    return checked(proto::serialized(checked(resolve(registry_, schema))));
  }

  json::object to_json(const SubjectVersion& version) {
    json::object out{{"subject", version.subject}, {"version", version.version}, {"id", version.id}};
    put_schema(out, version.schema, text_of(version.schema));
    return out;
  }

  // --- /subjects

  json::value subjects() {
    if (parts_.size() == 1) {
      need({"GET"});
      auto all = checked(registry_.subjects(which()));
      const std::string prefix = query_value(request_.query, "subjectPrefix");
      std::erase_if(all, [&](const std::string& subject) { return !subject.starts_with(prefix); });
      return page_of(all);
    }
    const std::string& subject = parts_[1];
    if (std::ranges::any_of(subject, [](unsigned char c) { return c < ' '; }))
      throw SchemaFailure{42208, "The specified subject is not a valid subject."};
    if (parts_.size() == 2) return subject_itself(subject);
    if (parts_[2] != "versions" || parts_.size() > 5) unknown();
    if (parts_.size() == 3) return versions(subject);
    return version(subject, parts_[3]);
  }

  std::vector<int> versions_of(const std::string& subject, Which which) {
    auto versions = checked(registry_.versions(subject, which));
    if (versions.empty()) no_subject(subject);
    return versions;
  }

  json::value subject_itself(const std::string& subject) {
    need({"DELETE", "POST"});
    if (is("DELETE")) return remove_subject(subject);
    const SchemaSource schema = schema_in(body_of(request_));
    (void)versions_of(subject, which());
    const auto found = checked(registry_.version_of(subject, schema, which(), normalizes(subject)), 42201);
    if (!found) throw SchemaFailure{40403, "Schema not found"};
    return to_json(*found);
  }

  json::value remove_subject(const std::string& subject) {
    may_write(subject);
    const auto live = checked(registry_.versions(subject, Which::live));
    const auto hidden = checked(registry_.versions(subject, Which::hidden));
    if (live.empty() && hidden.empty()) no_subject(subject);
    const bool permanent = flag("permanent");
    if (permanent && !live.empty())
      throw SchemaFailure{40405,
                          fmt::format("Subject '{}' was not deleted first before being permanently deleted", subject)};
    if (!permanent && live.empty())
      throw SchemaFailure{
          40404, fmt::format("Subject '{}' was soft deleted. Set permanent=true to delete permanently", subject)};
    const auto& gone = permanent ? hidden : live;
    for (const int version : gone) check_unreferenced(subject, version);
    (void)checked(permanent ? registry_.erase(subject, 0) : registry_.hide(subject, 0));
    return json::value_from(gone);
  }

  void check_unreferenced(const std::string& subject, int version) {
    if (!checked(registry_.referred_by(subject, version)).empty())
      throw SchemaFailure{42206, fmt::format("One or more references exist to the schema {{magic=1,keytype=SCHEMA,"
                                             "subject={},version={}}}.",
                                             subject, version)};
  }

  json::value versions(const std::string& subject) {
    need({"GET", "POST"});
    return is("POST") ? add(subject) : page_of(versions_of(subject, which()));
  }

  json::value version(const std::string& subject, const std::string& text) {
    const int number = version_number(text);
    if (parts_.size() == 4 && is("DELETE")) return remove_version(subject, number, text);
    need({"GET"});
    (void)versions_of(subject, flag("deleted") ? Which::all : Which::live);
    const auto found = checked(registry_.find(subject, number, flag("deleted") ? Which::all : Which::live));
    if (!found) throw SchemaFailure{40402, fmt::format("Version {} not found.", text)};
    if (parts_.size() == 4) return to_json(*found);
    if (parts_[4] == "schema") return itself(found->schema);
    if (parts_[4] == "referencedby") return page_of(checked(registry_.referred_by(subject, found->version)));
    unknown();
  }

  json::value remove_version(const std::string& subject, int number, const std::string& text) {
    may_write(subject);
    (void)versions_of(subject, Which::all);
    const bool permanent = flag("permanent");
    const auto found = checked(registry_.find(subject, number, permanent ? Which::hidden : Which::live));
    if (!found) {
      if (!checked(registry_.find(subject, number, Which::all)))
        throw SchemaFailure{40402, fmt::format("Version {} not found.", text)};
      if (permanent)
        throw SchemaFailure{
            40407, fmt::format("Subject '{}' Version {} was not deleted first before being permanently deleted",
                               subject, text)};
      throw SchemaFailure{
          40406, fmt::format("Subject '{}' Version {} was soft deleted. Set permanent=true to delete permanently",
                             subject, text)};
    }
    check_unreferenced(subject, found->version);
    (void)checked(permanent ? registry_.erase(subject, found->version) : registry_.hide(subject, found->version));
    return found->version;
  }

  static json::value itself(const SchemaSource& schema) {
    boost::system::error_code none;
    json::value parsed = json::parse(schema.text, none);
    return none ? json::value(schema.text) : parsed;
  }

  bool normalizes(const std::string& subject) {
    if (!query_value(request_.query, "normalize").empty()) return flag("normalize");
    const auto own = checked(registry_.config(subject)).normalize;
    return own ? *own : checked(registry_.config("")).normalize.value_or(false);
  }

  json::value add(const std::string& subject) {
    const json::object body = body_of(request_);
    SchemaSource schema = schema_in(body);
    const int id = number_in(body, "id");
    if (id > 0) return bring(subject, schema, id, number_in(body, "version"));
    may_write(subject);
    if (normalizes(subject)) {
      if (const auto known = checked(registry_.version_of(subject, schema, Which::live, true), 42201))
        return json::object{{"id", known->id}};
      schema.text = checked(normal_form(schema.kind, checked(resolve(registry_, schema), 42201)), 42201);
    }
    if (const auto why = checked(registry_.refusal(subject, schema), 42201))
      throw SchemaFailure{40900, fmt::format("Schema being registered is incompatible with an earlier schema for "
                                             "subject \"{}\", details: {}",
                                             subject, *why)};
    return json::object{{"id", checked(registry_.add(subject, schema), 42201)}};
  }

  /// A schema that keeps the id of another registry.
  json::value bring(const std::string& subject, const SchemaSource& schema, int id, int version) {
    if (effective_mode(subject) != RegistryMode::import)
      throw SchemaFailure{42205, fmt::format("Subject {} is not in import mode", subject)};
    if (auto good = check_schema(schema.kind, checked(resolve(registry_, schema), 42201)); !good)
      throw SchemaFailure{42201, good.error().message};
    if (auto done = registry_.add_with_id(subject, schema, id, version); !done)
      throw SchemaFailure{done.error().fault == Fault::user ? 42207 : 50001, done.error().message};
    return json::object{{"id", id}};
  }

  // --- /schemas

  json::value schemas() {
    need({"GET"});
    if (parts_.size() == 1) return all_versions();
    if (parts_.size() == 2 && parts_[1] == "types") return json::array{"JSON", "PROTOBUF", "AVRO"};
    if (parts_.size() < 3 || parts_.size() > 4 || parts_[1] != "ids") unknown();
    const std::int32_t id = static_cast<std::int32_t>(version_number(parts_[2]));
    const auto found = checked(registry_.find(id));
    if (!found) throw SchemaFailure{40403, fmt::format("Schema {} not found", parts_[2])};
    if (parts_.size() == 4) {
      if (parts_[3] == "schema") return itself(*found);
      if (parts_[3] != "versions" && parts_[3] != "subjects") unknown();
      return uses_of(id, parts_[3] == "subjects");
    }
    json::object out;
    put_schema(out, *found, text_of(*found));
    if (flag("fetchMaxId")) out["maxId"] = checked(registry_.ids()).back();
    return out;
  }

  json::value all_versions() {
    const std::string prefix = query_value(request_.query, "subjectPrefix");
    const Which which = flag("deleted") ? Which::all : Which::live;
    std::vector<json::value> out;
    for (const std::string& subject : checked(registry_.subjects(which))) {
      if (!subject.starts_with(prefix)) continue;
      auto versions = checked(registry_.versions(subject, which));
      if (flag("latestOnly") && versions.size() > 1) versions.erase(versions.begin(), versions.end() - 1);
      for (const int version : versions)
        if (const auto found = checked(registry_.find(subject, version, which))) out.emplace_back(to_json(*found));
    }
    return page_of(out);
  }

  json::value uses_of(std::int32_t id, bool only_subjects) {
    const Which which = flag("deleted") ? Which::all : Which::live;
    std::vector<json::value> out;
    for (const std::string& subject : checked(registry_.subjects(which)))
      for (const int version : checked(registry_.versions(subject, which))) {
        const auto found = checked(registry_.find(subject, version, which));
        if (!found || found->id != id) continue;
        out.emplace_back(only_subjects ? json::value(subject)
                                       : json::value(json::object{{"subject", subject}, {"version", version}}));
        if (only_subjects) break;
      }
    return page_of(out);
  }

  // --- /compatibility, /config, /mode

  json::value compatibility() {
    if (parts_.size() < 4 || parts_.size() > 5 || parts_[1] != "subjects" || parts_[3] != "versions") unknown();
    need({"POST"});
    const SchemaSource schema = schema_in(body_of(request_));
    const std::string& subject = parts_[2];
    const int version = parts_.size() > 4 ? version_number(parts_[4]) : 0;
    if (version > 0 && !checked(registry_.find(subject, version)))
      throw SchemaFailure{40402, fmt::format("Version {} not found.", version)};
    const bool alone = parts_.size() > 4 && checked(registry_.find(subject, version));
    const auto why =
        checked(registry_.refusal_by(subject, alone ? std::optional(version) : std::nullopt, schema), 42201);
    json::object out{{"is_compatible", !why.has_value()}};
    if (flag("verbose")) out["messages"] = why ? json::array{*why} : json::array();
    return out;
  }

  static json::object to_json(const RegistryConfig& config, const char* level_name) {
    json::object out;
    if (config.level) out[level_name] = compatibility_name(*config.level);
    if (config.policy) out["compatibilityPolicy"] = content_policy_name(*config.policy);
    if (config.normalize) out["normalize"] = *config.normalize;
    return out;
  }

  /// What holds where nothing is configured.
  RegistryConfig global_config() {
    RegistryConfig config = checked(registry_.config(""));
    if (!config.level) config.level = CompatibilityRule().level;
    return config;
  }

  json::value config(const std::string& subject) {
    need({"GET", "PUT", "DELETE"});
    if (is("PUT")) return set_config(subject);
    const RegistryConfig own = checked(registry_.config(subject));
    if (is("DELETE")) {
      if (!subject.empty() && own.empty()) no_subject(subject);
      const RegistryConfig was = subject.empty() ? global_config() : own;
      checked(registry_.set_config(subject, {}));
      return to_json(was, "compatibilityLevel");
    }
    if (subject.empty() || (own.empty() && flag("defaultToGlobal")))
      return to_json(global_config(), "compatibilityLevel");
    if (own.empty())
      throw SchemaFailure{40408,
                          fmt::format("Subject '{}' does not have subject-level compatibility configured", subject)};
    return to_json(own, "compatibilityLevel");
  }

  json::value set_config(const std::string& subject) {
    const json::object body = body_of(request_);
    refuse_unknown(body, {"defaultMetadata", "overrideMetadata", "defaultRuleSet", "overrideRuleSet"}, 42210);
    refuse_unknown(body, {"alias", "compatibilityGroup"}, 42200);
    RegistryConfig given;
    for (const char* name : {"compatibility", "compatibilityLevel"}) {
      const std::string word = text_in(body, name);
      if (word.empty()) continue;
      given.level = find_compatibility(upper_case(word));
      if (!given.level)
        throw SchemaFailure{42203,
                            "Invalid compatibility level. Valid values are none, backward, forward, full, "
                            "backward_transitive, forward_transitive, and full_transitive"};
    }
    if (const std::string word = text_in(body, "compatibilityPolicy"); !word.empty()) {
      given.policy = find_content_policy(upper_case(word));
      if (!given.policy)
        throw SchemaFailure{42200, "Invalid compatibility policy. Valid values are lenient and strict"};
    }
    if (const json::value* normalize = body.if_contains("normalize"); normalize && normalize->is_bool())
      given.normalize = normalize->as_bool();
    if (given.empty()) throw SchemaFailure{42203, "Nothing to configure: compatibility is missing"};
    RegistryConfig config = checked(registry_.config(subject));
    if (given.level) config.level = given.level;
    if (given.policy) config.policy = given.policy;
    if (given.normalize) config.normalize = given.normalize;
    checked(registry_.set_config(subject, config));
    return to_json(given, "compatibility");
  }

  RegistryMode effective_mode(const std::string& subject) {
    const auto own = checked(registry_.mode(subject));
    return own ? *own : checked(registry_.mode("")).value_or(RegistryMode::readwrite);
  }

  void may_write(const std::string& subject) {
    if (auto done = registry_.writable(subject); !done)
      throw SchemaFailure{done.error().fault == Fault::user ? 42205 : 50001, done.error().message};
  }

  json::value mode(const std::string& subject) {
    need({"GET", "PUT", "DELETE"});
    const auto own = checked(registry_.mode(subject));
    const auto answer = [](RegistryMode mode) { return json::object{{"mode", registry_mode_name(mode)}}; };
    if (is("GET")) {
      if (!own && !subject.empty() && !flag("defaultToGlobal"))
        throw SchemaFailure{40409, fmt::format("Subject '{}' does not have subject-level mode configured", subject)};
      return answer(effective_mode(subject));
    }
    if (is("DELETE")) {
      if (!own && !subject.empty()) no_subject(subject);
      checked(registry_.set_mode(subject, std::nullopt));
      return answer(own.value_or(RegistryMode::readwrite));
    }
    const auto wanted = find_registry_mode(upper_case(text_in(body_of(request_), "mode")));
    if (!wanted)
      throw SchemaFailure{42204, "Invalid mode. Valid values are READWRITE, READONLY, READONLY_OVERRIDE, and IMPORT."};
    const bool used =
        subject.empty() ? !checked(registry_.subjects()).empty() : !checked(registry_.versions(subject)).empty();
    if (*wanted == RegistryMode::import && used && !flag("force"))
      throw SchemaFailure{42205, "Cannot import since found existing subjects"};
    checked(registry_.set_mode(subject, *wanted));
    return answer(*wanted);
  }

  const HttpRequest& request_;
  LocalRegistry& registry_;
  const std::vector<std::string> parts_;
};

}  // namespace

bool is_schema_path(std::string_view path) {
  for (const std::string_view root : {"/subjects", "/schemas", "/compatibility", "/config", "/mode", "/contexts"})
    if (path.starts_with(root) && (path.size() == root.size() || path[root.size()] == '/')) return true;
  return false;
}

bool is_about(std::string_view path, LocalRegistry& registry, const std::function<bool(const std::string&)>& sees) {
  const std::vector<std::string> parts = parts_of(path);
  if (parts.size() < 2) return false;
  if (parts[0] == "subjects" || parts[0] == "config" || parts[0] == "mode") return sees(parts[1]);
  if (parts[0] != "schemas" || parts.size() < 3 || parts[1] != "ids" || (parts.size() == 4 && parts[3] != "schema"))
    return false;
  int id = 0;
  std::from_chars(parts[2].data(), parts[2].data() + parts[2].size(), id);
  const auto subjects = registry.subjects(LocalRegistry::Which::all);
  if (!subjects) return false;
  for (const std::string& subject : *subjects) {
    const auto versions = sees(subject) ? registry.versions(subject, LocalRegistry::Which::all) : std::vector<int>();
    for (const int version : versions ? *versions : std::vector<int>())
      if (const auto found = registry.find(subject, version, LocalRegistry::Which::all);
          found && *found && (*found)->id == id)
        return true;
  }
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
