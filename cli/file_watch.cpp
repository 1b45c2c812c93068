#include "cli/file_watch.h"

#include <sys/stat.h>

#include <utility>

namespace millrace::inline cli {

FileWatch::FileWatch(std::vector<std::string> paths) : paths_(std::move(paths)), known_(look()), seen_(known_) {}

std::vector<FileWatch::Stamp> FileWatch::look() const {
  std::vector<Stamp> stamps;
  for (const std::string& path : paths_) {
    struct stat found {};
    Stamp& stamp = stamps.emplace_back();
    if (stat(path.c_str(), &found) != 0) continue;
    stamp = {.inode = static_cast<long>(found.st_ino),
             .size = static_cast<long>(found.st_size),
             .seconds = static_cast<long>(found.st_mtim.tv_sec),
             .nanoseconds = static_cast<long>(found.st_mtim.tv_nsec)};
  }
  return stamps;
}

bool FileWatch::changed() {
  std::vector<Stamp> now = look();
  const bool still = now == seen_;
  seen_ = std::move(now);
  if (!still || seen_ == known_) return false;
  known_ = seen_;
  return true;
}

}  // namespace millrace::inline cli
