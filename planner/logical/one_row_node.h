#pragma once

#include "planner/logical/describe.h"

namespace millrace::inline planner {

/// One row without columns: what a pull query reads that names no source.
struct OneRowNode {
  static constexpr NodeTraits kTraits{.name = "one_row", .before = Before::never, .upgrade = Upgrade::refused};
  static constexpr auto kInputs = std::tuple<>();
  static constexpr std::tuple<> kFields{};
  static constexpr std::array<StoreRole, 0> kStores{};

  Relation derive() const { return {.schema = {}, .kind = RelationKind::stream, .window = {}}; }
  std::optional<std::size_t> own_first() const { return std::nullopt; }
};

}  // namespace millrace::inline planner
