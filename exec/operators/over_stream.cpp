#include <algorithm>
#include <cstring>
#include <unordered_map>

#include "exec/functions/codec.h"
#include "exec/operators/batch_ops.h"
#include "exec/operators/over_running.h"
#include "exec/operators/over_values.h"
#include "exec/operators/ranked_rows.h"
#include "exec/operators/table_side.h"

namespace millrace::inline exec {
namespace {

/// So many rows more than any call looks back at stay for those that come late.
constexpr std::size_t kMoreRows = 8;

/// Functions over windows of a stream: each row is answered when it comes, over those that have come before it. Of a
/// partition, one value of a store holds the newest rows that frames may reach, in order, and what running aggregates
/// have seen.
class OverStream final : public Operator {
 public:
  OverStream(const OverNode& node, const LowerContext& lower, MapStore& store)
      : node_(node),
        context_(lower.context),
        groups_(*node.input),
        row_codec_(node.input->schema),
        values_(node),
        order_(node.order, *node.input),
        running_(node),
        store_(store) {
    for (const OverCall& call : node.calls) {
      if (is_running(call, node)) continue;
      keeps_ = true;
      if (call.call.function->kind == FunctionKind::window && !make_window_function(call)->looks_at_frame())
        most_rows_ = std::max(most_rows_, make_window_function(call)->rows_before());
      else if (call.frame.range)
        most_ms_ = std::max(most_ms_, call.frame.start == OverFrame::Edge::current_row ? 0 : call.frame.start_by);
      else
        most_rows_ = std::max(most_rows_, FrameFinder(call.frame, nullptr, true).rows_before());
    }
  }

  Status on_batch(int, const Batch& in, Emitter& out) override;

 private:
  struct Kept {
    std::string order;
    std::int64_t timestamp;
    std::string row;
  };
  struct Group {
    Entry* entry;
    std::string_view key;
    std::vector<Kept> kept;
    RunningState state;
    std::vector<std::uint32_t> fresh;  // rows of the batch that are being answered
    std::int64_t timestamp = INT64_MIN;
  };

  Status open_groups(const Batch& in);
  Status read_group(Entry& entry);
  Status answer(const Batch& in, std::size_t from, std::size_t to);
  void merge(const Batch& in, const Batch& kept);
  Status keep(const Batch& in, Group& group);
  Status run();
  Status write_groups();

  const OverNode& node_;
  OperatorContext& context_;
  const StoreKeys groups_;
  RowCodec row_codec_;
  OverValues values_;
  SortBytes order_;
  RunningCalls running_;
  MapStore& store_;
  bool keeps_ = false;         // rows
  std::size_t most_rows_ = 0;  // of a partition
  std::int64_t most_ms_ = -1;  // and those that are not older than the newest by more

  std::vector<Group> opened_;
  std::unordered_map<const Entry*, std::size_t> by_entry_;
  std::vector<std::size_t> group_of_;    // by row of rows_
  std::vector<ColumnPtr> kept_answers_;  // by row of rows_ in the end
  std::vector<ColumnPtr> running_answers_;

  // Scratch.
  std::vector<std::uint32_t> rows_;
  KeyBuffer sorted_, keys_;
  Encoded encoded_;
  std::vector<Entry*> entries_;
  Batch merged_;
  std::vector<std::string_view> orders_;
  std::vector<WindowRows::Part> parts_;
  std::vector<std::uint32_t> asked_;  // rows of the batch, as they are asked about
  std::vector<std::int64_t> fresh_;   // by row of merged_: its row in the batch, -1: it was kept
  std::vector<std::vector<ColumnPtr>> rounds_;
  std::vector<std::max_align_t> states_;
  std::vector<std::uint32_t> answered_;  // places in rows_, round by round
};

Status OverStream::read_group(Entry& entry) {
  std::string_view bytes = entry.present() ? row_value(entry.value()).bytes() : std::string_view();
  std::string_view state;
  std::uint64_t count = 0;
  const bool known = !bytes.empty();
  if (known && (!codec::get_text(bytes, state) || !codec::get_unsigned(bytes, count)))
    return Error{Fault::bug, "kept rows cannot be read"};
  Group group{&entry, store_.key(entry), {}, RunningState(running_.layout, state), {}};
  if (!group.state.good()) return Error{Fault::bug, "what an aggregate has seen cannot be read"};
  for (std::uint64_t i = 0; i < count; ++i) {
    std::string_view order, row;
    std::int64_t timestamp = 0;
    if (!codec::get_text(bytes, order) || !codec::get(bytes, timestamp) || !codec::get_text(bytes, row))
      return Error{Fault::bug, "kept rows cannot be read"};
    group.kept.push_back({std::string(order), timestamp, std::string(row)});
  }
  by_entry_.emplace(&entry, opened_.size());
  opened_.push_back(std::move(group));
  return {};
}

Status OverStream::open_groups(const Batch& in) {
  opened_.clear();
  by_entry_.clear();
  group_of_.clear();
  groups_.encode(in, rows_, keys_);
  entries_.resize(rows_.size());
  if (Status found = store_.find_or_create(keys_, entries_); !found) return found;
  for (Entry* entry : entries_) {
    if (!by_entry_.contains(entry))
      if (Status read = read_group(*entry); !read) return read;
    group_of_.push_back(by_entry_.at(entry));
  }
  return {};
}

Status OverStream::on_batch(int, const Batch& in, Emitter& out) {
  rows_.clear();
  for (std::uint32_t row = 0; row < in.rows; ++row)
    if (!in.null_values.test(row)) rows_.push_back(row);
  if (rows_.empty()) return {};
  RowErrors errors;
  order_.encode(in, errors, sorted_);
  if (Status opened = open_groups(in); !opened) return opened;
  if (keeps_)
    if (Status encoded = row_codec_.encode(in, encoded_); !encoded) return encoded;
  rounds_.clear();
  answered_.clear();
  // A row that stands before one that came earlier is answered after that one: it must not be seen by it.
  std::vector<std::string_view> newest(opened_.size());
  std::size_t from = 0;
  for (std::size_t i = 0; keeps_ && i < rows_.size(); ++i) {
    std::string_view& last = newest[group_of_[i]];
    const std::string_view order = sorted_[rows_[i]];
    if (order < last) {
      if (Status done = answer(in, from, i); !done) return done;
      from = i;
      std::fill(newest.begin(), newest.end(), std::string_view());
    }
    last = order;
  }
  if (keeps_)
    if (Status done = answer(in, from, rows_.size()); !done) return done;
  if (!running_.calls.empty()) {
    running_.arguments.evaluate(in, errors);
    if (Status done = run(); !done) return done;
  }
  if (errors.count != 0) context_.report(errors, in);
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    Group& group = opened_[group_of_[i]];
    group.timestamp = std::max(group.timestamp, (*in.timestamps)[rows_[i]]);
  }
  if (Status written = write_groups(); !written) return written;

  std::vector<ColumnPtr> kept_columns;
  std::vector<std::uint32_t> back(rows_.size());  // where the answer of a row is
  for (std::uint32_t i = 0; i < answered_.size(); ++i) back[answered_[i]] = i;
  std::vector<Pick> picks(keeps_ ? rows_.size() : 0);
  std::vector<std::uint32_t> first{0};
  for (const auto& round : rounds_) first.push_back(first.back() + static_cast<std::uint32_t>(round[0]->size));
  for (std::size_t i = 0; i < picks.size(); ++i) {
    const auto round =
        static_cast<std::uint32_t>(std::upper_bound(first.begin(), first.end(), back[i]) - first.begin()) - 1;
    picks[i] = {round, back[i] - first[round]};
  }
  Batch made = rows_.size() == in.rows ? share(in) : gather(in, rows_);
  std::size_t kept_call = 0, running_call = 0;
  for (const OverCall& call : node_.calls) {
    if (is_running(call, node_)) {
      made.columns.push_back(running_answers_[running_call++]);
      continue;
    }
    std::vector<const Column*> sources;
    for (const auto& round : rounds_) sources.push_back(round[kept_call].get());
    made.columns.push_back(interleave(call.call.column.type, sources, picks));
    ++kept_call;
  }
  return out.batch(std::move(made));
}

/// Puts what is kept and the fresh rows of all groups in order.
void OverStream::merge(const Batch& in, const Batch& kept) {
  std::vector<Pick> picks;
  orders_.clear();
  parts_.clear();
  asked_.clear();
  fresh_.clear();
  std::uint32_t next_kept = 0;
  for (Group& group : opened_) {
    if (group.fresh.empty()) continue;
    const auto first = static_cast<std::uint32_t>(picks.size());
    const std::size_t part = parts_.size();
    std::size_t old = 0;
    for (const std::uint32_t row : group.fresh) {
      const std::string_view order = sorted_[row];
      for (; old < group.kept.size() && group.kept[old].order <= order; ++old) {
        picks.push_back({0, next_kept++});
        orders_.push_back(group.kept[old].order);
      }
      const auto at = static_cast<std::uint32_t>(picks.size());
      picks.push_back({1, row});
      orders_.push_back(order);
      asked_.push_back(row);
      if (parts_.size() > part && parts_.back().to == at)
        ++parts_.back().to;
      else
        parts_.push_back({first, 0, at, at + 1});
    }
    for (; old < group.kept.size(); ++old) {
      picks.push_back({0, next_kept++});
      orders_.push_back(group.kept[old].order);
    }
    for (std::size_t i = part; i < parts_.size(); ++i) parts_[i].end = static_cast<std::uint32_t>(picks.size());
  }
  for (const Pick& pick : picks) fresh_.push_back(pick.source == 1 ? std::int64_t{pick.row} : -1);
  merged_ = Batch{};
  merged_.rows = picks.size();
  for (std::size_t c = 0; c < in.columns.size(); ++c) {
    const Column* sources[] = {kept.columns[c].get(), in.columns[c].get()};
    merged_.columns.push_back(interleave(in.columns[c]->type, sources, picks));
  }
  auto timestamps = std::make_shared<std::vector<std::int64_t>>();
  for (const Pick& pick : picks)
    timestamps->push_back(pick.source == 0 ? (*kept.timestamps)[pick.row] : (*in.timestamps)[pick.row]);
  merged_.timestamps = std::move(timestamps);
}

/// Answers rows [from, to) of rows_, and keeps them.
Status OverStream::answer(const Batch& in, std::size_t from, std::size_t to) {
  std::unordered_map<std::uint32_t, std::uint32_t> place_of;
  for (std::size_t i = from; i < to; ++i) {
    opened_[group_of_[i]].fresh.push_back(rows_[i]);
    place_of.emplace(rows_[i], static_cast<std::uint32_t>(i));
  }
  std::vector<std::optional<std::string_view>> rows;
  std::vector<std::string_view> groups;
  auto timestamps = std::make_shared<std::vector<std::int64_t>>();
  for (const Group& group : opened_) {
    if (group.fresh.empty()) continue;
    for (const Kept& kept : group.kept) {
      rows.emplace_back(kept.row);
      groups.push_back(group.key);
      timestamps->push_back(kept.timestamp);
    }
  }
  Batch kept;
  kept.rows = rows.size();
  auto columns = row_codec_.decode(rows);
  if (!columns) return columns.error();
  kept.columns = std::move(*columns);
  kept.timestamps = std::move(timestamps);
  groups_.decode(groups, kept);
  merge(in, kept);
  RowErrors errors, reported;
  std::vector<ColumnPtr> answers;
  if (Status done = values_.evaluate(merged_, orders_, parts_, errors, answers); !done) return done;
  for (const RowErrors::Entry& entry : errors.entries)  // kept rows were reported when they came
    if (fresh_[entry.row] >= 0) reported.add(static_cast<std::uint32_t>(fresh_[entry.row]), entry.message);
  if (reported.count != 0) context_.report(reported, in);
  rounds_.push_back(std::move(answers));
  for (const std::uint32_t row : asked_) answered_.push_back(place_of.at(row));
  for (Group& group : opened_) {
    if (group.fresh.empty()) continue;
    if (Status kept_rows = keep(in, group); !kept_rows) return kept_rows;
    group.fresh.clear();
  }
  return {};
}

Status OverStream::keep(const Batch& in, Group& group) {
  for (const std::uint32_t row : group.fresh) {
    const std::string_view order = sorted_[row];
    const auto place = std::upper_bound(group.kept.begin(), group.kept.end(), order,
                                        [](std::string_view a, const Kept& b) { return a < b.order; });
    group.kept.insert(place, {std::string(order), (*in.timestamps)[row], std::string(encoded_.row(row))});
  }
  if (group.kept.empty()) return {};
  const std::int64_t newest = group.kept.back().timestamp;
  std::size_t gone = group.kept.size() - std::min(group.kept.size(), most_rows_ + kMoreRows);
  if (most_ms_ >= 0) {
    std::size_t old = 0;
    while (old < gone && newest - group.kept[old].timestamp > most_ms_) ++old;
    gone = old;
  }
  group.kept.erase(group.kept.begin(), group.kept.begin() + static_cast<std::ptrdiff_t>(gone));
  return {};
}

/// Running aggregates take the rows as they come.
Status OverStream::run() {
  std::vector<RunningState> seen;
  std::vector<const std::byte*> values;
  const std::size_t units = (running_.layout.size() + sizeof(std::max_align_t) - 1) / sizeof(std::max_align_t);
  if (running_.layout.trivial())
    states_.resize(units * rows_.size());
  else
    seen.reserve(rows_.size());
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    std::byte* state = opened_[group_of_[i]].state.value();
    if (Status taken = running_.arguments.apply(running_.layout, {&state, 1}, {&rows_[i], 1}, false); !taken)
      return taken;
    if (running_.layout.trivial()) {
      auto* copy = reinterpret_cast<std::byte*>(states_.data() + i * units);
      std::memcpy(copy, state, running_.layout.size());
      values.push_back(copy);
    } else {
      values.push_back(seen.emplace_back(opened_[group_of_[i]].state).value());
    }
  }
  running_answers_ = running_.layout.results(values);
  return {};
}

Status OverStream::write_groups() {
  std::string bytes, state;
  for (Group& group : opened_) {
    bytes.clear();
    state.clear();
    if (!running_.calls.empty()) running_.layout.encode(group.state.value(), state);
    codec::put_text(state, bytes);
    codec::put_unsigned(group.kept.size(), bytes);
    for (const Kept& kept : group.kept) {
      codec::put_text(kept.order, bytes);
      codec::put(kept.timestamp, bytes);
      codec::put_text(kept.row, bytes);
    }
    store_.put_row(*group.entry, group.timestamp, bytes);
  }
  return {};
}

}  // namespace

MadeOperator make_over_stream(const OverNode& node, const LowerContext& lower) {
  const auto store = open_rows(lower.store("rows"));
  if (!store) return store.error();
  return std::make_unique<OverStream>(node, lower, **store);
}

}  // namespace millrace::inline exec
