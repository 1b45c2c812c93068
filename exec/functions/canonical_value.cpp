#include "exec/functions/canonical_value.h"

#include <algorithm>

#include "exec/functions/codec.h"

namespace millrace::inline exec {
namespace {

/// Maps in the order of their keys, at any depth: equal values then have equal bytes.
Value canonical(const Value& value, const Type& type) {
  if (value.is_null() || !type.is_nested()) return value;
  if (type.kind() == TypeKind::map) {
    Value::Map entries;
    for (const auto& [key, mapped] : value.entries()) entries.emplace_back(key, canonical(mapped, type.value()));
    if (!type.key().is_nested())
      std::ranges::sort(entries, [](const auto& a, const auto& b) { return compare(a.first, b.first) < 0; });
    return Value::map(std::move(entries));
  }
  const bool list = type.kind() == TypeKind::array;
  const Value::List& parts = list ? value.items() : value.fields();
  Value::List out;
  for (std::size_t i = 0; i < parts.size(); ++i)
    out.push_back(canonical(parts[i], list ? type.element() : type.fields()[i].type));
  return list ? Value::list(std::move(out)) : Value::structure(std::move(out));
}

}  // namespace

std::string canonical_bytes(const Value& value, const Type& type) {
  std::string bytes;
  codec::put_value(canonical(value, type), type, bytes);
  return bytes;
}

}  // namespace millrace::inline exec
