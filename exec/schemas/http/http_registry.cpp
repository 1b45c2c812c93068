#include "exec/schemas/http/http_registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/asio/ssl/context.hpp>
#include <boost/json.hpp>
#include <boost/url.hpp>
#include <thread>

#include "exec/schemas/http/http_exchange.h"
#include "exec/schemas/http/registry_answer.h"
#include "exec/schemas/schema_json.h"
#include "planner/types/value.h"

namespace millrace::inline exec {
namespace {

namespace json = boost::json;
namespace ssl = boost::asio::ssl;
namespace urls = boost::urls;

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
    if (answer->status / 100 != 2) return refused(*answer);
    auto schema = registry_answer::schema(answer->body);
    return schema ? Result<std::optional<SchemaSource>>(std::move(*schema)) : schema.error();
  }

  Result<std::optional<SubjectVersion>> find(const std::string& subject, int version) override {
    auto answer =
        ask("GET", {"subjects", subject, "versions", version <= 0 ? std::string("latest") : std::to_string(version)});
    if (!answer) return answer.error();
    if (answer->status == 404) return std::optional<SubjectVersion>();
    if (answer->status / 100 != 2) return refused(*answer);
    auto found = registry_answer::version(subject, answer->body);
    return found ? Result<std::optional<SubjectVersion>>(std::move(*found)) : found.error();
  }

  Result<std::vector<std::string>> subjects() override {
    const auto answer = list_of(ask("GET", {"subjects"}));
    return answer ? registry_answer::names(*answer) : answer.error();
  }

  Result<std::vector<int>> versions(const std::string& subject) override {
    const auto answer = list_of(ask("GET", {"subjects", subject, "versions"}));
    return answer ? registry_answer::numbers(*answer) : answer.error();
  }

  Result<std::int32_t> add(const std::string& subject, const SchemaSource& schema) override {
    auto answer = ask("POST", {"subjects", subject, "versions"}, body_of(schema));
    if (!answer) return answer.error();
    return answer->status / 100 == 2 ? registry_answer::id(answer->body) : refused(*answer);
  }

  Result<std::optional<std::string>> refusal(const std::string& subject, const SchemaSource& schema) override {
    // Against the newest alone: asked about all versions, some registries look at more than the level says. What a
    // transitive level refuses is refused when it is added.
    auto answer = ask("POST", {"compatibility", "subjects", subject, "versions", "latest"}, body_of(schema), true);
    if (!answer) return answer.error();
    if (answer->status == 404) return std::optional<std::string>();
    return answer->status / 100 == 2 ? registry_answer::refusal(answer->body) : refused(*answer);
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
    const std::string why = registry_answer::message(answer.body);
    if (answer.status == 401 || answer.status == 403)
      return user_error("the schema registry refuses us: {} ({})", answer.status == 401 ? "unauthorized" : "forbidden",
                        why.empty() ? "check ksql.schema.registry.basic.auth.user.info" : why);
    return user_error("{}; error code: {}", why.empty() ? "the schema registry refuses" : why, answer.status);
  }

  static Result<std::string> list_of(Result<HttpAnswer> answer) {
    if (!answer) return answer.error();
    if (answer->status == 404) return std::string("[]");
    if (answer->status / 100 != 2) return refused(*answer);
    return std::move(answer->body);
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
