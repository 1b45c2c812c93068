#pragma once

#include <optional>
#include <span>
#include <vector>

#include "exec/formats/format.h"
#include "exec/schemas/proto_schema.h"

namespace millrace::inline exec {

/// What readers of a PROTOBUF topic see of the rows that are written to it: the default of a type where the schema has
/// no way to tell NULL from it. Immutable; any thread.
class ProtobufDefaults {
 public:
  /// For rows of these columns, keys included, whose values are written in that format; nothing where NULL stays NULL.
  static std::optional<ProtobufDefaults> make(const FormatInfo& format, const std::vector<ColumnDef>& columns);
  /// `columns` as read, in the order of `make`.
  void apply(std::vector<ColumnPtr>& columns) const;

 private:
  struct Item {
    std::size_t column;
    const proto::Field* field;
  };
  proto::FilePtr file_;
  std::vector<Item> items_;
};

}  // namespace millrace::inline exec
