#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "exec/data/column.h"

namespace millrace::inline exec {

/// Groups by the values of their keys, and a piece of memory for each. One thread.
class GroupTable {
 public:
  /// For keys of these types; one piece of `value_size` bytes, aligned to 16, for each group.
  static std::unique_ptr<GroupTable> make(std::span<const Type> types, std::size_t value_size);
  virtual ~GroupTable() = default;

  /// The pieces of the groups of these rows into `values`. Those of new groups, raw bytes yet, are the last ones now.
  virtual void find(std::span<const ColumnPtr> keys, std::span<const std::uint32_t> rows,
                    std::vector<std::byte*>& values) = 0;
  virtual std::size_t size() const = 0;
  /// Of a group, counted as they came.
  virtual std::byte* value(std::size_t group) const = 0;
  /// The keys of groups [from, to), one column each, which own what they hold.
  virtual std::vector<ColumnPtr> keys(std::size_t from, std::size_t to) const = 0;
  virtual std::size_t memory() const = 0;
};

}  // namespace millrace::inline exec
