#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace::inline exec {

/// A JSON value that keeps numbers as they were written and members in their order.
struct JsonNode {
  enum class Kind : std::uint8_t { null, boolean, number, string, array, object };
  Kind kind = Kind::null;
  std::string text;                                       // number as written, decoded string, true or false
  std::vector<std::pair<std::string, JsonNode>> members;  // elements of an array have no name

  /// Of an object; null when there is none. The last of equal names counts.
  const JsonNode* find(std::string_view name) const;
};

/// False: not JSON.
bool parse_json(std::string_view text, JsonNode& out);
/// Compact JSON text.
void write_json(const JsonNode& node, std::string& out);
/// A string as JSON text: quotes and escapes.
void quote_json(std::string_view text, std::string& out);

}  // namespace millrace::inline exec
