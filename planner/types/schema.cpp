#include "planner/types/schema.h"

#include <fmt/format.h>

#include <algorithm>

namespace millrace::inline planner {

std::size_t Schema::key_count() const {
  return static_cast<std::size_t>(std::ranges::count(columns, ColumnRole::key, &ColumnDef::role));
}

std::vector<ColumnDef> Schema::keys() const {
  std::vector<ColumnDef> result;
  std::ranges::copy_if(columns, std::back_inserter(result), [](const auto& c) { return c.role == ColumnRole::key; });
  return result;
}

std::vector<ColumnDef> Schema::values() const {
  std::vector<ColumnDef> result;
  std::ranges::copy_if(columns, std::back_inserter(result), [](const auto& c) { return c.role == ColumnRole::value; });
  return result;
}

std::optional<std::size_t> Schema::find(std::string_view name) const {
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (columns[i].name == name) return i;
  }
  return std::nullopt;
}

std::string Schema::to_string(bool mark_keys) const {
  std::string text;
  for (const auto& column : columns) {
    if (!text.empty()) text += ", ";
    text += fmt::format("`{}` {}", column.name, column.type.to_string());
    if (column.role == ColumnRole::key && mark_keys) text += " KEY";
    if (column.role == ColumnRole::header) {
      text += column.header_key ? fmt::format(" HEADER('{}')", *column.header_key) : std::string(" HEADERS");
    }
  }
  return text;
}

std::string_view pseudo_column_name(PseudoColumn column) {
  switch (column) {
    case PseudoColumn::row_time:
      return "ROWTIME";
    case PseudoColumn::row_partition:
      return "ROWPARTITION";
    case PseudoColumn::row_offset:
      return "ROWOFFSET";
    case PseudoColumn::window_start:
      return "WINDOWSTART";
    case PseudoColumn::window_end:
      return "WINDOWEND";
  }
  return "";
}

Type pseudo_column_type(PseudoColumn column) {
  return column == PseudoColumn::row_partition ? Type::integer() : Type::bigint();
}

}  // namespace millrace::inline planner
