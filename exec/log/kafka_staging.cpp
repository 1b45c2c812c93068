#include "exec/log/kafka_staging.h"

namespace millrace::kafka {

namespace {

// What one busy commit needed is kept for the next one, up to here.
constexpr std::size_t kKeptBytes = 4 << 20;

std::int64_t put(std::string& bytes, const std::optional<std::string_view>& view) {
  if (!view) return -1;
  bytes.append(*view);
  return static_cast<std::int64_t>(view->size());
}

std::optional<std::string_view> get(const std::string& bytes, std::size_t& at, std::int64_t size) {
  if (size < 0) return std::nullopt;
  const std::string_view view(bytes.data() + at, static_cast<std::size_t>(size));
  at += view.size();
  return view;
}

}  // namespace

void Staging::add(const Record& record) {
  Entry& entry = entries_.emplace_back();
  entry.topic = record.topic;
  entry.partition = record.partition;
  entry.timestamp = record.timestamp;
  entry.at = bytes_.size();
  entry.key = put(bytes_, record.key);
  entry.value = put(bytes_, record.value);
  entry.first_header = static_cast<std::uint32_t>(header_sizes_.size());
  entry.headers = static_cast<std::uint32_t>(record.headers.size());
  for (const HeaderView& header : record.headers) {
    bytes_.append(header.key);
    header_sizes_.push_back({header.key.size(), put(bytes_, header.value)});
  }
}

Staging::Record Staging::front() {
  const Entry& entry = entries_[next_];
  std::size_t at = entry.at;
  Record record{entry.topic, entry.partition, entry.timestamp, {}, {}, {}};
  record.key = get(bytes_, at, entry.key);
  record.value = get(bytes_, at, entry.value);
  headers_.clear();
  for (std::uint32_t i = 0; i < entry.headers; ++i) {
    const HeaderSizes& sizes = header_sizes_[entry.first_header + i];
    HeaderView& header = headers_.emplace_back();
    header.key = *get(bytes_, at, static_cast<std::int64_t>(sizes.key));
    header.value = get(bytes_, at, sizes.value);
  }
  record.headers = headers_;
  return record;
}

void Staging::pop() {
  if (++next_ == entries_.size()) clear();
}

void Staging::clear() {
  entries_.clear();
  header_sizes_.clear();
  bytes_.clear();
  next_ = 0;
  if (bytes_.capacity() <= kKeptBytes) return;
  bytes_ = {};
  entries_ = {};
}

}  // namespace millrace::kafka
