#include <unicode/uchar.h>

#include "exec/functions/families.h"
#include "exec/functions/scalar.h"
#include "exec/functions/utf16.h"

namespace millrace::inline exec {
namespace {

using Text = std::string_view;
using Mask = std::optional<Text>;

/// What stands for each class of character; absent: the character stays.
struct Masks {
  Mask upper = "X";
  Mask lower = "x";
  Mask digit = "n";
  Mask other = "-";

  /// Masks are single code units, as lengths count them. Empty: all is well.
  std::string_view wrong() const {
    for (const Mask& mask : {upper, lower, digit, other})
      if (mask && utf16::length(*mask) != 1) return "Invalid mask character. A mask must be a single character";
    return {};
  }

  void put(char32_t point, std::string& out) const {
    const auto c = static_cast<UChar32>(point);
    const Mask& mask = u_isupper(c) ? upper : u_islower(c) ? lower : u_isdigit(c) ? digit : other;
    if (mask)
      out += *mask;
    else
      utf16::append(point, out);
  }
};

/// Masks the characters from `from` up to `to`, counted in code units; a character of two units gets two signs.
Result<Text> mask_range(Arena& arena, Text text, const Masks& masks, std::size_t from, std::size_t to) {
  if (const auto why = masks.wrong(); !why.empty()) return user_error("{}", why);
  std::string out;
  std::size_t index = 0;
  for (Text rest = text; !rest.empty();) {
    const char32_t point = utf16::next(rest);
    const std::size_t end = index + (point > 0xFFFF ? 2 : 1);
    const bool plain = index < from || index >= to || (point > 0xFFFF && !masks.other);
    if (plain)
      utf16::append(point, out);
    else
      for (; index < std::min(end, to); ++index) masks.put(point > 0xFFFF ? U'-' : point, out);
    index = end;
  }
  return arena.copy(out);
}

enum class Part : std::uint8_t { left, right, keep_left, keep_right };

template <Part P>
Result<Text> mask_part(Arena& arena, Text text, std::int32_t count, const Masks& masks) {
  if (count < 0) return user_error("the number of characters must not be negative, got {}", count);
  const std::size_t size = utf16::length(text);
  const std::size_t n = std::min(static_cast<std::size_t>(count), size);
  switch (P) {
    case Part::left:
      return mask_range(arena, text, masks, 0, n);
    case Part::right:
      return mask_range(arena, text, masks, size - n, size);
    case Part::keep_left:
      return mask_range(arena, text, masks, n, size);
    case Part::keep_right:
      return mask_range(arena, text, masks, 0, size - n);
  }
  return text;
}

template <Part P>
Result<Text> mask_some(Arena& arena, Text text, std::int32_t count) {
  return mask_part<P>(arena, text, count, {});
}
template <Part P>
Result<Text> mask_some_with(Arena& arena, Text text, std::int32_t count, Mask upper, Mask lower, Mask digit,
                            Mask other) {
  return mask_part<P>(arena, text, count, {upper, lower, digit, other});
}
Result<Text> mask_all(Arena& arena, Text text) {
  return mask_range(arena, text, {}, 0, SIZE_MAX);
}
Result<Text> mask_all_with(Arena& arena, Text text, Mask upper, Mask lower, Mask digit, Mask other) {
  return mask_range(arena, text, {upper, lower, digit, other}, 0, SIZE_MAX);
}

template <Part P>
FunctionDef part_def(std::string_view name, std::string_view doc, std::string_view example) {
  return define(FunctionKind::scalar, "STRING",
                {name,
                 doc,
                 {scalar<mask_some<P>>({"text", "count"}),
                  scalar<mask_some_with<P>>({"text", "count", "upper", "lower", "digit", "other"})},
                 {{std::string(name) + "('My Test $123', 4)", std::string(example)}}});
}

}  // namespace

FunctionFamily mask_functions() {
  return {define(FunctionKind::scalar, "STRING",
                 {"MASK",
                  "Every character replaced by a sign of its class. NULL as a mask leaves its class alone.",
                  {scalar<mask_all>({"text"}), scalar<mask_all_with>({"text", "upper", "lower", "digit", "other"})},
                  {{"MASK('My Test $123')", "'Xx-Xxxx--nnn'"},
                   {"MASK('My Test $123', '*', NULL, '1', NULL)", "'*y *est $111'"},
                   {"MASK('a', 'XX', 'x', 'n', '-')", "error"}}}),
          part_def<Part::left>("MASK_LEFT", "As MASK, for the first characters only.", "'Xx-Xest $123'"),
          part_def<Part::right>("MASK_RIGHT", "As MASK, for the last characters only.", "'My Test -nnn'"),
          part_def<Part::keep_left>("MASK_KEEP_LEFT", "As MASK, for all but the first characters.", "'My Txxx--nnn'"),
          part_def<Part::keep_right>("MASK_KEEP_RIGHT", "As MASK, for all but the last characters.", "'Xx-Xxxx-$123'")};
}

}  // namespace millrace::inline exec
