#include <fmt/format.h>

#include <bit>

#include "exec/formats/avro_wire.h"
#include "exec/formats/json_text.h"
#include "exec/formats/scalar_store.h"
#include "exec/formats/schema_text.h"
#include "planner/types/civil.h"

namespace millrace::inline exec {
namespace {

using avro::Kind;
using avro::Logical;
using avro::Node;

constexpr int kMaxDepth = 64;

/// Writes data one after another behind `out`; every step gives the place behind what it read, nullptr: broken.
class Printer {
 public:
  explicit Printer(const char* end) : end_(end) {}

  const char* value(const Node& node, const char* at, int depth) {
    if (depth > kMaxDepth) return nullptr;
    switch (node.kind) {
      case Kind::null:
        out += "null";
        return at;
      case Kind::boolean:
        if (at == end_) return nullptr;
        out += *at != 0 ? "true" : "false";
        return at + 1;
      case Kind::int_:
      case Kind::long_:
      case Kind::enumeration:
        return number(node, at);
      case Kind::float_:
        return real<float>(at);
      case Kind::double_:
        return real<double>(at);
      case Kind::bytes:
      case Kind::string:
      case Kind::fixed:
        return text(node, at);
      case Kind::record:
        return record(node, at, depth);
      case Kind::array:
      case Kind::map:
        return list(node, at, depth);
      case Kind::union_:
        break;
    }
    std::int64_t branch;
    at = avro::read_long(at, end_, branch);
    if (at == nullptr || branch < 0 || branch >= static_cast<std::int64_t>(node.branches.size())) return nullptr;
    return value(*node.branches[static_cast<std::size_t>(branch)], at, depth + 1);
  }

  std::string out;

 private:
  const char* number(const Node& node, const char* at) {
    std::int64_t number;
    at = avro::read_long(at, end_, number);
    if (at == nullptr) return nullptr;
    if (node.kind == Kind::enumeration) {
      if (number < 0 || number >= static_cast<std::int64_t>(node.symbols.size())) return nullptr;
      append_json_string(node.symbols[static_cast<std::size_t>(number)], out);
    } else if (node.logical == Logical::date) {
      out += fmt::format("\"{}\"", date_text({static_cast<std::int32_t>(number)}));
    } else if (node.logical == Logical::time_millis || node.logical == Logical::time_micros) {
      time_of_day(node.logical == Logical::time_millis ? number : floor_div(number, 1000));
    } else if (node.logical == Logical::timestamp_millis || node.logical == Logical::timestamp_micros) {
      const bool micros = node.logical == Logical::timestamp_micros;
      out += fmt::format("\"{}\"", timestamp_text({micros ? floor_div(number, 1000) : number}));
    } else {
      out += std::to_string(number);
    }
    return at;
  }

  void time_of_day(std::int64_t millis) {
    out += fmt::format("\"{:02}:{:02}:{:02}.{:03}\"", millis / 3'600'000, millis / 60'000 % 60, millis / 1000 % 60,
                       millis % 1000);
  }

  template <class Float>
  const char* real(const char* at) {
    if (end_ - at < static_cast<std::ptrdiff_t>(sizeof(Float))) return nullptr;
    Float number;
    std::memcpy(&number, at, sizeof number);
    append_json_double(number, out);
    return at + sizeof number;
  }

  const char* text(const Node& node, const char* at) {
    std::string_view bytes;
    if (node.kind != Kind::fixed) {
      at = avro::read_bytes(at, end_, bytes);
      if (at == nullptr) return nullptr;
    } else {
      if (static_cast<std::size_t>(end_ - at) < node.size) return nullptr;
      bytes = {at, node.size};
      at += node.size;
    }
    Int128 unscaled;
    if (node.kind == Kind::string)
      append_json_string(as_utf8(bytes, arena_), out);
    else if (node.logical == Logical::decimal && read_big_integer(bytes, unscaled))
      out += decimal_text({unscaled, node.scale});
    else
      append_json_string(base64_encode(bytes), out);
    return at;
  }

  const char* record(const Node& node, const char* at, int depth) {
    out += '{';
    for (const avro::Field& field : node.fields) {
      name(field.name);
      if ((at = value(*field.type, at, depth + 1)) == nullptr) return nullptr;
    }
    out += '}';
    return at;
  }

  void name(std::string_view text) {
    if (out.back() != '{') out += ',';
    append_json_string(text, out);
    out += ':';
  }

  const char* list(const Node& node, const char* at, int depth) {
    const bool entries = node.kind == Kind::map || node.map_entries;
    out += entries ? '{' : '[';
    for (;;) {
      std::int64_t items, size;
      at = avro::read_block(at, end_, items, size);
      if (at == nullptr || (items > 0 && !avro::plausible(items, at, end_))) return nullptr;
      if (items == 0) break;
      for (; items > 0; --items) {
        at = entries ? entry(node, at, depth) : item(node, at, depth);
        if (at == nullptr) return nullptr;
      }
    }
    out += entries ? '}' : ']';
    return at;
  }

  const char* item(const Node& node, const char* at, int depth) {
    if (out.back() != '[') out += ',';
    return value(*node.element, at, depth + 1);
  }

  const char* entry(const Node& node, const char* at, int depth) {
    if (node.kind == Kind::map) {
      std::string_view key;
      at = avro::read_bytes(at, end_, key);
      if (at == nullptr) return nullptr;
      name(as_utf8(key, arena_));
      return value(*node.element, at, depth + 1);
    }
    // Connect's entries: a record of key and value; a key that is no text is shown as one.
    if (out.back() != '{') out += ',';
    const std::size_t begin = out.size();
    at = value(*node.element->fields[0].type, at, depth + 1);
    if (at == nullptr) return nullptr;
    quote_json(begin, out);
    out += ':';
    return value(*node.element->fields[1].type, at, depth + 1);
  }

  const char* const end_;
  ArenaPtr arena_;
};

}  // namespace

std::optional<std::string> avro_text(std::string_view bytes, const avro::Node& schema) {
  const char* const end = bytes.data() + bytes.size();
  Printer printer(end);
  if (printer.value(schema, bytes.data(), 0) != end) return std::nullopt;
  return std::move(printer.out);
}

}  // namespace millrace::inline exec
