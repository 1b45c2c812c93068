#include "exec/state/state_db.h"

#include <fmt/format.h>
#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/options.h>
#include <rocksdb/sst_file_writer.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/checkpoint.h>
#include <rocksdb/write_buffer_manager.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <filesystem>
#include <map>

#include "exec/data/wall_clock.h"
#include "parser/error/mutex.h"

namespace millrace::inline exec {
namespace {

using rocksdb::Slice;

constexpr char kDataTag = 1;
constexpr std::uint32_t kNamesId = 0;  // names: id 0, key = name, value = 4 bytes
/// Positions have a column family of their own: a file that held one beside its data would overlap with every other
/// file of the store and be merged again and again.
constexpr char kPositions[] = "positions";

Slice slice(std::string_view text) {
  return {text.data(), text.size()};
}
std::string_view view(const Slice& slice) {
  return {slice.data(), slice.size()};
}

Error disk_error(const rocksdb::Status& status, std::string_view what) {
  return external_error("state: {}: {}", what, status.ToString());
}

void put_id(std::uint32_t id, char* out) {
  for (int i = 0; i < 4; ++i) out[i] = static_cast<char>(id >> (8 * (3 - i)));
}
std::uint32_t get_id(std::string_view bytes) {
  std::uint32_t id = 0;
  for (int i = 0; i < 4; ++i) id = id << 8 | static_cast<std::uint8_t>(bytes[i]);
  return id;
}
std::string full_key(std::uint32_t id, char tag, std::string_view key) {
  std::string out(5, tag);
  put_id(id, out.data());
  out.append(key);
  return out;
}
std::string position_key(std::uint32_t id) {
  std::string out(4, 0);
  put_id(id, out.data());
  return out;
}
/// Beside the position, where earlier builds do not look.
std::string position_time_key(std::uint32_t id) {
  return position_key(id).append("T");
}
std::string span_key(std::uint32_t id) {
  return position_key(id).append("S");
}
std::string end_key(std::uint32_t id, std::string_view to) {
  return to.empty() ? full_key(id, kDataTag + 1, {}) : full_key(id, kDataTag, to);
}
std::string position_bytes(std::int64_t position) {
  return std::string(reinterpret_cast<const char*>(&position), sizeof(position));
}

/// The filter of a file is one block. What a shard of the cache has no room for is read again for every few look-ups.
int shard_bits(std::size_t cache_bytes) {
  constexpr std::size_t kLeastShard = 16 << 20;
  return std::bit_width(std::max<std::size_t>(1, cache_bytes / kLeastShard)) - 1;
}

rocksdb::Options database_options(const StateDbOptions& options) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(options.block_cache_bytes, shard_bits(options.block_cache_bytes));
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.cache_index_and_filter_blocks = true;
  table.pin_l0_filter_and_index_blocks_in_cache = true;
  table.format_version = 5;
  rocksdb::Options out;
  out.create_if_missing = true;
  out.create_missing_column_families = true;
  out.atomic_flush = true;
  out.compression = rocksdb::kLZ4Compression;
  out.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  out.write_buffer_size = options.write_buffer_bytes;
  out.max_write_buffer_number = 2;
  out.write_buffer_manager =
      std::make_shared<rocksdb::WriteBufferManager>(2 * options.write_buffer_bytes, table.block_cache);
  out.max_background_jobs = 2;
  out.max_open_files = 256;
  out.keep_log_file_num = 2;
  out.max_log_file_size = 1 << 20;
  out.stats_dump_period_sec = 0;
  out.level_compaction_dynamic_level_bytes = true;
  return out;
}

struct Families {
  rocksdb::ColumnFamilyHandle* data;
  rocksdb::ColumnFamilyHandle* positions;
};

class FileWriter final : public StateFile {
 public:
  FileWriter(rocksdb::DB& db, const Families& families, const rocksdb::Options& options, std::string path)
      : db_(db), families_(families), options_(options), path_(std::move(path)) {}
  ~FileWriter() override {
    std::error_code ignored;
    for (const std::string& file : files_) std::filesystem::remove(file, ignored);
  }

  Status begin(std::uint32_t id, std::int64_t position, std::size_t bytes) override {
    positions_.emplace_back(id, position);
    key_ = full_key(id, kDataTag, {});
    // A file that holds several stores is merged with what there is of each of them.
    if (bytes >= kOwnFile || (writer_ && writer_->FileSize() >= kOwnFile)) return end();
    return {};
  }
  Status put(std::string_view key, std::string_view value) override {
    return add(key, [&](const Slice& full) { return writer_->Put(full, slice(value)); });
  }
  Status remove(std::string_view key) override {
    return add(key, [&](const Slice& full) { return writer_->Delete(full); });
  }
  Status cut() override { return writer_ && writer_->FileSize() >= kWorthAFile ? end() : Status{}; }
  Status finish() override {
    if (Status done = end(); !done) return done;
    std::vector<rocksdb::IngestExternalFileArg> parts;
    rocksdb::IngestExternalFileOptions ingest;
    ingest.move_files = true;
    ingest.write_global_seqno = false;
    if (!files_.empty()) parts.push_back({families_.data, files_, ingest, {}, {}, rocksdb::Temperature::kUnknown});
    if (Status done = open(); !done) return done;
    const std::string now = position_bytes(wall_clock_ms());
    for (const auto& [id, position] : positions_) {
      rocksdb::Status put = writer_->Put(position_key(id), position_bytes(position));
      if (put.ok()) put = writer_->Put(position_time_key(id), now);
      if (!put.ok()) return disk_error(put, "cannot write");
    }
    if (Status done = end(); !done) return done;
    parts.push_back({families_.positions, {files_.back()}, ingest, {}, {}, rocksdb::Temperature::kUnknown});
    const rocksdb::Status status = db_.IngestExternalFiles(parts);
    if (!status.ok()) return disk_error(status, "cannot take in files");
    files_.clear();
    return {};
  }

 private:
  // Each file is written, synced and taken in for itself. Of a larger one the filter would be too large.
  static constexpr std::size_t kOwnFile = 1 << 20, kWorthAFile = 64 << 10, kLargest = 32 << 20;

  Status open() {
    files_.push_back(fmt::format("{}-{}.sst", path_, files_.size()));
    writer_ = std::make_unique<rocksdb::SstFileWriter>(rocksdb::EnvOptions(), options_);
    const rocksdb::Status status = writer_->Open(files_.back());
    if (!status.ok()) return disk_error(status, "cannot make a file");
    return {};
  }
  Status end() {
    if (!writer_) return {};
    const rocksdb::Status status = writer_->Finish();
    writer_.reset();
    if (!status.ok()) return disk_error(status, "cannot finish a file");
    return {};
  }
  template <class Add>
  Status add(std::string_view key, Add add) {
    if (writer_ && writer_->FileSize() >= kLargest)
      if (Status ended = end(); !ended) return ended;
    if (!writer_)
      if (Status opened = open(); !opened) return opened;
    key_.resize(5);
    key_.append(key);
    const rocksdb::Status status = add(Slice(key_));
    if (!status.ok()) return disk_error(status, "cannot write");
    return {};
  }

  rocksdb::DB& db_;
  const Families families_;
  const rocksdb::Options& options_;
  const std::string path_;
  std::vector<std::pair<std::uint32_t, std::int64_t>> positions_;  // of stores
  std::vector<std::string> files_;                                 // not taken in yet
  std::unique_ptr<rocksdb::SstFileWriter> writer_;
  std::string key_;
};

class RocksCursor final : public StateDb::Cursor {
 public:
  RocksCursor(rocksdb::DB& db, std::string begin, std::string end)
      : begin_(std::move(begin)), end_(std::move(end)), upper_(end_) {
    rocksdb::ReadOptions read;
    read.iterate_upper_bound = &upper_;
    it_.reset(db.NewIterator(read));
    it_->Seek(begin_);
  }
  bool valid() const override { return it_->Valid() && (!back_ || view(it_->key()) >= begin_); }
  std::string_view key() const override { return view(it_->key()).substr(5); }
  std::string_view value() const override { return view(it_->value()); }
  void next() override { it_->Next(); }
  void previous() override { it_->Prev(); }
  void seek_before(std::string_view to) override {
    back_ = true;
    const std::string key = begin_.substr(0, 5).append(to);
    it_->SeekForPrev(key);
    if (it_->Valid() && view(it_->key()) >= key) it_->Prev();
  }
  void seek(std::string_view from) override {
    back_ = false;
    const std::string key = begin_.substr(0, 5).append(from);
    it_->Seek(std::max<std::string_view>(key, begin_));
  }
  Status status() const override {
    if (!it_->status().ok()) return disk_error(it_->status(), "cannot scan");
    return {};
  }

 private:
  const std::string begin_, end_;
  const Slice upper_;
  bool back_ = false;  // may have gone before the range
  std::unique_ptr<rocksdb::Iterator> it_;
};

class RocksStateDb final : public StateDb {
 public:
  RocksStateDb(std::unique_ptr<rocksdb::DB> db, Families families, rocksdb::Options options, std::string directory)
      : db_(std::move(db)),
        families_(families),
        options_(std::move(options)),
        files_(std::move(directory) + "/incoming") {}
  ~RocksStateDb() override {
    for (rocksdb::ColumnFamilyHandle* family : {families_.data, families_.positions})
      db_->DestroyColumnFamilyHandle(family).PermitUncheckedError();
    db_->Close().PermitUncheckedError();
  }

  Status load() {
    std::error_code failed;
    std::filesystem::remove_all(files_, failed);
    std::filesystem::create_directories(files_, failed);
    if (failed) return external_error("state: cannot make {}: {}", files_, failed.message());
    const MutexLock lock(mutex_);
    return scan(kNamesId, {}, {}, [this](std::string_view name, std::string_view value) REQUIRES(mutex_) {
      const std::uint32_t id = get_id(value);
      ids_.emplace(std::string(name), id);
      next_id_ = std::max(next_id_, id + 1);
      return true;
    });
  }

  Result<std::uint32_t> id(const std::string& name) override {
    const MutexLock lock(mutex_);
    if (const auto found = ids_.find(name); found != ids_.end()) return found->second;
    const std::uint32_t made = next_id_;
    char bytes[4];
    put_id(made, bytes);
    rocksdb::Status status = db_->Put(no_wal(), full_key(kNamesId, kDataTag, name), Slice(bytes, 4));
    if (!status.ok()) return disk_error(status, "cannot name a store");
    unflushed_ = true;
    ids_.emplace(name, made);
    ++next_id_;
    return made;
  }

  Result<std::int64_t> position(std::uint32_t id) override { return read_number(position_key(id)); }
  Result<std::int64_t> position_time(std::uint32_t id) override { return read_number(position_time_key(id)); }
  Result<std::int64_t> segment_span(std::uint32_t id) override { return read_number(span_key(id)); }
  Status set_segment_span(std::uint32_t id, std::int64_t span) override {
    const MutexLock lock(mutex_);
    const rocksdb::Status status = db_->Put(no_wal(), families_.positions, span_key(id), position_bytes(span));
    if (!status.ok()) return disk_error(status, "cannot note the length of segments");
    unflushed_ = true;
    return {};
  }
  Result<std::int64_t> read_number(const std::string& key) {
    std::string value;
    const rocksdb::Status status = db_->Get({}, families_.positions, key, &value);
    if (status.IsNotFound()) return std::int64_t{0};
    if (!status.ok()) return disk_error(status, "cannot read a position");
    std::int64_t position = 0;
    if (value.size() == sizeof(position)) std::memcpy(&position, value.data(), sizeof(position));
    return position;
  }

  Result<std::unique_ptr<StateFile>> new_file() override;
  Status multi_get(std::uint32_t id, std::span<const std::string> keys,
                   std::vector<std::optional<std::string>>& values) override;
  Status look_up(std::uint32_t id, const KeyBuffer& keys, const Found& found) override;
  Status scan(std::uint32_t id, std::string_view from, std::string_view to, const Visit& visit) override;
  std::unique_ptr<Cursor> cursor(std::uint32_t id, std::string_view from, std::string_view to) override;
  Result<std::optional<std::string>> seek(std::uint32_t id, std::string_view from) override;
  // A file may hold several segments: it goes as a whole with the last of them. Out of files that hold other stores too
  // they go when those are merged, which RocksDB does by what is in files: the next one brings the range into one.
  Status drop_range(std::uint32_t id, std::string_view from, std::string_view to) override {
    remove_files(full_key(id, kDataTag, {}), end_key(id, to));
    dropped_ = true;
    return remove_keys(full_key(id, kDataTag, from), end_key(id, to));
  }
  Status clear(std::uint32_t id) override {
    rocksdb::Status status = db_->Delete(no_wal(), families_.positions, position_key(id));
    if (status.ok()) status = db_->Delete(no_wal(), families_.positions, position_time_key(id));
    if (!status.ok()) return disk_error(status, "cannot forget a position");
    if (Status flushed = flush(); !flushed) return flushed;  // data must never be less than its position says
    if (Status removed = remove_range(full_key(id, kDataTag, {}), end_key(id, {})); !removed) return removed;
    return flush();
  }
  Status drop(const std::string& name_prefix) override;
  Status checkpoint(const std::string& directory) override {
    {
      const MutexLock lock(mutex_);
      if (Status flushed = flush(); !flushed) return flushed;
      unflushed_ = false;
    }
    rocksdb::Checkpoint* made = nullptr;
    rocksdb::Status status = rocksdb::Checkpoint::Create(db_.get(), &made);
    const std::unique_ptr<rocksdb::Checkpoint> owned(made);
    if (status.ok()) status = owned->CreateCheckpoint(directory);
    if (!status.ok()) return disk_error(status, "cannot copy the state");
    return {};
  }
  Status drop_store(const std::string& name) override {
    std::vector<std::uint32_t> ids;
    {
      const MutexLock lock(mutex_);
      if (const auto found = ids_.find(name); found != ids_.end()) ids.push_back(found->second);
      const std::string index = name + "|";
      for (auto it = ids_.lower_bound(index); it != ids_.end() && it->first.starts_with(index); ++it)
        ids.push_back(it->second);
    }
    for (const std::uint32_t id : ids) {
      const auto any = seek(id, {});
      if (!any) return any.error();
      if (!*any) continue;
      if (Status cleared = clear(id); !cleared) return cleared;
    }
    return {};
  }

 private:
  static rocksdb::WriteOptions no_wal() {
    rocksdb::WriteOptions out;
    out.disableWAL = true;
    return out;
  }
  Status remove_range(const std::string& from, const std::string& to) {
    remove_files(from, to);
    return remove_keys(from, to);
  }
  /// Those that hold nothing else.
  void remove_files(const std::string& from, const std::string& to) {
    const Slice begin(from), end(to);
    rocksdb::DeleteFilesInRange(db_.get(), db_->DefaultColumnFamily(), &begin, &end, false).PermitUncheckedError();
  }
  Status remove_keys(const std::string& from, const std::string& to) {
    const rocksdb::Status status = db_->DeleteRange(no_wal(), db_->DefaultColumnFamily(), from, to);
    if (!status.ok()) return disk_error(status, "cannot drop a range");
    return {};
  }
  Status flush() {
    const rocksdb::Status status = db_->Flush({}, {families_.data, families_.positions});
    if (!status.ok()) return disk_error(status, "cannot flush");
    return {};
  }

  std::unique_ptr<rocksdb::DB> db_;
  Families families_;
  rocksdb::Options options_;
  std::string files_;
  std::atomic<std::uint64_t> next_file_{0};
  Mutex mutex_;
  std::map<std::string, std::uint32_t> ids_ GUARDED_BY(mutex_);
  std::uint32_t next_id_ GUARDED_BY(mutex_) = 1;
  bool unflushed_ GUARDED_BY(mutex_) = false;
  std::atomic<bool> dropped_{false};  // ranges since the last flush
};

Result<std::unique_ptr<StateFile>> RocksStateDb::new_file() {
  {
    const MutexLock lock(mutex_);
    // Data must never be durable under a number that could be given out again, or in segments of unknown length; and
    // what has expired is to leave the files.
    if (dropped_.exchange(false) || unflushed_) {
      if (Status flushed = flush(); !flushed) return flushed.error();
      unflushed_ = false;
    }
  }
  return std::unique_ptr<StateFile>(
      std::make_unique<FileWriter>(*db_, families_, options_, fmt::format("{}/{}", files_, next_file_++)));
}

Status RocksStateDb::multi_get(std::uint32_t id, std::span<const std::string> keys,
                               std::vector<std::optional<std::string>>& values) {
  std::vector<std::string> full;
  full.reserve(keys.size());
  for (const std::string& key : keys) full.push_back(full_key(id, kDataTag, key));
  const std::vector<Slice> slices(full.begin(), full.end());
  std::vector<rocksdb::PinnableSlice> found(keys.size());
  std::vector<rocksdb::Status> statuses(keys.size());
  db_->MultiGet({}, db_->DefaultColumnFamily(), slices.size(), slices.data(), found.data(), statuses.data(), false);
  values.assign(keys.size(), std::nullopt);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    if (statuses[i].ok()) {
      values[i].emplace(found[i].data(), found[i].size());
    } else if (!statuses[i].IsNotFound()) {
      return disk_error(statuses[i], "cannot read");
    }
  }
  return {};
}

Status RocksStateDb::look_up(std::uint32_t id, const KeyBuffer& keys, const Found& found) {
  constexpr std::size_t kAtOnce = 256;  // whose blocks are held
  const std::string head = full_key(id, kDataTag, {});
  std::string bytes;
  std::vector<Slice> slices;
  std::array<rocksdb::PinnableSlice, kAtOnce> values;
  std::array<rocksdb::Status, kAtOnce> statuses;
  for (std::size_t from = 0; from < keys.size(); from += kAtOnce) {
    const std::size_t count = std::min(kAtOnce, keys.size() - from);
    const std::size_t begin = from == 0 ? 0 : keys.ends[from - 1];
    bytes.clear();
    bytes.reserve(count * head.size() + keys.ends[from + count - 1] - begin);
    slices.clear();
    for (std::size_t i = from; i < from + count; ++i) {
      const std::size_t at = bytes.size();
      bytes.append(head).append(keys[i]);
      slices.emplace_back(bytes.data() + at, bytes.size() - at);
    }
    db_->MultiGet({}, db_->DefaultColumnFamily(), count, slices.data(), values.data(), statuses.data(), true);
    for (std::size_t i = 0; i < count; ++i) {
      if (statuses[i].IsNotFound()) continue;
      if (!statuses[i].ok()) return disk_error(statuses[i], "cannot read");
      Status taken = found(from + i, view(values[i]));
      values[i].Reset();
      if (!taken) return taken;
    }
  }
  return {};
}

std::unique_ptr<StateDb::Cursor> RocksStateDb::cursor(std::uint32_t id, std::string_view from, std::string_view to) {
  return std::make_unique<RocksCursor>(*db_, full_key(id, kDataTag, from), end_key(id, to));
}

Status RocksStateDb::scan(std::uint32_t id, std::string_view from, std::string_view to, const Visit& visit) {
  const auto at = cursor(id, from, to);
  for (; at->valid(); at->next())
    if (!visit(at->key(), at->value())) break;
  return at->status();
}

Result<std::optional<std::string>> RocksStateDb::seek(std::uint32_t id, std::string_view from) {
  std::optional<std::string> found;
  const Status scanned = scan(id, from, {}, [&](std::string_view key, std::string_view) {
    found = std::string(key);
    return false;
  });
  if (!scanned) return scanned.error();
  return found;
}

Status RocksStateDb::drop(const std::string& name_prefix) {
  const MutexLock lock(mutex_);
  bool any = false;
  for (auto it = ids_.lower_bound(name_prefix); it != ids_.end() && it->first.starts_with(name_prefix);) {
    any = true;
    const std::uint32_t id = it->second;
    const Status removed = remove_range(full_key(id, kDataTag, {}), end_key(id, {}));
    if (!removed) return removed;
    rocksdb::Status status = db_->Delete(no_wal(), families_.positions, position_key(id));
    if (status.ok()) status = db_->Delete(no_wal(), families_.positions, position_time_key(id));
    if (status.ok()) status = db_->Delete(no_wal(), families_.positions, span_key(id));
    if (status.ok()) status = db_->Delete(no_wal(), full_key(kNamesId, kDataTag, it->first));
    if (!status.ok()) return disk_error(status, "cannot forget a store");
    it = ids_.erase(it);
  }
  return any ? flush() : Status{};
}

}  // namespace

Result<std::unique_ptr<StateDb>> StateDb::open(const StateDbOptions& options) {
  std::error_code failed;
  std::filesystem::create_directories(options.directory, failed);
  if (failed) return external_error("state: cannot make {}: {}", options.directory, failed.message());
  const rocksdb::Options database = database_options(options);
  rocksdb::DB* raw = nullptr;
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  const rocksdb::Status status =
      rocksdb::DB::Open(database, options.directory,
                        {{rocksdb::kDefaultColumnFamilyName, database}, {kPositions, database}}, &handles, &raw);
  if (!status.ok()) {
    if (status.ToString().find("lock") != std::string::npos)
      return user_error("state directory {} is in use by another process", options.directory);
    return disk_error(status, "cannot open " + options.directory);
  }
  auto db = std::make_unique<RocksStateDb>(std::unique_ptr<rocksdb::DB>(raw), Families{handles[0], handles[1]},
                                           database, options.directory);
  if (Status loaded = db->load(); !loaded) return loaded.error();
  return std::unique_ptr<StateDb>(std::move(db));
}

}  // namespace millrace::inline exec
