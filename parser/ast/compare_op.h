#pragma once

#include <cstdint>

namespace millrace::inline parser::ast {

enum class CompareOp : std::uint8_t {
  equal,
  not_equal,
  less,
  less_equal,
  greater,
  greater_equal,
  distinct_from,
  not_distinct_from
};

}  // namespace millrace::inline parser::ast
