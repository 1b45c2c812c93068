#include <cstdio>
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
  millrace bench WORKLOAD             measure this machine; see bench/README.md
  millrace --version

`millrace COMMAND --help` lists the options of a command.
)";

struct Command {
  std::string_view name;
  int (*run)(const std::vector<std::string>&);
};
constexpr Command kCommands[] = {{"shell", millrace::shell_command}, {"server", millrace::server_command},
                                 {"run", millrace::run_command}, {"test", millrace::test_command},
                                 {"load", millrace::load_command}, {"bench", millrace::bench_command},
