#include "cli/testing/test_log.h"

#include "exec/formats/format.h"

namespace millrace::inline cli::harness {
namespace {

constexpr std::size_t kReadAtOnce = 1000;

StoredRecord stored(const RecordView& record) {
  StoredRecord out;
  if (record.key) out.key = std::string(*record.key);
  if (record.value) out.value = std::string(*record.value);
  out.timestamp = record.timestamp;
  for (const HeaderView& header : record.headers)
    out.headers.emplace_back(header.key, header.value ? std::optional<std::string>(*header.value) : std::nullopt);
  return out;
}

Result<std::int32_t> partitions_of(Log& log, const std::string& topic) {
  const auto found = log.describe_topic(topic);
  if (!found) return found.error();
  if (!*found) return user_error("there is no topic {}", topic);
  return (*found)->config.partitions;
}

}  // namespace

Status TestLog::declare(const std::string& topic, const TopicConfig& config) {
  const auto found = log_->describe_topic(topic);
  if (!found) return found.error();
  return *found ? Status() : log_->create_topic(topic, config);
}

Status TestLog::append(const std::string& topic, const StoredRecord& record) {
  const auto partitions = partitions_of(*log_, topic);
  if (!partitions) return partitions.error();
  std::vector<HeaderView> headers;
  for (const auto& [name, value] : record.headers)
    headers.push_back({name, value ? std::optional<std::string_view>(*value) : std::nullopt});
  const std::int32_t partition = record.key ? partition_for(*record.key, *partitions) : 0;
  const auto appended =
      log_->append_now({topic, partition}, record.key, record.value, RecordTime{record.timestamp}, headers);
  return appended ? Status() : appended.error();
}

Result<Reader*> TestLog::reader(const std::string& topic) {
  const auto known = readers_.find(topic);
  if (known != readers_.end()) return known->second.get();
  const auto partitions = partitions_of(*log_, topic);
  if (!partitions) return partitions.error();
  auto reader = log_->reader("test");
  if (!reader) return reader.error();
  for (std::int32_t p = 0; p < *partitions; ++p)
    if (auto added = (*reader)->add({topic, p}, kOffsetBeginning); !added) return added.error();
  return readers_.emplace(topic, std::move(*reader)).first->second.get();
}

Result<std::vector<StoredRecord>> TestLog::take(const std::string& topic) {
  const auto from = reader(topic);
  if (!from) return from.error();
  std::vector<StoredRecord> out;
  while (true) {
    auto fetch = (*from)->poll(kReadAtOnce, std::chrono::milliseconds(0));
    if (!fetch) return fetch.error();
    if (!*fetch || (*fetch)->records.empty()) return out;
    for (const RecordView& record : (*fetch)->records) out.push_back(stored(record));
  }
}

}  // namespace millrace::inline cli::harness
