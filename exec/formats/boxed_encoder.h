#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "exec/formats/format.h"
#include "planner/catalog/formats.h"

namespace millrace::inline exec {

/// encode_row for many rows of the same columns.
class BoxedEncoder {
 public:
  BoxedEncoder(const FormatInfo& format, std::vector<ColumnDef> columns, bool is_key)
      : format_(format), columns_(std::move(columns)), is_key_(is_key), nothing_(holds_nothing(format)) {}
  std::size_t columns() const { return columns_.size(); }
  Result<std::optional<std::string>> encode(std::span<const Value> values);

 private:
  const FormatInfo format_;
  const std::vector<ColumnDef> columns_;
  const bool is_key_;
  const bool nothing_;                // is ever written
  std::unique_ptr<Encoder> encoder_;  // made when first needed: not every format is written
  std::vector<ColumnPtr> boxes_;
};

}  // namespace millrace::inline exec
