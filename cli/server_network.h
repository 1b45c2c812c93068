#pragma once

#include <memory>
#include <string>
#include <vector>

#include "server/config/config.h"
#include "server/http/server.h"

namespace millrace::inline cli {

/// Where a server listens, how, and for whom. `addresses`: of the command line, which win over `listeners`. Throws
/// UsageError for an address that is none.
Result<HttpOptions> network_options(const std::vector<std::string>& addresses, const Config& config);

/// Reads users, keys of tokens and grants. Null: whoever reaches the server may use it.
Result<std::shared_ptr<const HttpSecurity>> network_security(const Config& config);
/// The files of those, and those of keys and certificates that the server is to look after.
std::vector<std::string> security_files(const Config& config);
std::vector<std::string> certificate_files(const Config& config);
/// How others reach a listener when nobody has said it.
std::string advertised_address(const HttpListener& listener, int port);

/// Says so when everybody on the network may do everything.
void warn_of_open_doors(const HttpOptions& options);

}  // namespace millrace::inline cli
