#include "tests/harness/running.h"

#include "tests/harness/checked.h"

namespace millrace::harness {
namespace {

constexpr std::size_t kReadAtOnce = 1000;

StoredRecord stored(const RecordView& record) {
  StoredRecord out;
  if (record.key) out.key = std::string(*record.key);
  if (record.value) out.value = std::string(*record.value);
  out.timestamp = record.timestamp;
  for (const auto& header : record.headers)
    out.headers.emplace_back(header.key, header.value ? std::optional<std::string>(*header.value) : std::nullopt);
  return out;
}

}  // namespace

std::unique_ptr<Engine> start_engine(Log& log, const Session& session, EngineOptions options) {
  options.service_id = std::string(kServiceId);
  options.schemas = session.schemas();
  return checked(Engine::start(log, options, EngineEvents{}));
}

void append(Log& log, const TopicPartition& place, const StoredRecord& record) {
  std::vector<HeaderView> headers;
  for (const auto& [name, value] : record.headers)
    headers.push_back({name, value ? std::optional<std::string_view>(*value) : std::nullopt});
  checked(log.append_now(place, record.key, record.value, record.timestamp, headers));
}

std::vector<StoredRecord> drain(Reader& reader) {
  std::vector<StoredRecord> out;
  while (auto fetch = checked(reader.poll(kReadAtOnce, std::chrono::milliseconds(0)))) {
    for (const RecordView& record : fetch->records) out.push_back(stored(record));
    if (fetch->records.empty()) break;
  }
  return out;
}

}  // namespace millrace::harness
