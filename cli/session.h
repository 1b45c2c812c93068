#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cli/backend.h"
#include "cli/print.h"

namespace millrace::inline cli {

/// One session of a person or a script: SET and DEFINE, statements in, text out. One thread, but for interrupt().
class Session {
 public:
  using Out = std::function<void(std::string_view)>;
  Session(std::unique_ptr<Backend> backend, PrintOptions options, Out out)
      : backend_(std::move(backend)), options_(options), out_(std::move(out)) {}

  /// Runs statements. The whole text is parsed first: a mistake is shown with its place and nothing runs. False when a
  /// statement failed.
  bool run(std::string_view text);
  void interrupt() { backend_->interrupt(); }

  PrintOptions& options() { return options_; }
  PropertyMap& properties() { return properties_; }
  Variables& variables() { return variables_; }
  Backend& backend() { return *backend_; }
  void replace_backend(std::unique_ptr<Backend> backend);
  void print(std::string_view text) { out_(text); }
  void print_error(const std::string& message);

  /// Ends a query after so many rows or so long (--query-row-limit, --query-timeout).
  std::optional<std::int64_t> row_limit;
  std::optional<std::chrono::milliseconds> query_timeout;
  bool stop_at_error = false;  // scripts: nothing runs after a statement that failed
  bool pipelining = false;     // do not wait for the last command
  bool allow_queries = true;   // RUN SCRIPT refuses SELECT and PRINT

 private:
  bool run_statement(const ast::Statement& statement);
  /// Whether `${name}` is replaced. It is done here, so that the server finds nothing more to replace.
  bool substitutes() const;
  std::string as_sent(const std::string& sql) const;
  bool flush_group();
  /// `query`: null for PRINT.
  bool run_query(const std::string& sql, const ast::Query* query);
  bool set_property(const std::string& name, const std::string& value);
  bool unset_property(const std::string& name);
  void show_error(const boost::json::object& error, std::string_view sql);

  std::unique_ptr<Backend> backend_;
  PrintOptions options_;
  Out out_;
  PropertyMap properties_;
  Variables variables_;
  std::string group_;  // consecutive statements that go to the server together
  std::size_t group_size_ = 0;
  std::optional<std::int64_t> last_command_;
};

}  // namespace millrace::inline cli
