#include <fmt/format.h>
#include <signal.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <fstream>
#include <iostream>
#include <sstream>

#include "cli/commands.h"
#include "cli/local_service.h"
#include "cli/options.h"
#include "cli/session.h"
#include "cli/terminal.h"
#include "parser/error/letter_case.h"

namespace millrace::inline cli {
namespace {

constexpr const char* kRunHelp = R"(usage: millrace run [-f] FILE.sql

Runs a script in this process and prints its results: statements in order, inserts visible to what follows. A push query ends at its LIMIT, or
when the input that was there when it began is used up. Exit status 0, or 1 at the first error.

  -f, --file FILE         the script; - reads standard input
  --data DIR              keep topics and state here (default: a temporary directory)
  --kafka HOST:PORT       run on this Kafka cluster
  --output JSON|TABULAR   (default TABULAR)
  -d, --define NAME=VALUE session variable; repeatable
  --set NAME=VALUE        server property; repeatable

examples:
  millrace run clicks.sql
  millrace run clicks.sql --define topic=clicks --output JSON
  echo 'SHOW FUNCTIONS;' | millrace run -
)";
const std::vector<OptionDef> kRunOptions = {{"file", 'f', true}, {"data", 0, true},           {"kafka", 'k', true},
                                            {"output", 0, true}, {"define", 'd', true, true}, {"set", 's', true, true},
                                            {"help", 'h', false}};

std::atomic<Session*> running_session = nullptr;
void on_interrupt(int) {
  if (Session* session = running_session.load()) session->interrupt();
}

int run_script(Session& session, const std::string& text) {
  session.stop_at_error = true;
  running_session = &session;
  struct sigaction action = {};
  action.sa_handler = on_interrupt;
  sigaction(SIGINT, &action, nullptr);
  const bool done = session.run(text);
  running_session = nullptr;
  return done ? 0 : 1;
}

}  // namespace

int run_command(const std::vector<std::string>& arguments) {
  const Options options(kRunOptions, arguments);
  if (options.has("help")) return std::fputs(kRunHelp, stdout) < 0;
  const auto path = options.get("file")            ? options.get("file")
                    : options.positional().empty() ? std::nullopt
                                                   : std::optional(options.positional().front());
  if (!path || options.positional().size() + (options.has("file") ? 1 : 0) != 1)
    throw UsageError("expected one script file");
  const std::string text = read_file_or_stdin(*path);
  auto logger = spdlog::stderr_color_mt("millrace");
  spdlog::set_default_logger(logger);
  spdlog::set_level(spdlog::level::warn);
  LocalOptions local;
  local.kafka = options.get("kafka").value_or("");
  local.advertised = "local";
  local.config.set("ksql.logging.processing.stream.auto.create", "true");
  if (!options.has("data")) local.config.set("log.sync", "off");
  for (const std::string& definition : options.all("set")) {
    auto [name, value] = split_definition(definition);
    local.config.set(std::move(name), std::move(value));
  }
  auto directory = options.get("data") ? DataDirectory::open(*options.get("data")) : DataDirectory::temporary();
  auto service = directory ? LocalService::open(std::move(*directory), std::move(local))
                           : Result<std::unique_ptr<LocalService>>(directory.error());
  if (!service) {
    std::fprintf(stderr, "millrace: %s\n", service.error().message.c_str());
    return 1;
  }
  Session session(make_local_backend((*service)->service()), print_options(options.get("output")),
                  [](std::string_view out) {
                    std::fwrite(out.data(), 1, out.size(), stdout);
                    std::fflush(stdout);
                  });
  // A script means all that it inserted, unless it says otherwise.
  session.properties()["auto.offset.reset"] = "earliest";
  for (const std::string& definition : options.all("define")) {
    auto [name, value] = split_definition(definition);
    session.variables()[upper_case(name)] = value;
  }
  return run_script(session, text);
}

}  // namespace millrace::inline cli
