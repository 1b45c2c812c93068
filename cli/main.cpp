#include <signal.h>

#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "cli/commands.h"
#include "cli/options.h"

namespace {

constexpr const char* kHelp = R"(millrace: SQL over event streams

  millrace [shell] [URL]              the shell; URL defaults to http://localhost:8088
  millrace server [OPTIONS]           run a server on an embedded log, or on Kafka with --kafka HOST:PORT
  millrace run FILE.sql               run a script in this process and print its results
  millrace test -t FILE.sql|DIR       run tests written in SQL; -s, -i and -o compare records of JSON files
  millrace load STREAM FILE [URL]     insert CSV or JSON lines into a stream or table; FILE - reads standard input
  millrace backup NAME [URL]          have a server copy its embedded log and state
  millrace restore BACKUP --data DIR  make a data directory of such a copy
  millrace password USER [ROLE...]    a line for the password file of a server
  millrace bench WORKLOAD             measure this machine; see bench/README.md
  millrace --version

`millrace COMMAND --help` lists the options of a command.
)";

struct Command {
  std::string_view name;
  int (*run)(const std::vector<std::string>&);
};
constexpr Command kCommands[] = {
    {"shell", millrace::shell_command},       {"server", millrace::server_command},
    {"run", millrace::run_command},           {"test", millrace::test_command},
    {"load", millrace::load_command},         {"bench", millrace::bench_command},
    {"password", millrace::password_command}, {"backup", millrace::backup_command},
    {"restore", millrace::restore_command},
};

/// A server takes the signals that end it when it is ready to (StopSignal). The loader runs this before anything of the
/// libraries, whose initialisers take most of the time until main().
void hold_signals_of_server(int count, char** arguments, char**) {
  if (count < 2 || std::strcmp(arguments[1], "server") != 0) return;
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, signal);
  sigprocmask(SIG_BLOCK, &set, nullptr);
}
[[gnu::section(".preinit_array"), gnu::used]] void (*const hold_first)(int, char**, char**) = hold_signals_of_server;

int run(std::vector<std::string> arguments) {
  if (!arguments.empty()) {
    if (arguments[0] == "--version" || arguments[0] == "version")
      return std::printf("millrace %s\n", millrace::kVersion) < 0;
    if (arguments[0] == "--help" || arguments[0] == "-h" || arguments[0] == "help")
      return std::fputs(kHelp, stdout) < 0;
    for (const Command& command : kCommands) {
      if (command.name != arguments[0]) continue;
      arguments.erase(arguments.begin());
      return command.run(arguments);
    }
  }
  return millrace::shell_command(arguments);
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(std::vector<std::string>(argv + 1, argv + argc));
  } catch (const millrace::UsageError& error) {
    std::fprintf(stderr, "millrace: %s\nSee the -h or --help flags for usage information\n", error.what());
    return 255;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "millrace: %s\n", error.what());
    return 255;
  }
}
