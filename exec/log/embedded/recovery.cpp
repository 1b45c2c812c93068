#include <fcntl.h>
#include <rocksdb/utilities/checkpoint.h>
#include <spdlog/spdlog.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <random>

#include "exec/log/embedded/index.h"
#include "parser/error/mutex.h"

/// Opening the embedded log, after whatever happened to it.
namespace millrace::inline exec {

using namespace std::chrono_literals;

namespace {

constexpr std::string_view kLockFile = "/owner.lock";
constexpr std::string_view kProbeFile = "/probe.tmp";
constexpr std::string_view kIndex = "/index";
constexpr std::string_view kSegments = "/segments";
constexpr std::size_t kProbeBytes = 1 << 20;
constexpr auto kRecoveryPause = 200ms;

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

Result<std::unique_ptr<EmbeddedStore>> EmbeddedStore::open(const std::string& directory, Options options) {
  const auto locked = lock_directory(directory);
  if (!locked) return locked.error();
  std::unique_ptr<EmbeddedStore> store(new EmbeddedStore(directory, options));
  store->index_->lock_file = *locked;
  auto files = SegmentFiles::open(directory + std::string(kSegments), options.segment_bytes);
  if (!files) return store->failure("opening the log", files.error().message);
  store->files_ = std::move(*files);
  const MutexLock write_lock(store->index_->write_mutex);
  if (Status opened = store->open_index(); !opened) return opened.error();
  return store;
}

Status EmbeddedStore::open_index() {
  {
    WriteLock lock(index_->mutex);
    index_->close();
    const auto status = index_->open(directory_ + std::string(kIndex), [files = files_.get()] {
      if (Status synced = files->sync(); !synced) spdlog::error("{}", synced.error().message);
    });
    if (!status.ok()) return failure("opening the log", status.ToString());
  }
  if (Status replayed = replay(); !replayed) return replayed;
  const auto id = cluster_id();
  if (!id) return id.error();
  if (!id->empty()) return {};
  embedded::Change change;
  change.put_meta(embedded::kClusterKey, random_cluster_id());
  const auto at = files_->prepare();
  if (!at) return failure("opening the log", at.error().message);
  const std::string header = change.header(*at);
  const std::vector<std::string_view> parts{header, change.operations()};
  // Not synced: the first change that is takes it along.
  if (Status written = files_->append(parts, false); !written)
    return failure("opening the log", written.error().message);
  return apply_to_index(*embedded::parse_operations(change.operations(), *at), files_->end());
}

/// Repeats on the index what the segment files hold beyond it. What follows the last whole frame was never committed.
Status EmbeddedStore::replay() {
  index_->write_mutex.assert_held();
  const auto known = get(embedded::kPositionKey);
  if (!known) return known.error();
  SegmentPosition at = embedded::parse_position(*known);
  index_->flushed_segment = files_->end().segment;
  if (at > files_->end()) return forget_lost_batches();
  const std::vector<std::uint32_t> segments = files_->segments();
  // The index has all of a segment that was removed.
  if (!std::binary_search(segments.begin(), segments.end(), at.segment))
    at = {*std::upper_bound(segments.begin(), segments.end(), at.segment), 0};
  while (true) {
    const auto more = replay_frame(at);
    if (!more) return more.error();
    if (*more) continue;
    if (at.segment == files_->end().segment) break;
    const auto size = files_->size(at.segment);
    if (!size) return failure("opening the log", size.error().message);
    if (*size != at.offset)
      return failure("opening the log", fmt::format("segment {} is damaged at byte {}", at.segment, at.offset));
    at = {at.segment + 1, 0};
  }
  if (at == files_->end()) return {};
  spdlog::warn("data directory '{}': dropping {} bytes of a write that was cut off", directory_,
               files_->end().offset - at.offset);
  if (Status truncated = files_->truncate(at); !truncated) return failure("opening the log", truncated.error().message);
  return {};
}

/// True: `at` is behind the frame now. False: there is no whole frame.
Result<bool> EmbeddedStore::replay_frame(SegmentPosition& at) {
  return read_frame(at, [this](const std::vector<embedded::Operation>& operations, SegmentPosition next) {
    return apply_to_index(operations, next);
  });
}

/// As replay_frame; `then` gets the operations of a whole frame and the place behind it.
Result<bool> EmbeddedStore::read_frame(SegmentPosition& at, const OnFrame& then) {
  std::string header(embedded::kFrameHeaderBytes, '\0');
  auto read = files_->read(at, header);
  if (!read) return failure("opening the log", read.error().message);
  const auto parsed = *read ? embedded::parse_header(header) : std::nullopt;
  if (!parsed) return false;
  const auto segment_size = files_->size(at.segment);
  if (!segment_size) return failure("opening the log", segment_size.error().message);
  const SegmentPosition body{at.segment, at.offset + header.size()};
  const SegmentPosition next{at.segment, body.offset + parsed->operation_bytes + parsed->batch_bytes};
  if (next.offset > *segment_size) return false;
  std::string operations(parsed->operation_bytes, '\0');
  read = files_->read(body, operations);
  if (!read) return failure("opening the log", read.error().message);
  if (!*read || embedded::hash_operations(operations, at) != parsed->hash) return false;
  const auto list = embedded::parse_operations(operations, at);
  if (!list) return false;
  std::string bytes;
  for (const embedded::Operation& operation : *list) {
    if (operation.kind != embedded::Operation::Kind::put_batch) continue;
    bytes.resize(operation.location.size);
    read = files_->read(operation.location.at, bytes);
    if (!read) return failure("opening the log", read.error().message);
    if (!*read || embedded::hash_batch(bytes) != operation.location.hash) return false;
  }
  if (then)
    if (Status done = then(*list, next); !done) return done.error();
  at = next;
  return true;
}

/// The files end before what the index knows: the disk has lost what it said to have. Keeps the whole frames, so the
/// whole transactions, that there are.
Status EmbeddedStore::forget_lost_batches() {
  SegmentPosition end{files_->end().segment, 0};
  while (true) {
    const auto whole = read_frame(end, nullptr);
    if (!whole) return whole.error();
    if (!*whole) break;
  }
  if (end < files_->end())
    if (Status truncated = files_->truncate(end); !truncated)
      return failure("opening the log", truncated.error().message);
  spdlog::warn("data directory '{}': the disk has lost the end of the log; going on without it", directory_);
  const ReadLock lock(index_->mutex);
  rocksdb::WriteBatch batch;
  std::unique_ptr<rocksdb::Iterator> iterator(index_->db->NewIterator({}));
  for (iterator->Seek("i"); iterator->Valid() && iterator->key().starts_with("i"); iterator->Next()) {
    const auto location = embedded::parse_location(iterator->value().ToStringView());
    if (location.at >= end) batch.Delete(iterator->key());
  }
  if (!iterator->status().ok()) return failure("reading", iterator->status().ToString());
  batch.Put(slice(embedded::kPositionKey), embedded::position_value(end));
  const auto status = index_->write(batch);
  if (!status.ok()) return failure("writing the index", status.ToString());
  return {};
}

/// After the index failed.
Status EmbeddedStore::reopen_index() {
  index_->write_mutex.assert_held();
  if (Clock::now() < index_->next_attempt) return failure("writing", index_->broken_reason);
  index_->next_attempt = Clock::now() + kRecoveryPause;
  // Reads go on with what is open until there is hope.
  Status opened = probe();
  if (opened) opened = open_index();
  if (!opened) {
    index_->broken_reason = opened.error().message;
    return opened;
  }
  index_->broken = false;
  spdlog::info("data directory '{}': the index is open again", directory_);
  return {};
}

Status EmbeddedStore::probe() const {
  const std::string path = directory_ + std::string(kProbeFile);
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) return failure("writing", std::strerror(errno));
  const std::string zeros(kProbeBytes, '\0');
  const ssize_t written = ::write(file, zeros.data(), zeros.size());
  const int reason = written < 0 ? errno : ENOSPC;
  const bool whole = written == static_cast<ssize_t>(zeros.size()) && ::fsync(file) == 0;
  ::close(file);
  ::unlink(path.c_str());
  if (!whole) return failure("writing", std::strerror(reason));
  return {};
}

/// The index stands exactly where the files end, so that the copy opens as this one would after a clean stop.
Status EmbeddedStore::checkpoint(const std::string& directory) {
  const MutexLock write_lock(index_->write_mutex);
  if (index_->broken) return failure("copying the log", index_->broken_reason);
  std::error_code failed;
  std::filesystem::create_directories(directory, failed);
  if (failed) return external_error("cannot make '{}': {}", directory, failed.message());
  if (Status synced = files_->sync(); !synced) return failure("copying the log", synced.error().message);
  {
    ReadLock lock(index_->mutex);
    if (!index_->db) return failure("copying the log", "the log is closed after an error");
    rocksdb::Checkpoint* made = nullptr;
    rocksdb::Status status = rocksdb::Checkpoint::Create(index_->db.get(), &made);
    const std::unique_ptr<rocksdb::Checkpoint> owned(made);
    if (status.ok()) status = owned->CreateCheckpoint(directory + std::string(kIndex));
    if (!status.ok()) return failure("copying the log", status.ToString());
  }
  return files_->copy_to(directory + std::string(kSegments));
}

}  // namespace millrace::inline exec
