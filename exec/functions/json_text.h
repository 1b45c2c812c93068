#pragma once

#include <string>
#include <string_view>

namespace simdjson::dom {
class element;
}

namespace millrace {

/// Parses a JSON text with this thread's parser. The element lives until the next call on the thread. False: not JSON.
bool parse_json(std::string_view text, simdjson::dom::element& out);

/// Compact JSON text: numbers as Java prints them, members in their order.
void write_json(const simdjson::dom::element& element, std::string& out);
/// A JSON text of a string: quotes and escapes.
void quote_json(std::string_view text, std::string& out);

}  // namespace millrace
