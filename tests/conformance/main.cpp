#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iostream>
#include <map>

#include "tests/conformance/rest_case.h"
#include "tests/conformance/run_case.h"

/// millrace-conformance: runs the cases of the corpus, each in a process of its own.
namespace millrace::conformance {
namespace {

constexpr unsigned kSecondsPerCase = 30;

struct Arguments {
  std::set<std::string> suites = {"core", "registry", "udf"};
  std::string only;
  bool list_failures = false, in_process = false, update = false;
  std::string known;        // file of known failures; empty: no ratchet
  std::string differences;  // document that names the cases whose results are not wanted; empty: none
  std::vector<std::filesystem::path> paths;
  RunOptions run;
};

constexpr std::string_view kUsage =
    "millrace-conformance [--suite core|registry|udf|rest] [--only TEXT] [--list-failures] [--known FILE [--update]]\n"
    "                     [--differences FILE] [--batch-size N] [--rules-off NAME|all] [--protocol http1|http2]\n"
    "                     [--in-process] PATH...\n";

std::optional<Arguments> parse_arguments(int count, char** values) {
  Arguments out;
  for (int i = 1; i < count; ++i) {
    const std::string_view name = values[i];
    static constexpr std::string_view kWithValue[] = {"--suite",      "--only",      "--known",   "--differences",
                                                      "--batch-size", "--rules-off", "--protocol"};
    const bool takes_value = std::find(std::begin(kWithValue), std::end(kWithValue), name) != std::end(kWithValue);
    if (takes_value && i + 1 >= count) return std::nullopt;
    if (name == "--suite") {
      out.suites = {values[++i]};
    } else if (name == "--only") {
      out.only = values[++i];
    } else if (name == "--known") {
      out.known = values[++i];
    } else if (name == "--differences") {
      out.differences = values[++i];
    } else if (name == "--batch-size") {
      out.run.batch_rows = std::stoul(values[++i]);
    } else if (name == "--protocol") {
      out.run.protocol = std::string_view(values[++i]) == "http2" ? RestProtocol::http2 : RestProtocol::http1;
    } else if (name == "--rules-off") {
      out.run.rules_off.insert(values[++i]);
    } else if (name == "--list-failures") {
      out.list_failures = true;
    } else if (name == "--update") {
      out.update = true;
    } else if (name == "--in-process") {
      out.in_process = true;
    } else if (name.starts_with("-")) {
      return std::nullopt;
    } else {
      out.paths.emplace_back(name);
    }
  }
  if (out.paths.empty()) return std::nullopt;
  return out;
}

std::string run_any(const Case& test, const RunOptions& options) {
  return suite_of(test) == "rest" ? run_rest_case(test, options.protocol) : run_case(test, options);
}

// A crash or a hang must fail its own case only.
std::string run_apart(const Case& test, const RunOptions& options) {
  int ends[2];
  if (pipe(ends) != 0) return "harness: no pipe";
  std::cout.flush();  // or the child may print it once more
  const pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    alarm(kSecondsPerCase);
    const std::string problem = run_any(test, options);
    std::size_t written = 0;
    while (written < problem.size()) {
      const ssize_t bytes = write(ends[1], problem.data() + written, problem.size() - written);
      if (bytes <= 0) break;
      written += static_cast<std::size_t>(bytes);
    }
    _exit(0);
  }
  close(ends[1]);
  std::string problem;
  char buffer[4096];
  for (ssize_t bytes = 0; (bytes = read(ends[0], buffer, sizeof buffer)) > 0;)
    problem.append(buffer, static_cast<std::size_t>(bytes));
  close(ends[0]);
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) return fmt::format("crash: {}", strsignal(WTERMSIG(status)));
  if (WEXITSTATUS(status) != 0) return fmt::format("crash: exit status {}", WEXITSTATUS(status));
  return problem;
}

std::set<std::string> read_lines(const std::string& path) {
  std::set<std::string> lines;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);)
    if (!line.empty() && !line.starts_with('#')) lines.insert(line);
  return lines;
}

// The cases that a document lists: "- `file.json::name`".
std::set<std::string> read_listed(const std::string& path) {
  std::set<std::string> ids;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("- `") && line.ends_with('`')) ids.insert(line.substr(3, line.size() - 4));
  return ids;
}

// True when exactly the known cases failed.
bool check_ratchet(const Arguments& arguments, const std::set<std::string>& failed, const std::set<std::string>& ran) {
  if (arguments.update) {
    std::ofstream file(arguments.known);
    file << "# Cases that fail. A case may leave this list, never join it.\n";
    for (const auto& id : failed) file << id << "\n";
    return true;
  }
  const std::set<std::string> known = read_lines(arguments.known);
  bool good = true;
  for (const auto& id : failed) {
    if (known.contains(id)) continue;
    good = false;
    std::cout << "fails now: " << id << "\n";
  }
  for (const auto& id : known) {
    if (failed.contains(id) || !ran.contains(id)) continue;
    good = false;
    std::cout << "passes now, take it off the list: " << id << "\n";
  }
  return good;
}

int run(const Arguments& arguments) {
  std::map<std::string, std::pair<int, int>> passed;  // suite: passed, all
  std::set<std::string> failed, ran;
  const std::set<std::string> different = read_listed(arguments.differences);
  bool good_differences = true;
  for (const Case& test : load_cases(arguments.paths)) {
    const std::string suite(suite_of(test));
    if (!arguments.suites.contains(suite) || test.id.find(arguments.only) == std::string::npos) continue;
    const std::string problem = arguments.in_process ? run_any(test, arguments.run) : run_apart(test, arguments.run);
    if (different.contains(test.id)) {
      if (!problem.empty()) continue;
      good_differences = false;
      std::cout << "no difference, take it off the list: " << test.id << "\n";
    }
    auto& [good, all] = passed[suite];
    ++all;
    ran.insert(test.id);
    if (problem.empty()) {
      ++good;
      continue;
    }
    failed.insert(test.id);
    if (arguments.list_failures) std::cout << test.id << "\n    " << problem << "\n";
  }
  const bool good = good_differences && (arguments.known.empty() || check_ratchet(arguments, failed, ran));
  for (const auto& [suite, counts] : passed)
    std::cout << fmt::format("{}: {} of {}\n", suite, counts.first, counts.second);
  return good ? 0 : 1;
}

}  // namespace
}  // namespace millrace::conformance

int main(int count, char** values) {
  using namespace millrace::conformance;
  std::optional<Arguments> arguments;
  try {
    arguments = parse_arguments(count, values);
    if (arguments) return run(*arguments);
  } catch (const std::exception& error) {
    std::cerr << "millrace-conformance: " << error.what() << "\n";
    return 2;
  }
  std::cerr << kUsage;
  return 2;
}
