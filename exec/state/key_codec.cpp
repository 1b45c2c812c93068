#include "exec/state/key_codec.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "exec/data/equal.h"

namespace millrace::inline exec {
namespace {

constexpr char kNull = 0;
constexpr char kPresent = 1;
constexpr char kEnd = 0;

template <class Unsigned>
void append_big_endian(Unsigned bits, std::string& out) {
  char buffer[sizeof(Unsigned)];
  for (std::size_t i = 0; i < sizeof(Unsigned); ++i)
    buffer[i] = static_cast<char>(bits >> (8 * (sizeof(Unsigned) - 1 - i)) & 0xff);
  out.append(buffer, sizeof(Unsigned));
}

void append_int32(std::int32_t value, std::string& out) {
  append_big_endian(static_cast<std::uint32_t>(value) ^ 0x80000000u, out);
}
void append_int64(std::int64_t value, std::string& out) {
  append_big_endian(static_cast<std::uint64_t>(value) ^ (std::uint64_t{1} << 63), out);
}
void append_int128(Int128 value, std::string& out) {
  append_int64(static_cast<std::int64_t>(value >> 64), out);
  append_big_endian(static_cast<std::uint64_t>(value), out);
}
void append_double(double value, std::string& out) {
  auto bits = std::bit_cast<std::uint64_t>(plain_double(value));
  bits = (bits >> 63) != 0 ? ~bits : bits | std::uint64_t{1} << 63;
  append_big_endian(bits, out);
}
void append_text(std::string_view text, std::string& out) {
  for (std::size_t from = 0; from < text.size();) {
    const void* zero = std::memchr(text.data() + from, 0, text.size() - from);
    if (zero == nullptr) {
      out.append(text.substr(from));
      break;
    }
    const std::size_t at = static_cast<const char*>(zero) - text.data();
    out.append(text.substr(from, at - from));
    out.append("\0\xff", 2);
    from = at + 1;
  }
  out.append("\0\0", 2);
}

void append_item(const Column& column, std::size_t row, std::string& out);

void append_map(const Column& column, std::size_t row, std::string& out) {
  const auto offsets = column.data.as<std::uint32_t>();
  std::vector<std::string> entries;
  for (std::uint32_t i = offsets[row]; i < offsets[row + 1]; ++i) {
    std::string entry;
    append_item(*column.children[0], i, entry);
    append_item(*column.children[1], i, entry);
    entries.push_back(std::move(entry));
  }
  std::sort(entries.begin(), entries.end());
  for (const std::string& entry : entries) (out += kPresent) += entry;
  out += kEnd;
}

void append_item(const Column& column, std::size_t row, std::string& out) {
  if (column.is_null(row)) {
    out += kNull;
    return;
  }
  out += kPresent;
  switch (column.type.kind()) {
    case TypeKind::null:
      break;
    case TypeKind::boolean:
      out += static_cast<char>(column.data.as<std::uint8_t>()[row]);
      break;
    case TypeKind::integer:
    case TypeKind::time:
    case TypeKind::date:
      append_int32(column.data.as<std::int32_t>()[row], out);
      break;
    case TypeKind::bigint:
    case TypeKind::timestamp:
      append_int64(column.data.as<std::int64_t>()[row], out);
      break;
    case TypeKind::double_:
      append_double(column.data.as<double>()[row], out);
      break;
    case TypeKind::decimal:
      append_int128(column.data.as<Int128>()[row], out);
      break;
    case TypeKind::string:
    case TypeKind::bytes:
      append_text(column.data.as<std::string_view>()[row], out);
      break;
    case TypeKind::map:
      append_map(column, row, out);
      break;
    case TypeKind::structure:
      for (const auto& child : column.children) append_item(*child, row, out);
      break;
    case TypeKind::array: {
      const auto offsets = column.data.as<std::uint32_t>();
      for (std::uint32_t i = offsets[row]; i < offsets[row + 1]; ++i) {
        out += kPresent;
        append_item(*column.children[0], i, out);
      }
      out += kEnd;
    }
  }
}

char* write_int64(std::int64_t value, char* to) {
  std::uint64_t bits = static_cast<std::uint64_t>(value) ^ (std::uint64_t{1} << 63);
  if constexpr (std::endian::native == std::endian::little) bits = __builtin_bswap64(bits);
  std::memcpy(to, &bits, sizeof(bits));
  return to + sizeof(bits);
}

/// Precondition: no zero byte in the text.
char* write_plain_text(std::string_view text, char* to) {
  if (!text.empty()) std::memcpy(to, text.data(), text.size());
  to[text.size()] = to[text.size() + 1] = 0;
  return to + text.size() + 2;
}

bool has_zero(const std::string_view* values, std::span<const std::uint32_t> rows, std::size_t& total) {
  total = 0;
  for (const std::uint32_t row : rows) {
    if (!values[row].empty() && std::memchr(values[row].data(), 0, values[row].size()) != nullptr) return true;
    total += values[row].size();
  }
  return false;
}

/// The common case of one BIGINT or STRING column without NULLs: written straight into place, no switch per row.
bool encode_single(const Column& column, std::span<const std::uint32_t> rows,
                   std::span<const std::span<const std::int64_t>> suffixes, KeyBuffer& out) {
  if (!column.nulls.empty()) return false;
  const TypeKind kind = column.type.kind();
  const auto each = [&](std::size_t values_total, auto write) {
    out.bytes.resize(values_total + rows.size() * (1 + suffixes.size() * kWindowBytes));
    out.ends.resize(rows.size());
    char* to = out.bytes.data();
    for (std::size_t i = 0; i < rows.size(); ++i) {
      *to++ = kPresent;
      to = write(rows[i], to);
      for (const auto& suffix : suffixes) to = write_int64(suffix[i], to);
      out.ends[i] = static_cast<std::uint32_t>(to - out.bytes.data());
    }
    return true;
  };
  if (kind == TypeKind::bigint || kind == TypeKind::timestamp) {
    const auto* values = column.data.as<std::int64_t>();
    return each(rows.size() * 8, [&](std::uint32_t row, char* to) { return write_int64(values[row], to); });
  }
  if (kind == TypeKind::string) {
    const auto* values = column.data.as<std::string_view>();
    std::size_t total = 0;
    if (has_zero(values, rows, total)) return false;
    return each(total + 2 * rows.size(),
                [&](std::uint32_t row, char* to) { return write_plain_text(values[row], to); });
  }
  return false;
}

}  // namespace

void append_window(std::int64_t millis, std::string& out) {
  append_int64(millis, out);
}

std::int64_t read_window(const char* bytes) {
  std::uint64_t bits = 0;
  std::memcpy(&bits, bytes, sizeof(bits));
  if constexpr (std::endian::native == std::endian::little) bits = __builtin_bswap64(bits);
  return static_cast<std::int64_t>(bits ^ (std::uint64_t{1} << 63));
}

void encode_keys(std::span<const ColumnPtr> columns, std::span<const std::uint32_t> rows,
                 std::span<const std::span<const std::int64_t>> suffixes, KeyBuffer& out) {
  out.clear();
  out.ends.reserve(rows.size());
  if (columns.size() == 1 && encode_single(*columns[0], rows, suffixes, out)) return;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (const ColumnPtr& column : columns) append_item(*column, rows[i], out.bytes);
    for (const auto& suffix : suffixes) append_int64(suffix[i], out.bytes);
    out.ends.push_back(static_cast<std::uint32_t>(out.bytes.size()));
  }
}

std::string encode_key(std::span<const Value> values, std::span<const ColumnDef> columns) {
  std::string out;
  for (std::size_t i = 0; i < values.size(); ++i) {
    ColumnBuilder builder(columns[i].type);
    builder.append(values[i]);
    append_item(*builder.finish(), 0, out);
  }
  return out;
}

}  // namespace millrace::inline exec
