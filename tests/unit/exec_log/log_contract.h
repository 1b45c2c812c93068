#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "exec/log/log.h"

/// The contract of exec/log/log.h as tests (log_contract_test.cpp). Every log runs it: compile that file in and write
/// INSTANTIATE_TEST_SUITE_P(Name, LogContract, testing::Values(LogFactory{...}), log_factory_name).
namespace millrace {

/// A log under test and what it needs to live (a directory, a broker).
class LogUnderTest {
 public:
  virtual ~LogUnderTest() = default;
  virtual Log& log() = 0;
  /// Closes and opens again; false when this log forgets everything then.
  virtual bool reopen() { return false; }
  /// Topic names of different tests must not meet on a shared broker.
  virtual std::string prefix() { return ""; }
  /// Keeps topics at one replica on this log, with no gaps between the offsets of transactions.
  virtual bool contiguous_offsets() { return true; }
  /// Waits until readers see what has been committed; a cluster may answer the committer first.
  virtual void settle() {}
  /// The stamp with which a record stamped 0 comes back.
  virtual std::int64_t zero_timestamp() { return 0; }
};

struct LogFactory {
  std::string name;
  std::function<std::unique_ptr<LogUnderTest>()> make;
  friend void PrintTo(const LogFactory& factory, std::ostream* out) { *out << factory.name; }
};

inline std::string log_factory_name(const testing::TestParamInfo<LogFactory>& info) {
  return info.param.name;
}

/// A record that owns its bytes.
struct OwnedRecord {
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::int64_t timestamp = 0;
  std::int64_t offset = -1;
  std::vector<std::pair<std::string, std::optional<std::string>>> headers;
};

class LogContract : public testing::TestWithParam<LogFactory> {
 protected:
  void SetUp() override { under_test_ = GetParam().make(); }
  void TearDown() override;

  Log& log() { return under_test_->log(); }
  std::string topic(const std::string& name, int partitions = 1, bool compacted = false);
  std::unique_ptr<Writer> writer(const std::string& id);
  std::unique_ptr<Reader> reader();
  /// Waits for the commit under way.
  Writer::CommitState ended(Writer& writer);
  void commit(Writer& writer);
  /// The next fetch that has records.
  static Fetch next_records(Reader& reader, std::size_t max_records = 1000);
  /// Everything from `offset` to the current end.
  std::vector<OwnedRecord> read_all(const std::string& topic, std::int32_t partition = 0,
                                    std::int64_t offset = kOffsetBeginning);
  std::vector<std::string> values(const std::string& topic, std::int32_t partition = 0,
                                  std::int64_t offset = kOffsetBeginning);

  std::unique_ptr<LogUnderTest> under_test_;
};

inline OwnedRecord own(const RecordView& record) {
  OwnedRecord owned;
  if (record.key) owned.key = std::string(*record.key);
  if (record.value) owned.value = std::string(*record.value);
  owned.timestamp = record.timestamp;
  owned.offset = record.offset;
  for (const HeaderView& header : record.headers)
    owned.headers.emplace_back(std::string(header.key),
                               header.value ? std::optional<std::string>(*header.value) : std::nullopt);
  return owned;
}

}  // namespace millrace
