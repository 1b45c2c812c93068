#include "exec/operators/distinct_aggregate.h"

#include <algorithm>
#include <string>
#include <unordered_map>

#include "exec/functions/aggregate_state.h"
#include "exec/functions/codec.h"
#include "exec/operators/batch_ops.h"
#include "exec/state/key_codec.h"

namespace millrace::inline exec {
namespace {

/// A state is a pointer to the values that were taken in, then the state of the aggregate below.
class DistinctAggregate final : public Aggregate {
 public:
  DistinctAggregate(std::unique_ptr<Aggregate> inner, std::vector<Type> arguments)
      : inner_(std::move(inner)), types_(std::move(arguments)) {
    const Layout below = inner_->layout();
    at_ = std::max(sizeof(Values*), below.alignment);
    layout_ = {at_ + below.size, std::max(alignof(Values*), below.alignment), false};
  }

  Layout layout() const override { return layout_; }
  const Type& type() const override { return inner_->type(); }
  void init(std::byte* state) const override {
    slot(state) = nullptr;
    inner_->init(state + at_);
  }
  void destroy(std::byte* state) const override {
    delete slot(state);
    inner_->destroy(state + at_);
  }
  void copy(const std::byte* from, std::byte* to) const override {
    const Values* values = slot(from);
    slot(to) = values == nullptr ? nullptr : new Values(*values);
    inner_->copy(from + at_, to + at_);
  }

  Status update(std::span<std::byte* const> states, std::size_t offset, std::span<const ColumnPtr> arguments,
                std::span<const std::uint32_t> rows) const override {
    const Chosen chosen = choose(states, offset, arguments, rows, false);
    return inner_->update(chosen.states, offset + at_, arguments, chosen.rows);
  }
  Status undo(std::span<std::byte* const> states, std::size_t offset, std::span<const ColumnPtr> arguments,
              std::span<const std::uint32_t> rows) const override {
    const Chosen chosen = choose(states, offset, arguments, rows, true);
    return inner_->undo(chosen.states, offset + at_, arguments, chosen.rows);
  }
  bool supports_undo() const override { return inner_->supports_undo(); }

  Status merge(std::byte* into, const std::byte* from) const override {
    return slot(from) == nullptr ? Status{} : add_all(into, 0, *slot(from));
  }
  Status merge_encoded(std::span<std::byte* const> states, std::size_t offset,
                       std::span<std::string_view> encoded) const override {
    std::vector<std::uint64_t> memory((layout_.size + 7) / 8);
    auto* from = reinterpret_cast<std::byte*>(memory.data());
    for (std::size_t i = 0; i < states.size(); ++i) {
      if (!decode(encoded[i], from)) return malformed_state();
      Status merged = slot(from) == nullptr ? Status{} : add_all(states[i], offset, *slot(from));
      destroy(from);
      if (!merged) return merged;
    }
    return {};
  }

  std::size_t heap_bytes(const std::byte* state) const override {
    const Values* values = slot(state);
    return (values == nullptr ? 0 : sizeof(Values) + heap::bytes(*values)) + inner_->heap_bytes(state + at_);
  }
  void encode(const std::byte* state, std::string& out) const override {
    const Values* values = slot(state);
    codec::put_unsigned(values == nullptr ? 0 : values->size(), out);
    if (values != nullptr) {
      for (const auto& [value, count] : *values) {
        codec::put_text(value, out);
        codec::put_unsigned(count, out);
      }
    }
    inner_->encode(state + at_, out);
  }
  bool decode(std::string_view& in, std::byte* state) const override {
    std::uint64_t entries = 0;
    if (!codec::get_unsigned(in, entries)) return false;
    auto values = entries == 0 ? nullptr : std::make_unique<Values>();
    for (std::uint64_t i = 0; i < entries; ++i) {
      std::string_view value;
      std::uint64_t count = 0;
      if (!codec::get_text(in, value) || !codec::get_unsigned(in, count)) return false;
      values->emplace(value, count);
    }
    if (!inner_->decode(in, state + at_)) return false;
    slot(state) = values.release();
    return true;
  }

  ColumnPtr result(std::span<const std::byte* const> states, std::size_t offset) const override {
    return inner_->result(states, offset + at_);
  }

 private:
  using Values = std::unordered_map<std::string, std::uint64_t>;
  struct Chosen {
    std::vector<std::byte*> states;
    std::vector<std::uint32_t> rows;
  };

  /// The rows that bring a value which the group lacks, or take the last of one away.
  Chosen choose(std::span<std::byte* const> states, std::size_t offset, std::span<const ColumnPtr> arguments,
                std::span<const std::uint32_t> rows, bool undo) const {
    Chosen chosen;
    KeyBuffer keys;
    encode_keys(arguments, rows, {}, keys);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (any_null(arguments, rows[i])) continue;
      Values*& values = slot(states[i] + offset);
      if (values == nullptr) values = new Values();
      const auto known = values->try_emplace(std::string(keys[i]), 0).first;
      std::uint64_t& count = known->second;
      const bool reaches = undo ? count == 1 : count == 0;
      if (!undo) ++count;
      if (undo && count != 0) --count;
      if (count == 0) values->erase(known);
      if (!reaches) continue;
      chosen.states.push_back(states[i]);
      chosen.rows.push_back(rows[i]);
    }
    return chosen;
  }

  /// Counts are those of both; the aggregate below sees what is new.
  Status add_all(std::byte* into, std::size_t offset, const Values& from) const {
    Values*& values = slot(into + offset);
    if (values == nullptr) values = new Values();
    std::vector<std::string_view> fresh;
    for (const auto& [value, count] : from) {
      std::uint64_t& known = (*values)[value];
      if (known == 0) fresh.push_back(value);
      known += count;
    }
    // The order of a hash table is nobody's.
    std::sort(fresh.begin(), fresh.end());
    const std::vector<ColumnPtr> arguments = decode_keys(types_, fresh, 0);
    const std::vector<std::byte*> states(fresh.size(), into);
    return inner_->update(states, offset + at_, arguments, all_rows(fresh.size()));
  }

  static Values*& slot(std::byte* state) { return *reinterpret_cast<Values**>(state); }
  static const Values* slot(const std::byte* state) { return *reinterpret_cast<Values* const*>(state); }

  std::unique_ptr<Aggregate> inner_;
  std::vector<Type> types_;
  Layout layout_;
  std::size_t at_ = 0;  // where the state below begins
};

}  // namespace

std::unique_ptr<Aggregate> make_distinct(std::unique_ptr<Aggregate> inner, std::vector<Type> arguments) {
  return std::make_unique<DistinctAggregate>(std::move(inner), std::move(arguments));
}

}  // namespace millrace::inline exec
