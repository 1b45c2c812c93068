#include "cli/shell.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "cli/commands.h"
#include "cli/terminal.h"
#include "parser/error/letter_case.h"
#include "parser/error/trim.h"

namespace millrace::inline cli {
namespace json = boost::json;
namespace {

std::string unquoted(std::string text) {
  text = std::string(trim(text));
  if (text.size() >= 2 && (text.front() == '\'' || text.front() == '"') && text.back() == text.front())
    return text.substr(1, text.size() - 2);
  return text;
}

Session* interrupted_session = nullptr;
void interrupt_query(int) {
  if (interrupted_session != nullptr) interrupted_session->interrupt();
}

}  // namespace

void Shell::show(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
  if (spool_ != nullptr) std::fwrite(text.data(), 1, text.size(), spool_);
}

void Shell::banner() {
  const std::string tip = "Having trouble? Type 'help' (case-insensitive) for a rundown of how things work!";
  std::string version = "<unknown>", status = "<unknown>";
  if (auto info = session_.backend().info()) {
    version = cell_text(info->at("version"));
    status = cell_text(info->at("serverStatus"));
  } else {
    session_.print_error(info.error().message);
  }
  show(R"(
    _   _   _        __  __ _ _ _
   / \ / \ / \      |  \/  (_) | |_ _ __ _ __ ___
   ~~~~~~~~~~~      | |\/| | | | | '_/ _` / _/ -_)
   \_/ \_/ \_/      |_|  |_|_|_|_|_| \__,_\__\___|
   ===========      SQL over event streams
)");
  show(fmt::format("\nCLI v{}, Server v{} located at {}\nServer Status: {}\n\n{}\n\n", kVersion, version, options_.url,
                   status, tip));
}

bool Shell::complete_statement(const std::string& text) const {
  const std::vector<std::string> pieces = split_statements(text);
  return pieces.empty() || trim(pieces.back()).empty() || trim(pieces.back()).back() == ';';
}

std::vector<std::string> Shell::completions() {
  std::vector<std::string> words = keywords();
  words.insert(words.end(), names_.begin(), names_.end());
  return words;
}

int Shell::interact(const std::string& history_file) {
  auto editor = LineEditor::open(history_file, [this] { return completions(); });
  editor_ = editor.get();
  if (!editor->history_writable())
    show(fmt::format("WARNING: Unable to create command history file '{}', command history will not be saved.\n",
                     history_file));
  signal(SIGINT, SIG_IGN);
  std::string pending;
  while (!exit_) {
    if (pending.empty())
      if (auto listed = session_.backend().execute("SHOW STREAMS; SHOW TABLES;", {}, {}, std::nullopt)) {
        names_.clear();
        for (const json::object& entity : listed->entities)
          for (const char* member : {"streams", "tables"})
            if (const json::value* list = entity.if_contains(member))
              for (const json::value& source : list->as_array())
                names_.push_back(cell_text(source.as_object().at("name")));
      }
    LineEditor::Line line = editor->read(pending.empty() ? "millrace> " : "        > ");
    if (line.end == LineEditor::End::interrupted) {
      pending.clear();
      show("^C\n");
      continue;
    }
    if (line.end == LineEditor::End::end_of_input) {
      show("\n");
      break;
    }
    if (spool_ != nullptr) std::fprintf(spool_, "millrace> %s\n", line.text.c_str());
    if (pending.empty() && trim(line.text).empty()) continue;
    if (pending.empty() && run_command(line.text)) {
      editor->remember(std::string(trim(line.text)));
      continue;
    }
    pending += (pending.empty() ? "" : "\n") + line.text;
    if (!complete_statement(pending)) continue;
    editor->remember(std::string(trim(pending)));
    const std::string statement = std::exchange(pending, {});
    session_.options().width = terminal_width();
    interrupted_session = &session_;
    struct sigaction action = {};
    action.sa_handler = interrupt_query;
    sigaction(SIGINT, &action, nullptr);
    session_.run(statement);
    signal(SIGINT, SIG_IGN);
    interrupted_session = nullptr;
  }
  show("Exiting Millrace.\n");
  editor_ = nullptr;
  if (spool_ != nullptr) std::fclose(spool_);
  return 0;
}

bool Shell::run_script(const std::string& text) {
  std::string statements;
  bool all = true;
  std::size_t at = 0;
  auto flush = [&] {
    if (!trim(statements).empty()) all &= session_.run(statements);
    statements.clear();
  };
  while (at < text.size() && !exit_) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string line = text.substr(at, end - at);
    at = end + 1;
    // Shell commands only count between statements.
    if (complete_statement(statements) && run_command(line)) continue;
    statements += line + "\n";
  }
  flush();
  return all;
}

bool Shell::run_command(const std::string& line) {
  std::string text(trim(line));
  while (!text.empty() && text.back() == ';') text = std::string(trim(text.substr(0, text.size() - 1)));
  const std::size_t space = std::min(text.find_first_of(" \t"), text.size());
  std::string command = upper_case(text.substr(0, space));
  return run_words(command, std::string(trim(text.substr(space))));
}

bool Shell::run_words(const std::string& command, const std::string& rest) {
  if (command == "EXIT" || command == "QUIT") {
    exit_ = rest.empty();
    return rest.empty();
  }
  if (command == "HELP") return help(), true;
  if (command == "CLEAR") return show("\033[H\033[2J"), true;
  if (command == "OUTPUT") return change_output(rest), true;
  if (command == "VERSION") return show(fmt::format("Version: {}\n", kVersion)), true;
  if (command == "SERVER") return change_server(rest), true;
  if (command == "REQUEST-PIPELINING") return change_pipelining(rest), true;
  if (command == "SPOOL") return change_spool(rest), true;
  if (command == "HISTORY") {
    int number = 0;
    if (editor_ != nullptr)
      for (const std::string& entry : editor_->history()) show(fmt::format("{:4}: {}\n", ++number, entry));
    return true;
  }
  if (command == "RUN" && upper_case(rest).starts_with("SCRIPT"))
    return run_script_file(std::string(trim(rest.substr(6)))), true;
  if (command == "SET" && upper_case(rest).starts_with("CLI "))
    return change_cli_setting(std::string(trim(rest.substr(4))));
  return false;
}

void Shell::change_output(const std::string& rest) {
  const std::string format = upper_case(unquoted(rest));
  if (format.empty())
    return show(fmt::format("Current output format: {}\n",
                            session_.options().format == OutputFormat::json ? "JSON" : "TABULAR"));
  if (format != "JSON" && format != "TABULAR")
    return session_.print_error(fmt::format("Invalid output format: '{}' (valid formats: 'JSON', 'TABULAR')", rest));
  session_.options().format = format == "JSON" ? OutputFormat::json : OutputFormat::tabular;
  show(fmt::format("Output format set to {}\n", format));
}

void Shell::change_server(const std::string& rest) {
  if (rest.empty()) return show(options_.url + "\n");
  const std::string url = unquoted(rest);
  if (!url.starts_with("http://") && !url.starts_with("https://"))
    return session_.print_error("Server URL must begin with protocol (e.g., http:// or https://)");
  auto backend = make_http_backend(url, options_.connection);
  if (!backend) return session_.print_error(fmt::format("'{}' is not a URL of a server", url));
  session_.replace_backend(std::move(backend));
  options_.url = url;
  show(fmt::format("Server now: {}\n", url));
  if (auto info = session_.backend().info(); !info) session_.print_error(info.error().message);
}

void Shell::change_pipelining(const std::string& rest) {
  const std::string setting = upper_case(unquoted(rest));
  if (setting.empty())
    return show(fmt::format("Current request-pipelining configuration: {}\n", session_.pipelining ? "ON" : "OFF"));
  if (setting != "ON" && setting != "OFF")
    return session_.print_error(
        fmt::format("Invalid request-pipelining setting: {}. Valid options are 'ON' and 'OFF'.", rest));
  session_.pipelining = setting == "ON";
  show(fmt::format("request-pipelining configuration is now {}\n", setting));
}

void Shell::change_spool(const std::string& rest) {
  const std::string path = unquoted(rest);
  if (upper_case(path) == "OFF") {
    if (spool_ == nullptr) return session_.print_error("No spool is open.");
    std::fclose(std::exchange(spool_, nullptr));
    return show(fmt::format("Spool written to {}\n", spool_path_));
  }
  if (spool_ != nullptr) return session_.print_error("Cannot set two spools! Please issue SPOOL OFF.");
  if (path.empty()) return session_.print_error("SPOOL needs a file name, or OFF.");
  spool_path_ = std::filesystem::absolute(path).string();
  spool_ = std::fopen(spool_path_.c_str(), "w");
  if (spool_ == nullptr) return session_.print_error(fmt::format("Cannot write {}", spool_path_));
  show(fmt::format("Session will be spooled to {}\nEnter SPOOL OFF to disable\n", spool_path_));
}

bool Shell::change_cli_setting(const std::string& rest) {
  const std::size_t space = std::min(rest.find_first_of(" \t"), rest.size());
  const std::string name = upper_case(rest.substr(0, space)), value = upper_case(unquoted(rest.substr(space)));
  if (name == "WRAP" && (value == "ON" || value == "OFF")) {
    session_.options().wrap = value == "ON";
  } else if (name == "COLUMN-WIDTH" && !value.empty() &&
             std::all_of(value.begin(), value.end(), [](unsigned char c) { return std::isdigit(c); })) {
    session_.options().column_width = std::atoi(value.c_str());
  } else {
    session_.print_error(fmt::format("Undefined or invalid CLI setting: {}. Known: WRAP ON|OFF, COLUMN-WIDTH n", rest));
    return true;
  }
  show("CLI setting changed.\n");
  return true;
}

void Shell::run_script_file(const std::string& rest) {
  std::ifstream file(unquoted(rest));
  if (!file) return session_.print_error(fmt::format("Failed to read file: {}", unquoted(rest)));
  const std::string text((std::istreambuf_iterator<char>(file)), {});
  session_.allow_queries = false;
  run_script(text);
  session_.allow_queries = true;
}

void Shell::help() {
  show(R"(Statements end with ';' and may span lines. TAB completes, the arrow keys recall, Ctrl-C ends a query.

  SHOW STREAMS; SHOW TABLES; SHOW TOPICS; SHOW QUERIES; SHOW FUNCTIONS; DESCRIBE name; EXPLAIN query;
  CREATE STREAM s (...) WITH (...);  CREATE TABLE t AS SELECT ... GROUP BY ...;  INSERT INTO s VALUES (...);
  SELECT ... FROM s EMIT CHANGES;    (a push query: results as they change)
  SELECT ... FROM t WHERE key = ...; (a pull query: what holds now)

Commands of the shell:
  help                          this text
  clear                         clear the screen
  output [JSON|TABULAR]         show or set the output format
  history                       the statements so far
  version                       the version of the shell
  server [URL]                  show or change the server
  request-pipelining [ON|OFF]   do not wait for earlier statements to take effect
  run script 'FILE'             run a file of statements in this session
  spool FILE|OFF                write the session to a file
  set cli WRAP ON|OFF           wrap long cells
  set cli COLUMN-WIDTH n        width of the cells of query rows (0: fit the terminal)
  exit                          leave (or Ctrl-D)

Settings of the session: SET 'auto.offset.reset'='earliest'; UNSET 'auto.offset.reset'; SHOW PROPERTIES;
Variables: DEFINE name='value'; then ${name}; SHOW VARIABLES;
)");
}

}  // namespace millrace::inline cli
