#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "cli/testing/json_text.h"

namespace millrace::inline cli::harness {

// Scalars of test records, as formats with a schema need them. All throw std::runtime_error for what is no such value.

/// The characters of a scalar: numbers in plain notation.
std::string scalar_text(const Json& spec);
std::int64_t whole_number(const Json& spec);
double real_number(const Json& spec);
bool truth(const Json& spec);
/// From base64.
std::string binary(const Json& spec);
/// A fraction or a text as Java's BigDecimal at `scale`, in two's complement bytes, big-endian, shortest.
std::string decimal_bytes(const Json& spec, int scale);
Json decimal_json(std::string_view bytes, int scale);
Json double_json(double value);
/// The member of that name in any case; null: none.
const Json* find_any_case(const Json& object, std::string_view name);

}  // namespace millrace::inline cli::harness
