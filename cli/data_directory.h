#pragma once

#include <memory>
#include <string>

#include "exec/data/result.h"

namespace millrace::inline cli {

/// The directory of one process: `log/`, `state/`, `process_id`, `lock`. Held exclusively while the object lives.
class DataDirectory {
 public:
  /// Creates it (mode 0700) when missing. User errors: another process holds it (named by pid), it cannot be written.
  static Result<std::unique_ptr<DataDirectory>> open(const std::string& path);
  /// A fresh one under the system's temporary directory, removed with the object.
  static Result<std::unique_ptr<DataDirectory>> temporary();
  ~DataDirectory();

  std::string log() const { return path_ + "/log"; }
  std::string state() const { return path_ + "/state"; }
  const std::string& path() const { return path_; }
  const std::string& process_id() const { return process_id_; }

 private:
  DataDirectory() = default;
  std::string path_, process_id_;
  int lock_ = -1;
  bool remove_ = false;
};

}  // namespace millrace::inline cli
