#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "exec/data/column.h"
#include "exec/data/result.h"
#include "planner/logical/plan.h"

namespace millrace::inline exec {

/// One aggregate call, specialised to its types and constants. Immutable: any number of threads may use one.
///
/// A state is `layout().size` bytes at an address aligned to `layout().alignment`, owned by the caller: `init`, `copy`
/// (as target) and `decode` make a state in raw bytes; every state that was made must be destroyed, unless the layout
/// is trivial, where bytes may be copied and dropped freely. Many aggregates of one group lie side by side, hence
/// `offset`.
class Aggregate {
 public:
  struct Layout {
    std::size_t size = 0;
    std::size_t alignment = 1;
    bool trivial = true;
  };
  virtual ~Aggregate() = default;

  virtual Layout layout() const = 0;
  virtual const Type& type() const = 0;  // of the result
  virtual void init(std::byte* state) const = 0;
  virtual void destroy(std::byte* state) const = 0;
  /// `to` is raw bytes.
  virtual void copy(const std::byte* from, std::byte* to) const = 0;

  /// In the order of i: the state at `states[i] + offset` takes in row `rows[i]` of the argument columns.
  /// `states.size() == rows.size()`; a state may occur many times. COUNT(*) has no argument columns. A user error
  /// (DECIMAL overflow) ends the query; states are then in an unspecified but destroyable condition.
  virtual Status update(std::span<std::byte* const> states, std::size_t offset, std::span<const ColumnPtr> arguments,
                        std::span<const std::uint32_t> rows) const = 0;
  /// One state takes in rows [0, rows) of the argument columns: as `update`.
  virtual Status update_all(std::byte* state, std::span<const ColumnPtr> arguments, std::size_t rows) const;
  /// Takes a row out again. Precondition: supports_undo().
  virtual Status undo(std::span<std::byte* const> states, std::size_t offset, std::span<const ColumnPtr> arguments,
                      std::span<const std::uint32_t> rows) const = 0;
  virtual bool supports_undo() const = 0;
  /// Adds what `from` has seen to `into` (merging sessions; `into` is the earlier one).
  virtual Status merge(std::byte* into, const std::byte* from) const = 0;

  /// Reads one state off the front of each `encoded[i]`, as `decode` does, and merges it into the one at
  /// `states[i] + offset`. A state may occur many times. Errors as `update`, and when bytes are malformed.
  virtual Status merge_encoded(std::span<std::byte* const> states, std::size_t offset,
                               std::span<std::string_view> encoded) const = 0;

  /// Memory behind the state that `layout().size` does not count; about as dear to know as an encoding.
  virtual std::size_t heap_bytes(const std::byte* state) const {
    (void)state;
    return 0;
  }

  /// Appends the state as bytes that `decode` reads back on any machine. Self-delimiting.
  virtual void encode(const std::byte* state, std::string& out) const = 0;
  /// Reads one state off the front of `in` into raw bytes. False when `in` is malformed: no state was made then.
  virtual bool decode(std::string_view& in, std::byte* state) const = 0;

  /// Row i is the result of the state at `states[i] + offset`. The column owns what it holds.
  virtual ColumnPtr result(std::span<const std::byte* const> states, std::size_t offset) const = 0;
};

/// Precondition: `call.function` is an aggregate of builtin_functions() and `call.arguments` fit the variation.
std::unique_ptr<Aggregate> make_aggregate(const AggregateCall& call);

/// Lays states side by side: the offset of each, and the size and alignment of the whole.
struct AggregateRow {
  std::vector<std::size_t> offsets;
  std::size_t size = 0;
  std::size_t alignment = 1;
  bool trivial = true;
};
AggregateRow lay_out(std::span<const std::unique_ptr<Aggregate>> aggregates);

}  // namespace millrace::inline exec
