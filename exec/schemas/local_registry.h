#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "exec/schemas/registry.h"
#include "parser/error/mutex.h"

namespace millrace::inline exec {

/// A change of a LocalRegistry, in a form that can be kept and applied again.
struct RegistryChange {
  enum class Kind : std::uint8_t { add, remove_subject, remove_version, set_level };
  Kind kind = Kind::add;
  std::string subject;                 // set_level: empty for all subjects
  int version = 0;                     // add, remove_version
  std::int32_t id = 0;                 // add
  SchemaSource schema;                 // add
  std::optional<Compatibility> level;  // set_level: absent: that of all subjects again
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

  bool local() const override { return true; }
  Result<std::optional<SchemaSource>> find(std::int32_t id) override;
  Result<std::optional<SubjectVersion>> find(const std::string& subject, int version) override;
  Result<std::vector<std::string>> subjects() override;
  Result<std::vector<int>> versions(const std::string& subject) override;
  Result<std::int32_t> add(const std::string& subject, const SchemaSource& schema) override;
  Result<std::optional<std::string>> refusal(const std::string& subject, const SchemaSource& schema) override;
  Result<bool> remove(const std::string& subject) override;

  /// Registers with a given id, which must be free or this schema's already.
  Status add_with_id(const std::string& subject, const SchemaSource& schema, std::int32_t id);
  Result<bool> remove_version(const std::string& subject, int version);
  /// The version of a subject that is this schema; nothing when there is none.
  Result<std::optional<SubjectVersion>> version_of(const std::string& subject, const SchemaSource& schema);
  /// Why it could not follow one version (0: the newest); nothing when it could.
  Result<std::optional<std::string>> refusal_by(const std::string& subject, int version, const SchemaSource& schema);

  Result<Compatibility> level();
  Result<std::optional<Compatibility>> level(const std::string& subject);  // its own
  Status set_level(const std::string& subject, std::optional<Compatibility> level);

  /// Takes a change that was kept. For the keeper. Where two processes chose one id for two schemas the later gets
  /// another, the same in every process.
  void replay(const RegistryChange& change);

 private:
  struct Version {
    int number;
    std::int32_t id;
  };
  SubjectVersion at(const std::string& subject, const Version& version) const REQUIRES(mutex_);
  const Version* find_version(const std::string& subject, int version) const REQUIRES(mutex_);
  std::optional<std::int32_t> id_of(const SchemaSource& schema) const REQUIRES(mutex_);
  Result<std::optional<std::string>> check(const std::string& subject, const SchemaSource& schema) REQUIRES(mutex_);
  std::optional<SubjectVersion> known_version(const std::string& subject, const SchemaSource& schema) const
      REQUIRES(mutex_);
  Status refresh() { return keeper_ ? keeper_->refresh(*this) : Status(); }
  Status put(const RegistryChange& change) REQUIRES(mutex_);

  std::unique_ptr<RegistryKeeper> keeper_;
  RecursiveMutex mutex_;  // resolving references asks the registry again
  std::map<std::int32_t, SchemaSource> schemas_ GUARDED_BY(mutex_);
  std::map<std::string, std::vector<Version>> subjects_ GUARDED_BY(mutex_);
  std::map<std::string, int> last_version_ GUARDED_BY(mutex_);  // of subjects ever known: numbers are not used twice
  std::map<std::string, Compatibility> levels_ GUARDED_BY(mutex_);
  Compatibility level_ GUARDED_BY(mutex_) = Compatibility::backward;
  std::int32_t next_id_ GUARDED_BY(mutex_) = 1;
};

}  // namespace millrace::inline exec
