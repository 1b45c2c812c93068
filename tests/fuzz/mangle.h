#pragma once

#include <string>

namespace millrace {

/// `text` with up to three faults behind its first `keep` bytes: bytes lost, added, repeated or changed, or its end cut
/// off. `Random` has below(limit).
template <class Random>
std::string mangle(std::string text, Random& random, std::size_t keep = 0) {
  for (std::size_t n = random.below(4); n > 0 && text.size() > keep; --n) {
    const std::size_t at = keep + random.below(text.size() - keep);
    switch (random.below(5)) {
      case 0:
        text.erase(at, 1 + random.below(4));
        break;
      case 1:
        text.insert(at, 1 + random.below(3), static_cast<char>(random.below(256)));
        break;
      case 2:
        text.insert(at, text.substr(random.below(text.size()), random.below(20)));
        break;
      case 3:
        text[at] = static_cast<char>(random.below(256));
        break;
      default:
        text.resize(at);
    }
  }
  return text;
}

}  // namespace millrace
