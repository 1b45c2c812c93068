#include "exec/operators/group_values.h"

#include <algorithm>
#include <cstring>

#include "exec/functions/packed_latest.h"
#include "exec/operators/batch_ops.h"
#include "exec/operators/distinct_aggregate.h"
#include "exec/operators/ordered_aggregate.h"

namespace millrace::inline exec {

namespace {

/// What a call takes in of a row, what it is ordered by included.
std::vector<ExprPtr> arguments_of(const AggregateCall& call) {
  std::vector<ExprPtr> arguments = call.arguments;
  for (const SortKey& key : call.order) arguments.push_back(key.expr);
  return arguments;
}

}  // namespace

GroupLayout::GroupLayout(std::span<const AggregateCall> calls, bool holds_distinct) {
  while (aggregates_.size() < calls.size()) {
    const std::size_t at = aggregates_.size(), packed = PackedLatest::count(calls.subspan(at));
    if (packed > 0) {
      auto pack = std::make_unique<PackedLatest>(calls.subspan(at, packed));
      const PackedLatest& first = *pack;
      aggregates_.push_back(std::move(pack));
      for (std::size_t c = 1; c < packed; ++c)
        aggregates_.push_back(make_packed_call(first, c, calls[at + c].column.type));
      takes_.push_back(packed);
      takes_.resize(at + packed, 0);
      continue;
    }
    const AggregateCall& call = calls[at];
    takes_.push_back(1);
    aggregates_.push_back(make_aggregate(call));
    if (!call.order.empty()) aggregates_.back() = make_ordered(std::move(aggregates_.back()), call);
    if (!call.distinct || !holds_distinct) continue;
    std::vector<Type> types;
    for (const ExprPtr& argument : arguments_of(call)) types.push_back(argument->type);
    aggregates_.back() = make_distinct(std::move(aggregates_.back()), std::move(types));
  }
  row_ = lay_out(aggregates_);
  for (std::size_t c = 1; c < calls.size(); ++c)
    if (takes_[c] == 0) row_.offsets[c] = row_.offsets[c - 1];
  base_ = std::max<std::size_t>(sizeof(std::int64_t), row_.alignment);
}

void GroupLayout::copy(const std::byte* from, std::byte* to) const {
  std::memcpy(to, from, sizeof(std::int64_t));
  for (std::size_t c = 0; c < aggregates_.size(); ++c) aggregates_[c]->copy(from + offset(c), to + offset(c));
}

void GroupLayout::destroy(std::byte* value) const {
  for (std::size_t c = 0; c < aggregates_.size(); ++c) aggregates_[c]->destroy(value + offset(c));
}

void GroupLayout::encode(const std::byte* value, std::string& out) const {
  out.append(reinterpret_cast<const char*>(value), sizeof(std::int64_t));
  encode_states(value, out);
}

void GroupLayout::encode_states(const std::byte* value, std::string& out) const {
  for (std::size_t c = 0; c < aggregates_.size(); ++c) aggregates_[c]->encode(value + offset(c), out);
}

Status GroupLayout::merge_states(std::span<std::byte* const> values, std::span<std::string_view> states) const {
  for (std::size_t c = 0; c < aggregates_.size(); ++c)
    if (Status merged = aggregates_[c]->merge_encoded(values, offset(c), states); !merged) return merged;
  return {};
}

bool GroupLayout::decode(std::string_view in, std::byte* value) const {
  if (in.size() < sizeof(std::int64_t)) return false;
  std::memcpy(value, in.data(), sizeof(std::int64_t));
  in.remove_prefix(sizeof(std::int64_t));
  for (std::size_t c = 0; c < aggregates_.size(); ++c) {
    if (aggregates_[c]->decode(in, value + offset(c))) continue;
    for (std::size_t made = 0; made < c; ++made) aggregates_[made]->destroy(value + offset(made));
    return false;
  }
  return true;
}

std::size_t GroupLayout::heap_bytes(const std::byte* value) const {
  std::size_t bytes = 0;
  if (!trivial())
    for (std::size_t c = 0; c < aggregates_.size(); ++c) bytes += aggregates_[c]->heap_bytes(value + offset(c));
  return bytes;
}

void GroupLayout::init(std::byte* value) const {
  value_timestamp(value) = INT64_MIN;
  for (std::size_t c = 0; c < aggregates_.size(); ++c) aggregates_[c]->init(value + offset(c));
}

Status GroupLayout::merge(std::byte* into, const std::byte* from) const {
  value_timestamp(into) = std::max(value_timestamp(into), value_timestamp(from));
  for (std::size_t c = 0; c < aggregates_.size(); ++c)
    if (Status merged = aggregates_[c]->merge(into + offset(c), from + offset(c)); !merged) return merged;
  return {};
}

std::vector<ColumnPtr> GroupLayout::results(std::span<const std::byte* const> values) const {
  std::vector<ColumnPtr> out;
  out.reserve(aggregates_.size());
  for (std::size_t c = 0; c < aggregates_.size(); ++c) {
    if (takes_[c] == 1) out.push_back(aggregates_[c]->result(values, offset(c)));
    if (takes_[c] < 2) continue;
    const auto& pack = static_cast<const PackedLatest&>(*aggregates_[c]);
    std::ranges::move(pack.results(values, offset(c), 0, takes_[c]), std::back_inserter(out));
  }
  return out;
}

GroupArguments::GroupArguments(std::span<const AggregateCall> calls, const PlanNode& input) : columns_(calls.size()) {
  for (const AggregateCall& call : calls) {
    calls_.emplace_back(arguments_of(call), input);
    distinct_.push_back(call.distinct);
    filter_of_.push_back(-1);
    if (!call.filter) continue;
    auto known = std::ranges::find_if(filters_, [&](const Filter& f) { return same(f.condition, call.filter); });
    filter_of_.back() = static_cast<int>(known - filters_.begin());
    if (known == filters_.end()) filters_.push_back({call.filter, Evaluator(call.filter), {}, {}, {}});
  }
}

void GroupArguments::evaluate(const Batch& in, RowErrors& errors) {
  for (std::size_t c = 0; c < calls_.size(); ++c) columns_[c] = calls_[c].evaluate(in, std::nullopt, errors);
  for (Filter& filter : filters_) {
    filter.evaluator.select(in, errors, filter.selected);
    filter.passes.assign(in.rows, 0);
    for (const std::uint32_t row : filter.selected) filter.passes[row] = 1;
  }
}

Status GroupArguments::apply(const GroupLayout& layout, std::span<std::byte* const> values,
                             std::span<const std::uint32_t> rows, bool undo) {
  return apply(layout, {}, values, rows, undo, nullptr);
}

std::span<const ColumnPtr> GroupArguments::arguments(const GroupLayout& layout, std::size_t call) {
  if (layout.takes(call) == 1) return columns_[call];
  packed_.clear();
  for (std::size_t c = call; c < call + layout.takes(call); ++c) packed_.push_back(columns_[c].front());
  return packed_;
}

Status GroupArguments::apply_all(const GroupLayout& layout, std::byte* value, std::size_t rows) {
  for (std::size_t c = 0; c < calls_.size(); ++c) {
    if (layout.takes(c) == 0) continue;
    const Aggregate& aggregate = layout.aggregate(c);
    Status done;
    if (filter_of_[c] < 0) {
      done = aggregate.update_all(value + layout.offset(c), arguments(layout, c), rows);
    } else {
      const auto& selected = filters_[static_cast<std::size_t>(filter_of_[c])].selected;
      done = aggregate.update(std::vector(selected.size(), value), layout.offset(c), columns_[c], selected);
    }
    if (!done) return done;
  }
  return {};
}

Status GroupArguments::apply(const GroupLayout& layout, std::span<Entry* const> groups,
                             std::span<std::byte* const> values, std::span<const std::uint32_t> rows, bool undo,
                             DistinctRows* distinct) {
  for (Filter& filter : filters_) {
    filter.chosen.clear();
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (filter.passes[rows[i]] == 0) continue;
      filter.chosen.values.push_back(values[i]);
      filter.chosen.rows.push_back(rows[i]);
    }
  }
  if (distinct != nullptr)
    if (Status chosen = distinct->choose(*this, groups, values, rows, undo); !chosen) return chosen;
  for (std::size_t c = 0; c < calls_.size(); ++c) {
    if (layout.takes(c) == 0) continue;
    const Aggregate& aggregate = layout.aggregate(c);
    std::span<std::byte* const> states = values;
    std::span<const std::uint32_t> taken = rows;
    const ChosenRows* chosen = distinct != nullptr && distinct_[c] ? &distinct->chosen(c)
                               : filter_of_[c] >= 0 ? &filters_[static_cast<std::size_t>(filter_of_[c])].chosen
                                                    : nullptr;
    if (chosen != nullptr) {
      states = chosen->values;
      taken = chosen->rows;
    }
    if (taken.empty()) continue;
    Status done = undo ? aggregate.undo(states, layout.offset(c), columns_[c], taken)
                       : aggregate.update(states, layout.offset(c), arguments(layout, c), taken);
    if (!done) return done;
  }
  return {};
}

Batch group_batch(const StoreKeys& keys, const GroupLayout& layout, std::span<const std::string_view> key_bytes,
                  std::span<const std::byte* const> values, std::vector<std::int64_t> timestamps,
                  std::vector<RowKind> kinds) {
  Batch out;
  out.rows = key_bytes.size();
  out.columns = layout.results(values);
  keys.decode(key_bytes, out);
  out.timestamps = std::make_shared<const std::vector<std::int64_t>>(std::move(timestamps));
  if (kinds.empty()) kinds.assign(out.rows, RowKind::update_after);
  out.kinds = std::move(kinds);
  return out;
}

std::optional<std::vector<std::uint32_t>> countable_rows(const Batch& in, bool global) {
  if ((global || !any_set(in.null_keys, in.rows)) && !any_set(in.null_values, in.rows)) return std::nullopt;
  std::vector<std::uint32_t> rows;
  for (std::uint32_t row = 0; row < in.rows; ++row)
    if ((global || !in.null_keys.test(row)) && !in.null_values.test(row)) rows.push_back(row);
  return rows;
}

}  // namespace millrace::inline exec
