#include "exec/schemas/local_registry.h"

#include <fmt/format.h>

#include <algorithm>

#include "exec/schemas/compatibility.h"
#include "parser/error/mutex.h"

namespace millrace::inline exec {

using Lock = RecursiveLock;

SubjectVersion LocalRegistry::at(const std::string& subject, const Version& version) const {
  return {subject, version.number, version.id, schemas_.at(version.id)};
}

const LocalRegistry::Version* LocalRegistry::find_version(const std::string& subject, int version) const {
  const auto found = subjects_.find(subject);
  if (found == subjects_.end() || found->second.empty()) return nullptr;
  if (version == 0) return &found->second.back();
  const auto number = std::ranges::find(found->second, version, &Version::number);
  return number == found->second.end() ? nullptr : &*number;
}

std::optional<std::int32_t> LocalRegistry::id_of(const SchemaSource& schema) const {
  for (const auto& [id, known] : schemas_)
    if (known == schema) return id;
  return std::nullopt;
}

Result<std::optional<SchemaSource>> LocalRegistry::find(std::int32_t id) {
  const Lock lock(mutex_);
  if (auto done = refresh(); !done) return done.error();
  const auto found = schemas_.find(id);
  if (found == schemas_.end()) return std::optional<SchemaSource>();
  return std::optional(found->second);
}

Result<std::optional<SubjectVersion>> LocalRegistry::find(const std::string& subject, int version) {
  const Lock lock(mutex_);
  if (auto done = refresh(); !done) return done.error();
  const Version* found = find_version(subject, version);
  if (found == nullptr) return std::optional<SubjectVersion>();
  return std::optional(at(subject, *found));
}

Result<std::vector<std::string>> LocalRegistry::subjects() {
  const Lock lock(mutex_);
  if (auto done = refresh(); !done) return done.error();
  std::vector<std::string> out;
  for (const auto& [subject, versions] : subjects_)
    if (!versions.empty()) out.push_back(subject);
  return out;
}

Result<std::vector<int>> LocalRegistry::versions(const std::string& subject) {
  const Lock lock(mutex_);
  if (auto done = refresh(); !done) return done.error();
  std::vector<int> out;
  if (const auto found = subjects_.find(subject); found != subjects_.end())
    for (const Version& version : found->second) out.push_back(version.number);
  return out;
}

Result<std::optional<std::string>> LocalRegistry::check(const std::string& subject, const SchemaSource& schema) {
  auto text = resolve(*this, schema);
  if (!text) return text.error();
  if (auto good = check_schema(schema.kind, *text); !good) return good.error();
  std::vector<KnownSchema> history;
  for (const Version& version : subjects_[subject]) {
    const SchemaSource& known = schemas_.at(version.id);
    auto resolved = resolve(*this, known);
    if (!resolved) return resolved.error();
    history.push_back({known.kind, std::move(*resolved)});
  }
  const auto own = levels_.find(subject);
  return compatibility_fault(own == levels_.end() ? level_ : own->second, history, {schema.kind, std::move(*text)});
}

Result<std::optional<std::string>> LocalRegistry::refusal(const std::string& subject, const SchemaSource& schema) {
  const Lock lock(mutex_);
  if (auto done = refresh(); !done) return done.error();
  if (known_version(subject, schema)) return std::optional<std::string>();
  return check(subject, schema);
}

Result<std::optional<std::string>> LocalRegistry::refusal_by(const std::string& subject, int version,
                                                             const SchemaSource& schema) {
  const Lock lock(mutex_);
  const Version* found = find_version(subject, version);
  if (found == nullptr) return user_error("subject {} has no version {}", subject, version);
  auto text = resolve(*this, schema);
  if (!text) return text.error();
  if (auto good = check_schema(schema.kind, *text); !good) return good.error();
  auto known = resolve(*this, schemas_.at(found->id));
  if (!known) return known.error();
  const auto own = levels_.find(subject);
  return compatibility_fault(own == levels_.end() ? level_ : own->second,
                             {{schemas_.at(found->id).kind, std::move(*known)}}, {schema.kind, std::move(*text)});
}

Result<std::int32_t> LocalRegistry::add(const std::string& subject, const SchemaSource& schema) {
  const Lock lock(mutex_);
  if (auto done = refresh(); !done) return done.error();
  if (const auto known = known_version(subject, schema)) return known->id;
  auto fault = check(subject, schema);
  if (!fault) return fault.error();
  if (*fault)
    return user_error("Schema being registered is incompatible with an earlier schema for subject \"{}\", details: {}",
                      subject, **fault);
  const std::int32_t id = id_of(schema).value_or(next_id_);
  const RegistryChange change{
      .subject = subject, .version = last_version_[subject] + 1, .id = id, .schema = schema, .level = {}};
  if (auto done = put(change); !done) return done.error();
  const auto kept = known_version(subject, schema);
  return kept ? Result<std::int32_t>(kept->id) : external_error("subject {} was deleted meanwhile", subject);
}

Status LocalRegistry::add_with_id(const std::string& subject, const SchemaSource& schema, std::int32_t id) {
  const Lock lock(mutex_);
  if (const auto taken = schemas_.find(id); taken != schemas_.end() && !(taken->second == schema))
    return user_error("id {} belongs to another schema", id);
  return put({.subject = subject, .version = last_version_[subject] + 1, .id = id, .schema = schema, .level = {}});
}

Result<bool> LocalRegistry::remove(const std::string& subject) {
  const Lock lock(mutex_);
  if (auto done = refresh(); !done) return done.error();
  if (find_version(subject, 0) == nullptr) return false;
  if (auto done = put({.kind = RegistryChange::Kind::remove_subject, .subject = subject, .schema = {}, .level = {}});
      !done)
    return done.error();
  return true;
}

Result<bool> LocalRegistry::remove_version(const std::string& subject, int version) {
  const Lock lock(mutex_);
  if (auto done = refresh(); !done) return done.error();
  const Version* found = find_version(subject, version);
  if (found == nullptr) return false;
  if (auto done = put({.kind = RegistryChange::Kind::remove_version,
                       .subject = subject,
                       .version = found->number,
                       .schema = {},
                       .level = {}});
      !done)
    return done.error();
  return true;
}

std::optional<SubjectVersion> LocalRegistry::known_version(const std::string& subject,
                                                           const SchemaSource& schema) const {
  const auto found = subjects_.find(subject);
  if (found == subjects_.end()) return std::nullopt;
  for (auto version = found->second.rbegin(); version != found->second.rend(); ++version)
    if (schemas_.at(version->id) == schema) return at(subject, *version);
  return std::nullopt;
}

Result<std::optional<SubjectVersion>> LocalRegistry::version_of(const std::string& subject,
                                                                const SchemaSource& schema) {
  const Lock lock(mutex_);
  if (auto done = refresh(); !done) return done.error();
  return known_version(subject, schema);
}

Result<Compatibility> LocalRegistry::level() {
  const Lock lock(mutex_);
  if (auto done = refresh(); !done) return done.error();
  return level_;
}

Result<std::optional<Compatibility>> LocalRegistry::level(const std::string& subject) {
  const Lock lock(mutex_);
  if (auto done = refresh(); !done) return done.error();
  const auto found = levels_.find(subject);
  return found == levels_.end() ? std::optional<Compatibility>() : std::optional(found->second);
}

Status LocalRegistry::set_level(const std::string& subject, std::optional<Compatibility> level) {
  const Lock lock(mutex_);
  return put({.kind = RegistryChange::Kind::set_level, .subject = subject, .schema = {}, .level = level});
}

Status LocalRegistry::put(const RegistryChange& change) {
  if (keeper_) return keeper_->keep(change, *this);
  replay(change);
  return {};
}

void LocalRegistry::replay(const RegistryChange& change) {
  const Lock lock(mutex_);
  switch (change.kind) {
    case RegistryChange::Kind::add: {
      if (known_version(change.subject, change.schema)) break;
      const auto taken = schemas_.find(change.id);
      const bool free = taken == schemas_.end() || taken->second == change.schema;
      const std::int32_t id = free ? change.id : id_of(change.schema).value_or(next_id_);
      schemas_[id] = change.schema;
      next_id_ = std::max(next_id_, id + 1);
      subjects_[change.subject].push_back({++last_version_[change.subject], id});
      break;
    }
    case RegistryChange::Kind::remove_subject:
      subjects_.erase(change.subject);
      last_version_.erase(change.subject);
      levels_.erase(change.subject);
      break;
    case RegistryChange::Kind::remove_version:
      std::erase_if(subjects_[change.subject], [&](const Version& v) { return v.number == change.version; });
      break;
    case RegistryChange::Kind::set_level:
      if (change.subject.empty())
        level_ = change.level.value_or(Compatibility::backward);
      else if (change.level)
        levels_[change.subject] = *change.level;
      else
        levels_.erase(change.subject);
      break;
  }
}

}  // namespace millrace::inline exec
