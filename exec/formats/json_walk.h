#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "exec/formats/json_scanner.h"

namespace millrace::inline exec::json {

/// A member's name or a string as it stands in the text, between its quotes.
struct Quoted {
  std::string_view raw;
  bool escaped = false;

  /// Precondition: scanned, so that its escapes are whole.
  std::string text() const {
    if (!escaped) return std::string(raw);
    std::string out(raw.size(), '\0');
    out.resize(static_cast<std::size_t>(unescape(raw, out.data())));
    return out;
  }
  bool is(std::string_view wanted) const { return escaped ? text() == wanted : raw == wanted; }
};

/// Takes the string whose opening quote is at `at`. Returns the position behind it, nullptr when it is broken.
inline const char* take_quoted(const char* at, const char* end, Quoted& out) {
  if (at == end || *at != '"') return nullptr;
  const StringSpan span = scan_string(at + 1, end);
  if (span.close == nullptr) return nullptr;
  out = {{at + 1, static_cast<std::size_t>(span.close - at - 1)}, span.escaped};
  return span.close + 1;
}

/// Behind the colon between a member's name, which ends at `at`, and its value, and the space around it.
inline const char* skip_colon(const char* at, const char* end) {
  at = skip_space(at, end);
  if (at == end || *at != ':') return nullptr;
  return skip_space(at + 1, end);
}

/// Behind the comma or the closing bracket that follows a value; `more` says which. nullptr: neither.
inline const char* next_or_close(const char* at, const char* end, char closing, bool& more) {
  at = skip_space(at, end);
  if (at == end || (*at != ',' && *at != closing)) return nullptr;
  more = *at == ',';
  return more ? skip_space(at + 1, end) : at + 1;
}

/// Behind the object whose brace is at `at`. For each member `on_member(name, value)` is called with where its value
/// begins, and returns the position behind it. nullptr from it, or broken text, ends the walk with nullptr.
template <class OnMember>
const char* walk_object(const char* at, const char* end, OnMember&& on_member) {
  at = skip_space(at + 1, end);
  if (at != end && *at == '}') return at + 1;
  for (bool more = true; more;) {
    Quoted name;
    at = take_quoted(at, end, name);
    if (at != nullptr) at = skip_colon(at, end);
    if (at != nullptr) at = on_member(name, at);
    if (at != nullptr) at = next_or_close(at, end, '}', more);
    if (at == nullptr) return nullptr;
  }
  return at;
}

/// Behind the array whose bracket is at `at`; `on_item(value)` as above.
template <class OnItem>
const char* walk_array(const char* at, const char* end, OnItem&& on_item) {
  at = skip_space(at + 1, end);
  if (at != end && *at == ']') return at + 1;
  for (bool more = true; more;) {
    at = on_item(at);
    if (at != nullptr) at = next_or_close(at, end, ']', more);
    if (at == nullptr) return nullptr;
  }
  return at;
}

/// The first value of a text, what the text says: a byte-order mark before it and anything behind it do not count.
/// Absent: there is none, or it is broken.
std::optional<std::string_view> first_value(std::string_view text);

inline constexpr std::string_view kMalformed = "malformed JSON";

/// Why a text has no value: not JSON, or nested too deep.
std::string broken_reason(std::string_view text);

}  // namespace millrace::inline exec::json
