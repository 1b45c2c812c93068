#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cli/testing/record_spec.h"
#include "exec/log/log.h"

namespace millrace::inline cli::harness {

/// A log whose topics a test makes, fills and reads. One thread; the log itself is as safe as it is.
class TestLog {
 public:
  explicit TestLog(std::unique_ptr<Log> own) : own_(std::move(own)), log_(own_.get()) {}
  /// `shared` must outlive it.
  explicit TestLog(Log& shared) : log_(&shared) {}

  Log& operator*() const { return *log_; }
  Log* operator->() const { return log_; }

  /// Makes the topic unless it is there.
  Status declare(const std::string& topic, const TopicConfig& config = {});
  /// Appends to the partition of the record's key, to the first without one. It can be read on return.
  Status append(const std::string& topic, const StoredRecord& record);
  /// What has come since the topic was asked last; at first from its beginning. Does not wait.
  Result<std::vector<StoredRecord>> take(const std::string& topic);

 private:
  Result<Reader*> reader(const std::string& topic);

  std::unique_ptr<Log> own_;
  Log* log_;
  std::map<std::string, std::unique_ptr<Reader>> readers_;  // by topic
};

}  // namespace millrace::inline cli::harness
