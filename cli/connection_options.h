#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/options.h"
#include "server/http/client.h"

namespace millrace::inline cli {

/// How a command reaches a server.
struct ConnectionOptions {
  HttpClient::Headers headers;  // who the user is
  ClientTls tls;
};

/// -u/--user, -p/--password, --password-file, --cacert, --cert, --key: for a command's table of options.
std::vector<OptionDef> with_connection_options(std::vector<OptionDef> own);
/// Prints a command's help with these options before its examples. The exit status.
int print_help(std::string_view help);

/// Without --user: the entry of the URL's host in ~/.netrc, if there is one. Asks for a password that is not given.
/// Throws UsageError.
ConnectionOptions connection_options(const Options& options, const std::string& url);

}  // namespace millrace::inline cli
