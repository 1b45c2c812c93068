#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "exec/data/wall_clock.h"
#include "exec/log/ensure_topic.h"
#include "server/queries/audit_log.h"
#include "server/session/service_impl.h"

/// What operators ask of a service.
namespace millrace::inline server {
namespace json = boost::json;

Result<std::string> ServiceImpl::back_up(const std::string& name) {
  namespace fs = std::filesystem;
  const std::string root = config().text("millrace.backup.directory");
  if (root.empty()) return user_error("backups go under millrace.backup.directory, which is not set");
  const auto plain = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_'; };
  if (name.empty() || !std::ranges::all_of(name, plain))
    return user_error("'{}' is no name for a backup: letters, digits, - and _", name);
  const std::string path = root + "/" + name, partial = path + ".partial";
  std::error_code failed;
  if (fs::exists(path, failed)) return user_error("there is a backup {} already", name);
  fs::remove_all(partial, failed);
  fs::create_directories(partial, failed);
  if (failed) return external_error("cannot make {}: {}", partial, failed.message());
  if (Status done = engine_->back_up(partial); !done) {
    fs::remove_all(partial, failed);
    return done.error();
  }
  std::ofstream(partial + "/process_id") << options_.process_id << '\n';
  std::ofstream about(partial + "/backup.json");
  about << json::serialize(json::object{
               {"version", options_.version}, {"service", config().text("ksql.service.id")}, {"time", wall_clock_ms()}})
        << '\n';
  about.close();
  if (!about) return external_error("cannot write {}/backup.json", partial);
  fs::rename(partial, path, failed);
  if (failed) return external_error("cannot rename {}: {}", partial, failed.message());
  return path;
}

void ServiceImpl::open_audit() {
  if (!config().boolean("millrace.audit.enabled")) return;
  const std::string topic = config().text("ksql.service.id") + "millrace_audit";
  if (const auto made = ensure_topic(log_, topic, internal_topic()); !made)
    throw std::runtime_error("the audit topic: " + made.error().message);
  audit_ = AuditLog::open(log_, topic);
  if (state()->catalog.find(std::string(AuditLog::kStream)) != nullptr) return;
  if (Reply reply = execute({.sql = AuditLog::create_statement(topic)}); reply.error)
    throw std::runtime_error("the audit stream: " + reply.error->message);
}

void ServiceImpl::audit(const AuditEntry& entry) {
  if (audit_) audit_->write(entry);
}

}  // namespace millrace::inline server
