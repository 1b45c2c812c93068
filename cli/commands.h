#pragma once

#include <string>
#include <vector>

/// The subcommands. Each takes the arguments after its name and returns the exit status; UsageError for a bad command
/// line.
namespace millrace::inline cli {

constexpr const char* kVersion = "0.1.0";

int shell_command(const std::vector<std::string>& arguments);
int server_command(const std::vector<std::string>& arguments);
int run_command(const std::vector<std::string>& arguments);
int test_command(const std::vector<std::string>& arguments);
int load_command(const std::vector<std::string>& arguments);
int bench_command(const std::vector<std::string>& arguments);

}  // namespace millrace::inline cli
