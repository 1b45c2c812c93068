#include "exec/runtime/standby_places.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "exec/runtime/layout.h"

namespace millrace::inline exec {
namespace {

/// Rendezvous hashing: each member's claim on a slot has nothing to do with who else there is.
std::uint64_t claim(SlotId slot, const std::string& member) {
  std::uint64_t bits = stable_hash(member) + static_cast<std::uint64_t>(partition_of(slot)) * 0x9e3779b97f4a7c15ULL;
  bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9ULL;
  bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebULL;
  return bits ^ (bits >> 31);
}

}  // namespace

std::vector<std::string> by_rank(SlotId slot, const std::string& owner, std::vector<std::string> members) {
  std::erase(members, owner);
  std::ranges::sort(members, [&](const std::string& a, const std::string& b) {
    return std::pair(claim(slot, b), a) < std::pair(claim(slot, a), b);
  });
  return members;
}

bool keeps_copy(const std::string& member, SlotId slot, const std::string& owner,
                const std::vector<std::string>& members, int copies) {
  const std::vector<std::string> ranked = by_rank(slot, owner, members);
  const auto found = std::ranges::find(ranked, member);
  return found != ranked.end() && found - ranked.begin() < copies;
}

}  // namespace millrace::inline exec
