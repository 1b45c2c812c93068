#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "exec/formats/json_text.h"
#include "exec/formats/protobuf_wire.h"
#include "exec/formats/scalar_store.h"
#include "exec/formats/schema_text.h"

namespace millrace::inline exec {
namespace {

using namespace proto;

constexpr int kMaxDepth = 64;

/// A value of a field as it came.
struct Piece {
  std::uint64_t bits = 0;
  std::string_view bytes;
};

class Printer {
 public:
  bool message(const Message& message, std::string_view bytes, int depth) {
    if (depth > kMaxDepth) return false;
    std::vector<std::vector<Piece>> pieces(message.fields.size());
    if (!split(message, bytes, pieces)) return false;
    out += '{';
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      const Field& field = message.fields[i];
      if (pieces[i].empty() && (field.repeated || field.presence || field.message)) continue;
      if (out.back() != '{') out += ',';
      append_json_string(field.name, out);
      out += ':';
      if (pieces[i].empty()) pieces[i].emplace_back();
      if (!(field.repeated ? list(field, pieces[i], depth) : value(field, pieces[i].back(), depth))) return false;
    }
    out += '}';
    return true;
  }

  std::string out;

 private:
  static bool split(const Message& message, std::string_view bytes, std::vector<std::vector<Piece>>& pieces) {
    const char* at = bytes.data();
    const char* const end = at + bytes.size();
    while (at != end) {
      std::uint64_t tag;
      at = read_varint(at, end, tag);
      if (at == nullptr || tag >> 3 == 0 || tag > UINT32_MAX) return false;
      const auto wire = static_cast<Wire>(tag & 7);
      const auto field = std::ranges::find(message.fields, static_cast<std::uint32_t>(tag >> 3), &Field::number);
      if (field == message.fields.end())
        at = proto::skip_value(at, end, static_cast<std::uint32_t>(tag));
      else
        at = take(*field, wire, at, end, pieces[static_cast<std::size_t>(field - message.fields.begin())]);
      if (at == nullptr) return false;
    }
    return true;
  }

  static const char* take(const Field& field, Wire wire, const char* at, const char* end, std::vector<Piece>& pieces) {
    const Wire expected = proto::wire_of(field.kind);
    std::string_view bytes;
    if (wire == Wire::bytes) {
      at = proto::read_bytes(at, end, bytes);
      if (at == nullptr || expected == Wire::bytes) {
        pieces.push_back({0, bytes});
        return at;
      }
      const char* packed = bytes.data();
      while (field.repeated && packed != nullptr && packed != bytes.data() + bytes.size()) {
        std::uint64_t bits;
        packed = proto::read_number(packed, bytes.data() + bytes.size(), expected, bits);
        if (packed != nullptr) pieces.push_back({bits, {}});
      }
      return field.repeated && packed != nullptr ? at : nullptr;
    }
    if (wire != expected) return nullptr;
    std::uint64_t bits;
    at = proto::read_number(at, end, wire, bits);
    if (at != nullptr) pieces.push_back({bits, {}});
    return at;
  }

  bool list(const Field& field, const std::vector<Piece>& pieces, int depth) {
    const bool map = field.message && field.message->map_entry;
    out += map ? '{' : '[';
    for (const Piece& piece : pieces) {
      if (out.back() != '{' && out.back() != '[') out += ',';
      if (!(map ? entry(*field.message, piece.bytes, depth) : value(field, piece, depth))) return false;
    }
    out += map ? '}' : ']';
    return true;
  }

  bool entry(const Message& message, std::string_view bytes, int depth) {
    std::vector<std::vector<Piece>> pieces(message.fields.size());
    if (!split(message, bytes, pieces)) return false;
    for (auto& of_field : pieces)
      if (of_field.empty()) of_field.emplace_back();
    const std::size_t begin = out.size();
    if (!value(message.fields[0], pieces[0].back(), depth)) return false;
    quote_json(begin, out);
    out += ':';
    return value(message.fields[1], pieces[1].back(), depth);
  }

  bool value(const Field& field, const Piece& piece, int depth) {
    switch (field.kind) {
      case FieldKind::boolean:
        out += piece.bits != 0 ? "true" : "false";
        return true;
      case FieldKind::float_:
        append_json_double(std::bit_cast<float>(static_cast<std::uint32_t>(piece.bits)), out);
        return true;
      case FieldKind::double_:
        append_json_double(std::bit_cast<double>(piece.bits), out);
        return true;
      case FieldKind::string:
        append_json_string(as_utf8(piece.bytes, arena_), out);
        return true;
      case FieldKind::bytes:
        append_json_string(base64_encode(piece.bytes), out);
        return true;
      case FieldKind::uint64:
      case FieldKind::fixed64:
        out += std::to_string(piece.bits);
        return true;
      case FieldKind::enumeration:
        enumeration(field, static_cast<std::int32_t>(piece.bits));
        return true;
      case FieldKind::message:
        return field.message->meaning == Meaning::none ? message(*field.message, piece.bytes, depth + 1)
                                                       : known(*field.message, piece.bytes, depth);
      default:
        out += std::to_string(proto::integer_of(field.kind, piece.bits));
        return true;
    }
  }

  void enumeration(const Field& field, std::int32_t number) {
    const std::string_view name = field.enumeration ? field.enumeration->name_of(number) : std::string_view();
    if (name.empty())
      out += std::to_string(number);
    else
      append_json_string(name, out);
  }

  /// A message that stands for one value.
  bool known(const Message& message, std::string_view bytes, int depth) {
    std::vector<std::vector<Piece>> pieces(message.fields.size());
    if (!split(message, bytes, pieces)) return false;
    for (auto& of_field : pieces)
      if (of_field.empty()) of_field.emplace_back();
    if (message.meaning == Meaning::wrapper) return value(message.fields.front(), pieces.front().back(), depth);
    const auto number = [&](std::uint32_t n) {
      const auto field = std::ranges::find(message.fields, n, &Field::number);
      if (field == message.fields.end()) return std::int64_t{0};
      return proto::integer_of(field->kind,
                               pieces[static_cast<std::size_t>(field - message.fields.begin())].back().bits);
    };
    Int128 unscaled = 0;
    switch (message.meaning) {
      case Meaning::timestamp:
        timestamp(number(1), number(2));
        return true;
      case Meaning::date:
        out += fmt::format("\"{:04}-{:02}-{:02}\"", number(1), number(2), number(3));
        return true;
      case Meaning::time_of_day:
        out += fmt::format("\"{:02}:{:02}:{:02}.{:03}\"", number(1), number(2), number(3), number(4) / 1'000'000);
        return true;
      default:
        break;
    }
    const std::string_view digits = pieces.front().back().bytes;
    const std::int64_t scale = number(3);
    if (scale < 0 || scale > 38 || (!digits.empty() && !read_big_integer(digits, unscaled))) return false;
    out += decimal_text({unscaled, static_cast<int>(scale)});
    return true;
  }

  void timestamp(std::int64_t seconds, std::int64_t nanos) {
    std::int64_t millis;
    if (__builtin_mul_overflow(seconds, 1000, &millis) || __builtin_add_overflow(millis, nanos / 1'000'000, &millis))
      out += fmt::format("\"{}.{:09} s\"", seconds, nanos);
    else
      out += fmt::format("\"{}\"", timestamp_text({millis}));
  }

  ArenaPtr arena_;
};

}  // namespace

std::optional<std::string> protobuf_text(std::string_view bytes, const Message& message) {
  Printer printer;
  if (!printer.message(message, bytes, 0)) return std::nullopt;
  return std::move(printer.out);
}

}  // namespace millrace::inline exec
