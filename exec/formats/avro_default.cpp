#include "exec/formats/avro_default.h"

#include <boost/json.hpp>
#include <cstring>

#include "exec/formats/avro_wire.h"
#include "planner/types/civil.h"

namespace millrace::inline exec::avro {
namespace {

namespace json = boost::json;

/// Texts of bytes hold a code point for each byte.
std::string latin1(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0xC2 && c <= 0xC3 && i + 1 < text.size())
      out.push_back(static_cast<char>((c & 3) << 6 | (static_cast<unsigned char>(text[++i]) & 0x3F)));
    else
      out.push_back(text[i]);
  }
  return out;
}

Value scalar(const json::value& from, const Node& node, const Type& type) {
  const auto whole = [&]() -> std::optional<std::int64_t> {
    if (!from.is_int64()) return std::nullopt;
    const bool micros = node.logical == Logical::time_micros || node.logical == Logical::timestamp_micros;
    return micros ? floor_div(from.as_int64(), 1000) : from.as_int64();
  };
  switch (type.kind()) {
    case TypeKind::boolean:
      return from.is_bool() ? Value(from.as_bool()) : Value();
    case TypeKind::integer:
      return whole() ? Value(static_cast<std::int32_t>(*whole())) : Value();
    case TypeKind::bigint:
      return whole() ? Value(*whole()) : Value();
    case TypeKind::double_:
      return from.is_number() ? Value(from.to_number<double>()) : Value();
    case TypeKind::date:
      return whole() ? Value(Date{static_cast<std::int32_t>(*whole())}) : Value();
    case TypeKind::time:
      return whole() ? Value(Time{static_cast<std::int32_t>(*whole())}) : Value();
    case TypeKind::timestamp:
      return whole() ? Value(Timestamp{*whole()}) : Value();
    case TypeKind::string:
      return from.is_string() ? Value(std::string(from.as_string())) : Value();
    case TypeKind::bytes:
      return from.is_string() ? Value(Bytes{latin1(from.as_string())}) : Value();
    default:
      return Value();
  }
}

void put_long(std::int64_t value, std::string& out) {
  char buffer[kMaxVarint];
  out.append(buffer, write_long(value, buffer));
}

void put_text(std::string_view text, std::string& out) {
  put_long(static_cast<std::int64_t>(text.size()), out);
  out.append(text);
}

template <class T>
void put_raw(T value, std::string& out) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

class BytesMaker {
 public:
  bool put(const json::value& from, const Node& node) {
    switch (node.kind) {
      case Kind::null:
        return from.is_null();
      case Kind::boolean:
        if (from.is_bool()) out.push_back(from.as_bool() ? 1 : 0);
        return from.is_bool();
      case Kind::int_:
      case Kind::long_:
        if (from.is_int64()) put_long(from.as_int64(), out);
        return from.is_int64();
      case Kind::float_:
        if (from.is_number()) put_raw(static_cast<float>(from.to_number<double>()), out);
        return from.is_number();
      case Kind::double_:
        if (from.is_number()) put_raw(from.to_number<double>(), out);
        return from.is_number();
      case Kind::string:
        if (from.is_string()) put_text(from.as_string(), out);
        return from.is_string();
      case Kind::bytes:
        if (from.is_string()) put_text(latin1(from.as_string()), out);
        return from.is_string();
      case Kind::fixed:
        if (!from.is_string() || latin1(from.as_string()).size() != node.size) return false;
        out.append(latin1(from.as_string()));
        return true;
      case Kind::enumeration:
        return put_symbol(from, node);
      case Kind::union_:  // of the first branch; newer writers allow any
        for (std::size_t i = 0; i < node.branches.size(); ++i) {
          const std::size_t mark = out.size();
          put_long(static_cast<std::int64_t>(i), out);
          if (put(from, *node.branches[i])) return true;
          out.resize(mark);
        }
        return false;
      default:
        return put_nested(from, node);
    }
  }
  std::string out;

 private:
  bool put_symbol(const json::value& from, const Node& node) {
    if (!from.is_string()) return false;
    for (std::size_t i = 0; i < node.symbols.size(); ++i) {
      if (node.symbols[i] != std::string_view(from.as_string())) continue;
      put_long(static_cast<std::int64_t>(i), out);
      return true;
    }
    return false;
  }

  bool put_nested(const json::value& from, const Node& node) {
    if (node.kind == Kind::array) {
      if (!from.is_array()) return false;
      if (!from.as_array().empty()) put_long(static_cast<std::int64_t>(from.as_array().size()), out);
      for (const json::value& item : from.as_array())
        if (!put(item, *node.element)) return false;
      put_long(0, out);
      return true;
    }
    if (!from.is_object()) return false;
    const json::object& object = from.as_object();
    if (node.kind == Kind::map) {
      if (!object.empty()) put_long(static_cast<std::int64_t>(object.size()), out);
      for (const auto& [key, item] : object) {
        put_text(key, out);
        if (!put(item, *node.element)) return false;
      }
      put_long(0, out);
      return true;
    }
    for (const Field& field : node.fields) {
      const json::value* given = object.if_contains(field.name);
      if (given == nullptr && field.otherwise) given = &*field.otherwise;
      if (given == nullptr || !put(*given, *field.type)) return false;
    }
    return true;
  }
};

std::string_view copied(std::string_view text, std::shared_ptr<Arena>& arena) {
  if (!arena) arena = std::make_shared<Arena>();
  return arena->copy(text);
}

void set_list(ColumnWriter& out, std::size_t row, const Value& value, std::shared_ptr<Arena>& arena) {
  out.begin_list(row);
  const auto put = [&](std::initializer_list<const Value*> parts) {
    const std::size_t element = out.next_element();
    std::size_t k = 0;
    for (const Value* part : parts) set_value(out.child(k++), element, *part, arena);
    out.add_element();
  };
  if (out.kind() == TypeKind::array) {
    for (const Value& item : value.items()) put({&item});
  } else {
    for (const auto& [key, item] : value.entries()) put({&key, &item});
  }
  out.end_list(row);
}

}  // namespace

Value default_value(const json::value& from, const Node& node, const Type& type) {
  if (from.is_null()) return Value();
  if (node.kind == Kind::union_) {
    for (const Node* branch : node.branches)
      if (Value value = default_value(from, *branch, type); !value.is_null()) return value;
    return Value();
  }
  if (!type.is_nested()) return scalar(from, node, type);
  if (type.kind() == TypeKind::array && node.kind == Kind::array && from.is_array()) {
    Value::List items;
    for (const json::value& item : from.as_array()) items.push_back(default_value(item, *node.element, type.element()));
    return Value::list(std::move(items));
  }
  if (!from.is_object()) return Value();
  if (type.kind() == TypeKind::map && node.kind == Kind::map) {
    Value::Map entries;
    for (const auto& [key, item] : from.as_object())
      entries.emplace_back(Value(std::string(key)), default_value(item, *node.element, type.value()));
    return Value::map(std::move(entries));
  }
  if (type.kind() != TypeKind::structure || node.kind != Kind::record) return Value();
  Value::List fields;
  for (const StructField& wanted : type.fields()) {
    const Field* field = node.find(wanted.name);
    const json::value* given = field ? from.as_object().if_contains(field->name) : nullptr;
    if (given == nullptr && field && field->otherwise) given = &*field->otherwise;
    fields.push_back(given ? default_value(*given, *field->type, wanted.type) : Value());
  }
  return Value::structure(std::move(fields));
}

void set_value(ColumnWriter& out, std::size_t row, const Value& value, std::shared_ptr<Arena>& arena) {
  if (value.is_null()) return out.set_null(row);
  switch (out.kind()) {
    case TypeKind::boolean:
      return out.set<std::uint8_t>(row, value.as<bool>());
    case TypeKind::integer:
      return out.set(row, value.as<std::int32_t>());
    case TypeKind::bigint:
      return out.set(row, value.as<std::int64_t>());
    case TypeKind::double_:
      return out.set(row, value.as<double>());
    case TypeKind::decimal:
      return out.set(row, value.as<Decimal>().unscaled);
    case TypeKind::date:
      return out.set(row, value.as<Date>().days);
    case TypeKind::time:
      return out.set(row, value.as<Time>().millis);
    case TypeKind::timestamp:
      return out.set(row, value.as<Timestamp>().millis);
    case TypeKind::string:
      return out.set(row, copied(value.as<std::string>(), arena));
    case TypeKind::bytes:
      return out.set(row, copied(value.as<Bytes>().data, arena));
    case TypeKind::array:
    case TypeKind::map:
      return set_list(out, row, value, arena);
    case TypeKind::structure:
      for (std::size_t k = 0; k < out.child_count(); ++k) set_value(out.child(k), row, value.fields()[k], arena);
      return out.mark_present(row);
    default:
      return;
  }
}

Result<std::string> default_bytes(const json::value& from, const Node& node) {
  BytesMaker maker;
  if (!maker.put(from, node)) return user_error("the default of a field does not fit its type");
  return std::move(maker.out);
}

}  // namespace millrace::inline exec::avro
