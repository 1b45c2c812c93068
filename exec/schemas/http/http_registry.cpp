#include "exec/schemas/http/http_registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/ssl/context.hpp>
#include <boost/json.hpp>
#include <boost/url.hpp>
#include <thread>

#include "exec/schemas/http/http_exchange.h"
#include "exec/schemas/schema_json.h"
#include "planner/types/value.h"

namespace millrace::inline exec {
namespace {

namespace json = boost::json;
namespace ssl = boost::asio::ssl;
namespace urls = boost::urls;

std::string text_of(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value && value->is_string() ? std::string(value->as_string()) : "";
}
int number_of(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value && value->is_int64() ? static_cast<int>(value->as_int64()) : 0;
}

Error not_understood() {
  return external_error("the schema registry answers with something that is no answer of a schema registry");
}

Result<SchemaSource> schema_from(const json::object& from) {
  SchemaSource out;
  const std::string type = text_of(from, "schemaType");
  const auto kind = find_schema_kind(type.empty() ? "AVRO" : type);
  if (!kind) return user_error("the schema registry has a schema of unknown type {}", type);
  out.kind = *kind;
  const json::value* schema = from.if_contains("schema");
  if (schema == nullptr || !schema->is_string()) return not_understood();
  out.text = std::string(schema->as_string());
  if (const json::value* references = from.if_contains("references"); references && references->is_array()) {
    for (const json::value& item : references->as_array()) {
      if (!item.is_object()) return not_understood();
      const json::object& reference = item.as_object();
      out.references.push_back(
          {text_of(reference, "name"), text_of(reference, "subject"), number_of(reference, "version")});
    }
  }
  return out;
}

std::string body_of(const SchemaSource& schema) {
  json::object out;
  put_schema(out, schema, schema.text);
  return json::serialize(out);
}

class HttpRegistry final : public SchemaRegistry {
 public:
  HttpRegistry(HttpRegistryOptions options, std::vector<urls::url> bases)
      : options_(std::move(options)), bases_(std::move(bases)) {}

  Status set_up_tls() {
    boost::system::error_code error;
    const auto bad = [&error](std::string_view what, const std::string& file) -> Status {
      return user_error("{} '{}' for the schema registry: {}", what, file, error.message());
    };
    if (options_.ca_file.empty() ? tls_.set_default_verify_paths(error)
                                 : tls_.load_verify_file(options_.ca_file, error))
      return bad("CA file", options_.ca_file);
    if (tls_.set_verify_mode(options_.verify_server ? ssl::verify_peer : ssl::verify_none, error))
      return bad("verification with CA file", options_.ca_file);
    if (options_.certificate_file.empty()) return {};
    if (tls_.use_certificate_chain_file(options_.certificate_file, error))
      return bad("certificate", options_.certificate_file);
    const std::string& key = options_.key_file.empty() ? options_.certificate_file : options_.key_file;
    if (tls_.set_password_callback([password = options_.key_password](auto, auto) { return password; }, error) ||
        tls_.use_private_key_file(key, ssl::context::pem, error))
      return bad("key", key);
    return {};
  }

  bool local() const override { return false; }

  Result<std::optional<SchemaSource>> find(std::int32_t id) override {
    auto answer = ask("GET", {"schemas", "ids", std::to_string(id)});
    if (!answer) return answer.error();
    if (answer->status == 404) return std::optional<SchemaSource>();
    auto object = object_in(*answer);
    if (!object) return object.error();
    auto schema = schema_from(*object);
    if (!schema) return schema.error();
    return std::optional(std::move(*schema));
  }

  Result<std::optional<SubjectVersion>> find(const std::string& subject, int version) override {
    auto answer =
        ask("GET", {"subjects", subject, "versions", version <= 0 ? std::string("latest") : std::to_string(version)});
    if (!answer) return answer.error();
    if (answer->status == 404) return std::optional<SubjectVersion>();
    auto object = object_in(*answer);
    if (!object) return object.error();
    auto schema = schema_from(*object);
    if (!schema) return schema.error();
    return std::optional(
        SubjectVersion{subject, number_of(*object, "version"), number_of(*object, "id"), std::move(*schema)});
  }

  Result<std::vector<std::string>> subjects() override {
    auto list = list_of(ask("GET", {"subjects"}));
    if (!list) return list.error();
    std::vector<std::string> out;
    for (const json::value& item : *list)
      if (item.is_string()) out.emplace_back(item.as_string());
    return out;
  }

  Result<std::vector<int>> versions(const std::string& subject) override {
    auto list = list_of(ask("GET", {"subjects", subject, "versions"}));
    if (!list) return list.error();
    std::vector<int> out;
    for (const json::value& item : *list)
      if (item.is_int64()) out.push_back(static_cast<int>(item.as_int64()));
    return out;
  }

  Result<std::int32_t> add(const std::string& subject, const SchemaSource& schema) override {
    auto object = object_in(ask("POST", {"subjects", subject, "versions"}, body_of(schema)));
    if (!object) return object.error();
    return static_cast<std::int32_t>(number_of(*object, "id"));
  }

  Result<std::optional<std::string>> refusal(const std::string& subject, const SchemaSource& schema) override {
    auto answer = ask("POST", {"compatibility", "subjects", subject, "versions", "latest"}, body_of(schema), true);
    if (!answer) return answer.error();
    if (answer->status == 404) return std::optional<std::string>();
    auto object = object_in(*answer);
    if (!object) return object.error();
    const json::value* compatible = object->if_contains("is_compatible");
    if (compatible == nullptr || !compatible->is_bool()) return not_understood();
    if (compatible->as_bool()) return std::optional<std::string>();
    std::string why;
    if (const json::value* messages = object->if_contains("messages"); messages && messages->is_array())
      for (const json::value& message : messages->as_array())
        if (message.is_string()) why += (why.empty() ? "" : "; ") + std::string(message.as_string());
    return std::optional(why.empty() ? std::string("the registry does not say why") : why);
  }

  Result<bool> remove(const std::string& subject) override {
    auto answer = ask("DELETE", {"subjects", subject});
    if (!answer) return answer.error();
    if (answer->status == 404) return false;
    if (answer->status / 100 != 2) return refused(*answer);
    return true;
  }

 private:
  using Path = std::vector<std::string>;

  Result<HttpAnswer> ask(const char* method, const Path& path, std::string body = {}, bool verbose = false) {
    auto pause = options_.retry_first;
    Error last = external_error("no URL of a schema registry");
    for (int round = 0; round < options_.attempts; ++round) {
      if (round > 0) std::this_thread::sleep_for(std::exchange(pause, pause * 2));
      for (const urls::url& base : bases_) {
        auto answer =
            exchange(question(base, method, path, body, verbose), tls_, options_.verify_server, options_.timeout);
        if (answer && answer->status < 500) return answer;
        last = answer ? external_error("the schema registry answers with status {}", answer->status) : answer.error();
      }
    }
    return last;
  }

  HttpQuestion question(const urls::url& base, const char* method, const Path& path, const std::string& body,
                        bool verbose) const {
    HttpQuestion out{method, base, {}, body};
    const std::string user = options_.user.empty() ? std::string(base.user()) : options_.user;
    const std::string password = options_.user.empty() ? std::string(base.password()) : options_.password;
    if (!user.empty()) out.authorization = "Basic " + base64_encode(user + ":" + password);
    out.url.remove_userinfo();
    if (!out.url.segments().empty() && out.url.segments().back().empty()) out.url.segments().pop_back();
    for (const std::string& segment : path) out.url.segments().push_back(segment);
    if (verbose) out.url.params().append({"verbose", "true"});
    return out;
  }

  static Error refused(const HttpAnswer& answer) {
    boost::system::error_code error;
    const json::value value = json::parse(answer.body, error);
    const std::string why = !error && value.is_object() ? text_of(value.as_object(), "message") : "";
    if (answer.status == 401 || answer.status == 403)
      return user_error("the schema registry refuses us: {} ({})", answer.status == 401 ? "unauthorized" : "forbidden",
                        why.empty() ? "check ksql.schema.registry.basic.auth.user.info" : why);
    return user_error("{}; error code: {}", why.empty() ? "the schema registry refuses" : why, answer.status);
  }

  static Result<json::object> object_in(const Result<HttpAnswer>& answer) {
    if (!answer) return answer.error();
    if (answer->status / 100 != 2) return refused(*answer);
    boost::system::error_code error;
    json::value value = json::parse(answer->body, error);
    if (error || !value.is_object()) return not_understood();
    return std::move(value.as_object());
  }

  static Result<json::array> list_of(const Result<HttpAnswer>& answer) {
    if (!answer) return answer.error();
    if (answer->status == 404) return json::array();
    if (answer->status / 100 != 2) return refused(*answer);
    boost::system::error_code error;
    json::value value = json::parse(answer->body, error);
    if (error || !value.is_array()) return not_understood();
    return std::move(value.as_array());
  }

  const HttpRegistryOptions options_;
  const std::vector<urls::url> bases_;
  ssl::context tls_{ssl::context::tls_client};
};

}  // namespace

Result<std::shared_ptr<SchemaRegistry>> make_http_registry(const HttpRegistryOptions& options) {
  std::vector<urls::url> bases;
  for (const std::string& text : options.urls) {
    auto parsed = urls::parse_uri(text);
    if (!parsed || (parsed->scheme() != "http" && parsed->scheme() != "https") || parsed->host().empty())
      return user_error("'{}' is no URL of a schema registry", text);
    bases.emplace_back(*parsed);
  }
  if (bases.empty()) return user_error("no URL of a schema registry is given");
  auto registry = std::make_shared<HttpRegistry>(options, std::move(bases));
  if (auto done = registry->set_up_tls(); !done) return done.error();
  return std::shared_ptr<SchemaRegistry>(std::move(registry));
}

Result<HttpRegistryOptions> http_registry_options(const std::function<std::string(const std::string&)>& find) {
  const std::string prefix = "ksql.schema.registry.";
  HttpRegistryOptions out;
  std::string list = find(prefix + "url");
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    std::string url = list.substr(0, comma);
    std::erase(url, ' ');
    if (!url.empty()) out.urls.push_back(std::move(url));
    list.erase(0, comma + 1);
  }
  const std::string source = find(prefix + "basic.auth.credentials.source");
  if (source == "USER_INFO") {
    const std::string info = find(prefix + "basic.auth.user.info");
    const std::size_t colon = info.find(':');
    if (colon == std::string::npos)
      return user_error("{}basic.auth.user.info must be user:password where the credentials' source is USER_INFO",
                        prefix);
    out.user = info.substr(0, colon);
    out.password = info.substr(colon + 1);
  } else if (!source.empty() && source != "URL") {
    return user_error("{}basic.auth.credentials.source must be URL or USER_INFO, not {}", prefix, source);
  }
  out.ca_file = find(prefix + "ssl.ca.location");
  out.certificate_file = find(prefix + "ssl.certificate.location");
  out.key_file = find(prefix + "ssl.key.location");
  out.key_password = find(prefix + "ssl.key.password");
  out.verify_server = find(prefix + "ssl.verify") != "false";
  if (const std::string timeout = find(prefix + "request.timeout.ms"); !timeout.empty())
    out.timeout = std::chrono::milliseconds(std::max(1, std::atoi(timeout.c_str())));
  return out;
}

}  // namespace millrace::inline exec
