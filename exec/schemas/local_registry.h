#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "exec/schemas/compatibility.h"
#include "exec/schemas/registry.h"
#include "parser/error/mutex.h"

namespace millrace::inline exec {

/// Who may change a subject: everybody, nobody, or only those who bring ids along.
enum class RegistryMode : std::uint8_t { readwrite, readonly, readonly_override, import };
std::string_view registry_mode_name(RegistryMode mode);  // READWRITE, ...
std::optional<RegistryMode> find_registry_mode(std::string_view name);
std::string_view content_policy_name(ContentPolicy policy);  // LENIENT, STRICT
std::optional<ContentPolicy> find_content_policy(std::string_view name);

/// What is configured of a subject, or of all; what is absent is as for all, and in the end as by default.
struct RegistryConfig {
  std::optional<Compatibility> level = {};
  std::optional<ContentPolicy> policy = {};
  std::optional<bool> normalize = {};
  bool empty() const { return !level && !policy && !normalize; }
};

/// A change of a LocalRegistry, in a form that can be kept and applied again.
struct RegistryChange {
  enum class Kind : std::uint8_t {
    add,
    remove_subject,  // for good; ids stay
    remove_version,
    set_config,
    set_mode,
    hide,   // deletes softly: a version, or with version 0 the subject
    erase,  // deletes what was hidden for good, with ids that nothing else uses
  };
  Kind kind = Kind::add;
  std::string subject;               // set_config, set_mode: empty for all subjects
  int version = 0;                   // add, remove_version, hide, erase
  std::int32_t id = 0;               // add
  SchemaSource schema;               // add
  RegistryConfig config;             // set_config: the whole of it
  std::optional<RegistryMode> mode;  // set_mode: absent: that of all subjects again
};

class LocalRegistry;

/// Where a LocalRegistry keeps its changes. Called by one thread at a time.
class RegistryKeeper {
 public:
  virtual ~RegistryKeeper() = default;
  /// Keeps a change, and replays it with all that was kept before it.
  virtual Status keep(const RegistryChange& change, LocalRegistry& registry) = 0;
  /// Replays what others have kept since.
  virtual Status refresh(LocalRegistry& registry) = 0;
};

/// A registry within the process, with the rules of Confluent's: equal schemas have one id, a version must be
/// compatible with those before it. Without a keeper everything ends with the process. Any thread.
class LocalRegistry final : public SchemaRegistry {
 public:
  explicit LocalRegistry(std::unique_ptr<RegistryKeeper> keeper = nullptr) : keeper_(std::move(keeper)) {}

  /// Deleted versions are hidden at first: they stay known to who asks for them, until they are erased.
  enum class Which : std::uint8_t { live, hidden, all };

  bool local() const override { return true; }
  Result<std::optional<SchemaSource>> find(std::int32_t id) override;
  Result<std::optional<SubjectVersion>> find(const std::string& subject, int version) override;
  Result<std::vector<std::string>> subjects() override { return subjects(Which::live); }
  Result<std::vector<int>> versions(const std::string& subject) override { return versions(subject, Which::live); }
  Result<std::int32_t> add(const std::string& subject, const SchemaSource& schema) override;
  Result<std::optional<std::string>> refusal(const std::string& subject, const SchemaSource& schema) override;
  Result<bool> remove(const std::string& subject) override;

  Result<std::vector<std::string>> subjects(Which which);
  Result<std::vector<int>> versions(const std::string& subject, Which which);
  Result<std::optional<SubjectVersion>> find(const std::string& subject, int version, Which which);
  Result<std::vector<std::int32_t>> ids();
  /// Ids of the schemas that refer to a version.
  Result<std::vector<std::int32_t>> referred_by(const std::string& subject, int version);

  /// Registers with a given id, which must be free or this schema's already, and version (0: the next). Nothing is
  /// checked against other versions.
  Status add_with_id(const std::string& subject, const SchemaSource& schema, std::int32_t id, int version = 0);
  /// Hides a version, or all that are live with version 0. False: there is none.
  Result<bool> hide(const std::string& subject, int version);
  /// Forgets a version, or all with version 0, that was hidden before. False: there is none.
  Result<bool> erase(const std::string& subject, int version);
  /// The version of a subject that is this schema; nothing when there is none. `normalize`: or says the same.
  Result<std::optional<SubjectVersion>> version_of(const std::string& subject, const SchemaSource& schema,
                                                   Which which = Which::live, bool normalize = false);
  /// Why it could not follow one version (0: the newest), or those that the level looks at; nothing when it could.
  Result<std::optional<std::string>> refusal_by(const std::string& subject, std::optional<int> version,
                                                const SchemaSource& schema);

  /// What is configured for a subject alone, or with an empty name for all.
  Result<RegistryConfig> config(const std::string& subject);
  Status set_config(const std::string& subject, const RegistryConfig& config);
  Result<std::optional<RegistryMode>> mode(const std::string& subject);  // as config()
  Status set_mode(const std::string& subject, std::optional<RegistryMode> mode);
  /// A user error where the mode of a subject lets nobody add to it or delete of it.
  Status writable(const std::string& subject);

  /// Takes a change that was kept. For the keeper. Where two processes chose one id for two schemas the later gets
  /// another, the same in every process.
  void replay(const RegistryChange& change);

 private:
  struct Version {
    int number;
    std::int32_t id;
    bool hidden = false;
  };
  static bool is(const Version& version, Which which) {
    return which == Which::all || version.hidden == (which == Which::hidden);
  }
  SubjectVersion at(const std::string& subject, const Version& version) const REQUIRES(mutex_);
  const Version* find_version(const std::string& subject, int version, Which which) const REQUIRES(mutex_);
  std::optional<std::int32_t> id_of(const SchemaSource& schema) const REQUIRES(mutex_);
  Result<std::optional<std::string>> check(const std::string& subject, const SchemaSource& schema) REQUIRES(mutex_);
  CompatibilityRule rule_of(const std::string& subject) const REQUIRES(mutex_);
  std::optional<SubjectVersion> known_version(const std::string& subject, const SchemaSource& schema, Which which) const
      REQUIRES(mutex_);
  Status refresh() { return keeper_ ? keeper_->refresh(*this) : Status(); }
  Status put(const RegistryChange& change) REQUIRES(mutex_);
  void replay_add(const RegistryChange& change) REQUIRES(mutex_);
  void replay_erase(const RegistryChange& change) REQUIRES(mutex_);
  void forget_unused(std::int32_t id) REQUIRES(mutex_);

  std::unique_ptr<RegistryKeeper> keeper_;
  RecursiveMutex mutex_;  // resolving references asks the registry again
  std::map<std::int32_t, SchemaSource> schemas_ GUARDED_BY(mutex_);
  std::map<std::string, std::int32_t> ids_ GUARDED_BY(mutex_);  // by what makes schemas the same
  std::map<std::string, std::vector<Version>> subjects_ GUARDED_BY(mutex_);
  std::map<std::string, int> last_version_ GUARDED_BY(mutex_);  // of subjects ever known: numbers are not used twice
  std::map<std::string, RegistryConfig> configs_ GUARDED_BY(mutex_);  // of all subjects under the empty name
  std::map<std::string, RegistryMode> modes_ GUARDED_BY(mutex_);      // as configs_
  std::int32_t next_id_ GUARDED_BY(mutex_) = 1;
};

}  // namespace millrace::inline exec
