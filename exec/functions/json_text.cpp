#include "exec/functions/json_text.h"

#include <fmt/format.h>
#include <simdjson.h>

#include "planner/types/value.h"

namespace millrace {

bool parse_json(std::string_view text, simdjson::dom::element& out) {
  thread_local simdjson::dom::parser parser;
  return parser.parse(text.data(), text.size()).get(out) == simdjson::SUCCESS;
}

void quote_json(std::string_view text, std::string& out) {
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte >= 0x20) {
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else if (c == '\b') {
      out += "\\b";
    } else if (c == '\f') {
      out += "\\f";
    } else {
      out += fmt::format("\\u{:04X}", static_cast<unsigned>(byte));
    }
  }
  out += '"';
}

namespace {

void write_array(const simdjson::dom::array& array, std::string& out) {
  out += '[';
  bool first = true;
  for (const simdjson::dom::element item : array) {
    if (!std::exchange(first, false)) out += ',';
    write_json(item, out);
  }
  out += ']';
}

void write_object(const simdjson::dom::object& object, std::string& out) {
  out += '{';
  bool first = true;
  for (const simdjson::dom::key_value_pair member : object) {
    if (!std::exchange(first, false)) out += ',';
    quote_json(member.key, out);
    out += ':';
    write_json(member.value, out);
  }
  out += '}';
}

}  // namespace

void write_json(const simdjson::dom::element& element, std::string& out) {
  using simdjson::dom::element_type;
  switch (element.type()) {
    case element_type::ARRAY:
      return write_array(element.get_array().value_unsafe(), out);
    case element_type::OBJECT:
      return write_object(element.get_object().value_unsafe(), out);
    case element_type::INT64:
      out += std::to_string(element.get_int64().value_unsafe());
      return;
    case element_type::UINT64:
      out += std::to_string(element.get_uint64().value_unsafe());
      return;
    case element_type::DOUBLE:
      out += double_text(element.get_double().value_unsafe());
      return;
    case element_type::STRING:
      return quote_json(element.get_string().value_unsafe(), out);
    case element_type::BOOL:
      out += element.get_bool().value_unsafe() ? "true" : "false";
      return;
    case element_type::NULL_VALUE:
      out += "null";
  }
}

}  // namespace millrace
