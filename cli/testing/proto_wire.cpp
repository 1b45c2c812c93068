#include "cli/testing/proto_wire.h"

#include <bit>
#include <cstring>
#include <map>
#include <stdexcept>
#include <vector>

#include "cli/testing/value_text.h"
#include "planner/types/civil.h"
#include "planner/types/value.h"

namespace millrace::inline cli::harness {
namespace {

using proto::Field;
using proto::FieldKind;
using proto::Meaning;
using proto::Message;

void put_varint(std::uint64_t bits, std::string& out) {
  for (; bits >= 0x80; bits >>= 7) out.push_back(static_cast<char>(bits | 0x80));
  out.push_back(static_cast<char>(bits));
}
void put_text(std::string_view text, std::string& out) {
  put_varint(text.size(), out);
  out += text;
}
template <class T>
void put_raw(T value, std::string& out) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof value);
}

int wire_of(const Field& field) {
  switch (field.kind) {
    case FieldKind::fixed32:
    case FieldKind::sfixed32:
    case FieldKind::float_:
      return 5;
    case FieldKind::fixed64:
    case FieldKind::sfixed64:
    case FieldKind::double_:
      return 1;
    case FieldKind::string:
    case FieldKind::bytes:
    case FieldKind::message:
      return 2;
    default:
      return 0;
  }
}

void put_number(std::uint32_t field, std::int64_t value, std::string& out) {
  put_varint(field << 3, out);
  put_varint(static_cast<std::uint64_t>(value), out);
}

std::string known_message(const Json& spec, const Field& field) {
  std::string out;
  switch (field.message->meaning) {
    case Meaning::timestamp: {
      const std::int64_t millis = whole_number(spec);
      put_number(1, floor_div(millis, 1000), out);
      put_number(2, floor_mod(millis, 1000) * 1'000'000, out);
      break;
    }
    case Meaning::date: {
      const CivilDate date = civil_from_days(whole_number(spec));
      put_number(1, date.year, out);
      put_number(2, date.month, out);
      put_number(3, date.day, out);
      break;
    }
    case Meaning::time_of_day: {
      const std::int64_t millis = whole_number(spec);
      put_number(1, millis / 3'600'000, out);
      put_number(2, millis / 60'000 % 60, out);
      put_number(3, millis / 1000 % 60, out);
      put_number(4, millis % 1000 * 1'000'000, out);
      break;
    }
    case Meaning::decimal:
      put_varint(1 << 3 | 2, out);
      put_text(decimal_bytes(spec, field.scale), out);
      put_number(2, field.precision, out);
      put_number(3, field.scale, out);
      break;
    default: {
      Json wrapped;
      wrapped.kind = Json::Kind::object;
      wrapped.members.emplace_back("value", spec);
      return encode_proto(wrapped, *field.message);
    }
  }
  return out;
}

void put_value(const Json& spec, const Field& field, std::string& out) {
  put_varint(field.number << 3 | static_cast<unsigned>(wire_of(field)), out);
  switch (field.kind) {
    case FieldKind::boolean:
      return put_varint(truth(spec), out);
    case FieldKind::float_:
      return put_raw(static_cast<float>(real_number(spec)), out);
    case FieldKind::double_:
      return put_raw(real_number(spec), out);
    case FieldKind::string:
      return put_text(scalar_text(spec), out);
    case FieldKind::bytes:
      return put_text(binary(spec), out);
    case FieldKind::enumeration:
      for (const auto& [number, name] : field.enumeration->values)
        if (name == spec.text) return put_varint(static_cast<std::uint64_t>(std::int64_t{number}), out);
      throw std::runtime_error("not a value of the enum: " + spec.text);
    case FieldKind::message:
      return put_text(
          field.message->meaning == Meaning::none ? encode_proto(spec, *field.message) : known_message(spec, field),
          out);
    case FieldKind::sint32:
    case FieldKind::sint64: {
      const std::int64_t value = whole_number(spec);
      return put_varint(static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63), out);
    }
    case FieldKind::fixed32:
    case FieldKind::sfixed32:
      return put_raw(static_cast<std::uint32_t>(whole_number(spec)), out);
    case FieldKind::fixed64:
    case FieldKind::sfixed64:
      return put_raw(static_cast<std::uint64_t>(whole_number(spec)), out);
    default:
      return put_varint(static_cast<std::uint64_t>(whole_number(spec)), out);
  }
}

/// One field as it came.
struct Piece {
  int wire;
  std::uint64_t bits;
  std::string_view bytes;
};

std::uint64_t take_varint(std::string_view& bytes) {
  std::uint64_t bits = 0;
  for (int shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes[0]);
    bytes.remove_prefix(1);
    bits |= std::uint64_t{byte & 0x7FU} << shift;
    if (byte < 0x80) return bits;
  }
  throw std::runtime_error("a Protobuf number is broken");
}

std::string_view take(std::string_view& bytes, std::size_t size) {
  if (size > bytes.size()) throw std::runtime_error("the Protobuf message ends too early");
  const std::string_view out = bytes.substr(0, size);
  bytes.remove_prefix(size);
  return out;
}

Piece take_piece(std::string_view& bytes, int wire) {
  Piece piece{wire, 0, {}};
  if (wire == 0) {
    piece.bits = take_varint(bytes);
  } else if (wire == 2) {
    piece.bytes = take(bytes, take_varint(bytes));
  } else if (wire == 1 || wire == 5) {
    const std::string_view raw = take(bytes, wire == 1 ? 8 : 4);
    std::memcpy(&piece.bits, raw.data(), raw.size());
  } else {
    throw std::runtime_error("a Protobuf group");
  }
  return piece;
}

std::map<std::uint32_t, std::vector<Piece>> pieces_of(std::string_view bytes) {
  std::map<std::uint32_t, std::vector<Piece>> out;
  while (!bytes.empty()) {
    const std::uint64_t tag = take_varint(bytes);
    out[static_cast<std::uint32_t>(tag >> 3)].push_back(take_piece(bytes, static_cast<int>(tag & 7)));
  }
  return out;
}

Json read_known(std::string_view bytes, const Field& field) {
  auto pieces = pieces_of(bytes);
  const auto number = [&](std::uint32_t n) {
    return pieces[n].empty() ? std::int64_t{0} : static_cast<std::int64_t>(pieces[n].back().bits);
  };
  switch (field.message->meaning) {
    case Meaning::timestamp:
      return Json::number(std::to_string(number(1) * 1000 + number(2) / 1'000'000));
    case Meaning::date:
      return Json::number(
          std::to_string(days_from_civil(number(1), static_cast<int>(number(2)), static_cast<int>(number(3)))));
    case Meaning::time_of_day:
      return Json::number(
          std::to_string(((number(1) * 60 + number(2)) * 60 + number(3)) * 1000 + number(4) / 1'000'000));
    case Meaning::decimal:
      return decimal_json(pieces[1].empty() ? std::string_view() : pieces[1].back().bytes, static_cast<int>(number(3)));
    default:
      return *decode_proto(bytes, *field.message).find("value");
  }
}

Json read_value(const Piece& piece, const Field& field) {
  switch (field.kind) {
    case FieldKind::boolean: {
      Json out;
      out.kind = Json::Kind::boolean;
      out.truth = piece.bits != 0;
      return out;
    }
    case FieldKind::float_:
      return double_json(std::bit_cast<float>(static_cast<std::uint32_t>(piece.bits)));
    case FieldKind::double_:
      return double_json(std::bit_cast<double>(piece.bits));
    case FieldKind::string:
      return Json::string(std::string(piece.bytes));
    case FieldKind::bytes:
      return Json::string(base64_encode(piece.bytes));
    case FieldKind::enumeration:
      return Json::string(std::string(field.enumeration->name_of(static_cast<std::int32_t>(piece.bits))));
    case FieldKind::message:
      return field.message->meaning == Meaning::none ? decode_proto(piece.bytes, *field.message)
                                                     : read_known(piece.bytes, field);
    case FieldKind::sint32:
    case FieldKind::sint64:
      return Json::number(
          std::to_string(static_cast<std::int64_t>(piece.bits >> 1) ^ -static_cast<std::int64_t>(piece.bits & 1)));
    case FieldKind::int32:
    case FieldKind::sfixed32:
      return Json::number(std::to_string(static_cast<std::int32_t>(piece.bits)));
    case FieldKind::uint32:
    case FieldKind::fixed32:
      return Json::number(std::to_string(static_cast<std::uint32_t>(piece.bits)));
    default:
      return Json::number(std::to_string(static_cast<std::int64_t>(piece.bits)));
  }
}

Json read_repeated(const std::vector<Piece>& pieces, const Field& field) {
  Json out;
  const bool map = field.message && field.message->map_entry;
  out.kind = map ? Json::Kind::object : Json::Kind::array;
  for (const Piece& piece : pieces) {
    if (map) {
      const Json entry = decode_proto(piece.bytes, *field.message);
      out.members.emplace_back(entry.find("key")->text, *entry.find("value"));
    } else if (piece.wire == 2 && wire_of(field) != 2) {
      std::string_view packed = piece.bytes;
      while (!packed.empty()) out.items.push_back(read_value(take_piece(packed, wire_of(field)), field));
    } else {
      out.items.push_back(read_value(piece, field));
    }
  }
  return out;
}

}  // namespace

std::string encode_proto(const Json& spec, const Message& message) {
  if (!spec.is_object()) throw std::runtime_error("not an object: " + print_json(spec));
  std::string out;
  for (const Field& field : message.fields) {
    const Json* value = find_any_case(spec, field.name);
    if (value == nullptr || value->is_null()) continue;
    if (!field.repeated) {
      put_value(*value, field, out);
      continue;
    }
    for (const Json& item : value->items) put_value(item, field, out);
    for (const auto& [key, item] : value->members) {
      Json entry;
      entry.kind = Json::Kind::object;
      entry.members = {{"key", Json::string(key)}, {"value", item}};
      put_value(entry, field, out);
    }
  }
  return out;
}

Json decode_proto(std::string_view bytes, const Message& message) {
  auto pieces = pieces_of(bytes);
  Json out;
  out.kind = Json::Kind::object;
  for (const Field& field : message.fields) {
    const auto& found = pieces[field.number];
    if (field.repeated) {
      out.members.emplace_back(field.name, read_repeated(found, field));
    } else if (!found.empty()) {
      out.members.emplace_back(field.name, read_value(found.back(), field));
    } else {
      const bool absent = field.presence || field.kind == FieldKind::message;
      out.members.emplace_back(field.name, absent ? Json() : read_value({wire_of(field), 0, {}}, field));
    }
  }
  return out;
}

}  // namespace millrace::inline cli::harness
