#pragma once

#include <string>
#include <vector>

#include "exec/log/slot.h"

/// Which processes keep a copy of the state of a slot that another one owns: everybody finds the same, and hardly any
/// copy moves when a process comes or goes.
namespace millrace::inline exec {

/// All members but the owner, the one that is to have the first copy first.
std::vector<std::string> by_rank(SlotId slot, const std::string& owner, std::vector<std::string> members);
/// Whether `member` is to keep one of `copies` copies.
bool keeps_copy(const std::string& member, SlotId slot, const std::string& owner,
                const std::vector<std::string>& members, int copies);

}  // namespace millrace::inline exec
