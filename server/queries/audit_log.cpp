#include "server/queries/audit_log.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cctype>

#include "exec/data/wall_clock.h"
#include "parser/error/letter_case.h"
#include "server/queries/work_queue.h"

namespace millrace::inline server {
namespace json = boost::json;
namespace {

constexpr std::size_t kMostWaiting = 100'000;

std::string entry_json(const AuditEntry& entry, std::int64_t time) {
  return json::serialize(json::object{{"TIME", time},
                                      {"USERNAME", entry.user},
                                      {"ADDRESS", entry.address},
                                      {"ACTION", entry.action},
                                      {"STATEMENT", without_secrets(entry.statement)},
                                      {"CODE", entry.code},
                                      {"MESSAGE", without_secrets(entry.message)},
                                      {"REQUEST", entry.request_id}});
}

class TopicAuditLog final : public AuditLog {
 public:
  TopicAuditLog(Log& log, std::string topic)
      : log_(log), topic_(std::move(topic)), queue_(kMostWaiting, [this](Entry&& entry) { append(entry); }) {}

  void write(const AuditEntry& entry) override {
    const std::int64_t time = wall_clock_ms();
    queue_.put({entry_json(entry, time), time});
  }

 private:
  struct Entry {
    std::string text;
    std::int64_t time;
  };

  void append(const Entry& entry) {
    if (auto done = log_.append_now({topic_, 0}, std::nullopt, std::string_view(entry.text), RecordTime{entry.time});
        !done)
      spdlog::error("audit: {}: {}", done.error().message, entry.text);
  }

  Log& log_;
  const std::string topic_;
  WorkQueue<Entry> queue_;
};

bool names_secret(std::string_view name) {
  constexpr std::array<std::string_view, 6> kWords = {"password", "secret", "jaas", "credential", "token", "private"};
  const std::string lower = lower_case(name);
  return std::ranges::any_of(kWords, [&](std::string_view word) { return lower.find(word) != std::string::npos; });
}

/// Behind the literal that begins at `at`.
std::size_t literal_end(std::string_view sql, std::size_t at) {
  for (++at; at < sql.size(); ++at) {
    if (sql[at] != '\'') continue;
    if (at + 1 == sql.size() || sql[at + 1] != '\'') return at + 1;
    ++at;
  }
  return sql.size();
}

}  // namespace

std::unique_ptr<AuditLog> AuditLog::open(Log& log, std::string topic) {
  return std::make_unique<TopicAuditLog>(log, std::move(topic));
}

std::string AuditLog::create_statement(const std::string& topic) {
  return fmt::format(
      "CREATE STREAM IF NOT EXISTS {} (time BIGINT, username STRING, address STRING, action STRING, statement STRING, "
      "code INT, message STRING, request STRING) WITH (KAFKA_TOPIC='{}', VALUE_FORMAT='JSON');",
      kStream, topic);
}

// Words and literals are told apart; a literal behind `name =` goes when the name, bare or itself a literal, is that of
// a secret.
std::string without_secrets(std::string_view sql) {
  std::string out;
  std::string_view name;  // what stands before a `=`
  bool value = false;     // a `=` has come
  for (std::size_t at = 0; at < sql.size();) {
    std::size_t end = at + 1;
    const char c = sql[at];
    if (c == '\'') {
      end = literal_end(sql, at);
      const bool hide = value && names_secret(name);
      out += hide ? "'[hidden]'" : sql.substr(at, end - at);
      name = value ? std::string_view() : sql.substr(at, end - at);
      value = false;
    } else {
      if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.' || c == '`' || c == '"') {
        while (end < sql.size() && (std::isalnum(static_cast<unsigned char>(sql[end])) != 0 || sql[end] == '_' ||
                                    sql[end] == '.' || sql[end] == '`' || sql[end] == '"'))
          ++end;
        name = sql.substr(at, end - at);
        value = false;
      } else if (c == '=') {
        value = true;
      } else if (std::isspace(static_cast<unsigned char>(c)) == 0) {
        name = {};
        value = false;
      }
      out += sql.substr(at, end - at);
    }
    at = end;
  }
  return out;
}

}  // namespace millrace::inline server
