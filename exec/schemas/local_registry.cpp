#include "exec/schemas/local_registry.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "exec/schemas/schema_forms.h"
#include "parser/error/mutex.h"

namespace millrace::inline exec {
namespace {

using Lock = RecursiveLock;
using Which = LocalRegistry::Which;

constexpr std::array<std::string_view, 4> kModes = {"READWRITE", "READONLY", "READONLY_OVERRIDE", "IMPORT"};
constexpr std::array<std::string_view, 2> kPolicies = {"LENIENT", "STRICT"};

/// What makes two schemas the same.
std::string identity(const SchemaSource& schema) {
  std::string out = fmt::format("{}\n", schema_kind_name(schema.kind));
  for (const SchemaReference& reference : schema.references)
    out += fmt::format("{}\n{}\n{}\n", reference.name, reference.subject, reference.version);
  return out + canonical_form(schema.kind, schema.text);
}

}  // namespace

std::string_view registry_mode_name(RegistryMode mode) {
  return kModes[static_cast<std::size_t>(mode)];
}
std::optional<RegistryMode> find_registry_mode(std::string_view name) {
  const auto found = std::ranges::find(kModes, name);
  if (found == kModes.end()) return std::nullopt;
  return static_cast<RegistryMode>(found - kModes.begin());
}
std::string_view content_policy_name(ContentPolicy policy) {
  return kPolicies[static_cast<std::size_t>(policy)];
}
std::optional<ContentPolicy> find_content_policy(std::string_view name) {
  const auto found = std::ranges::find(kPolicies, name);
  if (found == kPolicies.end()) return std::nullopt;
  return static_cast<ContentPolicy>(found - kPolicies.begin());
}

SubjectVersion LocalRegistry::at(const std::string& subject, const Version& version) const {
  return {subject, version.number, version.id, schemas_.at(version.id)};
}

const LocalRegistry::Version* LocalRegistry::find_version(const std::string& subject, int version, Which which) const {
  const auto found = subjects_.find(subject);
  if (found == subjects_.end()) return nullptr;
  for (auto at = found->second.rbegin(); at != found->second.rend(); ++at)
    if (is(*at, which) && (version == 0 || at->number == version)) return &*at;
  return nullptr;
}

std::optional<std::int32_t> LocalRegistry::id_of(const SchemaSource& schema) const {
  const auto found = ids_.find(identity(schema));
  return found == ids_.end() ? std::nullopt : std::optional(found->second);
}

Result<std::optional<SchemaSource>> LocalRegistry::find(std::int32_t id) {
  const Lock lock(mutex_);
  if (auto done = refresh(); !done) return done.error();
  const auto found = schemas_.find(id);
  if (found == schemas_.end()) return std::optional<SchemaSource>();
  return std::optional(found->second);
}

Result<std::optional<SubjectVersion>> LocalRegistry::find(const std::string& subject, int version) {
  return find(subject, version, Which::live);
}

Result<std::optional<SubjectVersion>> LocalRegistry::find(const std::string& subject, int version, Which which) {
  const Lock lock(mutex_);
  if (auto done = refresh(); !done) return done.error();
  const Version* found = find_version(subject, version, which);
  if (found == nullptr) return std::optional<SubjectVersion>();
  return std::optional(at(subject, *found));
}

Result<std::vector<std::string>> LocalRegistry::subjects(Which which) {
  const Lock lock(mutex_);
  if (auto done = refresh(); !done) return done.error();
  std::vector<std::string> out;
  for (const auto& [subject, versions] : subjects_) {
    const bool live = find_version(subject, 0, Which::live) != nullptr;
    if (!versions.empty() && (which == Which::all || live == (which == Which::live))) out.push_back(subject);
  }
  return out;
}

Result<std::vector<int>> LocalRegistry::versions(const std::string& subject, Which which) {
  const Lock lock(mutex_);
  if (auto done = refresh(); !done) return done.error();
  std::vector<int> out;
  if (const auto found = subjects_.find(subject); found != subjects_.end())
    for (const Version& version : found->second)
      if (is(version, which)) out.push_back(version.number);
  return out;
}

Result<std::vector<std::int32_t>> LocalRegistry::ids() {
  const Lock lock(mutex_);
  if (auto done = refresh(); !done) return done.error();
  std::vector<std::int32_t> out;
  for (const auto& [id, schema] : schemas_) out.push_back(id);
  return out;
}

Result<std::vector<std::int32_t>> LocalRegistry::referred_by(const std::string& subject, int version) {
  const Lock lock(mutex_);
  if (auto done = refresh(); !done) return done.error();
  std::vector<std::int32_t> out;
  for (const auto& [name, versions] : subjects_)
    for (const Version& one : versions)
      if (!one.hidden && std::ranges::any_of(schemas_.at(one.id).references, [&](const SchemaReference& reference) {
            return reference.subject == subject && reference.version == version;
          }))
        out.push_back(one.id);
  std::ranges::sort(out);
  out.erase(std::ranges::unique(out).begin(), out.end());
  return out;
}

CompatibilityRule LocalRegistry::rule_of(const std::string& subject) const {
  CompatibilityRule rule;
  for (const std::string& name : {std::string(), subject}) {
    const auto found = configs_.find(name);
    if (found == configs_.end()) continue;
    rule.level = found->second.level.value_or(rule.level);
    rule.policy = found->second.policy.value_or(rule.policy);
  }
  return rule;
}

Result<std::optional<std::string>> LocalRegistry::check(const std::string& subject, const SchemaSource& schema) {
  auto text = resolve(*this, schema);
  if (!text) return text.error();
  if (auto good = check_schema(schema.kind, *text); !good) return good.error();
  std::vector<KnownSchema> history;
  for (const Version& version : subjects_[subject]) {
    if (version.hidden) continue;
    const SchemaSource& known = schemas_.at(version.id);
    auto resolved = resolve(*this, known);
    if (!resolved) return resolved.error();
    history.push_back({known.kind, std::move(*resolved)});
  }
  return compatibility_fault(rule_of(subject), history, {schema.kind, std::move(*text)});
}

Result<std::optional<std::string>> LocalRegistry::refusal(const std::string& subject, const SchemaSource& schema) {
  const Lock lock(mutex_);
  if (auto done = refresh(); !done) return done.error();
  if (known_version(subject, schema, Which::live)) return std::optional<std::string>();
  if (auto free = writable(subject); !free) return free.error();
  return check(subject, schema);
}

Result<std::optional<std::string>> LocalRegistry::refusal_by(const std::string& subject, std::optional<int> version,
                                                             const SchemaSource& schema) {
  const Lock lock(mutex_);
  if (auto done = refresh(); !done) return done.error();
  if (!version) return check(subject, schema);
  const Version* found = find_version(subject, *version, Which::live);
  if (found == nullptr) return user_error("subject {} has no version {}", subject, *version);
  auto text = resolve(*this, schema);
  if (!text) return text.error();
  if (auto good = check_schema(schema.kind, *text); !good) return good.error();
  auto known = resolve(*this, schemas_.at(found->id));
  if (!known) return known.error();
  return compatibility_fault(rule_of(subject), {{schemas_.at(found->id).kind, std::move(*known)}},
                             {schema.kind, std::move(*text)});
}

Result<std::int32_t> LocalRegistry::add(const std::string& subject, const SchemaSource& schema) {
  const Lock lock(mutex_);
  if (auto done = refresh(); !done) return done.error();
  if (const auto known = known_version(subject, schema, Which::live)) return known->id;
  if (auto free = writable(subject); !free) return free.error();
  auto fault = check(subject, schema);
  if (!fault) return fault.error();
  if (*fault)
    return user_error("Schema being registered is incompatible with an earlier schema for subject \"{}\", details: {}",
                      subject, **fault);
  RegistryChange change;
  change.subject = subject;
  change.version = last_version_[subject] + 1;
  change.id = id_of(schema).value_or(next_id_);
  change.schema = schema;
  if (auto done = put(change); !done) return done.error();
  const auto kept = known_version(subject, schema, Which::live);
  return kept ? Result<std::int32_t>(kept->id) : external_error("subject {} was deleted meanwhile", subject);
}

Status LocalRegistry::add_with_id(const std::string& subject, const SchemaSource& schema, std::int32_t id,
                                  int version) {
  const Lock lock(mutex_);
  if (const auto taken = schemas_.find(id); taken != schemas_.end() && identity(taken->second) != identity(schema))
    return user_error("id {} belongs to another schema", id);
  RegistryChange change;
  change.subject = subject;
  change.version = version > 0 ? version : last_version_[subject] + 1;
  change.id = id;
  change.schema = schema;
  return put(change);
}

Result<bool> LocalRegistry::remove(const std::string& subject) {
  return hide(subject, 0);
}

Result<bool> LocalRegistry::hide(const std::string& subject, int version) {
  const Lock lock(mutex_);
  if (auto done = refresh(); !done) return done.error();
  if (find_version(subject, version, Which::live) == nullptr) return false;
  if (auto free = writable(subject); !free) return free.error();
  RegistryChange change;
  change.kind = RegistryChange::Kind::hide;
  change.subject = subject;
  change.version = version;
  if (auto done = put(change); !done) return done.error();
  return true;
}

Result<bool> LocalRegistry::erase(const std::string& subject, int version) {
  const Lock lock(mutex_);
  if (auto done = refresh(); !done) return done.error();
  if (find_version(subject, version, Which::hidden) == nullptr) return false;
  if (auto free = writable(subject); !free) return free.error();
  RegistryChange change;
  change.kind = RegistryChange::Kind::erase;
  change.subject = subject;
  change.version = version;
  if (auto done = put(change); !done) return done.error();
  return true;
}

std::optional<SubjectVersion> LocalRegistry::known_version(const std::string& subject, const SchemaSource& schema,
                                                           Which which) const {
  const auto found = subjects_.find(subject);
  const auto id = id_of(schema);
  if (found == subjects_.end() || !id) return std::nullopt;
  for (auto version = found->second.rbegin(); version != found->second.rend(); ++version)
    if (is(*version, which) && version->id == *id) return at(subject, *version);
  return std::nullopt;
}

Result<std::optional<SubjectVersion>> LocalRegistry::version_of(const std::string& subject, const SchemaSource& schema,
                                                                Which which, bool normalize) {
  const Lock lock(mutex_);
  if (auto done = refresh(); !done) return done.error();
  auto known = known_version(subject, schema, which);
  const auto versions = subjects_.find(subject);
  if (known || !normalize || versions == subjects_.end()) return known;
  const auto form_of = [&](const SchemaSource& source) -> Result<std::string> {
    auto text = resolve(*this, source);
    return text ? normal_form(source.kind, *text) : text.error();
  };
  const auto wanted = form_of(schema);
  if (!wanted) return wanted.error();
  for (auto version = versions->second.rbegin(); version != versions->second.rend(); ++version) {
    const SchemaSource& other = schemas_.at(version->id);
    if (!is(*version, which) || other.kind != schema.kind || other.references != schema.references) continue;
    if (const auto form = form_of(other); form && *form == *wanted) return std::optional(at(subject, *version));
  }
  return std::optional<SubjectVersion>();
}

Result<RegistryConfig> LocalRegistry::config(const std::string& subject) {
  const Lock lock(mutex_);
  if (auto done = refresh(); !done) return done.error();
  const auto found = configs_.find(subject);
  return found == configs_.end() ? RegistryConfig() : found->second;
}

Status LocalRegistry::set_config(const std::string& subject, const RegistryConfig& config) {
  const Lock lock(mutex_);
  RegistryChange change;
  change.kind = RegistryChange::Kind::set_config;
  change.subject = subject;
  change.config = config;
  return put(change);
}

Result<std::optional<RegistryMode>> LocalRegistry::mode(const std::string& subject) {
  const Lock lock(mutex_);
  if (auto done = refresh(); !done) return done.error();
  const auto found = modes_.find(subject);
  return found == modes_.end() ? std::nullopt : std::optional(found->second);
}

Status LocalRegistry::set_mode(const std::string& subject, std::optional<RegistryMode> mode) {
  const Lock lock(mutex_);
  RegistryChange change;
  change.kind = RegistryChange::Kind::set_mode;
  change.subject = subject;
  change.mode = mode;
  return put(change);
}

Status LocalRegistry::writable(const std::string& subject) {
  const Lock lock(mutex_);
  if (auto done = refresh(); !done) return done.error();
  auto found = modes_.find(subject);
  if (found == modes_.end()) found = modes_.find("");
  if (found == modes_.end() || found->second == RegistryMode::readwrite) return {};
  return user_error("Subject {} is in {} mode", subject,
                    found->second == RegistryMode::import ? "import" : "read-only");
}

Status LocalRegistry::put(const RegistryChange& change) {
  if (keeper_) return keeper_->keep(change, *this);
  replay(change);
  return {};
}

void LocalRegistry::replay_add(const RegistryChange& change) {
  const std::string same = identity(change.schema);
  const auto known = ids_.find(same);
  const bool free = schemas_.try_emplace(change.id, change.schema).second;
  next_id_ = std::max(next_id_, change.id + 1);
  std::int32_t id = change.id;
  if (!free && identity(schemas_.at(id)) != same) {
    id = known != ids_.end() ? known->second : next_id_++;
    schemas_.try_emplace(id, change.schema);
  }
  auto& versions = subjects_[change.subject];
  const std::optional<std::int32_t> own = known != ids_.end() ? std::optional(known->second) : std::nullopt;
  const auto is_known = [&](const Version& version) { return !version.hidden && version.id == own; };
  // Whoever added it meanwhile was quicker; what was written by the id chosen here can be read all the same.
  if (std::ranges::any_of(versions, is_known)) return;
  ids_.try_emplace(same, id);
  int& last = last_version_[change.subject];
  last = std::max(last + 1, change.version);
  versions.push_back({last, id});
}

/// Nothing uses the schema any more: who asks for its id learns that there is none.
void LocalRegistry::forget_unused(std::int32_t id) {
  for (const auto& [subject, versions] : subjects_)
    if (std::ranges::find(versions, id, &Version::id) != versions.end()) return;
  const auto found = schemas_.find(id);
  if (found == schemas_.end()) return;
  if (const auto known = ids_.find(identity(found->second)); known != ids_.end() && known->second == id)
    ids_.erase(known);
  schemas_.erase(found);
}

void LocalRegistry::replay_erase(const RegistryChange& change) {
  const auto found = subjects_.find(change.subject);
  if (found == subjects_.end()) return;
  std::vector<std::int32_t> gone;
  std::erase_if(found->second, [&](const Version& version) {
    if (!version.hidden || (change.version != 0 && version.number != change.version)) return false;
    gone.push_back(version.id);
    return true;
  });
  if (found->second.empty()) {
    subjects_.erase(found);
    last_version_.erase(change.subject);
    configs_.erase(change.subject);
    modes_.erase(change.subject);
  }
  for (const std::int32_t id : gone) forget_unused(id);
}

void LocalRegistry::replay(const RegistryChange& change) {
  const Lock lock(mutex_);
  switch (change.kind) {
    case RegistryChange::Kind::add:
      replay_add(change);
      break;
    case RegistryChange::Kind::remove_subject:
      subjects_.erase(change.subject);
      last_version_.erase(change.subject);
      configs_.erase(change.subject);
      break;
    case RegistryChange::Kind::remove_version:
      std::erase_if(subjects_[change.subject], [&](const Version& v) { return v.number == change.version; });
      break;
    case RegistryChange::Kind::set_config:
      configs_[change.subject] = change.config;
      if (change.config.empty()) configs_.erase(change.subject);
      break;
    case RegistryChange::Kind::set_mode:
      modes_[change.subject] = change.mode.value_or(RegistryMode::readwrite);
      if (!change.mode) modes_.erase(change.subject);
      break;
    case RegistryChange::Kind::hide:
      for (Version& version : subjects_[change.subject])
        if (change.version == 0 || version.number == change.version) version.hidden = true;
      break;
    case RegistryChange::Kind::erase:
      replay_erase(change);
      break;
  }
}

}  // namespace millrace::inline exec
