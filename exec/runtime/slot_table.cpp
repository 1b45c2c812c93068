#include "exec/runtime/slot_table.h"

#include <algorithm>

#include "exec/log/ensure_topic.h"
#include "parser/error/mutex.h"

namespace millrace::inline exec {
namespace {

constexpr std::chrono::milliseconds kPollWait{100};
constexpr std::chrono::seconds kReadTimeout{30}, kFollowTimeout{5};
constexpr std::size_t kProgressRecordsPerPoll = 4096;

Error given_up(const std::string& topic) {
  return external_error("{} is not read to its end: this process stops", topic);
}

}  // namespace

Result<std::unique_ptr<SlotTable>> SlotTable::open(Log& log, std::string topic, const TopicConfig& shape) {
  TopicConfig config = shape;
  config.retention_ms = -1;
  config.compacted = true;
  config.short_segments = true;
  const auto found = ensure_topic(log, topic, config);
  if (!found) return found.error();
  return std::unique_ptr<SlotTable>(new SlotTable(log, std::move(topic), found->partitions));
}

Status SlotTable::start_reading(std::span<const SlotId> slots, bool committed, std::vector<ReadHandle>& sources,
                                std::vector<std::int64_t>& ends) {
  std::vector<TopicPartition> partitions;
  for (const SlotId slot : slots) partitions.push_back({topic_, partition_of(slot)});
  const auto bounds = log_.bounds_of(partitions, committed);
  if (!bounds) return bounds.error();
  for (std::size_t i = 0; i < slots.size(); ++i) {
    const auto& [begin, end] = (*bounds)[i];
    std::int64_t from = 0;
    {
      const MutexLock lock(mutex_);
      Slot& known = slots_[index_of(slots[i])];
      known.position = std::max(known.position, begin);
      from = known.position;
    }
    ends.push_back(end);
    if (from >= end) {
      sources.push_back(kNoRead);
      continue;
    }
    auto source = reader_->add(partitions[i], from);
    if (!source) return source.error();
    sources.push_back(*source);
  }
  return {};
}

Status SlotTable::refresh(std::span<const SlotId> slots) {
  return read(slots, false);
}

Status SlotTable::follow() {
  return read(all_slots(count_), true);
}

Status SlotTable::read(std::span<const SlotId> slots, bool committed) {
  const MutexLock one(reading_);
  if (stopping_) return given_up(topic_);
  if (!reader_) {
    auto made = log_.reader_to_end("slots");
    if (!made) return made.error();
    reader_ = std::move(*made);
  }
  Status done = read_to_end(slots, committed);
  if (!done) reader_.reset();  // with whatever it was still to read
  return done;
}

Status SlotTable::read_to_end(std::span<const SlotId> slots, bool committed) {
  std::vector<ReadHandle> sources;
  std::vector<std::int64_t> ends;
  if (auto started = start_reading(slots, committed, sources, ends); !started) return started;
  auto left = std::count_if(sources.begin(), sources.end(), [](ReadHandle source) { return source != kNoRead; });
  const auto deadline = Clock::now() + (committed ? kFollowTimeout : kReadTimeout);
  while (left > 0) {
    auto fetch = reader_->poll(kProgressRecordsPerPoll, kPollWait);
    if (!fetch) return fetch.error();
    if (stopping_) return given_up(topic_);
    if (!*fetch) {
      if (Clock::now() > deadline) return external_error("cannot read {} to its end", topic_);
      continue;
    }
    const auto at = std::find(sources.begin(), sources.end(), (*fetch)->source);
    if (at == sources.end()) continue;
    const auto index = static_cast<std::size_t>(at - sources.begin());
    const MutexLock lock(mutex_);
    apply(slots_[index_of(slots[index])], **fetch);
    if ((*fetch)->next_offset >= ends[index]) {
      reader_->remove(*at);
      *at = kNoRead;
      --left;
    }
  }
  return {};
}

void SlotTable::apply(Slot& slot, const Fetch& fetch) {
  for (const RecordView& record : fetch.records) {
    if (!record.key || record.offset < slot.position) continue;
    if (record.value) {
      slot.records[std::string(*record.key)] = std::string(*record.value);
    } else {
      slot.records.erase(std::string(*record.key));
    }
  }
  slot.position = std::max(slot.position, fetch.next_offset);
}

std::vector<std::pair<std::string, std::string>> SlotTable::find_all(std::string_view text) const {
  std::vector<std::pair<std::string, std::string>> found;
  const MutexLock lock(mutex_);
  for (const Slot& slot : slots_)
    for (const auto& [key, value] : slot.records)
      if (value.find(text) != std::string::npos) found.emplace_back(key, value);
  return found;
}

std::optional<std::string> SlotTable::find(SlotId slot, const std::string& key) const {
  const MutexLock lock(mutex_);
  const auto& records = slots_[index_of(slot)].records;
  const auto found = records.find(key);
  if (found == records.end()) return std::nullopt;
  return found->second;
}

}  // namespace millrace::inline exec
