#include <fmt/format.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <thread>

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/shell.h"
#include "cli/terminal.h"
#include "parser/error/letter_case.h"
#include "server/config/config.h"

namespace millrace::inline cli {
namespace {

constexpr const char* kDefaultUrl = "http://localhost:8088";
constexpr const char* kShellHelp = R"(usage: millrace [shell] [OPTIONS] [URL]

  URL                        of the server (default http://localhost:8088)
  -e, --execute STATEMENTS   run them and leave
  -f, --file FILE            run a script and leave; - reads standard input
  -d, --define NAME=VALUE    session variable; repeatable
  --output JSON|TABULAR      (default TABULAR)
  --query-row-limit N        end a query after N rows
  --query-timeout MS         end a query after so many milliseconds
  --config-file FILE         session properties, name=value a line
  -h, --help                 this text

examples:
  millrace
  millrace http://streams.example.org:8088
  millrace -e "SELECT * FROM counts WHERE user = 'ann';"
  millrace -f report.sql --define day=2024-05-01 --output JSON
)";
const std::vector<OptionDef> kShellOptions = with_connection_options({{"execute", 'e', true},
                                                                      {"file", 'f', true},
                                                                      {"define", 'd', true, true},
                                                                      {"output", 0, true},
                                                                      {"query-row-limit", 0, true},
                                                                      {"query-timeout", 0, true},
                                                                      {"config-file", 0, true},
                                                                      {"help", 'h', false}});

std::int64_t positive(const std::string& option, const std::string& text) {
  char* end = nullptr;
  const long long value = std::strtoll(text.c_str(), &end, 10);
  if (*end != '\0' || value <= 0)
    throw UsageError(fmt::format("--{} must be a number above 0, got '{}'", option, text));
  return value;
}

/// Starts `millrace server` on the embedded log as a process of its own, so that it outlives the shell. True when it is
/// ready.
bool start_embedded_server() {
  char self[4096];
  const ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
  if (length <= 0) return false;
  self[length] = '\0';
  const pid_t child = fork();
  if (child == 0) {
    setsid();
    if (std::freopen("/dev/null", "r", stdin) == nullptr ||
        std::freopen("millrace-server.log", "a", stdout) == nullptr || dup2(fileno(stdout), STDERR_FILENO) < 0)
      _exit(1);
    execl(self, self, "server", "--data", "millrace-data", static_cast<char*>(nullptr));
    _exit(1);
  }
  if (child < 0) return false;
  for (int i = 0; i < 100; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    int status = 0;
    if (waitpid(child, &status, WNOHANG) == child) return false;
    auto backend = make_http_backend(kDefaultUrl, {});
    auto info = backend->info();
    if (info && cell_text(info->at("serverStatus")) == "RUNNING") {
      std::printf(
          "A server is running (process %d, data in ./millrace-data, log in ./millrace-server.log). Stop it with: kill "
          "%d\n",
          child, child);
      return true;
    }
  }
  return false;
}

/// No server answers: offer to start one, or say what is wrong.
bool offer_server(const std::string& url, bool given, const Error& error) {
  const std::string stars(60, '*');
  if (!given && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)) {
    std::printf("No server answers at %s. Start one here, with its data in ./millrace-data? [Y/n] ", url.c_str());
    std::fflush(stdout);
    std::string answer;
    std::getline(std::cin, answer);
    if (answer.empty() || answer[0] == 'y' || answer[0] == 'Y') {
      if (start_embedded_server()) return true;
      std::fprintf(stderr, "It did not start; see ./millrace-server.log\n");
      return false;
    }
  }
  std::fprintf(stderr,
               "%s\nERROR\nRemote server at %s does not appear to be a valid server. Please ensure that the URL "
               "provided is for an active server.\n\n"
               "The server responded with the following error: \n%s\n%s\n",
               stars.c_str(), url.c_str(), error.message.c_str(), stars.c_str());
  return false;
}

void apply_options(const Options& options, Session& session) {
  if (auto limit = options.get("query-row-limit")) session.row_limit = positive("query-row-limit", *limit);
  if (auto limit = options.get("query-timeout"))
    session.query_timeout = std::chrono::milliseconds(positive("query-timeout", *limit));
  for (const std::string& definition : options.all("define")) {
    auto [name, value] = split_definition(definition);
    session.variables()[upper_case(name)] = value;
  }
  if (auto file = options.get("config-file")) {
    Config config;
    config.load_file(*file);
    for (const auto& [name, value] : config.explicit_values())
      if (find_setting(name) != nullptr && find_setting(name)->scope == SettingScope::query)
        session.properties()[name] = value;
  }
}

std::string why_no_client(const ShellOptions& options) {
  const auto client = HttpClient::create(options.url, {}, options.connection.tls);
  return client ? "" : client.error().message;
}

std::string history_path() {
  const char* home = std::getenv("HOME");
  return std::string(home != nullptr ? home : ".") + "/.millrace-history";
}

}  // namespace

int shell_command(const std::vector<std::string>& arguments) {
  const Options options(kShellOptions, arguments);
  if (options.has("help")) return print_help(kShellHelp);
  if (options.positional().size() > 1)
    throw UsageError(fmt::format("unexpected argument '{}'", options.positional()[1]));
  if (options.has("execute") && options.has("file")) throw UsageError("--execute and --file exclude each other");
  signal(SIGPIPE, SIG_IGN);
  const bool given = !options.positional().empty();
  const std::string url = given ? options.positional()[0] : kDefaultUrl;
  ShellOptions shell_options{url, connection_options(options, url)};
  auto backend = make_http_backend(shell_options.url, shell_options.connection);
  if (!backend) throw UsageError(why_no_client(shell_options));
  const bool interactive = !options.has("execute") && !options.has("file");
  if (auto info = backend->info(); !info && !offer_server(shell_options.url, given, info.error()) && !interactive)
    return 255;
  Shell* shown = nullptr;
  PrintOptions print = print_options(options.get("output"));
  print.live = true;
  print.timing = interactive && isatty(STDOUT_FILENO) != 0;
  Session session(std::move(backend), print, [&shown](std::string_view text) { shown->show(text); });
  Shell shell(session, shell_options);
  shown = &shell;
  apply_options(options, session);
  if (auto text = options.get("execute")) {
    std::string statements = *text;
    if (statements.find_last_not_of(" \t\r\n") != std::string::npos &&
        statements[statements.find_last_not_of(" \t\r\n")] != ';')
      statements += ';';
    shell.run_script(statements);
    return 0;
  }
  if (auto file = options.get("file")) return shell.run_script(read_file_or_stdin(*file)), 0;
  if (!isatty(STDIN_FILENO)) return shell.run_script(read_file_or_stdin("-")), 0;
  shell.banner();
  return shell.interact(history_path());
}

}  // namespace millrace::inline cli
