#pragma once

#include <cstdint>

namespace millrace::inline parser {

constexpr std::int64_t kMillisPerDay = 86'400'000;

}  // namespace millrace::inline parser
