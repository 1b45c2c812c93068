#pragma once

#include <boost/json.hpp>
#include <string_view>

#include "planner/types/value.h"

namespace millrace::inline server {

/// Reads a JSON value as a SQL one, with the widenings of /inserts-stream (http-api.md): numbers widen, DECIMAL from
/// number or text, BYTES base64, times from ISO text or numbers, nested. False when it does not fit.
bool json_to_value(const boost::json::value& json, const Type& type, Value& value);
std::string_view json_kind(const boost::json::value& json);

}  // namespace millrace::inline server
