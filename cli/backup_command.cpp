#include <fmt/format.h>

#include <boost/json.hpp>
#include <cstdio>
#include <filesystem>

#include "cli/commands.h"
#include "cli/connection_options.h"
#include "cli/options.h"

namespace millrace::inline cli {
namespace json = boost::json;
namespace fs = std::filesystem;
namespace {

constexpr const char* kBackupHelp = R"(usage: millrace backup NAME [URL]

Has a running server copy its embedded log and its state to NAME under its millrace.backup.directory, and prints where.
The server goes on meanwhile. URL defaults to http://localhost:8088.

  -h, --help                 this text

examples:
  millrace backup monday
  millrace backup monday https://streams.example.org:8088 --user operator
)";
constexpr const char* kRestoreHelp = R"(usage: millrace restore BACKUP --data DIR

Copies a backup to a new data directory, which a server can be started on.

examples:
  millrace restore /var/backups/millrace/monday --data /var/lib/millrace
)";
const std::vector<OptionDef> kBackupOptions = with_connection_options({{"help", 'h', false}});
const std::vector<OptionDef> kRestoreOptions = {{"data", 0, true}, {"help", 'h', false}};

int failed(const std::string& message) {
  std::fprintf(stderr, "millrace: %s\n", message.c_str());
  return 1;
}

/// What the server says of an answer.
std::string text_of(const HttpResponse& response, std::string_view field) {
  boost::system::error_code bad;
  const json::value body = json::parse(response.body, bad);
  if (bad || !body.is_object() || !body.get_object().contains(field)) return fmt::format("HTTP {}", response.status);
  return std::string(body.get_object().at(field).as_string());
}

}  // namespace

int backup_command(const std::vector<std::string>& arguments) {
  const Options options(kBackupOptions, arguments);
  if (options.has("help")) return print_help(kBackupHelp);
  const std::vector<std::string>& given = options.positional();
  if (given.empty() || given.size() > 2) throw UsageError("expected the backup's name, and perhaps a URL");
  const std::string url = given.size() > 1 ? given[1] : "http://localhost:8088";
  const ConnectionOptions connection = connection_options(options, url);
  auto client = HttpClient::create(url, connection.headers, connection.tls);
  if (!client) return failed(client.error().message);
  const auto answer = (*client)->request("POST", "/backup", json::serialize(json::object{{"name", given[0]}}));
  if (!answer) return failed(answer.error().message);
  if (answer->status != 200) return failed(text_of(*answer, "message"));
  std::printf("%s\n", text_of(*answer, "path").c_str());
  return 0;
}

int restore_command(const std::vector<std::string>& arguments) {
  const Options options(kRestoreOptions, arguments);
  if (options.has("help")) return std::fputs(kRestoreHelp, stdout) < 0;
  if (options.positional().size() != 1) throw UsageError("expected the directory of one backup");
  const auto data = options.get("data");
  if (!data) throw UsageError("--data says where the backup goes");
  const fs::path from = options.positional().front(), to = *data;
  std::error_code error;
  if (!fs::exists(from / "backup.json", error))
    return failed(fmt::format("{} is no backup, or one that was not finished", from.string()));
  if (fs::exists(to, error) && !fs::is_empty(to, error))
    return failed(fmt::format("{} is not empty: give a new directory", to.string()));
  fs::create_directories(to, error);
  for (const char* part : {"log", "state", "process_id"}) {
    if (error) break;
    if (fs::exists(from / part)) fs::copy(from / part, to / part, fs::copy_options::recursive, error);
  }
  if (error) return failed(fmt::format("cannot copy to {}: {}", to.string(), error.message()));
  std::printf("restored to %s\n", to.string().c_str());
  return 0;
}

}  // namespace millrace::inline cli
