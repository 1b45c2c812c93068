#include <bit>
#include <cstring>

#include "exec/state/key_codec.h"
#include "parser/error/ensure.h"

namespace millrace::inline exec {
namespace {

using Cursor = std::string_view;

template <class Unsigned>
Unsigned take_big_endian(Cursor& in) {
  ensure(in.size() >= sizeof(Unsigned));
  Unsigned bits = 0;
  for (std::size_t i = 0; i < sizeof(Unsigned); ++i) bits = bits << 8 | static_cast<std::uint8_t>(in[i]);
  in.remove_prefix(sizeof(Unsigned));
  return bits;
}
std::int32_t take_int32(Cursor& in) {
  return static_cast<std::int32_t>(take_big_endian<std::uint32_t>(in) ^ 0x80000000u);
}
std::int64_t take_int64(Cursor& in) {
  const std::int64_t value = read_window(in.data());
  in.remove_prefix(8);
  return value;
}
Int128 take_int128(Cursor& in) {
  const std::int64_t high = take_int64(in);
  const auto low = take_big_endian<std::uint64_t>(in);
  return static_cast<Int128>(high) << 64 | low;
}
double take_double(Cursor& in) {
  auto bits = take_big_endian<std::uint64_t>(in);
  bits = (bits >> 63) != 0 ? bits & ~(std::uint64_t{1} << 63) : ~bits;
  return std::bit_cast<double>(bits);
}
/// The text without its escapes: a view into the key where it has none, else into `scratch`.
std::string_view take_text(Cursor& in, std::string& scratch) {
  scratch.clear();
  std::size_t from = 0;
  for (;;) {
    const std::size_t at = in.find('\0', from);
    ensure(at != Cursor::npos && at + 1 < in.size());
    const bool last = in[at + 1] == '\0';
    if (last && scratch.empty() && from == 0) {
      const std::string_view plain = in.substr(0, at);
      in.remove_prefix(at + 2);
      return plain;
    }
    scratch.append(in.substr(from, at - from));
    if (last) {
      in.remove_prefix(at + 2);
      return scratch;
    }
    scratch += '\0';
    from = at + 2;
  }
}

bool take_present(Cursor& in) {
  const bool present = in.front() != 0;
  in.remove_prefix(1);
  return present;
}

Value take_value(const Type& type, Cursor& in);

Value take_list(const Type& type, Cursor& in) {
  Value::List items;
  while (take_present(in)) items.push_back(take_value(type.element(), in));
  return Value::list(std::move(items));
}
Value take_map(const Type& type, Cursor& in) {
  Value::Map entries;
  while (take_present(in)) {
    Value key = take_value(type.key(), in);
    entries.emplace_back(std::move(key), take_value(type.value(), in));
  }
  return Value::map(std::move(entries));
}
Value take_struct(const Type& type, Cursor& in) {
  Value::List fields;
  for (const StructField& field : type.fields()) fields.push_back(take_value(field.type, in));
  return Value::structure(std::move(fields));
}

Value take_value(const Type& type, Cursor& in) {
  if (!take_present(in)) return {};
  std::string scratch;
  switch (type.kind()) {
    case TypeKind::null:
      return {};
    case TypeKind::boolean:
      return Value(take_big_endian<std::uint8_t>(in) != 0);
    case TypeKind::integer:
      return Value(take_int32(in));
    case TypeKind::time:
      return Value(Time{take_int32(in)});
    case TypeKind::date:
      return Value(Date{take_int32(in)});
    case TypeKind::bigint:
      return Value(take_int64(in));
    case TypeKind::timestamp:
      return Value(Timestamp{take_int64(in)});
    case TypeKind::double_:
      return Value(take_double(in));
    case TypeKind::decimal:
      return Value(Decimal{take_int128(in), type.scale()});
    case TypeKind::string:
      return Value(std::string(take_text(in, scratch)));
    case TypeKind::bytes:
      return Value(Bytes{std::string(take_text(in, scratch))});
    case TypeKind::array:
      return take_list(type, in);
    case TypeKind::map:
      return take_map(type, in);
    case TypeKind::structure:
      return take_struct(type, in);
  }
  return {};
}

template <class T, class Take>
ColumnPtr take_fixed(const Type& type, std::span<Cursor> cursors, Take take) {
  auto column = make_column(type, cursors.size());
  T* values = column->values_mut<T>();
  for (std::size_t i = 0; i < cursors.size(); ++i) {
    if (take_present(cursors[i])) {
      values[i] = take(cursors[i]);
    } else {
      values[i] = T{};
      column->nulls.set(i, cursors.size());
    }
  }
  return column;
}

ColumnPtr take_texts(const Type& type, std::span<Cursor> cursors) {
  auto arena = std::make_shared<Arena>();
  std::string scratch;
  auto column =
      take_fixed<std::string_view>(type, cursors, [&](Cursor& in) { return arena->copy(take_text(in, scratch)); });
  auto owned = std::const_pointer_cast<Column>(column);
  owned->keep.push_back(std::move(arena));
  return column;
}

ColumnPtr take_column(const Type& type, std::span<Cursor> cursors) {
  switch (type.kind()) {
    case TypeKind::integer:
    case TypeKind::time:
    case TypeKind::date:
      return take_fixed<std::int32_t>(type, cursors, take_int32);
    case TypeKind::bigint:
    case TypeKind::timestamp:
      return take_fixed<std::int64_t>(type, cursors, take_int64);
    case TypeKind::double_:
      return take_fixed<double>(type, cursors, take_double);
    case TypeKind::string:
    case TypeKind::bytes:
      return take_texts(type, cursors);
    default:
      break;
  }
  ColumnBuilder builder(type);
  for (Cursor& cursor : cursors) builder.append(take_value(type, cursor));
  return builder.finish();
}

}  // namespace

std::vector<ColumnPtr> decode_keys(std::span<const Type> types, std::span<const std::string_view> keys,
                                   std::size_t suffix_bytes) {
  std::vector<Cursor> cursors;
  cursors.reserve(keys.size());
  for (std::string_view key : keys) cursors.push_back(key.substr(0, key.size() - suffix_bytes));
  std::vector<ColumnPtr> columns;
  for (const Type& type : types) columns.push_back(take_column(type, cursors));
  return columns;
}

}  // namespace millrace::inline exec
