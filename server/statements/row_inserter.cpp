#include "server/statements/row_inserter.h"

#include <algorithm>
#include <chrono>
#include <thread>
#include <utility>

#include "exec/log/known_bounds.h"

namespace millrace::inline server {
namespace {

std::optional<std::string_view> view(const std::optional<std::string>& text) {
  return text ? std::optional<std::string_view>(*text) : std::nullopt;
}

}  // namespace

RowInserter::RowInserter(SourcePtr source, int partitions, Log& log, std::shared_ptr<InsertWriters> writers,
                         std::uint64_t first_turn)
    : source_(std::move(source)),
      keys_(source_->key_format, source_->schema.keys(), true),
      values_(source_->value_format, source_->schema.values(), false),
      partitions_(static_cast<std::uint64_t>(partitions)),
      log_(log),
      writers_(std::move(writers)),
      turn_(first_turn) {}

RowInserter::~RowInserter() {
  if (writer_ && !writing_) writers_->give(std::move(writer_));
}

Status RowInserter::add(std::span<const Value> row, std::int64_t time) {
  auto key = keys_.encode(row.first(keys_.columns()));
  if (!key) return key.error();
  auto value = values_.encode(row.subspan(keys_.columns(), values_.columns()));
  if (!value) return value.error();
  const std::int32_t partition =
      *key ? partition_for(**key, static_cast<int>(partitions_)) : static_cast<std::int32_t>(turn_++ % partitions_);
  return take({partition, std::move(*key), std::move(*value), time});
}

Status RowInserter::remove(std::span<const Value> key, std::int64_t time) {
  auto bytes = keys_.encode(key);
  if (!bytes) return bytes.error();
  if (!*bytes) return user_error("a row without a key cannot be removed");
  return take({partition_for(**bytes, static_cast<int>(partitions_)), std::move(*bytes), std::nullopt, time});
}

Status RowInserter::take(Row row) {
  if (!writing_ && !single_) {
    single_ = std::move(row);
    return {};
  }
  if (Status begun = begin(); !begun) return begun;
  writing_ = true;
  if (single_)
    if (Status done = write(*std::exchange(single_, std::nullopt)); !done) return done;
  return write(row);
}

Status RowInserter::flush(bool seen) {
  if (single_) {
    const Row row = *std::exchange(single_, std::nullopt);
    auto appended =
        log_.append_now({source_->topic, row.partition}, view(row.key), view(row.value), RecordTime{row.time});
    if (!appended) return appended.error();
    return {};
  }
  if (!writing_) return {};
  if (Status done = writer_->commit(); !done) return done;
  const Writer::CommitState state = writer_->commit_state(std::chrono::minutes(1));
  if (state.outcome == Writer::Outcome::failed) return *state.error;
  writing_ = state.outcome != Writer::Outcome::committed;
  if (seen && !log_.traits().commits_are_own) wait_until_seen(state.appended);
  return {};
}

void RowInserter::wait_until_seen(std::span<const Writer::Appended> rows) const {
  constexpr std::chrono::seconds kLongest{1};
  constexpr std::chrono::milliseconds kPause{1};
  std::vector<TopicPartition> partitions;
  for (const auto& part : rows)
    if (part.topic == topic_) partitions.push_back({source_->topic, part.partition});
  const auto deadline = std::chrono::steady_clock::now() + kLongest;
  while (std::chrono::steady_clock::now() < deadline) {
    const auto bounds = known_bounds(log_, partitions);
    if (!bounds) return;
    const bool all = std::ranges::all_of(rows, [&](const Writer::Appended& part) {
      return part.topic != topic_ || bounds->at({source_->topic, part.partition}).end >= part.next_offset;
    });
    if (all) return;
    std::this_thread::sleep_for(kPause);
  }
}

Status RowInserter::begin() {
  if (writer_) return {};
  auto writer = writers_->take();
  if (!writer) return writer.error();
  auto topic = (*writer)->topic(source_->topic, true);
  if (!topic) return topic.error();
  if (Status known = (*writer)->refresh(*topic); !known) return known;
  topic_ = *topic;
  writer_ = std::move(*writer);
  return {};
}

Status RowInserter::write(const Row& row) {
  return writer_->append(topic_, row.partition, view(row.key), view(row.value), RecordTime{row.time});
}

}  // namespace millrace::inline server
