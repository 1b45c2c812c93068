#include "exec/log/embedded/segment_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>

#include "exec/log/failpoint.h"
#include "parser/error/mutex.h"

namespace millrace::inline exec {

namespace {

constexpr std::string_view kSuffix = ".seg";
constexpr std::size_t kMaxOpenFiles = 64;
constexpr std::size_t kMaxParts = 512;  // below IOV_MAX

Status sync_directory(const std::string& directory) {
  const int file = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = file >= 0 && ::fsync(file) == 0;
  const int reason = errno;
  if (file >= 0) ::close(file);
  if (!synced) return external_error("syncing directory '{}' failed: {}", directory, std::strerror(reason));
  return {};
}

}  // namespace

class SegmentFiles::File {
 public:
  explicit File(int descriptor) : descriptor_(descriptor) {}
  ~File() { ::close(descriptor_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int descriptor() const { return descriptor_; }

 private:
  const int descriptor_;
};

SegmentFiles::SegmentFiles(std::string directory, std::uint64_t segment_bytes)
    : directory_(std::move(directory)), segment_bytes_(segment_bytes) {}

std::string SegmentFiles::path(std::uint32_t segment) const {
  return fmt::format("{}/{:010}{}", directory_, segment, kSuffix);
}

Result<std::unique_ptr<SegmentFiles>> SegmentFiles::open(const std::string& directory, std::uint64_t segment_bytes) {
  std::unique_ptr<SegmentFiles> files(new SegmentFiles(directory, segment_bytes));
  {
    const MutexLock lock(files->mutex_);
    if (Status listed = files->list(); !listed) return listed.error();
  }
  const std::vector<std::uint32_t> known = files->segments();
  if (known.empty()) {
    if (Status begun = files->begin_segment(1); !begun) return begun.error();
    return files;
  }
  const std::uint32_t last = known.back();
  const auto file = files->find(last);
  if (!file) return file.error();
  const auto size = files->size(last);
  if (!size) return size.error();
  {
    const MutexLock lock(files->mutex_);
    files->active_ = *file;
  }
  files->end_ = {last, *size};
  return files;
}

Status SegmentFiles::list() {
  std::error_code failed;
  std::filesystem::create_directories(directory_, failed);
  std::filesystem::directory_iterator entries(directory_, failed);
  if (failed) return external_error("cannot open directory '{}': {}", directory_, failed.message());
  for (const auto& entry : entries) {
    const std::string name = entry.path().filename().string();
    std::uint32_t segment = 0;
    const auto parsed = std::from_chars(name.data(), name.data() + name.size(), segment);
    if (parsed.ec == std::errc() && parsed.ptr == name.data() + name.size() - kSuffix.size() && name.ends_with(kSuffix))
      known_.insert(segment);
  }
  return {};
}

Status SegmentFiles::begin_segment(std::uint32_t segment) {
  const int descriptor = ::open(path(segment).c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (descriptor < 0) return external_error("creating '{}' failed: {}", path(segment), std::strerror(errno));
  auto file = std::make_shared<File>(descriptor);
  if (Status synced = sync_directory(directory_); !synced) return synced;
  end_ = {segment, 0};
  const MutexLock lock(mutex_);
  active_ = file;
  known_.insert(segment);
  open_[segment] = std::move(file);
  return {};
}

Result<SegmentPosition> SegmentFiles::prepare() {
  if (repair_needed_) {
    if (Status repaired = repair(); !repaired) return repaired.error();
  }
  if (end_.offset >= segment_bytes_) {
    // What is unsynced by choice must not stay so for ever.
    if (Status synced = sync(); !synced) return synced.error();
    if (Status begun = begin_segment(end_.segment + 1); !begun) return begun.error();
  }
  return end_;
}

Status SegmentFiles::repair() {
  if (::ftruncate(active_->descriptor(), static_cast<off_t>(end_.offset)) != 0 || ::fsync(active_->descriptor()) != 0)
    return external_error("repairing '{}' failed: {}", path(end_.segment), std::strerror(errno));
  repair_needed_ = false;
  return {};
}

Status SegmentFiles::append(std::span<const std::string_view> parts, bool sync) {
  std::uint64_t bytes = 0;
  for (const std::string_view part : parts) bytes += part.size();
  Status written = write_all(parts);
  if (written && sync) written = this->sync();
  if (!written) {
    repair_needed_ = true;
    (void)repair();  // else before the next append
    return written;
  }
  end_.offset += bytes;
  return {};
}

Status SegmentFiles::write_all(std::span<const std::string_view> parts) {
  std::array<iovec, kMaxParts> pieces;
  std::uint64_t at = end_.offset;
  std::size_t next = 0;
  std::size_t done = 0;  // bytes of part `next` that are written
  while (next < parts.size()) {
    std::size_t count = 0;
    for (std::size_t i = next; i < parts.size() && count < kMaxParts; ++i, ++count) {
      const std::string_view rest = i == next ? parts[i].substr(done) : parts[i];
      pieces[count] = {const_cast<char*>(rest.data()), rest.size()};
    }
    const ssize_t wrote =
        ::pwritev(active_->descriptor(), pieces.data(), static_cast<int>(count), static_cast<off_t>(at));
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return external_error("writing '{}' failed: {}", path(end_.segment), std::strerror(errno));
    at += static_cast<std::uint64_t>(wrote);
    done += static_cast<std::size_t>(wrote);
    while (next < parts.size() && done >= parts[next].size()) done -= parts[next++].size();
  }
  return {};
}

// The files before the last one were synced when that was begun.
Status SegmentFiles::sync() {
  FilePtr file;
  {
    const MutexLock lock(mutex_);
    file = active_;
  }
  if (::fdatasync(file->descriptor()) != 0)
    return external_error("syncing the log in '{}' failed: {}", directory_, std::strerror(errno));
  return failpoint::hit(failpoint::kLogSync);
}

Status SegmentFiles::truncate(SegmentPosition end) {
  end_ = end;
  repair_needed_ = true;
  return repair();
}

Result<SegmentFiles::FilePtr> SegmentFiles::find(std::uint32_t segment) {
  const MutexLock lock(mutex_);
  if (!known_.contains(segment)) return FilePtr{};
  const auto found = open_.find(segment);
  if (found != open_.end()) return found->second;
  const int descriptor = ::open(path(segment).c_str(), O_RDWR | O_CLOEXEC);
  if (descriptor < 0) return external_error("opening '{}' failed: {}", path(segment), std::strerror(errno));
  if (open_.size() >= kMaxOpenFiles) open_.erase(open_.begin());
  return open_[segment] = std::make_shared<File>(descriptor);
}

Result<bool> SegmentFiles::read(SegmentPosition at, std::span<char> bytes) {
  const auto file = find(at.segment);
  if (!file) return file.error();
  if (!*file) return false;
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t got =
        ::pread((*file)->descriptor(), bytes.data() + done, bytes.size() - done, static_cast<off_t>(at.offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return external_error("reading '{}' failed: {}", path(at.segment), std::strerror(errno));
    if (got == 0) return false;
    done += static_cast<std::size_t>(got);
  }
  return true;
}

Result<std::uint64_t> SegmentFiles::size(std::uint32_t segment) {
  struct stat status {};
  if (::stat(path(segment).c_str(), &status) != 0)
    return external_error("reading '{}' failed: {}", path(segment), std::strerror(errno));
  return static_cast<std::uint64_t>(status.st_size);
}

std::vector<std::uint32_t> SegmentFiles::segments() {
  const MutexLock lock(mutex_);
  return {known_.begin(), known_.end()};
}

Status SegmentFiles::copy_to(const std::string& directory) {
  namespace fs = std::filesystem;
  const MutexLock lock(mutex_);  // no file is removed meanwhile
  std::error_code failed;
  fs::create_directories(directory, failed);
  for (auto segment = known_.begin(); segment != known_.end() && !failed; ++segment) {
    const fs::path from = path(*segment), to = fs::path(directory) / from.filename();
    const bool grows = *segment == end_.segment;
    if (!grows) fs::create_hard_link(from, to, failed);
    if (grows || failed) {
      failed.clear();
      fs::copy_file(from, to, failed);
    }
    if (grows && !failed) fs::resize_file(to, end_.offset, failed);
  }
  if (failed) return external_error("copying to '{}' failed: {}", directory, failed.message());
  return {};
}

Status SegmentFiles::remove(std::uint32_t segment) {
  const MutexLock lock(mutex_);
  known_.erase(segment);
  open_.erase(segment);
  if (::unlink(path(segment).c_str()) != 0 && errno != ENOENT)
    return external_error("deleting '{}' failed: {}", path(segment), std::strerror(errno));
  return {};
}

}  // namespace millrace::inline exec
