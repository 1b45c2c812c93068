#include "cli/server_network.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstdlib>
#include <utility>

#include "cli/options.h"

namespace millrace::inline cli {
namespace {

HttpListener parse_listener(std::string text) {
  HttpListener listener;
  if (const std::size_t scheme = text.find("://"); scheme != std::string::npos) {
    listener.tls = text.starts_with("https://");
    if (!listener.tls && !text.starts_with("http://"))
      throw UsageError(fmt::format("'{}' is no http:// or https:// address", text));
    text.erase(0, scheme + 3);
  }
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) throw UsageError(fmt::format("expected HOST:PORT, got '{}'", text));
  char* end = nullptr;
  const long port = std::strtol(text.c_str() + colon + 1, &end, 10);
  if (*end != '\0' || end == text.c_str() + colon + 1 || port < 0 || port > 65535)
    throw UsageError(fmt::format("'{}' has no valid port", text));
  listener.host = text.substr(0, colon);
  if (listener.host.size() > 2 && listener.host.front() == '[' && listener.host.back() == ']')
    listener.host = listener.host.substr(1, listener.host.size() - 2);
  listener.port = static_cast<int>(port);
  return listener;
}

std::vector<std::string> list_of(const std::string& text) {
  std::vector<std::string> items;
  std::string item;
  for (const char c : text + ",") {
    if (c != ',') {
      if (c != ' ') item += c;
    } else if (!item.empty()) {
      items.push_back(std::exchange(item, {}));
    }
  }
  return items;
}

std::vector<HttpListener> listeners_of(std::vector<std::string> addresses, const Config& config) {
  if (addresses.empty()) addresses = list_of(config.find("listeners").value_or("127.0.0.1:8088"));
  std::vector<HttpListener> listeners;
  for (const std::string& address : addresses) listeners.push_back(parse_listener(address));
  if (listeners.empty()) throw UsageError("there is no address to listen on");
  return listeners;
}

TlsOptions tls_of(const Config& config) {
  TlsOptions tls;
  tls.key_store = config.text("ssl.keystore.location");
  tls.key_store_password = config.text("ssl.keystore.password");
  tls.key_password = config.text("ssl.key.password");
  tls.trust_store = config.text("ssl.truststore.location");
  tls.trust_store_password = config.text("ssl.truststore.password");
  tls.protocols = list_of(config.text("ssl.enabled.protocols"));
  tls.cipher_suites = list_of(config.text("ssl.cipher.suites"));
  const std::string client = config.text("ssl.client.authentication");
  using Client = TlsOptions::ClientCertificate;
  tls.client = client == "REQUIRED" || config.boolean("ssl.client.auth") ? Client::required
               : client == "REQUESTED"                                   ? Client::requested
                                                                         : Client::none;
  return tls;
}

HttpLimits limits_of(const Config& config) {
  HttpLimits limits;
  limits.idle_time = std::chrono::seconds(config.integer("ksql.idle.connection.timeout.seconds"));
  return limits;
}

HttpCors cors_of(const Config& config) {
  HttpCors cors{.origins = list_of(config.text("access.control.allow.origin"))};
  if (const auto methods = config.find("access.control.allow.methods"); methods && !methods->empty())
    cors.methods = *methods;
  if (const auto headers = config.find("access.control.allow.headers"); headers && !headers->empty())
    cors.headers = *headers;
  return cors;
}

AnswerTerms terms_of(const Config& config) {
  AnswerTerms terms;
  terms.slow = std::chrono::milliseconds(config.integer("millrace.slow.request.ms"));
  terms.pull_rows = config.integer("millrace.pull.max.rows");
  const UserRates::Limits limits{.requests_per_second = config.integer("millrace.user.requests.per.second"),
                                 .push_queries = config.integer("millrace.user.push.queries")};
  if (limits.requests_per_second > 0 || limits.push_queries > 0) terms.rates = std::make_shared<UserRates>(limits);
  return terms;
}

}  // namespace

Result<std::shared_ptr<const HttpSecurity>> network_security(const Config& config) {
  const std::string method = config.text("authentication.method"), grants = config.text("millrace.authorization.file");
  if (method == "NONE") {
    if (!grants.empty())
      return user_error("millrace.authorization.file needs authentication.method: grants are to known users");
    return std::shared_ptr<const HttpSecurity>();
  }
  auto security = std::make_shared<HttpSecurity>();
  for (const std::string& one : list_of(method)) {
    if (one == "BASIC") {
      auto credentials = Credentials::read(config.text("millrace.authentication.file"));
      if (!credentials) return credentials.error();
      security->credentials = std::move(*credentials);
    } else if (one == "BEARER") {
      auto tokens = BearerTokens::read({.key_file = config.text("millrace.authentication.jwks.file"),
                                        .issuer = config.text("millrace.authentication.jwt.issuer"),
                                        .audience = config.text("millrace.authentication.jwt.audience"),
                                        .roles_claim = config.text("millrace.authentication.jwt.roles.claim")});
      if (!tokens) return tokens.error();
      security->tokens = std::move(*tokens);
    } else {
      return user_error("authentication.method must be NONE, BASIC, BEARER or BASIC,BEARER, got '{}'", method);
    }
  }
  if (!grants.empty()) {
    auto access = Access::read(grants);
    if (!access) return access.error();
    security->access = std::move(*access);
  }
  security->realm = config.text("authentication.realm");
  if (config.text("authentication.roles") != "*") security->roles = list_of(config.text("authentication.roles"));
  security->open_paths = list_of(config.text("authentication.skip.paths"));
  return std::shared_ptr<const HttpSecurity>(std::move(security));
}

std::vector<std::string> security_files(const Config& config) {
  std::vector<std::string> files;
  if (config.text("authentication.method") != "NONE")
    for (const char* name :
         {"millrace.authentication.file", "millrace.authentication.jwks.file", "millrace.authorization.file"})
      if (std::string path = config.text(name); !path.empty()) files.push_back(std::move(path));
  return files;
}

std::vector<std::string> certificate_files(const Config& config) {
  std::vector<std::string> files;
  if (config.boolean("ssl.keystore.reload"))
    for (const char* name : {"ssl.keystore.location", "ssl.truststore.location"})
      if (std::string path = config.text(name); !path.empty()) files.push_back(std::move(path));
  return files;
}

Result<HttpOptions> network_options(const std::vector<std::string>& addresses, const Config& config) {
  auto security = network_security(config);
  if (!security) return security.error();
  return HttpOptions{.listeners = listeners_of(addresses, config),
                     .limits = limits_of(config),
                     .tls = tls_of(config),
                     .security = std::move(*security),
                     .cors = cors_of(config),
                     .peers = {.secret = config.text("millrace.internal.secret")},
                     .terms = terms_of(config)};
}

std::string advertised_address(const HttpListener& listener, int port) {
  std::string host = listener.host;
  if (host == "0.0.0.0" || host == "::" || host.empty()) {
    char name[256] = {};
    host = gethostname(name, sizeof name - 1) == 0 && name[0] != '\0' ? name : "localhost";
  }
  if (host.find(':') != std::string::npos) host = "[" + host + "]";
  return fmt::format("{}{}:{}", listener.tls ? "https://" : "", host, port);
}

void warn_of_open_doors(const HttpOptions& options) {
  if (options.security || options.tls.client == TlsOptions::ClientCertificate::required) return;
  for (const HttpListener& listener : options.listeners)
    if (!listener.host.starts_with("127.") && listener.host != "localhost" && listener.host != "::1")
      return spdlog::warn(
          "everybody who reaches {}:{} may read, change and drop everything: set "
          "authentication.method=BASIC, or listen on 127.0.0.1",
          listener.host, listener.port);
}

}  // namespace millrace::inline cli
