#pragma once

#include <string>
#include <vector>

namespace millrace::inline cli {

/// Tells when files that were read become others, looked at from time to time.
class FileWatch {
 public:
  explicit FileWatch(std::vector<std::string> paths);
  /// Once for each change, when the files have been as they are since the look before: nobody is writing any more.
  bool changed();

 private:
  struct Stamp {
    long inode = 0, size = -1, seconds = 0, nanoseconds = 0;  // size -1: there is no such file
    bool operator==(const Stamp&) const = default;
  };
  std::vector<Stamp> look() const;

  std::vector<std::string> paths_;
  std::vector<Stamp> known_, seen_;
};

}  // namespace millrace::inline cli
