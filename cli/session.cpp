#include "cli/session.h"

#include <fmt/format.h>

#include <condition_variable>
#include <thread>

#include "cli/print_rows.h"
#include "parser/error/letter_case.h"
#include "parser/error/mutex.h"
#include "planner/settings/settings.h"

namespace millrace::inline cli {
namespace json = boost::json;
namespace {

constexpr std::chrono::milliseconds kLongestHold{200};

/// Shows rows as they come; the first ones when they say how wide columns must be, or soon after the first.
class RowsToScreen final : public RowReceiver {
 public:
  enum class Kind : std::uint8_t { pull, push, print };

  RowsToScreen(Session& session, Kind kind) : session_(session), kind_(kind) {}
  ~RowsToScreen() override { stop_holding(); }

  void header(const std::string&, std::vector<std::string> columns, const json::object& raw) override {
    if (json()) return session_.print(pretty_json(raw));
    const MutexLock lock(mutex_);
    printer_.emplace(session_.options(), std::move(columns));
  }
  bool row(const harness::Json& values, bool tombstone) override {
    if (full()) return false;
    ++rows_;
    if (json()) {
      show_json(values, tombstone);
    } else {
      const MutexLock lock(mutex_);
      session_.print(printer_->row(values, tombstone));
      if (rows_ == 1 && kind_ == Kind::push && session_.options().live) holder_ = std::thread([this] { hold(); });
    }
    return !full();
  }
  bool line(std::string_view text) override {
    if (full()) return false;
    ++rows_;
    session_.print(text);
    session_.print("\n");
    return !full();
  }
  void end(const std::optional<std::string>& message, const std::optional<json::object>& error) override {
    stop_holding();
    error_ = error;
    {
      const MutexLock lock(mutex_);
      if (printer_) session_.print(printer_->settle());
    }
    if (error) return;
    if (json()) {
      if (message) session_.print(pretty_json(json::object{{"finalMessage", *message}}));
      return;
    }
    if (kind_ == Kind::print) return session_.print("Topic printing ceased\n");
    if (message) session_.print(*message + "\n");
    session_.print(kind_ == Kind::pull ? fmt::format("Query terminated ({})\n", summary()) : "Query terminated\n");
  }
  const std::optional<json::object>& error() const { return error_; }

 private:
  using Clock = std::chrono::steady_clock;

  bool json() const { return session_.options().format == OutputFormat::json; }
  bool full() const { return session_.row_limit && rows_ >= *session_.row_limit; }

  void show_json(const harness::Json& values, bool tombstone) {
    harness::Json row, whole;
    row.kind = whole.kind = harness::Json::Kind::object;
    row.members.emplace_back("columns", values);
    if (tombstone) {
      row.members.emplace_back("tombstone", harness::Json()).second.truth = true;
      row.members.back().second.kind = harness::Json::Kind::boolean;
    }
    whole.members.emplace_back("row", std::move(row));
    session_.print(pretty_json(whole));
  }

  std::string summary() const {
    std::string text = fmt::format("{} {}", rows_, rows_ == 1 ? "row" : "rows");
    if (session_.options().timing)
      text += fmt::format(", {} ms", std::chrono::ceil<std::chrono::milliseconds>(Clock::now() - begun_).count());
    return text;
  }

  void hold() {
    MutexLock lock(mutex_);
    if (!changed_.wait_for(lock, kLongestHold, [&]() REQUIRES(mutex_) { return ended_; }))
      session_.print(printer_->settle());
  }
  void stop_holding() {
    {
      const MutexLock lock(mutex_);
      ended_ = true;
    }
    changed_.notify_all();
    if (holder_.joinable()) holder_.join();
  }

  Session& session_;
  const Kind kind_;
  const Clock::time_point begun_ = Clock::now();
  std::optional<json::object> error_;
  std::int64_t rows_ = 0;

  Mutex mutex_;
  std::condition_variable changed_;
  std::optional<RowPrinter> printer_ GUARDED_BY(mutex_);
  bool ended_ GUARDED_BY(mutex_) = false;
  std::thread holder_;
};

}  // namespace

void Session::replace_backend(std::unique_ptr<Backend> backend) {
  backend_ = std::move(backend);
  properties_.clear();
  variables_.clear();
  last_command_.reset();
}

void Session::print_error(const std::string& message) {
  out_(options_.color ? "\033[31m" + message + "\033[0m\n" : message + "\n");
}

void Session::show_error(const json::object& error, std::string_view sql) {
  if (options_.format == OutputFormat::json) return out_(pretty_json(error));
  std::string message = cell_text(error.at("message"));
  if (const json::value* position = error.if_contains("position"); position != nullptr && position->is_object()) {
    const json::object& at = position->get_object();
    Span span{at.at("line").to_number<std::uint32_t>(), at.at("column").to_number<std::uint32_t>(),
              at.at("begin").to_number<std::uint32_t>(), at.at("end").to_number<std::uint32_t>()};
    SqlError drawn(Code::invalid_statement, span, message);
    if (const json::value* hint = error.if_contains("hint")) drawn.hint(cell_text(*hint));
    message = render_error(drawn, sql, options_.width);
  } else if (const json::value* hint = error.if_contains("hint")) {
    message += "\nhint: " + cell_text(*hint);
  }
  while (message.ends_with('\n')) message.pop_back();
  print_error(message);
}

bool Session::run(std::string_view text) {
  const std::string substituted = substitutes() ? substitute_script(text, variables_) : std::string(text);
  std::vector<ast::StatementPtr> statements;
  try {
    statements = parse(substituted);
  } catch (const SqlError& error) {
    std::string message = render_error(error, substituted, options_.width);
    while (message.ends_with('\n')) message.pop_back();
    print_error(message);
    return false;
  }
  bool all = true;
  for (const auto& statement : statements) {
    all &= run_statement(*statement);
    if (!all && stop_at_error) return false;
  }
  return flush_group() && all;
}

bool Session::substitutes() const {
  for (const auto& [name, value] : properties_)
    if (plain_property_name(name) == "ksql.variable.substitution.enable" && lower_case(value) == "false") return false;
  return true;
}

std::string Session::as_sent(const std::string& sql) const {
  return substitutes() ? escape_variables(sql) : sql;
}

bool Session::run_statement(const ast::Statement& statement) {
  const auto* select = statement.as<ast::Select>();
  const bool query = select != nullptr || statement.as<ast::Print>() != nullptr;
  const auto* set = statement.as<ast::SetProperty>();
  const auto* unset = statement.as<ast::UnsetProperty>();
  const auto* define = statement.as<ast::DefineVariable>();
  const auto* undefine = statement.as<ast::UndefineVariable>();
  if (!query && set == nullptr && unset == nullptr && define == nullptr && undefine == nullptr) {
    if (!group_.empty()) group_ += '\n';
    group_ += statement.text;
    ++group_size_;
    // Scripts stop at the first failure and show results as they come.
    return stop_at_error ? flush_group() : true;
  }
  bool done = flush_group();
  if (query) {
    if (!allow_queries) {
      print_error("SELECT and PRINT statements cannot be used in RUN SCRIPT");
      return false;
    }
    return run_query(statement.text, select != nullptr ? select->query.get() : nullptr) && done;
  }
  if (set != nullptr) return set_property(set->name, set->value) && done;
  if (unset != nullptr) return unset_property(unset->name) && done;
  if (define != nullptr) {
    variables_[define->name.text] = define->value;
    return done;
  }
  if (variables_.erase(undefine->name.text) == 0)
    print_error(fmt::format("Cannot undefine variable '{}' which was never defined.", undefine->name.text));
  return done;
}

bool Session::flush_group() {
  if (group_.empty()) return true;
  const std::string sql = std::exchange(group_, {});
  const bool several = std::exchange(group_size_, 0) > 1;
  auto answer = backend_->execute(as_sent(sql), properties_, variables_, pipelining ? std::nullopt : last_command_);
  if (!answer) {
    print_error(answer.error().message);
    return false;
  }
  if (options_.format == OutputFormat::json && !answer->error) {
    json::array all;
    for (json::object& entity : answer->entities) all.push_back(std::move(entity));
    out_(pretty_json(all));
    return true;
  }
  for (const json::object& entity : answer->entities) {
    if (const json::value* number = entity.if_contains("commandSequenceNumber");
        number != nullptr && number->is_int64() && number->get_int64() >= 0)
      last_command_ = number->get_int64();
    if (several) out_("\n" + cell_text(entity.at("statementText")) + "\n");
    out_(print_entity(entity, options_));
  }
  if (answer->error) show_error(*answer->error, sql);
  return !answer->error;
}

bool Session::run_query(const std::string& sql, const ast::Query* query) {
  using Kind = RowsToScreen::Kind;
  const bool pull = query != nullptr && query->emit == ast::Emit::none;
  RowsToScreen rows(*this, pull ? Kind::pull : query != nullptr ? Kind::push : Kind::print);
  if (Status done = backend_->query(as_sent(sql), properties_, variables_, rows, query_timeout); !done) {
    print_error(done.error().message);
    return false;
  }
  if (rows.error()) show_error(*rows.error(), sql);
  return !rows.error();
}

bool Session::set_property(const std::string& name, const std::string& value) {
  std::string why;
  auto valid = backend_->is_valid_property(name, why);
  if (!valid) why = valid.error().message;
  if (!valid || !*valid) {
    print_error(why);
    return false;
  }
  const Setting* setting = find_setting(plain_property_name(name));
  try {
    if (setting != nullptr) check_session_property(name, value);
  } catch (const SqlError& error) {
    print_error(error.what());
    return false;
  }
  auto it = properties_.find(name);
  if (it == properties_.end())
    out_(fmt::format("Successfully changed local property '{}' to '{}'. Use the UNSET command to revert your change.\n",
                     name, value));
  else
    out_(fmt::format("Successfully changed local property '{}' from '{}' to '{}'.\n", name, it->second, value));
  properties_[name] = value;
  if (setting != nullptr && !setting->idle.empty()) out_(fmt::format("It changes nothing here: {}.\n", setting->idle));
  return true;
}

bool Session::unset_property(const std::string& name) {
  auto it = properties_.find(name);
  if (it == properties_.end()) {
    print_error(fmt::format("Cannot unset local property '{}' which was never set in the first place", name));
    return false;
  }
  out_(fmt::format("Successfully unset local property '{}' (value was '{}').\n", name, it->second));
  properties_.erase(it);
  return true;
}

}  // namespace millrace::inline cli
