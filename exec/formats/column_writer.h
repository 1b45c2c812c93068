#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "exec/data/column.h"

namespace millrace::inline exec {

/// Fills one column and its children in place, row after row. Rows are written in ascending order; the current row
/// may be written again (the last write counts), so a row that fails half-way is simply set to NULL. One thread.
class ColumnWriter {
 public:
  explicit ColumnWriter(Type type);

  /// Begins a new column with room for `rows` rows.
  void start(std::size_t rows);
  /// Makes room for row i; only needed for rows beyond those given to start().
  void room(std::size_t i) {
    if (i >= capacity_) grow(i + 1);
  }

  void set_null(std::size_t i);
  /// T is the type that Column::data holds for the column's type. Precondition: there is room for row i.
  template <class T>
  void set(std::size_t i, T value) {
    reinterpret_cast<T*>(values_)[i] = value;
    mark_present(i);
  }
  /// STRUCT: row i is not NULL. The fields are written through child(), at the same row.
  void mark_present(std::size_t i) {
    if (any_null_) column_->nulls.reset(i);
  }

  /// ARRAY and MAP: begin_list(i), then elements (MAP: key to child(0), value to child(1)) at rows next_element(),
  /// next_element() + 1, ..., counted by add_element(), then end_list(i).
  void begin_list(std::size_t i) { elements_ = reinterpret_cast<const std::uint32_t*>(values_)[i]; }
  /// The row for the next element; makes room for it in the children.
  std::size_t next_element() {
    for (auto& child : children_) child.room(elements_);
    return elements_;
  }
  void add_element() { ++elements_; }
  void add_elements(std::size_t count) { elements_ += count; }
  void end_list(std::size_t i) {
    reinterpret_cast<std::uint32_t*>(values_)[i + 1] = static_cast<std::uint32_t>(elements_);
    mark_present(i);
  }

  const Type& type() const { return type_; }
  TypeKind kind() const { return kind_; }
  ColumnWriter& child(std::size_t k) { return children_[k]; }
  std::size_t child_count() const { return children_.size(); }

  /// The column of the first `rows` rows, all written. `owners` keep alive what its views point to.
  std::shared_ptr<Column> finish(std::size_t rows, const std::vector<std::shared_ptr<const void>>& owners);

 private:
  void grow(std::size_t rows);

  Type type_;
  TypeKind kind_;
  std::size_t width_;
  std::size_t capacity_ = 0;
  std::size_t elements_ = 0;
  std::shared_ptr<Column> column_;
  std::byte* values_ = nullptr;  // column_->data
  bool any_null_ = false;        // column_->nulls has room
  std::vector<ColumnWriter> children_;
};

/// A writer for each of `types`.
std::vector<ColumnWriter> make_writers(const std::vector<Type>& types);

}  // namespace millrace::inline exec
