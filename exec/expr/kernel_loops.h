#pragma once

#include <cstddef>

#include "exec/expr/node.h"

namespace millrace::inline exec {

/// out[i] = fn(left[i], right[i]), with a loop of its own when one side is a constant, so that the compiler can keep it
/// in a register and vectorise.
template <class L, class R, class Out, class Fn>
void binary_loop(const Operand& left, const Operand& right, std::size_t rows, Out* out, Fn fn) {
  const L* a = left.column->data.as<L>();
  const R* b = right.column->data.as<R>();
  if (right.constant && !left.constant) {
    const R constant = b[0];
    for (std::size_t i = 0; i < rows; ++i) out[i] = fn(a[i], constant);
  } else if (left.constant && !right.constant) {
    const L constant = a[0];
    for (std::size_t i = 0; i < rows; ++i) out[i] = fn(constant, b[i]);
  } else if (left.constant) {
    const Out value = fn(a[0], b[0]);
    for (std::size_t i = 0; i < rows; ++i) out[i] = value;
  } else {
    for (std::size_t i = 0; i < rows; ++i) out[i] = fn(a[i], b[i]);
  }
}

template <class In, class Out, class Fn>
void unary_loop(const Operand& operand, std::size_t rows, Out* out, Fn fn) {
  const In* in = operand.column->data.as<In>();
  if (operand.constant) {
    const Out value = fn(in[0]);
    for (std::size_t i = 0; i < rows; ++i) out[i] = value;
  } else {
    for (std::size_t i = 0; i < rows; ++i) out[i] = fn(in[i]);
  }
}

}  // namespace millrace::inline exec
