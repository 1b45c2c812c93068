#include "exec/formats/protobuf_defaults.h"

#include <algorithm>

namespace millrace::inline exec {
namespace {

using proto::Field;
using proto::FieldKind;

Value default_of(const Type& type) {
  switch (type.kind()) {
    case TypeKind::boolean:
      return false;
    case TypeKind::integer:
      return std::int32_t{0};
    case TypeKind::bigint:
      return std::int64_t{0};
    case TypeKind::double_:
      return 0.0;
    case TypeKind::string:
      return std::string();
    case TypeKind::bytes:
      return Bytes{};
    default:
      return {};
  }
}

Value as_read(const Value& value, const Type& type, const Field& field);

Value structure_as_read(const Value& value, const Type& type, const proto::Message& message) {
  Value::List out;
  for (std::size_t i = 0; i < type.fields().size(); ++i) {
    const StructField& part = type.fields()[i];
    const Value given = value.is_null() ? Value() : value.fields()[i];
    const Field* inner = message.find(part.name);
    out.push_back(inner == nullptr ? given : as_read(given, part.type, *inner));
  }
  return Value::structure(std::move(out));
}

/// An element of a list has no way to be absent.
Value element_as_read(const Value& value, const Type& type, const Field& field) {
  if (field.kind != FieldKind::message) return value.is_null() ? default_of(type) : value;
  return type.kind() == TypeKind::structure ? structure_as_read(value, type, *field.message) : value;
}

Value list_as_read(const Value& value, const Type& type, const Field& field) {
  if (type.kind() == TypeKind::map) {
    Value::Map out;
    if (!value.is_null())
      for (const auto& [key, item] : value.entries())
        out.emplace_back(key, element_as_read(item, type.value(), field.message->fields[1]));
    return Value::map(std::move(out));
  }
  Value::List out;
  if (!value.is_null())
    for (const Value& item : value.items()) out.push_back(element_as_read(item, type.element(), field));
  return Value::list(std::move(out));
}

Value as_read(const Value& value, const Type& type, const Field& field) {
  if (field.repeated) return list_as_read(value, type, field);
  if (field.kind == FieldKind::message) {
    if (value.is_null() || type.kind() != TypeKind::structure) return value;
    return structure_as_read(value, type, *field.message);
  }
  return value.is_null() && !field.presence ? default_of(type) : value;
}

bool has_null(const Column& column) {
  if (column.nulls.count(column.size) != 0) return true;
  return std::ranges::any_of(column.children, [](const auto& child) { return has_null(*child); });
}

}  // namespace

std::optional<ProtobufDefaults> ProtobufDefaults::make(const FormatInfo& format,
                                                       const std::vector<ColumnDef>& columns) {
  ProtobufDefaults made;
  if (format.name == "PROTOBUF" && format.schema) {
    auto parsed = proto::parse(format.schema->schema);
    if (!parsed) return std::nullopt;
    made.file_ = std::move(*parsed);
  } else if (format.name == "PROTOBUF_NOSR") {
    std::vector<ColumnDef> values;
    std::ranges::copy_if(columns, std::back_inserter(values),
                         [](const ColumnDef& column) { return column.role == ColumnRole::value; });
    made.file_ = proto::file_for(values, format);
  } else {
    return std::nullopt;
  }
  const proto::Message* message = made.file_->find(format.full_name);
  if (message == nullptr) return std::nullopt;
  for (std::size_t i = 0; i < columns.size(); ++i)
    if (const Field* field = message->find(columns[i].name); field != nullptr && columns[i].role == ColumnRole::value)
      made.items_.push_back({i, field});
  return made;
}

void ProtobufDefaults::apply(std::vector<ColumnPtr>& columns) const {
  for (const Item& item : items_) {
    const Column& column = *columns[item.column];
    if (!has_null(column)) continue;
    ColumnBuilder builder(column.type);
    for (std::size_t row = 0; row < column.size; ++row)
      builder.append(as_read(get_value(column, row), column.type, *item.field));
    columns[item.column] = builder.finish();
  }
}

}  // namespace millrace::inline exec
