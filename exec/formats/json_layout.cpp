#include "exec/formats/json_layout.h"

#include <cstring>

namespace millrace::inline exec::json {

namespace {
// Fields further behind are looked up each time.
constexpr std::size_t kMaxPredicted = 1024;
}  // namespace

void PredictedField::learn(std::string_view prefix, FieldTarget to) {
  target = to;
  size = 0;
  if (prefix.size() > kInline) return;
  size = static_cast<std::uint32_t>(prefix.size());
  std::memcpy(text, prefix.data(), prefix.size());
  mask_low = size >= 16 ? 0xFFFF : (1U << size) - 1;
  mask_high = size <= 16 ? 0 : (1U << (size - 16)) - 1;
}

FieldTarget RecordLayout::find(std::string_view name) const {
  FieldTarget target;
  for (std::uint32_t slot = 0; slot < wanted_.size(); ++slot) {
    const NameMatch match = match_name(wanted_[slot], name);
    if (match == NameMatch::exact) target.exact = slot;
    if (match == NameMatch::upper_cased) target.upper = slot;
  }
  return target;
}

const char* RecordLayout::look_up(const char* at, const char* end, std::size_t place, FieldTarget& target) {
  const char* const begin = at;
  if (at == end || *at != '"') return nullptr;
  const StringSpan span = scan_string(at + 1, end);
  if (span.close == nullptr) return nullptr;
  std::string_view name(at + 1, static_cast<std::size_t>(span.close - at - 1));
  if (span.escaped) {
    unescaped_.resize(name.size());
    name = std::string_view(unescaped_.data(), static_cast<std::size_t>(unescape(name, unescaped_.data())));
  }
  target = find(name);
  at = skip_space(span.close + 1, end);
  if (at == end || *at != ':') return nullptr;
  at = skip_space(at + 1, end);
  if (place < kMaxPredicted) {
    if (predicted_.size() <= place) predicted_.resize(place + 1);
    predicted_[place].learn({begin, static_cast<std::size_t>(at - begin)}, target);
  }
  return at;
}

}  // namespace millrace::inline exec::json
