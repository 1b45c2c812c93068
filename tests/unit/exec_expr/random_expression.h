#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace millrace::test {

/// Makes a random expression and a random batch from a seed, evaluates it with the column kernels and with the naive
/// evaluator, and compares values and failures. Gives a description of the first difference.
std::optional<std::string> check_random_expression(std::uint64_t seed);

}  // namespace millrace::test
