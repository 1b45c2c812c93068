#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "exec/data/result.h"
#include "parser/error/mutex.h"

namespace millrace::inline exec {

/// A place in the numbered files of the embedded log.
struct SegmentPosition {
  std::uint32_t segment = 1;
  std::uint64_t offset = 0;
  friend auto operator<=>(const SegmentPosition&, const SegmentPosition&) = default;
};

/// Append-only files of bounded size in one directory, numbered without holes but at the front. One thread appends and
/// truncates; reading and removing is for any thread.
class SegmentFiles {
 public:
  /// Creates the directory when it is missing. `segment_bytes`: a file that has reached this is closed and a new one
  /// begun.
  static Result<std::unique_ptr<SegmentFiles>> open(const std::string& directory, std::uint64_t segment_bytes);

  /// Where the next append goes; begins a new file when it is time to.
  Result<SegmentPosition> prepare();
  /// Writes the parts one after another at prepare()'s place; synced to disk first when `sync`. A failure leaves the
  /// files as they were; if not even that can be done, appends fail until it can.
  Status append(std::span<const std::string_view> parts, bool sync);
  /// Any thread: what was appended before the call is on disk.
  Status sync();
  SegmentPosition end() const { return end_; }
  /// Drops what lies at and after `end` in the last file. Precondition: `end` is in it.
  Status truncate(SegmentPosition end);

  /// Reads `bytes.size()` bytes. False: the segment was removed, or ends before.
  Result<bool> read(SegmentPosition at, std::span<char> bytes);
  Result<std::uint64_t> size(std::uint32_t segment);
  std::vector<std::uint32_t> segments();
  /// The files as they are now, in a new directory: those that grow no more as links where that can be. The thread that
  /// appends.
  Status copy_to(const std::string& directory);
  /// Deletes a file that is not the last one.
  Status remove(std::uint32_t segment);

 private:
  class File;
  using FilePtr = std::shared_ptr<File>;
  SegmentFiles(std::string directory, std::uint64_t segment_bytes);
  std::string path(std::uint32_t segment) const;
  Status list() REQUIRES(mutex_);
  Result<FilePtr> find(std::uint32_t segment);
  Status begin_segment(std::uint32_t segment);
  Status repair();
  Status write_all(std::span<const std::string_view> parts);

  const std::string directory_;
  const std::uint64_t segment_bytes_;
  SegmentPosition end_;
  FilePtr active_;              // set with the mutex held
  bool repair_needed_ = false;  // bytes after end_ that a failed append left
  Mutex mutex_;                 // guards what follows
  std::set<std::uint32_t> known_ GUARDED_BY(mutex_);
  std::map<std::uint32_t, FilePtr> open_ GUARDED_BY(mutex_);
};

}  // namespace millrace::inline exec
