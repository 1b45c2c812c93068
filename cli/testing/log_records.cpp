#include "cli/testing/log_records.h"

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

}  // namespace

Status append(Log& log, const TopicPartition& place, const StoredRecord& record) {
  std::vector<HeaderView> headers;
  for (const auto& [name, value] : record.headers)
    headers.push_back({name, value ? std::optional<std::string_view>(*value) : std::nullopt});
  const auto appended = log.append_now(place, record.key, record.value, record.timestamp, headers);
  return appended ? Status() : appended.error();
}

Result<std::unique_ptr<Reader>> open_reader(Log& log, const std::string& topic, int partitions) {
  auto reader = log.reader("test");
  for (std::int32_t p = 0; reader && p < partitions; ++p)
    if (auto added = (*reader)->add({topic, p}, kOffsetBeginning); !added) return added.error();
  return reader;
}

Result<std::vector<StoredRecord>> drain(Reader& reader) {
  std::vector<StoredRecord> out;
  while (true) {
    auto fetch = reader.poll(kReadAtOnce, std::chrono::milliseconds(0));
    if (!fetch) return fetch.error();
    if (!*fetch || (*fetch)->records.empty()) return out;
    for (const RecordView& record : (*fetch)->records) out.push_back(stored(record));
  }
}

}  // namespace millrace::inline cli::harness
