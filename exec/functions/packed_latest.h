#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "exec/functions/aggregate.h"

namespace millrace::inline exec {

/// Calls of LATEST_BY_OFFSET that stand side by side and keep texts, as one aggregate whose state is one piece of
/// memory that holds what is encoded of it: of wide rows every text would be a piece of its own. What it encodes is
/// what the calls one by one encode, one after the other. An aggregate of the first call elsewhere: `result` gives that
/// one's.
class PackedLatest final : public Aggregate {
 public:
  /// How many of the calls, from the first on, are better packed; 0 or at least 2.
  static std::size_t count(std::span<const AggregateCall> calls);

  explicit PackedLatest(std::span<const AggregateCall> calls);

  std::size_t calls() const { return types_.size(); }
  Layout layout() const override { return {sizeof(void*), alignof(void*), false}; }
  const Type& type() const override { return types_.front(); }
  void init(std::byte* state) const override;
  void destroy(std::byte* state) const override;
  void copy(const std::byte* from, std::byte* to) const override;
  /// `arguments`: one of each call.
  Status update(std::span<std::byte* const> states, std::size_t offset, std::span<const ColumnPtr> arguments,
                std::span<const std::uint32_t> rows) const override;
  Status undo(std::span<std::byte* const>, std::size_t, std::span<const ColumnPtr>,
              std::span<const std::uint32_t>) const override {
    return {};
  }
  bool supports_undo() const override { return false; }
  Status merge(std::byte* into, const std::byte* from) const override;
  Status merge_encoded(std::span<std::byte* const> states, std::size_t offset,
                       std::span<std::string_view> encoded) const override;
  std::size_t heap_bytes(const std::byte* state) const override;
  void encode(const std::byte* state, std::string& out) const override;
  bool decode(std::string_view& in, std::byte* state) const override;
  ColumnPtr result(std::span<const std::byte* const> states, std::size_t offset) const override;
  /// Of each of the calls [from, to).
  std::vector<ColumnPtr> results(std::span<const std::byte* const> states, std::size_t offset, std::size_t from,
                                 std::size_t to) const;

 private:
  struct Field;
  bool read(std::size_t call, std::string_view& in, Field& field) const;
  bool read_all(std::string_view& in, std::vector<Field>& fields) const;
  void put(std::size_t call, const Column& column, std::uint32_t row, std::int64_t sequence, std::string& out) const;
  struct Scratch;
  bool meet(std::byte* into, std::string_view& from, Scratch& scratch) const;

  std::vector<Type> types_;
};

/// A call behind the first of packed ones: has no state, and does nothing but give its result.
std::unique_ptr<Aggregate> make_packed_call(const PackedLatest& pack, std::size_t call, const Type& type);

}  // namespace millrace::inline exec
