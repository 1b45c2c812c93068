#include "exec/log/embedded/frame.h"

#include <xxhash.h>

#include "exec/log/embedded/keys.h"

namespace millrace::inline exec::embedded {

namespace {

constexpr std::uint32_t kMagic = 0x4d524c31;  // MRL1

/// Reads numbers and strings; `failed` instead of reading beyond the end.
struct Scanner {
  std::string_view rest;
  bool failed = false;

  const char* take(std::size_t bytes) {
    static constexpr char kZeros[8] = {};
    if (rest.size() < bytes) {
      failed = true;
      return kZeros;
    }
    const char* at = rest.data();
    rest.remove_prefix(bytes);
    return at;
  }
  std::uint8_t u8() { return static_cast<std::uint8_t>(*take(1)); }
  std::uint32_t u32() { return get_u32(take(4)); }
  std::uint64_t u64() { return get_u64(take(8)); }
  std::int64_t i64() { return static_cast<std::int64_t>(u64()); }
  std::string_view string() {
    const std::uint32_t size = u32();
    if (size > rest.size()) {
      failed = true;
      return {};
    }
    return {take(size), size};
  }
};

void put_string(std::string& out, std::string_view bytes) {
  put_u32(out, static_cast<std::uint32_t>(bytes.size()));
  out += bytes;
}

}  // namespace

std::string location_value(const BatchLocation& location) {
  std::string value;
  put_u32(value, location.at.segment);
  put_u64(value, location.at.offset);
  put_u32(value, location.size);
  put_u32(value, location.span);
  put_u64(value, static_cast<std::uint64_t>(location.append_time));
  put_u64(value, location.hash);
  return value;
}

BatchLocation parse_location(std::string_view value) {
  Scanner scan{value};
  BatchLocation location;
  location.at.segment = scan.u32();
  location.at.offset = scan.u64();
  location.size = scan.u32();
  location.span = scan.u32();
  location.append_time = scan.i64();
  location.hash = scan.u64();
  return location;
}

std::uint64_t hash_batch(std::string_view bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

std::uint64_t hash_operations(std::string_view operations, SegmentPosition at) {
  const std::uint64_t seed = (std::uint64_t{at.segment} << 40) ^ at.offset;
  return XXH3_64bits_withSeed(operations.data(), operations.size(), seed);
}

void Change::begin(Operation::Kind kind, PartitionId partition) {
  operations_.push_back(static_cast<char>(kind));
  put_u32(operations_, partition.topic);
  put_u32(operations_, static_cast<std::uint32_t>(partition.partition));
}

void Change::put_batch(PartitionId partition, const RecordBatch& batch) {
  begin(Operation::Kind::put_batch, partition);
  put_u64(operations_, static_cast<std::uint64_t>(batch.base_offset()));
  put_u32(operations_, static_cast<std::uint32_t>(batch.bytes().size()));
  put_u32(operations_, batch.span());
  put_u64(operations_, static_cast<std::uint64_t>(batch.append_time()));
  put_u64(operations_, hash_batch(batch.bytes()));
  batches_.push_back(batch.bytes());
  batch_bytes_ += batch.bytes().size();
}

void Change::delete_batch(PartitionId partition, std::int64_t base) {
  begin(Operation::Kind::delete_batch, partition);
  put_u64(operations_, static_cast<std::uint64_t>(base));
}

void Change::put_meta(std::string_view key, std::string_view value) {
  begin(Operation::Kind::put_meta, {});
  put_string(operations_, key);
  put_string(operations_, value);
}

void Change::delete_meta(std::string_view key) {
  begin(Operation::Kind::delete_meta, {});
  put_string(operations_, key);
}

void Change::erase_topic(std::uint32_t topic) {
  begin(Operation::Kind::erase_topic, {topic, 0});
}

void Change::drop_before(PartitionId partition, std::int64_t begin_offset, std::int64_t kept) {
  begin(Operation::Kind::drop_before, partition);
  put_u64(operations_, static_cast<std::uint64_t>(begin_offset));
  put_u64(operations_, static_cast<std::uint64_t>(kept));
}

std::string Change::header(SegmentPosition at) const {
  std::string header;
  put_u32(header, kMagic);
  put_u32(header, static_cast<std::uint32_t>(operations_.size()));
  put_u64(header, batch_bytes_);
  put_u64(header, hash_operations(operations_, at));
  return header;
}

std::optional<FrameHeader> parse_header(std::string_view bytes) {
  Scanner scan{bytes};
  if (scan.u32() != kMagic) return std::nullopt;
  FrameHeader header;
  header.operation_bytes = scan.u32();
  header.batch_bytes = scan.u64();
  header.hash = scan.u64();
  if (scan.failed) return std::nullopt;
  return header;
}

std::optional<std::vector<Operation>> parse_operations(std::string_view operations, SegmentPosition at) {
  using Kind = Operation::Kind;
  std::vector<Operation> list;
  std::uint64_t data = at.offset + kFrameHeaderBytes + operations.size();
  Scanner scan{operations};
  while (!scan.rest.empty() && !scan.failed) {
    Operation& operation = list.emplace_back();
    operation.kind = static_cast<Kind>(scan.u8());
    operation.partition.topic = scan.u32();
    operation.partition.partition = static_cast<std::int32_t>(scan.u32());
    if (operation.kind == Kind::put_batch) {
      operation.offset = scan.i64();
      operation.location.at = {at.segment, data};
      operation.location.size = scan.u32();
      operation.location.span = scan.u32();
      operation.location.append_time = scan.i64();
      operation.location.hash = scan.u64();
      data += operation.location.size;
    } else if (operation.kind == Kind::delete_batch) {
      operation.offset = scan.i64();
    } else if (operation.kind == Kind::drop_before) {
      operation.offset = scan.i64();
      operation.kept = scan.i64();
    } else if (operation.kind == Kind::put_meta || operation.kind == Kind::delete_meta) {
      operation.key = scan.string();
      if (operation.kind == Kind::put_meta) operation.value = scan.string();
    } else if (operation.kind != Kind::erase_topic) {
      return std::nullopt;
    }
  }
  if (scan.failed) return std::nullopt;
  return list;
}

}  // namespace millrace::inline exec::embedded
