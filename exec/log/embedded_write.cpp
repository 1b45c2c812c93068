#include <fcntl.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>

#include "exec/log/embedded_database.h"
#include "exec/log/failpoint.h"

/// Writing to the embedded log's RocksDB, and what happens when that fails.
namespace millrace {

using namespace std::chrono_literals;

namespace {

constexpr std::string_view kProbeFile = "/probe.tmp";
constexpr std::size_t kProbeBytes = 1 << 20;
constexpr std::size_t kKeyOverhead = 32;
constexpr auto kRecoveryPause = 200ms;

}  // namespace

Status EmbeddedStore::write(std::span<const PlacedBatch> batches) {
  if (Status hit = failpoint::hit(failpoint::kLogWrite); !hit) return hit;
  std::size_t bytes = kKeyOverhead;
  for (const PlacedBatch& placed : batches) bytes += placed.batch->bytes().size() + kKeyOverhead;
  const auto build = [&](Change& change) {
    std::map<PartitionId, std::int64_t> first;
    for (const PlacedBatch& placed : batches) {
      change.batch.Put(database_->batches, embedded::batch_key(placed.partition, placed.batch->base_offset()),
                       slice(placed.batch->bytes()));
      first.try_emplace(placed.partition, placed.batch->base_offset());
    }
    for (const auto& [partition, offset] : first) {
      change.undone_from.emplace_back(partition, offset);
    }
  };
  return apply(sync_, build, bytes);
}

Status EmbeddedStore::apply(bool sync, const std::function<void(Change&)>& build, std::size_t expected_bytes) {
  std::lock_guard write_lock(database_->write_mutex);
  if (database_->broken) {
    if (Status recovered = recover(); !recovered) return recovered;
  }
  std::shared_lock lock(database_->mutex);
  Change change(expected_bytes);
  build(change);
  rocksdb::WriteOptions options;
  options.sync = sync;
  const auto status = database_->db->Write(options, &change.batch);
  if (status.ok()) return {};
  // The change may have reached the write-ahead log all the same.
  for (const auto& [partition, offset] : change.undone_from)
    change.undo.DeleteRange(database_->batches, embedded::batch_key(partition, offset),
                            embedded::batch_key(partition, embedded::kMaxOffset));
  database_->undo.push_back(std::move(change.undo));
  database_->broken = true;
  database_->broken_reason = status.ToString();
  database_->next_attempt = Clock::now() + kRecoveryPause;
  spdlog::error("data directory '{}': writing failed: {}", directory_, database_->broken_reason);
  return failure("writing", database_->broken_reason);
}

Status EmbeddedStore::recover() {
  if (Clock::now() < database_->next_attempt) return failure("writing", database_->broken_reason);
  database_->next_attempt = Clock::now() + kRecoveryPause;
  // Reads go on with what is open until there is hope.
  if (Status writable = probe(); !writable) {
    database_->broken_reason = writable.error().message;
    return writable;
  }
  std::unique_lock lock(database_->mutex);
  database_->close();
  if (Status opened = open_database(); !opened) return opened;
  for (auto& undo : database_->undo) {
    rocksdb::WriteOptions options;
    options.sync = sync_;
    const auto status = database_->db->Write(options, &undo);
    if (!status.ok()) return failure("writing", status.ToString());
  }
  database_->undo.clear();
  database_->broken = false;
  spdlog::info("data directory '{}': writing works again", directory_);
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

}  // namespace millrace
