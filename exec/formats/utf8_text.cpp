#include "exec/formats/utf8_text.h"

#include <simdjson.h>

#include <cstring>

namespace millrace::inline exec {

namespace {

bool is_continuation(unsigned char c) {
  return (c & 0xC0) == 0x80;
}

/// Whether `second` may follow `lead`: no overlong forms or code points beyond U+10FFFF.
bool may_follow(unsigned char lead, unsigned char second) {
  switch (lead) {
    case 0xE0:
      return second >= 0xA0 && second < 0xC0;
    case 0xF0:
      return second >= 0x90 && second < 0xC0;
    case 0xF4:
      return second >= 0x80 && second < 0x90;
    default:
      return is_continuation(second);
  }
}

std::size_t sequence_length(unsigned char lead) {
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead < 0xE0) return 2;
  if (lead >= 0xE0 && lead < 0xF0) return 3;
  return lead >= 0xF0 && lead < 0xF5 ? 4 : 0;
}

/// Bytes of the sequence at the front of `text` that belong together; `whole` tells whether it is complete.
std::size_t take_sequence(std::string_view text, bool& whole) {
  const auto lead = static_cast<unsigned char>(text[0]);
  const std::size_t length = sequence_length(lead);
  std::size_t taken = 1;
  while (taken < length && taken < text.size()) {
    const auto next = static_cast<unsigned char>(text[taken]);
    if (taken == 1 ? !may_follow(lead, next) : !is_continuation(next)) break;
    ++taken;
  }
  // Half of a surrogate pair is one broken sequence.
  whole = taken == length && !(lead == 0xED && static_cast<unsigned char>(text[1]) >= 0xA0);
  return taken;
}

/// Gives `add` the pieces of a text that is UTF-8 in the end.
template <class Add>
void mend(std::string_view text, const Add& add) {
  while (!text.empty()) {
    bool whole;
    const std::size_t taken = take_sequence(text, whole);
    add(whole ? text.substr(0, taken) : std::string_view("\xEF\xBF\xBD"));
    text.remove_prefix(taken);
  }
}

}  // namespace

std::string_view checked_utf8(std::string_view text, std::shared_ptr<Arena>& arena) {
  if (simdjson::validate_utf8(text)) return text;
  if (!arena) arena = std::make_shared<Arena>();
  // A broken sequence of one byte becomes three.
  char* const begin = arena->allocate(text.size() * 3);
  char* out = begin;
  mend(text, [&](std::string_view piece) {
    std::memcpy(out, piece.data(), piece.size());
    out += piece.size();
  });
  return {begin, static_cast<std::size_t>(out - begin)};
}

std::string to_utf8(std::string text) {
  if (simdjson::validate_utf8(text)) return text;
  std::string out;
  mend(text, [&](std::string_view piece) { out += piece; });
  return out;
}

}  // namespace millrace::inline exec
