#include "exec/log/record_batch.h"

#include <algorithm>

namespace millrace::inline exec {

namespace {

constexpr std::size_t kMaxVarint = 10;
constexpr std::size_t kFirstCapacity = 512;

char* put_varint(char* at, std::uint64_t value) {
  while (value >= 0x80) {
    *at++ = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  *at++ = static_cast<char>(value);
  return at;
}

std::uint64_t zigzag(std::int64_t value) {
  return (static_cast<std::uint64_t>(value) << 1) ^ static_cast<std::uint64_t>(value >> 63);
}

std::int64_t unzigzag(std::uint64_t value) {
  return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
}

// Differences wrap: timestamps may lie at both ends of the range.
std::int64_t wrapping_sub(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) - static_cast<std::uint64_t>(b));
}
std::int64_t wrapping_add(std::int64_t a, std::int64_t b) {
  return static_cast<std::int64_t>(static_cast<std::uint64_t>(a) + static_cast<std::uint64_t>(b));
}

bool get_varint_slow(const char*& at, const char* end, std::uint64_t& value) {
  value = 0;
  for (unsigned shift = 0; shift < 64 && at != end; shift += 7) {
    const auto byte = static_cast<unsigned char>(*at++);
    value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

inline bool get_varint(const char*& at, const char* end, std::uint64_t& value) {
  if (at != end && static_cast<unsigned char>(*at) < 0x80) [[likely]] {
    value = static_cast<unsigned char>(*at++);
    return true;
  }
  return get_varint_slow(at, end, value);
}

inline bool get_bytes(const char*& at, const char* end, std::uint64_t size, std::string_view& bytes) {
  if (size > static_cast<std::uint64_t>(end - at)) return false;
  bytes = {at, static_cast<std::size_t>(size)};
  at += size;
  return true;
}

inline bool get_nullable(const char*& at, const char* end, std::uint64_t size_plus_one,
                         std::optional<std::string_view>& bytes) {
  if (size_plus_one == 0) {
    bytes.reset();
    return true;
  }
  return get_bytes(at, end, size_plus_one - 1, bytes.emplace());
}

char* put_bytes(char* at, std::string_view bytes) {
  if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
  return at + bytes.size();
}

std::uint64_t nullable_size(const std::optional<std::string_view>& bytes) {
  return bytes ? bytes->size() + 1 : 0;
}

std::size_t header_room(std::span<const HeaderView> headers) {
  std::size_t room = 0;
  for (const HeaderView& header : headers)
    room += 2 * kMaxVarint + header.key.size() + (header.value ? header.value->size() : 0);
  return room;
}

char* put_headers(char* at, std::span<const HeaderView> headers) {
  for (const HeaderView& header : headers) {
    at = put_varint(at, header.key.size());
    at = put_bytes(at, header.key);
    at = put_varint(at, nullable_size(header.value));
    if (header.value) at = put_bytes(at, *header.value);
  }
  return at;
}

}  // namespace

std::shared_ptr<RecordBatch> RecordBatch::from_bytes(std::int64_t base_offset, std::string_view bytes) {
  if (bytes.size() < kHeaderBytes || bytes[0] != kVersion) return nullptr;
  auto data = std::make_unique_for_overwrite<char[]>(bytes.size());
  std::memcpy(data.get(), bytes.data(), bytes.size());
  auto batch = std::make_shared<RecordBatch>(std::move(data), bytes.size());
  batch->base_offset_ = base_offset;
  return batch;
}

char* RecordBatchBuilder::room_for(std::size_t bytes) {
  if (capacity_ - size_ < bytes) {
    const std::size_t first = data_ == nullptr ? expected_ : 0;
    const std::size_t grown = std::max({first, kFirstCapacity, 2 * capacity_, size_ + bytes});
    auto data = std::make_unique_for_overwrite<char[]>(grown);
    if (size_ != 0) std::memcpy(data.get(), data_.get(), size_);
    data_ = std::move(data);
    capacity_ = grown;
  }
  return data_.get() + size_;
}

void RecordBatchBuilder::append(std::optional<std::string_view> key, std::optional<std::string_view> value,
                                RecordTime timestamp, std::span<const HeaderView> headers, std::uint64_t offset_delta) {
  const std::size_t key_bytes = key ? key->size() : 0;
  const std::size_t value_bytes = value ? value->size() : 0;
  const std::size_t most = RecordBatch::kHeaderBytes + 5 * kMaxVarint + key_bytes + value_bytes;
  char* at = room_for(headers.empty() ? most : most + header_room(headers));
  if (count_ == 0) {
    base_timestamp_ = ms_of(timestamp);
    std::memset(at, 0, RecordBatch::kHeaderBytes);
    at += RecordBatch::kHeaderBytes;
  }
  if (sparse_) at = put_varint(at, offset_delta);
  at = put_varint(at, zigzag(wrapping_sub(ms_of(timestamp), base_timestamp_)));
  at = put_varint(at, nullable_size(key));
  at = put_varint(at, nullable_size(value));
  at = put_varint(at, headers.size());
  if (key) at = put_bytes(at, *key);
  if (value) at = put_bytes(at, *value);
  at = put_headers(at, headers);
  size_ = static_cast<std::size_t>(at - data_.get());
  ++count_;
}

std::shared_ptr<RecordBatch> RecordBatchBuilder::seal(std::uint32_t span) {
  char* header = data_.get();
  header[0] = RecordBatch::kVersion;
  header[1] = sparse_ ? RecordBatch::kSparse : 0;
  if (span == 0) span = count_;
  std::memcpy(header + 4, &count_, sizeof count_);
  std::memcpy(header + 8, &base_timestamp_, sizeof base_timestamp_);
  std::memcpy(header + 24, &span, sizeof span);
  // A batch may stay in a cache for long: give back what the doubling took too much.
  if (capacity_ > size_ + size_ / 4) {
    auto exact = std::make_unique_for_overwrite<char[]>(size_);
    std::memcpy(exact.get(), header, size_);
    data_ = std::move(exact);
  }
  expected_ = std::max(size_ + size_ / 8, expected_ / 2);
  auto batch = std::make_shared<RecordBatch>(std::move(data_), size_);
  size_ = capacity_ = 0;
  count_ = 0;
  return batch;
}

RecordCursor::RecordCursor(RecordBatchPtr batch)
    : batch_(std::move(batch)),
      at_(batch_->bytes().data() + RecordBatch::kHeaderBytes),
      end_(batch_->bytes().data() + batch_->bytes().size()),
      count_(batch_->count()),
      sparse_(batch_->sparse()),
      base_offset_(batch_->base_offset()),
      base_timestamp_(batch_->base_timestamp()) {}

bool RecordCursor::next(RecordView& record, std::vector<HeaderView>& headers, std::uint32_t& header_count) {
  std::uint64_t delta = index_;
  std::uint64_t timestamp = 0;
  std::uint64_t key_size = 0;
  std::uint64_t value_size = 0;
  std::uint64_t count = 0;
  if (sparse_ && !get_varint(at_, end_, delta)) return false;
  if (!get_varint(at_, end_, timestamp) || !get_varint(at_, end_, key_size) || !get_varint(at_, end_, value_size) ||
      !get_varint(at_, end_, count))
    return false;
  if (!get_nullable(at_, end_, key_size, record.key) || !get_nullable(at_, end_, value_size, record.value))
    return false;
  record.timestamp = wrapping_add(base_timestamp_, unzigzag(timestamp));
  record.offset = base_offset_ + static_cast<std::int64_t>(delta);
  for (std::uint64_t i = 0; i < count; ++i) {
    HeaderView header;
    std::uint64_t size = 0;
    if (!get_varint(at_, end_, size) || !get_bytes(at_, end_, size, header.key) || !get_varint(at_, end_, size) ||
        !get_nullable(at_, end_, size, header.value))
      return false;
    headers.push_back(header);
  }
  header_count = static_cast<std::uint32_t>(count);
  ++index_;
  return true;
}

}  // namespace millrace::inline exec
