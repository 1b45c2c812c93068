#pragma once

#include <span>

#include "exec/state/store.h"

namespace millrace::inline exec {

/// Writes what the stores have to write, all of it with one file or few: whatever their number, the disk is waited for
/// once. Either all of it is durable afterwards or nothing.
Status spill_stores(StateDb& db, std::span<Store* const> stores);

}  // namespace millrace::inline exec
