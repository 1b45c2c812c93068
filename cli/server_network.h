#pragma once

#include <string>
#include <vector>

#include "server/config/config.h"
#include "server/http/server.h"

namespace millrace::inline cli {

/// Where a server listens, how, and for whom. `addresses`: of the command line, which win over `listeners`. Throws
/// UsageError for an address that is none.
Result<HttpOptions> network_options(const std::vector<std::string>& addresses, const Config& config);

/// Says so when everybody on the network may do everything.
void warn_of_open_doors(const HttpOptions& options);

}  // namespace millrace::inline cli
