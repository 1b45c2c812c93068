#include <fmt/format.h>
#include <malloc.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <fstream>
#include <sstream>
#include <thread>
#include <utility>

#include "cli/commands.h"
#include "cli/file_watch.h"
#include "cli/kafka_options.h"
#include "cli/local_service.h"
#include "cli/logging.h"
#include "cli/options.h"
#include "cli/server_network.h"
#include "exec/log/failpoint.h"
#include "exec/log/kafka/open.h"
#include "parser/error/mutex.h"
#include "server/http/peers.h"
#include "server/http/server.h"

namespace millrace::inline cli {
namespace {

constexpr const char* kServerHelp = R"(usage: millrace server [OPTIONS]

  --config FILE           properties, name=value a line (spec names: ksql.service.id, listeners, ...)
  --set NAME=VALUE        one property; repeatable, wins over the file
  --kafka HOST:PORT,...   run on this Kafka cluster; without it the log is embedded
  --data DIR              data directory (default ./millrace-data)
  --listen HOST:PORT      address of the HTTP API (default 127.0.0.1:8088); https://HOST:PORT with TLS; repeatable
  --advertise HOST:PORT   how other processes reach this one (default the listening address)
  --threads N             worker threads (default one per core)
  --queries FILE          run these statements and take no others (ksql.queries.file)
  --log-level LEVEL       debug, info, warn or error (default info)
  --check                 look the configuration over, certificates and users included, and leave

examples:
  millrace server --data /var/lib/millrace
  millrace server --kafka broker1:9092,broker2:9092 --set ksql.service.id=shop_ --set ksql.internal.topic.replicas=3
  millrace server --config /etc/millrace/server.properties --listen 0.0.0.0:8088
)";

const std::vector<OptionDef> kServerOptions = {
    {"config", 'c', true},       {"set", 's', true, true}, {"kafka", 'k', true},   {"data", 0, true},
    {"listen", 'l', true, true}, {"advertise", 0, true},   {"threads", 't', true}, {"log-level", 0, true},
    {"queries", 0, true},        {"check", 0, false},      {"help", 'h', false}};

/// Each connection is a descriptor.
void raise_descriptor_limit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

/// What one thread takes and another gives back (fetched records, above all) stays with the heap that it came from:
/// with glibc's eight heaps a core more lies there unused than is in use.
void share_heaps() {
  mallopt(M_ARENA_MAX, static_cast<int>(std::max(2U, std::thread::hardware_concurrency())));
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

/// Signals that end the server are taken by sigwait alone, so they are blocked before any thread starts.
sigset_t block_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGXFSZ, SIG_IGN);  // the write that failed tells
  return set;
}

/// Takes the signals that end the server, from its first moment on.
class StopSignal {
 public:
  /// Blocks them in this thread and those that it starts.
  StopSignal() : signals_(block_signals()) {
    std::thread([this] { run(); }).detach();
  }
  /// From now on a signal is what wait() returns, or 0 after that time; before, one that ends the server ends the
  /// process at once: what is committed is in the log.
  int wait(std::chrono::milliseconds at_most) {
    MutexLock lock(mutex_);
    waited_for_ = true;
    came_.wait_for(lock, at_most, [&]() REQUIRES(mutex_) { return signal_ != 0; });
    return std::exchange(signal_, 0);
  }

 private:
  void run() {
    int signal = 0;
    while (sigwait(&signals_, &signal) == 0) {
      const MutexLock lock(mutex_);
      if (!waited_for_ && signal == SIGHUP) continue;
      if (!waited_for_) std::_Exit(0);
      signal_ = signal;
      came_.notify_all();
    }
  }

  const sigset_t signals_;
  Mutex mutex_;
  std::condition_variable came_;
  bool waited_for_ GUARDED_BY(mutex_) = false;
  int signal_ GUARDED_BY(mutex_) = 0;
};

constexpr std::chrono::seconds kCleanStop{10};  // for what is under way, last commits before all

/// Whatever hangs then: what is committed is in the log, and the next start goes on from there.
void leave_in_the_end() {
  std::this_thread::sleep_for(std::chrono::seconds(30));
  spdlog::critical("something does not come to an end: leaving without it");
  std::_Exit(70);
}

/// Where threads are left that do not come to an end, nothing that they may touch is destroyed.
int leave(int status) {
  if (!kafka_clients_left()) return status;
  spdlog::default_logger()->flush();
  std::fflush(nullptr);
  std::_Exit(status);
}

int failed(const Error& error) {
  std::fprintf(stderr, "millrace: %s\n", error.message.c_str());
  return 1;
}

void reload_certificates(HttpServer& http) {
  if (Status reloaded = http.reload_tls(); !reloaded)
    spdlog::error("certificates stay as they are: {}", reloaded.error().message);
  else
    spdlog::info("certificates read again");
}
void reload_users(HttpServer& http, const Config& config) {
  auto security = network_security(config);
  if (!security) return spdlog::error("users and grants stay as they are: {}", security.error().message);
  http.secure(std::move(*security));
  spdlog::info("users and grants read again");
}

/// Until a signal that ends the server. SIGHUP reads certificates, users and grants again, and so does a change of
/// their files.
int wait_for_end(StopSignal& signals, HttpServer& http, const Config& config, FileWatch users, FileWatch certificates) {
  constexpr std::chrono::seconds kBetweenLooks{1};
  while (true) {
    const int signal = signals.wait(kBetweenLooks);
    if (signal != 0 && signal != SIGHUP) return signal;
    if (certificates.changed() || signal == SIGHUP) reload_certificates(http);
    if (users.changed() || signal == SIGHUP) reload_users(http, config);
  }
}

/// A headless server's statements.
Status run_queries_file(Service& service, const std::string& path) {
  if (path.empty()) return {};
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  if (!file) return user_error("cannot read {}: {}", path, std::strerror(errno));
  if (auto error = service.run_queries(text.str()))
    return user_error("{}: {}{}", path, error->message, error->statement ? "\n" + *error->statement : std::string());
  return {};
}

/// What can be known of a configuration without starting anything.
int check(const Options& options) {
  const Config config = make_config(options);
  bool good = true;
  for (const std::string& name : config.unknown()) {
    std::fprintf(stderr, "unknown property: %s\n", name.c_str());
    good = false;
  }
  const std::string brokers = options.get("kafka").value_or(config.text("bootstrap.servers"));
  const auto kafka = kafka_options(brokers, config);
  if (!kafka) return failed(kafka.error());
  if (!brokers.empty())
    if (Status taken = check_kafka_options(*kafka); !taken) return failed(taken.error());
  auto network = network_options(options.all("listen"), config);
  if (!network) return failed(network.error());
  const bool tls = std::any_of(network->listeners.begin(), network->listeners.end(),
                               [](const HttpListener& listener) { return listener.tls; });
  if (tls)
    if (auto context = make_tls_server(network->tls); !context) return failed(context.error());
  if (good) std::puts("the configuration is good");
  return good ? 0 : 1;
}

int serve(const Options& options) {
  const auto began = std::chrono::steady_clock::now();
  auto& stop_signal = *new StopSignal;                          // its thread uses it to the end
  if (const char* points = std::getenv("MILLRACE_FAILPOINTS"))  // tests of this process under faults
    if (Status armed = failpoint::arm_from_text(points); !armed) return failed(armed.error());
  LocalOptions local;
  local.config = make_config(options);
  if (auto file = options.get("queries")) local.config.set("ksql.queries.file", *file);
  set_up_logging(local.config.text("millrace.log.format"), options.get("log-level").value_or("info"));
  for (const std::string& name : local.config.unknown()) spdlog::warn("unknown property: {}", name);
  for (const auto& [name, value] : local.config.explicit_values())
    if (const Setting* setting = find_setting(name); setting != nullptr && !setting->idle.empty())
      spdlog::warn("{} changes nothing: {}", name, setting->idle);
  local.kafka = options.get("kafka").value_or("");
  if (auto threads = options.get("threads")) local.workers = std::atoi(threads->c_str());
  auto directory = DataDirectory::open(options.get("data").value_or("millrace-data"));
  if (!directory) return failed(directory.error());
  raise_descriptor_limit();
  share_heaps();
  // Before they are read: no change is missed.
  FileWatch users(security_files(local.config)), certificates(certificate_files(local.config));
  auto network = network_options(options.all("listen"), local.config);
  if (!network) return failed(network.error());
  warn_of_open_doors(*network);
  const HttpListener& address = network->listeners.front();
  auto http = HttpServer::listen(*network);
  if (!http) return failed(http.error());
  local.advertised = options.get("advertise").value_or(local.config.text("ksql.advertised.listener"));
  if (local.advertised.empty()) local.advertised = advertised_address(address, (*http)->port());
  const bool on_kafka = !local.kafka.empty() || !local.config.text("bootstrap.servers").empty();
  if (on_kafka) {
    auto peers = Peers::make({.secret = network->peers.secret, .tls = network->tls});
    if (!peers) return failed(peers.error());
    local.remote = std::move(*peers);
    if (network->security && network->peers.secret.empty())
      spdlog::warn(
          "other processes of the service cannot ask this one: users have to say who they are, and "
          "millrace.internal.secret is not set");
  }
  const Config config = local.config;
  const std::string queries_file = local.config.text("ksql.queries.file");
  const std::string log_name =
      local.kafka.empty() ? "embedded log in " + (*directory)->path() : "Kafka at " + local.kafka;
  auto service = LocalService::open(std::move(*directory), std::move(local));
  if (!service) return failed(service.error());
  if (Status run = run_queries_file((*service)->service(), queries_file); !run) return failed(run.error());
  (*http)->serve((*service)->service());
  std::printf(
      "millrace %s ready on %s://%s:%d in %lld ms (%s)\n", kVersion, address.tls ? "https" : "http",
      address.host.c_str(), (*http)->port(),
      static_cast<long long>(
          std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now() - began).count()),
      log_name.c_str());
  std::fflush(stdout);
  spdlog::info("{}: stopping",
               strsignal(wait_for_end(stop_signal, **http, config, std::move(users), std::move(certificates))));
  std::thread(leave_in_the_end).detach();
  (*service)->log().end_within(kCleanStop);
  // The others need not wait for answers under way here.
  std::thread draining([&] { (*http)->stop(); });
  (*service)->service().engine().hand_over();
  draining.join();
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
    return options.has("check") ? check(options) : leave(serve(options));
  } catch (const SqlError& error) {
    std::fprintf(stderr, "millrace: %s\n", error.what());
    return 1;
  }
}

}  // namespace millrace::inline cli
