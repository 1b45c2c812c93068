#pragma once

#include "exec/operators/operator.h"

namespace millrace::inline exec {

/// Operators over inputs that end (pull queries): they give at `on_commit`, which comes once, and keep everything in
/// memory until then. An error once they hold more than the query may.
inline Status check_memory(const OperatorContext& context, std::size_t held) {
  const auto most = static_cast<std::size_t>(context.options().most_memory_bytes);
  if (most == 0 || held <= most) return {};
  return user_error("Pull query needs more than {} MB ({}). Narrow it or add LIMIT.", most >> 20, context.step());
}

}  // namespace millrace::inline exec
