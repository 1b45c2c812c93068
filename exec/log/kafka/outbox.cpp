#include "exec/log/kafka/outbox.h"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <cstring>

#include "exec/log/kafka/produce.h"
#include "parser/error/mutex.h"

namespace millrace::inline exec::kafka {

namespace {

constexpr std::size_t kSpareChunks = 128;

struct Head {
  RecordTime timestamp;
  std::int32_t key, value;  // sizes; -1: null
  std::uint32_t headers;    // each {size, bytes, size or -1, bytes}
};

std::int32_t size_of(const std::optional<std::string_view>& bytes) {
  return bytes ? static_cast<std::int32_t>(bytes->size()) : -1;
}

std::size_t length(const std::optional<std::string_view>& bytes) {
  return bytes ? bytes->size() : 0;
}

char* put(char* to, std::string_view bytes) {
  if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
  return to + bytes.size();
}

char* put_size(char* to, std::int32_t size) {
  std::memcpy(to, &size, sizeof size);
  return to + sizeof size;
}

std::optional<std::string_view> take(const char*& from, std::int32_t size) {
  if (size < 0) return std::nullopt;
  const std::string_view bytes(from, static_cast<std::size_t>(size));
  from += size;
  return bytes;
}

std::int32_t take_size(const char*& from) {
  std::int32_t size;
  std::memcpy(&size, from, sizeof size);
  from += sizeof size;
  return size;
}

}  // namespace

Chunk ChunkPool::take(std::size_t bytes) {
  Chunk chunk;
  if (bytes == kChunkBytes) {
    const MutexLock lock(mutex_);
    if (!spare_.empty()) {
      chunk = std::move(spare_.back());
      spare_.pop_back();
      chunk.used = chunk.sent = 0;
      return chunk;
    }
  }
  chunk.data = std::make_unique_for_overwrite<char[]>(bytes);
  chunk.capacity = bytes;
  return chunk;
}

void ChunkPool::give(Chunk&& chunk) {
  if (chunk.capacity != kChunkBytes) return;
  const MutexLock lock(mutex_);
  if (spare_.size() < kSpareChunks) spare_.push_back(std::move(chunk));
}

bool Lane::add(const Record& record) {
  std::size_t bytes = sizeof(Head) + length(record.key) + length(record.value);
  for (const HeaderView& header : record.headers)
    bytes += 2 * sizeof(std::int32_t) + header.key.size() + length(header.value);
  bool full = false;
  if (open_.empty() || open_.back().capacity - open_.back().used < bytes) [[unlikely]] {
    full = !open_.empty();
    open_.push_back(pool_.take(std::max(next_capacity_, bytes)));
    next_capacity_ = std::min(next_capacity_ * 4, ChunkPool::kChunkBytes);
  }
  Chunk& chunk = open_.back();
  const Head head{record.timestamp, size_of(record.key), size_of(record.value),
                  static_cast<std::uint32_t>(record.headers.size())};
  char* to = chunk.data.get() + chunk.used;
  std::memcpy(to, &head, sizeof head);
  to += sizeof head;
  if (record.key) to = put(to, *record.key);
  if (record.value) to = put(to, *record.value);
  for (const HeaderView& header : record.headers) {
    to = put(put_size(to, static_cast<std::int32_t>(header.key.size())), header.key);
    to = put_size(to, size_of(header.value));
    if (header.value) to = put(to, *header.value);
  }
  chunk.used += bytes;
  return full;
}

void Lane::clear() {
  // What has been sent in part stays until the transaction has ended.
  while (!open_.empty()) {
    if (open_.front().sent > 0) {
      flying_.push_back(std::move(open_.front()));
    } else {
      pool_.give(std::move(open_.front()));
    }
    open_.pop_front();
  }
}

void Lane::close() {
  std::swap(open_, closed_);
}

void Lane::ended() {
  for (auto* chunks : {&closed_, &flying_}) {
    for (Chunk& chunk : *chunks) pool_.give(std::move(chunk));
    chunks->clear();
  }
  flying_bytes_ = 0;
  reclaimed_ = 0;
  acknowledged_.store(0, std::memory_order_relaxed);
  next_offset_.store(-1, std::memory_order_relaxed);
}

void Lane::acknowledged(std::int64_t offset, int code) {
  if (code == 0 && offset >= 0 && next_offset_.load(std::memory_order_relaxed) <= offset)
    next_offset_.store(offset + 1, std::memory_order_release);
  acknowledged_.fetch_add(1, std::memory_order_release);
  bell_.ring();
}

const char* Lane::topic() const {
  return rd_kafka_topic_name(topic_);
}

std::string Lane::name() const {
  return fmt::format("topic '{}' partition {}", topic(), partition_);
}

void Lane::reclaim() {
  const std::uint32_t acknowledged = acknowledged_.load(std::memory_order_acquire);
  for (; reclaimed_ < acknowledged && !flying_.empty(); ++reclaimed_) {
    flying_bytes_ -= flying_.front().used;
    pool_.give(std::move(flying_.front()));
    flying_.pop_front();
  }
}

int Lane::send(rd_kafka_s* client, std::deque<Chunk>& from, bool all) {
  reclaim();
  while (from.size() > (all ? 0 : 1) && flying_bytes_ < kWindowBytes) {
    if (const int code = send_chunk(client, from.front()); code != 0) return code;
    flying_bytes_ += from.front().used;
    flying_.push_back(std::move(from.front()));
    from.pop_front();
  }
  return 0;
}

int Lane::send_chunk(rd_kafka_s* client, Chunk& chunk) {
  while (chunk.sent < chunk.used) {
    const char* at = chunk.data.get() + chunk.sent;
    Head head;
    std::memcpy(&head, at, sizeof head);
    at += sizeof head;
    Outgoing record{.topic = topic_,
                    .partition = partition_,
                    .key = take(at, head.key),
                    .value = take(at, head.value),
                    .timestamp = head.timestamp,
                    .headers = {},
                    .opaque = nullptr};
    if (head.headers > 0) {
      headers_.clear();
      for (std::uint32_t i = 0; i < head.headers; ++i) {
        HeaderView& header = headers_.emplace_back();
        header.key = *take(at, take_size(at));
        header.value = take(at, take_size(at));
      }
      record.headers = headers_;
    }
    const auto end = static_cast<std::size_t>(at - chunk.data.get());
    if (end == chunk.used) record.opaque = this;
    if (const int code = produce(client, record); code != 0) return code;
    chunk.sent = end;
  }
  return 0;
}

}  // namespace millrace::inline exec::kafka
