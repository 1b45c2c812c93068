#include "exec/log/embedded_store.h"

#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <random>

#include "exec/log/embedded_database.h"

namespace millrace {

using ReadLock = std::shared_lock<std::shared_mutex>;

namespace {

constexpr std::string_view kLockFile = "/owner.lock";

/// 22 characters, as Kafka's cluster ids have.
std::string random_cluster_id() {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::random_device random;
  std::string id;
  for (int i = 0; i < 22; ++i) id.push_back(kDigits[random() % kDigits.size()]);
  return id;
}

/// Takes the directory for this process. The lock goes with the descriptor, however the process ends.
Result<int> lock_directory(const std::string& directory) {
  std::error_code failed;
  std::filesystem::create_directories(directory, failed);
  if (failed) return external_error("cannot create data directory '{}': {}", directory, failed.message());
  const std::string path = directory + std::string(kLockFile);
  const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (file < 0) return external_error("cannot open data directory '{}': {}", directory, std::strerror(errno));
  if (::flock(file, LOCK_EX | LOCK_NB) != 0) {
    const int reason = errno;
    char owner[32] = {};
    const ssize_t read = ::pread(file, owner, sizeof owner - 1, 0);
    ::close(file);
    if (reason != EWOULDBLOCK)
      return external_error("cannot lock data directory '{}': {}", directory, std::strerror(reason));
    return user_error("data directory '{}' is in use by another process{}{}", directory, read > 0 ? ": " : "", owner);
  }
  const std::string self = std::to_string(::getpid());
  // Only a help for people: a full disk must not keep us from opening.
  if (::ftruncate(file, 0) != 0 || ::pwrite(file, self.data(), self.size(), 0) < 0)
    spdlog::warn("cannot write {}: {}", path, std::strerror(errno));
  return file;
}

}  // namespace

EmbeddedStore::EmbeddedStore(std::string directory, bool sync)
    : directory_(std::move(directory)), sync_(sync), database_(std::make_unique<Database>()) {}

EmbeddedStore::~EmbeddedStore() {
  database_->close();
  if (database_->lock_file >= 0) ::close(database_->lock_file);
}

Error EmbeddedStore::failure(std::string_view what, const std::string& reason) const {
  return external_error("data directory '{}': {} failed: {}", directory_, what, reason);
}

Result<std::unique_ptr<EmbeddedStore>> EmbeddedStore::open(const std::string& directory, bool sync) {
  const auto locked = lock_directory(directory);
  if (!locked) return locked.error();
  std::unique_ptr<EmbeddedStore> store(new EmbeddedStore(directory, sync));
  store->database_->lock_file = *locked;
  if (Status opened = store->open_database(); !opened) return opened.error();
  if (Status finished = store->finish_deletions(); !finished) return finished.error();
  if (Status known = store->ensure_cluster_id(); !known) return known.error();
  return store;
}

Status EmbeddedStore::open_database() {
  const auto status = database_->open(directory_);
  if (!status.ok()) return failure("opening the log", status.ToString());
  return {};
}

/// A topic's batches are deleted after its entry; a crash between leaves them to us.
Status EmbeddedStore::finish_deletions() {
  std::vector<std::uint32_t> dead;
  {
    ReadLock lock(database_->mutex);
    std::unique_ptr<rocksdb::Iterator> iterator(database_->db->NewIterator({}, database_->meta));
    for (iterator->Seek("d"); iterator->Valid() && iterator->key().starts_with("d"); iterator->Next())
      dead.push_back(embedded::get_u32(iterator->key().data() + 1));
    if (!iterator->status().ok()) return failure("reading", iterator->status().ToString());
  }
  for (const std::uint32_t topic : dead)
    if (Status finished = erase_batches(topic); !finished) return finished;
  return {};
}

Status EmbeddedStore::erase_batches(std::uint32_t topic) {
  return apply(false, [&](Change& change) {
    database_->erased.insert(topic);
    for (const char kind : {'b', 'k'})
      change.batch.DeleteRange(database_->meta, embedded::meta_key(kind, topic), embedded::meta_key(kind, topic + 1));
    change.batch.DeleteRange(database_->batches, embedded::topic_prefix(topic), embedded::topic_prefix(topic + 1));
    change.batch.Delete(database_->meta, embedded::meta_key('d', topic));
  });
}

Status EmbeddedStore::ensure_cluster_id() {
  if (cluster_id()) return {};
  // Not synced: the first change that is takes it along.
  return apply(false, [&](Change& change) {
    change.batch.Put(database_->meta, slice(embedded::kClusterKey), random_cluster_id());
  });
}

Result<std::string> EmbeddedStore::cluster_id() {
  ReadLock lock(database_->mutex);
  if (!database_->db) return failure("reading", "the log is closed after an error");
  std::string id;
  const auto status = database_->db->Get({}, database_->meta, slice(embedded::kClusterKey), &id);
  if (!status.ok()) return failure("reading", status.ToString());
  return id;
}

Result<std::vector<StoredTopic>> EmbeddedStore::topics() {
  std::vector<StoredTopic> found;
  ReadLock lock(database_->mutex);
  std::unique_ptr<rocksdb::Iterator> iterator(database_->db->NewIterator({}, database_->meta));
  for (iterator->Seek("t"); iterator->Valid() && iterator->key().starts_with("t"); iterator->Next()) {
    const auto topic =
        embedded::parse_topic(iterator->key().ToStringView().substr(1), iterator->value().ToStringView());
    if (!topic) return failure("opening the log", "it was written by another version of Millrace");
    found.push_back(*topic);
  }
  if (!iterator->status().ok()) return failure("reading", iterator->status().ToString());
  return found;
}

std::uint32_t EmbeddedStore::next_topic_id() {
  ReadLock lock(database_->mutex);
  std::string value;
  const auto status = database_->db->Get({}, database_->meta, slice(embedded::kNextTopicKey), &value);
  return status.ok() && value.size() == 4 ? embedded::get_u32(value.data()) : 1;
}

Status EmbeddedStore::create(const StoredTopic& topic) {
  return apply(sync_, [&](Change& change) {
    change.batch.Put(database_->meta, embedded::topic_key(topic.name), embedded::topic_value(topic));
    change.batch.Put(database_->meta, slice(embedded::kNextTopicKey), embedded::topic_prefix(topic.id + 1));
    change.undo.Delete(database_->meta, embedded::topic_key(topic.name));
  });
}

Status EmbeddedStore::erase(const StoredTopic& topic) {
  const std::string dead = embedded::meta_key('d', topic.id);
  Status erased = apply(sync_, [&](Change& change) {
    change.batch.Delete(database_->meta, embedded::topic_key(topic.name));
    change.batch.Put(database_->meta, dead, "");
    change.undo.Put(database_->meta, embedded::topic_key(topic.name), embedded::topic_value(topic));
    change.undo.Delete(database_->meta, dead);
  });
  if (!erased) return erased;
  // The topic is gone already; what remains is finished at the next start.
  if (Status dropped = erase_batches(topic.id); !dropped) spdlog::warn("{}", dropped.error().message);
  return {};
}

Result<Log::Bounds> EmbeddedStore::bounds(PartitionId partition) {
  ReadLock lock(database_->mutex);
  if (!database_->db) return failure("reading", "the log is closed after an error");
  Log::Bounds bounds;
  std::string value;
  const auto status = database_->db->Get({}, database_->meta, embedded::meta_key('b', partition), &value);
  if (!status.ok() && !status.IsNotFound()) return failure("reading", status.ToString());
  if (value.size() == 8) bounds.begin = bounds.end = static_cast<std::int64_t>(embedded::get_u64(value.data()));
  PartitionIterator iterator(*database_->db, database_->batches, partition);
  iterator.seek_last();
  if (iterator.valid()) {
    const auto last = iterator.batch();
    if (!last) return failure("opening the log", "it was written by another version of Millrace");
    bounds.end = std::max(bounds.end, last->next_offset());
  }
  if (!iterator.status().ok()) return failure("reading", iterator.status().ToString());
  return bounds;
}

}  // namespace millrace
