#pragma once

#include "exec/operators/lower.h"
#include "exec/state/map_store.h"

/// What the operators of foreign-key joins share.
namespace millrace::inline exec {

/// ForeignKeyMark as a row carries it.
class ForeignKeyMarks {
 public:
  explicit ForeignKeyMarks(std::int32_t bits) : bits_(bits) {}
  explicit ForeignKeyMarks(ForeignKeyMark kind) : bits_(static_cast<std::int32_t>(kind)) {}
  ForeignKeyMark kind() const {
    return static_cast<ForeignKeyMark>(bits_ & static_cast<std::int32_t>(ForeignKeyMark::kind));
  }
  bool has(ForeignKeyMark flag) const { return (bits_ & static_cast<std::int32_t>(flag)) != 0; }
  void add(ForeignKeyMark flag) { bits_ |= static_cast<std::int32_t>(flag); }
  std::int32_t bits() const { return bits_; }

 private:
  std::int32_t bits_;
};

/// Reports the failures of rows that are there; one that goes away needs no foreign key.
void report_standing(OperatorContext& context, const RowErrors& errors, const Bitmap& failed, const Batch& in);

}  // namespace millrace::inline exec
