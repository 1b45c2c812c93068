#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "exec/schemas/registry.h"

namespace millrace::inline exec {

struct HttpRegistryOptions {
  std::vector<std::string> urls;  // http or https, with a path where the registry has one; tried in turn
  std::string user, password;     // basic authentication; empty user: what the URL says, if anything
  std::string ca_file;            // PEM; empty: the system's
  std::string certificate_file, key_file, key_password;  // PEM, of the client; empty: none
  bool verify_server = true;                             // certificate and host name
  std::chrono::milliseconds timeout{10'000};             // for one request
  int attempts = 3;                                      // rounds over all URLs before a call fails
  std::chrono::milliseconds retry_first{100};            // between rounds; doubles
};

/// Client of a Confluent-compatible registry. A server that cannot be reached, answers too late or with 5xx is passed
/// over for the next; a call fails with an external error when none helps. Any thread; calls wait. Fails for URLs and
/// files that are no good.
Result<std::shared_ptr<SchemaRegistry>> make_http_registry(const HttpRegistryOptions& options);

/// The options that `ksql.schema.registry.*` settings amount to; `find` gives the value of a setting, empty for none.
Result<HttpRegistryOptions> http_registry_options(const std::function<std::string(const std::string&)>& find);

}  // namespace millrace::inline exec
