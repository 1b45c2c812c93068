#include "cli/connection_options.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/url.hpp>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <utility>

#include "planner/types/value.h"

namespace millrace::inline cli {
namespace {

using Credentials = std::pair<std::string, std::string>;

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) throw UsageError(fmt::format("cannot read a password from {}", path));
  if (line.ends_with('\r')) line.pop_back();
  return line;
}

/// `machine HOST login NAME password WORD`, in any layout; `default` stands for every host.
std::optional<Credentials> from_netrc(const std::string& host) {
  const char* home = std::getenv("HOME");
  const char* given = std::getenv("NETRC");
  std::ifstream file(given != nullptr ? given : std::string(home != nullptr ? home : ".") + "/.netrc");
  std::string word;
  bool here = false;
  Credentials found;
  while (file >> word) {
    if (word == "machine" || word == "default") {
      if (here && !found.first.empty()) break;
      std::string name;
      here = word == "default" || (file >> name && name == host);
    } else if (word == "login" && file >> word && here) {
      found.first = word;
    } else if (word == "password" && file >> word && here) {
      found.second = word;
    }
  }
  if (found.first.empty()) return std::nullopt;
  return found;
}

std::optional<Credentials> credentials(const Options& options, const std::string& url) {
  if (!options.has("user")) {
    if (options.has("password") || options.has("password-file")) throw UsageError("a password needs --user");
    const auto parsed = boost::urls::parse_uri(url);
    return parsed ? from_netrc(std::string(parsed->host())) : std::nullopt;
  }
  Credentials given{*options.get("user"), ""};
  if (options.has("password"))
    given.second = *options.get("password");
  else if (options.has("password-file"))
    given.second = first_line(*options.get("password-file"));
  else if (const char* typed = getpass("Enter password: "))
    given.second = typed;
  return given;
}

constexpr std::string_view kConnectionHelp =
    "  -u, --user NAME            and -p, --password PASSWORD, or --password-file FILE; otherwise ~/.netrc is asked\n"
    "  --cacert FILE              certificates that sign the server's, PEM (default the system's)\n"
    "  --cert FILE [--key FILE]   a certificate to show, PEM, with its key\n";

}  // namespace

int print_help(std::string_view help) {
  const std::size_t examples = std::min(help.find("\nexamples:"), help.size());
  std::string whole(help.substr(0, examples));
  whole += kConnectionHelp;
  whole += help.substr(examples);
  return std::fputs(whole.c_str(), stdout) < 0;
}

std::vector<OptionDef> with_connection_options(std::vector<OptionDef> own) {
  own.insert(own.end(), {{"user", 'u', true},
                         {"password", 'p', true},
                         {"password-file", 0, true},
                         {"cacert", 0, true},
                         {"cert", 0, true},
                         {"key", 0, true}});
  return own;
}

ConnectionOptions connection_options(const Options& options, const std::string& url) {
  ConnectionOptions out;
  out.tls = {options.get("cacert").value_or(""), options.get("cert").value_or(""), options.get("key").value_or("")};
  if (const auto who = credentials(options, url))
    out.headers.emplace_back("Authorization", "Basic " + base64_encode(who->first + ":" + who->second));
  return out;
}

}  // namespace millrace::inline cli
