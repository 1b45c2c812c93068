#pragma once

#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include "cli/connection_options.h"
#include "cli/line_editor.h"
#include "cli/session.h"

namespace millrace::inline cli {

struct ShellOptions {
  std::string url;
  ConnectionOptions connection;
};

/// The shell's own commands (README.md, Use) around a session. One thread.
class Shell {
 public:
  Shell(Session& session, ShellOptions options) : session_(session), options_(std::move(options)) {}

  /// Reads from the terminal until `exit` or the end of input; the exit status.
  int interact(const std::string& history_file);
  /// A script, as -f and RUN SCRIPT do: shell commands may stand on lines of their own. False when something failed.
  bool run_script(const std::string& text);
  /// Handles `line` when it is one of the shell's own commands.
  bool run_command(const std::string& line);
  void banner();

  /// Where everything shown also goes while spooling.
  void show(std::string_view text);

 private:
  bool run_words(const std::string& command, const std::string& rest);
  void change_output(const std::string& rest);
  void change_server(const std::string& rest);
  void change_pipelining(const std::string& rest);
  void change_spool(const std::string& rest);
  bool change_cli_setting(const std::string& rest);
  void run_script_file(const std::string& rest);
  void help();
  std::vector<std::string> completions();
  bool complete_statement(const std::string& text) const;

  Session& session_;
  ShellOptions options_;
  LineEditor* editor_ = nullptr;
  bool exit_ = false;
  std::FILE* spool_ = nullptr;
  std::string spool_path_;
  std::vector<std::string> names_;  // of sources, for completion
};

}  // namespace millrace::inline cli
