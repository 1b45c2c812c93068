#include "exec/data/column.h"

#include <algorithm>
#include <cstring>
#include <string>

namespace millrace::inline exec {

std::size_t value_width(const Type& type) {
  switch (type.kind()) {
    case TypeKind::boolean:
    case TypeKind::null:
      return 1;
    case TypeKind::integer:
    case TypeKind::time:
    case TypeKind::date:
    case TypeKind::array:
    case TypeKind::map:
      return 4;
    case TypeKind::bigint:
    case TypeKind::timestamp:
    case TypeKind::double_:
      return 8;
    case TypeKind::decimal:
    case TypeKind::string:
    case TypeKind::bytes:
      return 16;
    case TypeKind::structure:
      return 0;
  }
  return 0;
}

std::shared_ptr<Column> make_column(const Type& type, std::size_t rows) {
  auto column = std::make_shared<Column>();
  column->type = type;
  column->size = rows;
  column->data.resize(rows * value_width(type));
  if (type.kind() == TypeKind::string || type.kind() == TypeKind::bytes)
    std::fill_n(column->values_mut<std::string_view>(), rows, std::string_view());
  return column;
}

namespace {

void set_all(Bitmap& bits, std::size_t rows) {
  bits.reserve(rows);
  for (std::uint64_t& word : bits.words()) word = ~std::uint64_t{0};
}

std::shared_ptr<Column> make_empty_nested(const Type& type, std::size_t rows) {
  auto column = std::make_shared<Column>();
  column->type = type;
  column->size = rows;
  if (type.kind() == TypeKind::structure) {
    for (const StructField& field : type.fields()) column->children.push_back(make_null_column(field.type, rows));
    return column;
  }
  column->data.resize((rows + 1) * 4);
  std::memset(column->data.data(), 0, column->data.size());
  if (type.kind() == TypeKind::array) {
    column->children.push_back(make_null_column(type.element(), 0));
  } else {
    column->children.push_back(make_null_column(type.key(), 0));
    column->children.push_back(make_null_column(type.value(), 0));
  }
  return column;
}

template <class T>
void fill(Column& column, T value) {
  std::fill_n(column.values_mut<T>(), column.size, value);
}

void fill_scalar(Column& column, const Value& value) {
  switch (column.type.kind()) {
    case TypeKind::boolean:
      return fill<std::uint8_t>(column, value.as<bool>() ? 1 : 0);
    case TypeKind::integer:
      return fill(column, value.as<std::int32_t>());
    case TypeKind::bigint:
      return fill(column, value.as<std::int64_t>());
    case TypeKind::double_:
      return fill(column, value.as<double>());
    case TypeKind::decimal:
      return fill(column, value.as<Decimal>().unscaled);
    case TypeKind::time:
      return fill(column, value.as<Time>().millis);
    case TypeKind::date:
      return fill(column, value.as<Date>().days);
    case TypeKind::timestamp:
      return fill(column, value.as<Timestamp>().millis);
    default: {
      auto text = std::make_shared<std::string>(column.type.kind() == TypeKind::string ? value.as<std::string>()
                                                                                       : value.as<Bytes>().data);
      fill(column, std::string_view(*text));
      column.keep.push_back(std::move(text));
    }
  }
}

Value get_list(const Column& column, std::size_t row) {
  const auto* offsets = column.data.as<std::uint32_t>();
  Value::List items;
  items.reserve(offsets[row + 1] - offsets[row]);
  for (std::uint32_t i = offsets[row]; i < offsets[row + 1]; ++i) items.push_back(get_value(*column.children[0], i));
  return Value::list(std::move(items));
}

Value get_map(const Column& column, std::size_t row) {
  const auto* offsets = column.data.as<std::uint32_t>();
  Value::Map entries;
  entries.reserve(offsets[row + 1] - offsets[row]);
  for (std::uint32_t i = offsets[row]; i < offsets[row + 1]; ++i)
    entries.emplace_back(get_value(*column.children[0], i), get_value(*column.children[1], i));
  return Value::map(std::move(entries));
}

}  // namespace

std::shared_ptr<Column> make_null_column(const Type& type, std::size_t rows) {
  if (type.is_nested()) {
    auto column = make_empty_nested(type, rows);
    set_all(column->nulls, rows);
    return column;
  }
  auto column = make_column(type, rows);
  if (!column->data.empty()) std::memset(column->data.data(), 0, column->data.size());
  set_all(column->nulls, rows);
  return column;
}

std::shared_ptr<Column> make_constant_column(const Value& value, const Type& type, std::size_t rows) {
  if (value.is_null()) return make_null_column(type, rows);
  if (type.is_nested()) {
    ColumnBuilder builder(type);
    builder.append(value);
    const auto one = builder.finish();
    const std::vector<std::uint32_t> zeros(rows, 0);
    return gather(*one, zeros);
  }
  auto column = make_column(type, rows);
  fill_scalar(*column, value);
  return column;
}

Value get_value(const Column& column, std::size_t row) {
  if (column.is_null(row)) return {};
  switch (column.type.kind()) {
    case TypeKind::null:
      return {};
    case TypeKind::boolean:
      return column.data.as<std::uint8_t>()[row] != 0;
    case TypeKind::integer:
      return column.data.as<std::int32_t>()[row];
    case TypeKind::bigint:
      return column.data.as<std::int64_t>()[row];
    case TypeKind::double_:
      return column.data.as<double>()[row];
    case TypeKind::decimal:
      return Decimal{column.data.as<Int128>()[row], column.type.scale()};
    case TypeKind::string:
      return std::string(column.data.as<std::string_view>()[row]);
    case TypeKind::bytes:
      return Bytes{std::string(column.data.as<std::string_view>()[row])};
    case TypeKind::time:
      return Time{column.data.as<std::int32_t>()[row]};
    case TypeKind::date:
      return Date{column.data.as<std::int32_t>()[row]};
    case TypeKind::timestamp:
      return Timestamp{column.data.as<std::int64_t>()[row]};
    case TypeKind::array:
      return get_list(column, row);
    case TypeKind::map:
      return get_map(column, row);
    case TypeKind::structure: {
      Value::List fields;
      for (const auto& child : column.children) fields.push_back(get_value(*child, row));
      return Value::structure(std::move(fields));
    }
  }
  return {};
}

}  // namespace millrace::inline exec
