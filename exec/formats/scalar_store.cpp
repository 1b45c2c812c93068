#include "exec/formats/scalar_store.h"

#include <cmath>
#include <limits>

#include "exec/formats/json_text.h"
#include "planner/types/decimal.h"

namespace millrace::inline exec {
namespace {

Arena& made(ArenaPtr& arena) {
  if (!arena) arena = std::make_shared<Arena>();
  return *arena;
}

template <class Write>
bool store_written(ColumnWriter& out, std::size_t row, ArenaPtr& arena, const Write& write) {
  char buffer[kNumberRoom];
  const char* end = write(buffer);
  out.set(row, made(arena).copy({buffer, static_cast<std::size_t>(end - buffer)}));
  return true;
}

// As Java casts: NaN is 0, what is too large is the largest.
std::int64_t cut(double value) {
  if (std::isnan(value)) return 0;
  if (value >= 9.2233720368547758e18) return std::numeric_limits<std::int64_t>::max();
  if (value <= -9.2233720368547758e18) return std::numeric_limits<std::int64_t>::min();
  return static_cast<std::int64_t>(value);
}

}  // namespace

bool store_other(std::int64_t value, ColumnWriter& out, std::size_t row, ArenaPtr& arena) {
  switch (out.kind()) {
    case TypeKind::time:
      return store_integral(value, out, row);
    case TypeKind::double_:
      out.set(row, static_cast<double>(value));
      return true;
    case TypeKind::decimal:
      return store_decimal(value, 0, out, row, arena);
    case TypeKind::string:
      return store_written(out, row, arena, [&](char* at) { return write_integer(value, at); });
    default:
      return false;
  }
}

bool store_double(double value, ColumnWriter& out, std::size_t row, ArenaPtr& arena) {
  switch (out.kind()) {
    case TypeKind::double_:
      out.set(row, value);
      return true;
    case TypeKind::integer:
    case TypeKind::bigint:
      return store_integral(cut(value), out, row);
    case TypeKind::decimal: {
      const auto decimal = double_to_decimal(value, out.type());
      if (decimal) out.set(row, *decimal);
      return decimal.has_value();
    }
    case TypeKind::string:
      return store_written(out, row, arena, [&](char* at) { return write_double(value, at); });
    default:
      return false;
  }
}

bool store_boolean(bool value, ColumnWriter& out, std::size_t row) {
  if (out.kind() == TypeKind::boolean) {
    out.set<std::uint8_t>(row, value);
    return true;
  }
  if (out.kind() != TypeKind::string) return false;
  out.set(row, std::string_view(value ? "true" : "false"));
  return true;
}

bool store_decimal(Int128 unscaled, int scale, ColumnWriter& out, std::size_t row, ArenaPtr& arena) {
  switch (out.kind()) {
    case TypeKind::decimal: {
      const auto fitted = to_decimal(Decimal{unscaled, scale}, out.type(), Rounding::exact);
      if (fitted) out.set(row, *fitted);
      return fitted.has_value();
    }
    case TypeKind::double_:
      out.set(row, decimal_to_double(Decimal{unscaled, scale}));
      return true;
    case TypeKind::integer:
    case TypeKind::bigint: {
      const auto whole = rescale(unscaled, scale, 0, Rounding::down);
      return whole && store_integral(static_cast<std::int64_t>(*whole), out, row);
    }
    case TypeKind::string:
      return store_written(out, row, arena, [&](char* at) { return write_decimal(unscaled, scale, at); });
    default:
      return false;
  }
}

bool read_big_integer(std::string_view bytes, Int128& out) {
  if (bytes.empty() || bytes.size() > 16) {
    // Longer ones may still be small: leading bytes that only repeat the sign.
    if (bytes.size() <= 16) return false;
    const char sign = (bytes[bytes.size() - 16] & 0x80) != 0 ? '\xFF' : '\0';
    while (bytes.size() > 16) {
      if (bytes.front() != sign) return false;
      bytes.remove_prefix(1);
    }
  }
  auto value = static_cast<unsigned __int128>((bytes.front() & 0x80) != 0 ? Int128{-1} : Int128{0});
  for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
  out = static_cast<Int128>(value);
  return true;
}

char* write_big_integer(Int128 value, char* out) {
  int size = 1;
  for (Int128 rest = value >> 7; rest != 0 && rest != -1; rest >>= 8) ++size;
  for (int shift = (size - 1) * 8; shift >= 0; shift -= 8) *out++ = static_cast<char>(value >> shift);
  return out;
}

}  // namespace millrace::inline exec
