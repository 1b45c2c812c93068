#include "cli/testing/avro_wire.h"

#include <bit>
#include <cstring>
#include <stdexcept>

#include "cli/testing/value_text.h"
#include "planner/types/value.h"

namespace millrace::inline cli::harness {
namespace {

using avro::Kind;
using avro::Logical;
using avro::Node;

void put_long(std::int64_t value, std::string& out) {
  std::uint64_t bits = static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63);
  for (; bits >= 0x80; bits >>= 7) out.push_back(static_cast<char>(bits | 0x80));
  out.push_back(static_cast<char>(bits));
}

template <class T>
void put_raw(T value, std::string& out) {
  char bytes[sizeof value];
  std::memcpy(bytes, &value, sizeof value);
  out.append(bytes, sizeof value);
}

void put_text(std::string_view text, std::string& out) {
  put_long(static_cast<std::int64_t>(text.size()), out);
  out += text;
}

bool is_micros(const Node& node) {
  return node.logical == Logical::time_micros || node.logical == Logical::timestamp_micros;
}

bool suits(const Json& spec, const Node& node) {
  switch (node.kind) {
    case Kind::null:
      return spec.is_null();
    case Kind::record:
    case Kind::map:
      return spec.is_object();
    case Kind::array:
      return spec.kind == Json::Kind::array || (node.map_entries && spec.is_object());
    default:
      return !spec.is_null() && !spec.is_object() && spec.kind != Json::Kind::array;
  }
}

void put(const Json& spec, const Node& node, std::string& out);

void put_union(const Json& spec, const Node& node, std::string& out) {
  for (std::size_t i = 0; i < node.branches.size(); ++i) {
    if (!suits(spec, *node.branches[i])) continue;
    put_long(static_cast<std::int64_t>(i), out);
    return put(spec, *node.branches[i], out);
  }
  throw std::runtime_error("no branch of the union suits " + print_json(spec));
}

void put_list(const Json& spec, const Node& node, std::string& out) {
  const std::size_t count = spec.is_object() ? spec.members.size() : spec.items.size();
  if (count > 0) put_long(static_cast<std::int64_t>(count), out);
  for (const Json& item : spec.items) put(item, *node.element, out);
  for (const auto& [key, value] : spec.members) {
    if (node.map_entries) {
      put(Json::string(key), *node.element->fields[0].type, out);
      put(value, *node.element->fields[1].type, out);
    } else {
      put_text(key, out);
      put(value, *node.element, out);
    }
  }
  put_long(0, out);
}

void put(const Json& spec, const Node& node, std::string& out) {
  if (node.kind != Kind::union_ && !suits(spec, node))
    throw std::runtime_error("the Avro schema has no place for " + print_json(spec));
  switch (node.kind) {
    case Kind::null:
      return;
    case Kind::boolean:
      return out.push_back(truth(spec) ? 1 : 0);
    case Kind::int_:
    case Kind::long_:
      return put_long(whole_number(spec) * (is_micros(node) ? 1000 : 1), out);
    case Kind::float_:
      return put_raw(static_cast<float>(real_number(spec)), out);
    case Kind::double_:
      return put_raw(real_number(spec), out);
    case Kind::string:
      return put_text(scalar_text(spec), out);
    case Kind::bytes:
      return put_text(node.logical == Logical::decimal ? decimal_bytes(spec, node.scale) : binary(spec), out);
    case Kind::fixed: {
      std::string bytes = node.logical == Logical::decimal ? decimal_bytes(spec, node.scale) : binary(spec);
      const char sign = !bytes.empty() && (bytes[0] & 0x80) ? '\xFF' : '\0';
      if (bytes.size() < node.size) bytes.insert(0, node.size - bytes.size(), sign);
      out += bytes;
      return;
    }
    case Kind::enumeration:
      for (std::size_t i = 0; i < node.symbols.size(); ++i)
        if (node.symbols[i] == spec.text) return put_long(static_cast<std::int64_t>(i), out);
      throw std::runtime_error("not a symbol: " + spec.text);
    case Kind::record:
      for (const avro::Field& field : node.fields) {
        const Json* found = find_any_case(spec, field.name);
        put(found ? *found : Json(), *field.type, out);
      }
      return;
    case Kind::array:
    case Kind::map:
      return put_list(spec, node, out);
    case Kind::union_:
      return put_union(spec, node, out);
  }
}

class Reader {
 public:
  explicit Reader(std::string_view bytes) : left_(bytes) {}
  bool done() const { return left_.empty(); }

  Json value(const Node& node) {
    switch (node.kind) {
      case Kind::null:
        return {};
      case Kind::boolean: {
        Json out;
        out.kind = Json::Kind::boolean;
        out.truth = take(1)[0] != 0;
        return out;
      }
      case Kind::int_:
      case Kind::long_:
        return Json::number(std::to_string(number() / (is_micros(node) ? 1000 : 1)));
      case Kind::float_:
        return double_json(raw<float>());
      case Kind::double_:
        return double_json(raw<double>());
      case Kind::string:
        return Json::string(std::string(text()));
      case Kind::bytes:
      case Kind::fixed: {
        const std::string_view bytes = node.kind == Kind::bytes ? text() : take(node.size);
        return node.logical == Logical::decimal ? decimal_json(bytes, node.scale) : Json::string(base64_encode(bytes));
      }
      case Kind::enumeration:
        return Json::string(node.symbols.at(static_cast<std::size_t>(number())));
      case Kind::union_:
        return value(*node.branches.at(static_cast<std::size_t>(number())));
      default:
        return nested(node);
    }
  }

 private:
  Json nested(const Node& node) {
    Json out;
    out.kind = node.kind == Kind::array && !node.map_entries ? Json::Kind::array : Json::Kind::object;
    if (node.kind == Kind::record) {
      for (const avro::Field& field : node.fields) out.members.emplace_back(field.name, value(*field.type));
      return out;
    }
    for (std::int64_t count = number(); count != 0; count = number()) {
      if (count < 0) {
        count = -count;
        (void)number();
      }
      for (; count > 0; --count) {
        if (node.map_entries) {
          const Json key = value(*node.element->fields[0].type);
          out.members.emplace_back(key.text, value(*node.element->fields[1].type));
        } else if (node.kind == Kind::map) {
          std::string key(text());
          out.members.emplace_back(std::move(key), value(*node.element));
        } else {
          out.items.push_back(value(*node.element));
        }
      }
    }
    return out;
  }

  std::string_view take(std::size_t bytes) {
    if (bytes > left_.size()) throw std::runtime_error("the Avro datum ends too early");
    const std::string_view out = left_.substr(0, bytes);
    left_.remove_prefix(bytes);
    return out;
  }
  std::int64_t number() {
    std::uint64_t bits = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<unsigned char>(take(1)[0]);
      bits |= std::uint64_t{byte & 0x7FU} << shift;
      if (byte < 0x80) return static_cast<std::int64_t>(bits >> 1) ^ -static_cast<std::int64_t>(bits & 1);
    }
    throw std::runtime_error("a number of more than 64 bits");
  }
  std::string_view text() { return take(static_cast<std::size_t>(number())); }
  template <class T>
  T raw() {
    T value;
    std::memcpy(&value, take(sizeof value).data(), sizeof value);
    return value;
  }

  std::string_view left_;
};

}  // namespace

std::string encode_avro(const Json& spec, const avro::Node& schema) {
  std::string out;
  put(spec, schema, out);
  return out;
}

Json decode_avro(std::string_view bytes, const avro::Node& schema) {
  Reader reader(bytes);
  Json out = reader.value(schema);
  if (!reader.done()) throw std::runtime_error("bytes behind the Avro datum");
  return out;
}

}  // namespace millrace::inline cli::harness
