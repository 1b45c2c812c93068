#pragma once

#include <string>
#include <vector>

/// The subcommands. Each takes the arguments after its name and returns the exit status; UsageError for a bad command
/// line.
namespace millrace::inline cli {

/// What `millrace --version` and /info say: the version of the CMake project.
extern const char* const kVersion;

int shell_command(const std::vector<std::string>& arguments);
int server_command(const std::vector<std::string>& arguments);
int run_command(const std::vector<std::string>& arguments);
int test_command(const std::vector<std::string>& arguments);
int load_command(const std::vector<std::string>& arguments);
int password_command(const std::vector<std::string>& arguments);
int backup_command(const std::vector<std::string>& arguments);
int restore_command(const std::vector<std::string>& arguments);
int bench_command(const std::vector<std::string>& arguments);

}  // namespace millrace::inline cli
