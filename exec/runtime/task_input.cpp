#include "exec/runtime/task_input.h"

#include <algorithm>
#include <numeric>

#include "exec/runtime/record_form.h"

namespace millrace::inline exec {

TaskInput::TaskInput(TopicPartition partition, bool internal, std::vector<Leaf> leaves, int rank)
    : partition_(std::move(partition)), internal_(internal), leaves_(std::move(leaves)), rank_(rank) {}

void TaskInput::take(const std::shared_ptr<const Arrival>& arrival) {
  const Fetch& fetch = arrival->fetch;
  const auto& records = fetch.records;
  const auto by_offset = [](const RecordView& record, std::int64_t offset) { return record.offset < offset; };
  auto from = std::lower_bound(records.begin(), records.end(), accepted_, by_offset);
  const auto to = std::lower_bound(from, records.end(), end_, by_offset);
  if (from != to && ends_in_half_pair()) {
    bridge(arrival, static_cast<std::size_t>(from - records.begin()));
    ++from;
  }
  if (from != to) {
    queue_.push_back(
        {arrival, static_cast<std::size_t>(from - records.begin()), static_cast<std::size_t>(to - records.begin())});
    queued_ += static_cast<std::size_t>(to - from);
  }
  accepted_ = std::max(accepted_, fetch.next_offset);
  if (!has_queued() && !has_head()) consumed_ = std::max(consumed_, std::min(accepted_, end_));
}

// An update_before and the update_after behind it are one change: operators get both in one batch. They were appended
// together, so the second half is never far.
bool TaskInput::opens_pair(const RecordView& record) const {
  if (!internal_ || !record.value || record.value->empty() || !leaves_.front().stage->is_table()) return false;
  return (static_cast<std::uint8_t>(record.value->front()) & kKindMask) ==
         static_cast<std::uint8_t>(RowKind::update_before);
}

// Puts the last record that waits and the first of the next fetch into a piece of their own.
void TaskInput::bridge(const std::shared_ptr<const Arrival>& arrival, std::size_t first) {
  Piece& last = queue_.back();
  const Fetch& fetch = arrival->fetch;
  Fetch both;
  both.records = {last.arrival->fetch.records[last.end - 1], fetch.records[first]};
  both.next_offset = first + 1 == fetch.records.size() ? fetch.next_offset : fetch.records[first].offset + 1;
  both.owner = std::make_shared<std::pair<std::shared_ptr<const Arrival>, std::shared_ptr<const Arrival>>>(last.arrival,
                                                                                                           arrival);
  if (--last.end == last.at) queue_.pop_back();
  queue_.push_back({std::make_shared<Arrival>(Arrival{.fetch = std::move(both), .read = arrival->read}), 0, 2});
  ++queued_;
}

std::size_t TaskInput::next_count(const Piece& piece, std::size_t max_rows) const {
  std::size_t count = std::min(max_rows, piece.end - piece.at);
  if (times_) {
    std::size_t rows = 0;
    while (rows < count && !is_time_record(piece.arrival->fetch.records[piece.at + rows].value)) ++rows;
    if (rows < count) return rows;  // no change is cut in two by what stands between changes
  }
  if (!opens_pair(piece.arrival->fetch.records[piece.at + count - 1])) return count;
  return piece.at + count < piece.end ? count + 1 : count - 1;
}

void TaskInput::seek(std::int64_t offset, const Witness& witness) {
  witness_ = head_witness_ = witness;
  queue_.clear();
  queued_ = 0;
  drop_head();
  accepted_ = consumed_ = offset;
}

void TaskInput::pass_over(std::int64_t offset) {
  const auto by_offset = [](const RecordView& record, std::int64_t other) { return record.offset < other; };
  bool passed = false;
  while (!has_head() && !queue_.empty()) {
    Piece& piece = queue_.front();
    const auto first = piece.arrival->fetch.records.begin();
    const auto from = first + static_cast<std::ptrdiff_t>(piece.at);
    const auto to = std::lower_bound(from, first + static_cast<std::ptrdiff_t>(piece.end), offset, by_offset);
    if (to == from) break;
    use(piece, static_cast<std::size_t>(to - from));
    passed = true;
  }
  if (passed) reach(head_next_);
}

bool TaskInput::recognizes(const Fetch& fetch) {
  if (proven_ || fetch.next_offset <= witness_.offset) return true;
  // Where it has been compacted away it cannot tell anything.
  proven_ = true;
  const auto at =
      std::lower_bound(fetch.records.begin(), fetch.records.end(), witness_.offset,
                       [](const RecordView& record, std::int64_t offset) { return record.offset < offset; });
  return at == fetch.records.end() || at->offset != witness_.offset || witness_of(*at) == witness_;
}

void TaskInput::restore_times(const std::vector<std::pair<std::size_t, std::int64_t>>& times) {
  if (!times_) return;
  times_ = LeastTime(times_->times().size());
  for (const auto& [writer, time] : times)
    if (writer < times_->times().size()) times_->told(writer, time);
}

std::vector<std::pair<std::size_t, std::int64_t>> TaskInput::told_times() const {
  std::vector<std::pair<std::size_t, std::int64_t>> told;
  for (std::size_t writer = 0; writer < times_->times().size(); ++writer)
    if (const std::int64_t time = times_->times()[writer]; time != INT64_MIN) told.emplace_back(writer, time);
  return told;
}

std::optional<std::int64_t> TaskInput::take_time() {
  const TimeRecord record = *time_;
  time_.reset();
  reach(head_next_);
  // Its source may have got partitions that this process has not seen yet.
  return record.writer < times_->times().size() ? times_->told(record.writer, record.time) : std::nullopt;
}

void TaskInput::drop_head() {
  time_.reset();
  head_.clear();
  rows_ = at_ = 0;
}

Status TaskInput::load_head(std::size_t max_rows) {
  // Leaves of one partition skip bad records each for itself, so they go record by record.
  if (leaves_.size() > 1) max_rows = 1;
  waits_for_schema_ = false;
  while (!has_head() && !queue_.empty()) {
    Piece& piece = queue_.front();
    if (times_ && is_time_record(piece.arrival->fetch.records[piece.at].value)) {
      time_ = read_time_record(*piece.arrival->fetch.records[piece.at].value);
      use(piece, 1);
      break;
    }
    const std::size_t count = next_count(piece, max_rows);
    if (count == 0) break;  // half a change: the other half has not been fetched yet
    for (Leaf& leaf : leaves_)
      waits_for_schema_ = waits_for_schema_ || !leaf.stage->ready(piece.arrival->fetch, piece.at, count);
    if (waits_for_schema_) break;
    head_.clear();
    at_ = rows_ = 0;
    for (Leaf& leaf : leaves_) {
      auto rows = leaf.stage->decode(*piece.arrival, piece.at, count);
      if (!rows) return rows.error();
      rows_ = std::max(rows_, rows->rows);
      head_.push_back(std::move(*rows));
    }
    use(piece, count);
    if (rows_ == 0) reach(head_next_);
    // Where the first leaf skipped a record, time and offset come from one that did not.
    if (rows_ > 0 && head_.front().rows == 0)
      for (Batch& batch : head_)
        if (batch.rows > 0) head_.front().timestamps = batch.timestamps;
  }
  return {};
}

/// The first records of what waits have become the head.
void TaskInput::use(Piece& piece, std::size_t count) {
  piece.at += count;
  queued_ -= count;
  const bool used_up = piece.at == piece.end;
  const auto& records = piece.arrival->fetch.records;
  head_read_ = piece.arrival->read;
  if (!internal_) head_witness_ = witness_of(records[piece.at - 1]);
  head_next_ =
      used_up && piece.end == records.size() ? piece.arrival->fetch.next_offset : records[piece.at - 1].offset + 1;
  if (used_up) queue_.pop_front();
}

std::int64_t TaskInput::newest(std::size_t rows) const {
  const auto first = head_.front().timestamps->begin() + static_cast<std::ptrdiff_t>(at_);
  return *std::max_element(first, first + static_cast<std::ptrdiff_t>(rows));
}

std::size_t TaskInput::rows_under(std::int64_t offset) const {
  const auto& offsets = *head_.front().offsets;
  const auto end = offsets.begin() + static_cast<std::ptrdiff_t>(rows_);
  const auto from = offsets.begin() + static_cast<std::ptrdiff_t>(at_);
  return static_cast<std::size_t>(std::lower_bound(from, end, offset) - from);
}

std::size_t TaskInput::whole_changes(std::size_t rows) const {
  const std::size_t end = at_ + rows;
  const bool half = !time_ && rows > 0 && end < rows_ && head_.front().kind(end - 1) == RowKind::update_before;
  return half ? rows + 1 : rows;
}

std::size_t TaskInput::rows_before(std::int64_t time, int rank) const {
  if (time_) return 1;
  const auto& times = *head_.front().timestamps;
  std::size_t row = at_;
  while (row < rows_ && (times[row] < time || (times[row] == time && rank_ < rank))) ++row;
  if (row > at_ && row < rows_ && head_.front().kind(row - 1) == RowKind::update_before) ++row;
  return row - at_;
}

Batch TaskInput::cut(std::size_t index, std::size_t rows) const {
  const Batch& batch = head_[index];
  std::vector<std::uint32_t> wanted(std::min(rows, batch.rows - std::min(at_, batch.rows)));
  std::iota(wanted.begin(), wanted.end(), static_cast<std::uint32_t>(at_));
  return gather(batch, wanted);
}

void TaskInput::consume(std::size_t rows) {
  at_ += rows;
  if (at_ < rows_) {
    consumed_ = (*head_.front().offsets)[at_ - 1] + 1;
    return;
  }
  drop_head();
  reach(head_next_);
}

// When nothing waits, what lies between the last record and what was fetched is markers and gaps.
void TaskInput::reach(std::int64_t offset) {
  witness_ = head_witness_;
  consumed_ = queue_.empty() ? std::max(offset, std::min(accepted_, end_)) : offset;
}

}  // namespace millrace::inline exec
