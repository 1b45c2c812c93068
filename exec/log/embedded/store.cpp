#include "exec/log/embedded/store.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>

#include "exec/log/embedded/index.h"
#include "exec/log/failpoint.h"
#include "parser/error/mutex.h"

namespace millrace::inline exec {

using namespace std::chrono_literals;

namespace {

constexpr auto kRecoveryPause = 200ms;

}  // namespace

EmbeddedStore::EmbeddedStore(std::string directory, Options options)
    : directory_(std::move(directory)), options_(options), index_(std::make_unique<Index>()) {}

EmbeddedStore::~EmbeddedStore() {
  // The index must not know what the files could still lose.
  if (files_) (void)files_->sync();
  index_->close();
  if (index_->lock_file >= 0) ::close(index_->lock_file);
}

Error EmbeddedStore::failure(std::string_view what, const std::string& reason) const {
  return external_error("data directory '{}': {} failed: {}", directory_, what, reason);
}

Result<std::string> EmbeddedStore::get(std::string_view key) {
  ReadLock lock(index_->mutex);
  if (!index_->db) return failure("reading", "the log is closed after an error");
  std::string value;
  const auto status = index_->db->Get({}, slice(key), &value);
  if (!status.ok() && !status.IsNotFound()) return failure("reading", status.ToString());
  return value;
}

Result<std::string> EmbeddedStore::cluster_id() {
  return get(embedded::kClusterKey);
}

Result<std::vector<StoredTopic>> EmbeddedStore::topics() {
  std::vector<StoredTopic> found;
  ReadLock lock(index_->mutex);
  std::unique_ptr<rocksdb::Iterator> iterator(index_->db->NewIterator({}));
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
  const auto value = get(embedded::kNextTopicKey);
  return value && value->size() == 4 ? embedded::get_u32(value->data()) : 1;
}

Status EmbeddedStore::create(const StoredTopic& topic) {
  return apply(options_.sync, [&](Change& change) {
    change.put_meta(embedded::topic_key(topic.name), embedded::topic_value(topic));
    change.put_meta(embedded::kNextTopicKey, embedded::topic_prefix(topic.id + 1));
  });
}

Status EmbeddedStore::erase(const StoredTopic& topic) {
  return apply(options_.sync, [&](Change& change) REQUIRES(index_->write_mutex) {
    index_->erased.insert(topic.id);
    change.delete_meta(embedded::topic_key(topic.name));
    change.erase_topic(topic.id);
  });
}

Result<Log::Bounds> EmbeddedStore::bounds(PartitionId partition) {
  const auto begin = get(embedded::meta_key('b', partition));
  if (!begin) return begin.error();
  Log::Bounds bounds;
  if (begin->size() == 8) bounds.begin = bounds.end = static_cast<std::int64_t>(embedded::get_u64(begin->data()));
  ReadLock lock(index_->mutex);
  if (!index_->db) return failure("reading", "the log is closed after an error");
  PartitionIterator iterator(*index_->db, partition);
  iterator.seek_last();
  if (iterator.valid()) bounds.end = std::max(bounds.end, iterator.base() + iterator.location().span);
  if (!iterator.status().ok()) return failure("reading", iterator.status().ToString());
  return bounds;
}

Status EmbeddedStore::write(std::span<const PlacedBatch> batches) {
  if (Status hit = failpoint::hit(failpoint::kLogWrite); !hit) return hit;
  return apply(options_.sync, [&](Change& change) {
    for (const PlacedBatch& placed : batches) change.put_batch(placed.partition, *placed.batch);
  });
}

Status EmbeddedStore::sync() {
  if (options_.sync) return {};
  if (Status synced = files_->sync(); !synced) return failure("writing", synced.error().message);
  return {};
}

Status EmbeddedStore::apply(bool sync, const std::function<void(Change&)>& build) {
  const MutexLock write_lock(index_->write_mutex);
  if (index_->broken) {
    if (Status reopened = reopen_index(); !reopened) return reopened;
  }
  Change change;
  build(change);
  if (change.empty()) return {};
  const auto at = files_->prepare();
  if (!at) return failure("writing", at.error().message);
  const std::string header = change.header(*at);
  std::vector<std::string_view> parts{header, change.operations()};
  parts.insert(parts.end(), change.batches().begin(), change.batches().end());
  if (Status written = files_->append(parts, sync); !written) {
    if (!std::exchange(index_->failing, true))
      spdlog::error("data directory '{}': {}", directory_, written.error().message);
    return failure("writing", written.error().message);
  }
  const auto operations = embedded::parse_operations(change.operations(), *at);
  Status indexed = failpoint::hit(failpoint::kLogIndex);
  if (indexed) indexed = apply_to_index(*operations, files_->end());
  if (!indexed) {
    (void)files_->truncate(*at);
    index_->broken = true;
    index_->broken_reason = indexed.error().message;
    index_->next_attempt = Clock::now() + kRecoveryPause;
    spdlog::error("{}", index_->broken_reason);
    return indexed;
  }
  if (std::exchange(index_->failing, false)) spdlog::info("data directory '{}': writing works again", directory_);
  return {};
}

Status EmbeddedStore::apply_to_index(const std::vector<embedded::Operation>& operations, SegmentPosition next) {
  index_->write_mutex.assert_held();
  using Kind = embedded::Operation::Kind;
  rocksdb::WriteBatch batch;
  for (const embedded::Operation& operation : operations) {
    const PartitionId partition = operation.partition;
    const std::uint32_t topic = partition.topic;
    switch (operation.kind) {
      case Kind::put_batch:
        batch.Put(embedded::batch_key(partition, operation.offset), embedded::location_value(operation.location));
        break;
      case Kind::delete_batch:
        batch.Delete(embedded::batch_key(partition, operation.offset));
        break;
      case Kind::put_meta:
        batch.Put(slice(operation.key), slice(operation.value));
        break;
      case Kind::delete_meta:
        batch.Delete(slice(operation.key));
        break;
      case Kind::erase_topic:
        for (const char kind : {'i', 'b', 'k'})
          batch.DeleteRange(embedded::meta_key(kind, topic), embedded::meta_key(kind, topic + 1));
        break;
      case Kind::drop_before:
        batch.Put(embedded::meta_key('b', partition), embedded::offset_value(operation.offset));
        batch.DeleteRange(embedded::batch_key(partition, 0), embedded::batch_key(partition, operation.kept));
        break;
    }
  }
  batch.Put(slice(embedded::kPositionKey), embedded::position_value(next));
  ReadLock lock(index_->mutex);
  const auto status = index_->write(batch);
  if (!status.ok()) return failure("writing the index", status.ToString());
  // What lies behind the index's last flush is read again at the next start: keep it to a segment or two.
  if (next.segment > index_->flushed_segment) {
    index_->flushed_segment = next.segment;
    rocksdb::FlushOptions options;
    options.wait = false;
    options.allow_write_stall = true;
    index_->db->Flush(options).PermitUncheckedError();
  }
  return {};
}

}  // namespace millrace::inline exec
