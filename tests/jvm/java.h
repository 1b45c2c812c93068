#pragma once

#include <cstdio>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

/// Runs the programs of this folder on the machine's Java.
namespace millrace::testing_jvm {

inline bool has_java() {
  return std::system("java --list-modules 2>/dev/null | grep -q '^jdk.compiler@'") == 0;
}

inline std::vector<std::string> lines_of(const std::string& path) {
  std::ifstream in(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

inline std::vector<std::string> split(const std::string& line, char separator) {
  std::vector<std::string> parts;
  std::size_t from = 0;
  for (std::size_t at = line.find(separator); at != std::string::npos; at = line.find(separator, from)) {
    parts.push_back(line.substr(from, at - from));
    from = at + 1;
  }
  parts.push_back(line.substr(from));
  return parts;
}

/// For use between single quotes in a shell.
inline std::string quoted(const std::string& text) {
  std::string out;
  for (const char c : text) out += c == '\'' ? "'\\''" : std::string(1, c);
  return out;
}

/// What `java tests/jvm/NAME.java tests/jvm/patterns.txt ARGUMENTS` prints.
inline std::vector<std::string> java_lines(const std::string& name, const std::string& arguments) {
  const std::string command =
      "LC_ALL=C.UTF-8 java -Dfile.encoding=UTF-8 tests/jvm/" + name + ".java tests/jvm/patterns.txt " + arguments;
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(popen(command.c_str(), "r"), pclose);
  std::string text;
  char buffer[1 << 16];
  for (std::size_t n; (n = std::fread(buffer, 1, sizeof buffer, pipe.get())) > 0;) text.append(buffer, n);
  std::vector<std::string> lines = split(text, '\n');
  lines.pop_back();
  return lines;
}

}  // namespace millrace::testing_jvm
