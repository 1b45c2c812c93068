#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "exec/data/result.h"
#include "exec/state/key_codec.h"

namespace millrace::inline exec {

struct StateDbOptions {
  std::string directory;
  std::size_t block_cache_bytes = 64 << 20;
  std::size_t write_buffer_bytes = 4 << 20;
};

/// Sorted files on their way into the database: stores must come in the order of their ids, the keys of each ascending.
/// Nothing is visible before `finish`.
class StateFile {
 public:
  virtual ~StateFile() = default;  // unfinished: dropped
  /// What follows is of store `id`. `position`: the changelog position that it stands for once the file is in. `bytes`:
  /// how much will come, about.
  virtual Status begin(std::uint32_t id, std::int64_t position, std::size_t bytes) = 0;
  virtual Status put(std::string_view key, std::string_view value) = 0;
  virtual Status remove(std::string_view key) = 0;
  /// What follows goes into a file of its own, if that is worth it. Where the keys on one side of the cut are new to
  /// the database, that side need never be merged with what is there.
  virtual Status cut() = 0;
  /// Makes the changes visible and durable together with the changelog positions that they stand for.
  virtual Status finish() = 0;
};

/// The process's state RocksDB (design.md §6). No write-ahead log: all data comes in as sorted files, each carrying the
/// changelog position of its store, so both are durable together or not at all. Keys lie as `id | tag | key`, id being
/// a short number for the store's name, so a store, a range or a query drops as a range. Thread-safe.
class StateDb {
 public:
  /// A second process on the directory is a user error; a full or read-only disk an external one.
  static Result<std::unique_ptr<StateDb>> open(const StateDbOptions& options);
  virtual ~StateDb() = default;

  /// The number that stands for a store's name (StoreSlot::prefix), made and made durable at first use.
  virtual Result<std::uint32_t> id(const std::string& name) = 0;
  /// Changelog position that the stored data of `id` stands for; 0 when there is none.
  virtual Result<std::int64_t> position(std::uint32_t id) = 0;
  /// When that position was written, ms since the epoch; 0 when that is not known.
  virtual Result<std::int64_t> position_time(std::uint32_t id) = 0;
  /// How much time a segment of the store holds, in ms, as it was set; 0: it was not.
  virtual Result<std::int64_t> segment_span(std::uint32_t id) = 0;
  /// Durable with the next file of any store. For stores that hold nothing.
  virtual Status set_segment_span(std::uint32_t id, std::int64_t span) = 0;
  virtual Result<std::unique_ptr<StateFile>> new_file() = 0;
  /// values[i] is that of keys[i]; absent where there is none. Keys must be ascending for best speed.
  virtual Status multi_get(std::uint32_t id, std::span<const std::string> keys,
                           std::vector<std::optional<std::string>>& values) = 0;
  /// Calls `found` with the place and the value of each key that is there. Keys are ascending.
  using Found = std::function<Status(std::size_t place, std::string_view value)>;
  virtual Status look_up(std::uint32_t id, const KeyBuffer& keys, const Found& found) = 0;
  using Visit = std::function<bool(std::string_view key, std::string_view value)>;
  /// Keys in [from, to), ascending; an empty `to` means to the end. `visit` returning false stops.
  virtual Status scan(std::uint32_t id, std::string_view from, std::string_view to, const Visit& visit) = 0;
  /// Reads keys in [from, to), ascending, as they are now; the database must outlive it. One thread at a time.
  class Cursor {
   public:
    virtual ~Cursor() = default;
    virtual bool valid() const = 0;
    virtual std::string_view key() const = 0;
    virtual std::string_view value() const = 0;
    virtual void next() = 0;
    /// On to the first key at or after `from`, within the range.
    virtual void seek(std::string_view from) = 0;
    /// On to the last key before `to`, within the range.
    virtual void seek_before(std::string_view to) = 0;
    virtual void previous() = 0;
    virtual Status status() const = 0;
  };
  virtual std::unique_ptr<Cursor> cursor(std::uint32_t id, std::string_view from, std::string_view to) = 0;
  /// The first key at or after `from`; absent at the end.
  virtual Result<std::optional<std::string>> seek(std::uint32_t id, std::string_view from) = 0;
  /// Drops keys in [from, to), below which nobody wants anything any more. Durable with a later file or flush: only for
  /// what nobody will miss (expired windows).
  virtual Status drop_range(std::uint32_t id, std::string_view from, std::string_view to) = 0;
  /// Drops what is stored of `id`, its position first; durable on return.
  virtual Status clear(std::uint32_t id) = 0;
  /// A copy of what is durable, as it is at one moment, in a new directory.
  virtual Status checkpoint(const std::string& directory) = 0;
  /// Drops what is stored under this name, and of indexes of it (`NAME|...`); nothing where there is nothing.
  virtual Status drop_store(const std::string& name) = 0;
  /// Drops every store whose name begins with `name_prefix`, positions included; durable on return.
  virtual Status drop(const std::string& name_prefix) = 0;
};

}  // namespace millrace::inline exec
