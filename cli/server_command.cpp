#include <fmt/format.h>
#include <signal.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <chrono>

#include "cli/commands.h"
#include "cli/local_service.h"
#include "cli/options.h"
#include "exec/log/failpoint.h"
#include "server/http/server.h"

namespace millrace::inline cli {
namespace {

constexpr const char* kServerHelp = R"(usage: millrace server [OPTIONS]

  --config FILE           properties, name=value a line (spec names: ksql.service.id, listeners, ...)
  --set NAME=VALUE        one property; repeatable, wins over the file
  --kafka HOST:PORT,...   run on this Kafka cluster; without it the log is embedded
  --data DIR              data directory (default ./millrace-data)
  --listen HOST:PORT      address of the HTTP API (default 127.0.0.1:8088)
  --advertise HOST:PORT   how other processes reach this one (default the listening address)
  --threads N             worker threads (default one per core)
  --log-level LEVEL       debug, info, warn or error (default info)

examples:
  millrace server --data /var/lib/millrace
  millrace server --kafka broker1:9092,broker2:9092 --set ksql.service.id=shop_ --set ksql.internal.topic.replicas=3
  millrace server --config /etc/millrace/server.properties --listen 0.0.0.0:8088
)";

const std::vector<OptionDef> kServerOptions = {{"config", 'c', true},  {"set", 's', true, true}, {"kafka", 'k', true},
                                               {"data", 0, true},      {"listen", 'l', true},    {"advertise", 0, true},
                                               {"threads", 't', true}, {"log-level", 0, true},   {"help", 'h', false}};

struct Address {
  std::string host;
  int port = 0;
};

Address parse_address(std::string text) {
  if (const std::size_t scheme = text.find("://"); scheme != std::string::npos) text.erase(0, scheme + 3);
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) throw UsageError(fmt::format("expected HOST:PORT, got '{}'", text));
  char* end = nullptr;
  const long port = std::strtol(text.c_str() + colon + 1, &end, 10);
  if (*end != '\0' || end == text.c_str() + colon + 1 || port < 0 || port > 65535)
    throw UsageError(fmt::format("'{}' has no valid port", text));
  return {text.substr(0, colon), static_cast<int>(port)};
}

Config make_config(const Options& options) {
  Config config;
  if (auto file = options.get("config")) config.load_file(*file);
  config.load_environment(environ);
  for (const std::string& definition : options.all("set")) {
    auto [name, value] = split_definition(definition);
    config.set(std::move(name), std::move(value));
  }
  return config;
}

void set_up_logging(const Options& options) {
  auto logger = spdlog::stderr_color_mt("millrace");
  logger->set_pattern("%Y-%m-%d %H:%M:%S.%e %^%l%$ %v");
  spdlog::set_default_logger(logger);
  spdlog::set_level(spdlog::level::from_str(options.get("log-level").value_or("info")));
}

/// Signals that end the server are taken by sigwait alone, so they are blocked before any thread starts.
sigset_t block_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);  // the write that failed tells
  return set;
}

int failed(const Error& error) {
  std::fprintf(stderr, "millrace: %s\n", error.message.c_str());
  return 1;
}

int serve(const Options& options) {
  const auto began = std::chrono::steady_clock::now();
  const sigset_t signals = block_signals();
  set_up_logging(options);
  if (const char* points = std::getenv("MILLRACE_FAILPOINTS"))  // tests of this process under faults
    if (Status armed = failpoint::arm_from_text(points); !armed) return failed(armed.error());
  LocalOptions local;
  local.config = make_config(options);
  for (const std::string& name : local.config.unknown()) spdlog::warn("unknown property: {}", name);
  for (const auto& [name, value] : local.config.explicit_values())
    if (const Setting* setting = find_setting(name); setting != nullptr && !setting->idle.empty())
      spdlog::warn("{} changes nothing: {}", name, setting->idle);
  local.kafka = options.get("kafka").value_or("");
  if (auto threads = options.get("threads")) local.workers = std::atoi(threads->c_str());
  auto directory = DataDirectory::open(options.get("data").value_or("millrace-data"));
  if (!directory) return failed(directory.error());
  const Address address =
      parse_address(options.get("listen").value_or(local.config.find("listeners").value_or("127.0.0.1:8088")));
  auto http = HttpServer::listen({.host = address.host, .port = address.port});
  if (!http) return failed(http.error());
  local.advertised = options.get("advertise").value_or(local.config.text("ksql.advertised.listener"));
  if (local.advertised.empty()) local.advertised = fmt::format("{}:{}", address.host, (*http)->port());
  const std::string log_name =
      local.kafka.empty() ? "embedded log in " + (*directory)->path() : "Kafka at " + local.kafka;
  auto service = LocalService::open(std::move(*directory), std::move(local));
  if (!service) return failed(service.error());
  (*http)->serve((*service)->service());
  std::printf(
      "millrace %s ready on http://%s:%d in %lld ms (%s)\n", kVersion, address.host.c_str(), (*http)->port(),
      static_cast<long long>(
          std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began).count()),
      log_name.c_str());
  std::fflush(stdout);
  int signal = 0;
  sigwait(&signals, &signal);
  spdlog::info("{}: stopping", strsignal(signal));
  (*http)->stop();
  service->reset();
  spdlog::info("stopped");
  return 0;
}

}  // namespace

int server_command(const std::vector<std::string>& arguments) {
  const Options options(kServerOptions, arguments);
  if (options.has("help")) return std::fputs(kServerHelp, stdout) < 0;
  if (!options.positional().empty())
    throw UsageError(fmt::format("unexpected argument '{}'", options.positional().front()));
  try {
    return serve(options);
  } catch (const SqlError& error) {
    std::fprintf(stderr, "millrace: %s\n", error.what());
    return 1;
  }
}

}  // namespace millrace::inline cli
