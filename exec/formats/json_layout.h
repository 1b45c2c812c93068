#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "exec/formats/json_scanner.h"
#include "exec/formats/names.h"

namespace millrace::inline exec::json {

constexpr std::uint32_t kNoSlot = ~std::uint32_t{0};

/// Which wanted columns a field of the input feeds: the one of its very name, and the one of its upper-cased name.
struct FieldTarget {
  std::uint32_t exact = kNoSlot;
  std::uint32_t upper = kNoSlot;
};

/// One field as the previous record had it: its name with quotes, colon and space up to the value.
struct PredictedField {
  static constexpr std::size_t kInline = 32;
  alignas(16) char text[kInline] = {};
  std::uint32_t mask_low = 0, mask_high = 0;  // the bytes that count
  std::uint32_t size = 0;                     // 0: does not fit, never matches
  FieldTarget target;

  void learn(std::string_view prefix, FieldTarget to);
  bool wanted() const { return target.exact != kNoSlot || target.upper != kNoSlot; }
  bool matches(const char* at, const char* end) const {
#ifdef __SSE2__
    if (end - at >= static_cast<std::ptrdiff_t>(kInline)) {
      const auto* here = reinterpret_cast<const __m128i*>(at);
      const auto* mine = reinterpret_cast<const __m128i*>(text);
      const auto low =
          static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_loadu_si128(here), _mm_load_si128(mine))));
      if ((low & mask_low) != mask_low) return false;
      if (mask_high == 0) return size != 0;
      const auto high =
          static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_loadu_si128(here + 1), _mm_load_si128(mine + 1))));
      return (high & mask_high) == mask_high;
    }
#endif
    return size != 0 && end - at >= static_cast<std::ptrdiff_t>(size) && std::memcmp(at, text, size) == 0;
  }
};

/// The fields of records as they came so far: guesses that the next record has the same ones in the same order, and
/// looks a name up only where the guess fails. One thread.
class RecordLayout {
 public:
  explicit RecordLayout(std::vector<std::string> wanted) : wanted_(std::move(wanted)) {}

  /// Steps from a field's name at `at` to its value, or the space before it; `field` is the field's place in the record
  /// and is moved on. nullptr: broken.
  const char* enter(const char* at, const char* end, std::size_t& field, FieldTarget& target) {
    const std::size_t place = field++;
    if (place < predicted_.size()) {
      const PredictedField& guess = predicted_[place];
      if (guess.matches(at, end)) {
        target = guess.target;
        return at + guess.size;
      }
      // A field was left out.
      if (field < predicted_.size() && predicted_[field].matches(at, end)) {
        target = predicted_[field].target;
        return at + predicted_[field++].size;
      }
    }
    return look_up(at, end, place, target);
  }

  /// Steps over fields that nobody wants, where each stands in its place and another follows or the object ends. Gives
  /// the name of the first other field, or, `more` being false then, the place behind the object.
  const char* skip_unwanted(const char* at, const char* end, std::size_t& field, bool& more) const {
    for (; field < predicted_.size(); ++field) {
      const PredictedField& guess = predicted_[field];
      if (guess.wanted() || !guess.matches(at, end)) return at;
      const char* after = skip_value(at + guess.size, end);
      if (after == nullptr || after == end || (*after != ',' && *after != '}')) return at;
      more = *after == ',';
      at = after + 1;
      if (!more) return at;
      if (at != end && is_space(*at)) at = skip_space(at, end);
    }
    return at;
  }

 private:
  const char* look_up(const char* at, const char* end, std::size_t place, FieldTarget& target);
  FieldTarget find(std::string_view name) const;

  std::vector<std::string> wanted_;
  std::vector<PredictedField> predicted_;
  std::string unescaped_;
};

}  // namespace millrace::inline exec::json
