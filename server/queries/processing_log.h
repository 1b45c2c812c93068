#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "exec/log/log.h"
#include "exec/runtime/engine.h"

namespace millrace::inline server {

/// Writes what queries left out or could not do to the processing log's topic, from a thread of its own. `report` never
/// blocks: past a bound the entries are counted, not kept, and the next written one says how many were lost.
class ProcessingLog {
 public:
  /// `with_records`: entries hold the record that they are about, read again from its topic.
  static std::unique_ptr<ProcessingLog> open(Log& log, std::string topic, bool with_records);
  virtual ~ProcessingLog() = default;
  virtual void report(const ProcessingError& error) = 0;
  virtual std::uint64_t reported() const = 0;
  /// Until everything reported before lies in the topic; how many entries have been written altogether. Absent when
  /// `wait` is over.
  virtual std::optional<std::uint64_t> wait_until_written(std::chrono::milliseconds wait) = 0;

  static std::string topic_name(const std::string& configured, const std::string& service_id);
  /// CREATE STREAM over the topic.
  static std::string create_statement(const std::string& stream, const std::string& topic);
};

}  // namespace millrace::inline server
