#pragma once

#include <optional>
#include <string>
#include <vector>

#include "exec/schemas/registry.h"

/// What a registry's answers say. They come from elsewhere: anything else is an external error, never more.
namespace millrace::inline exec::registry_answer {

Result<SchemaSource> schema(const std::string& body);
Result<SubjectVersion> version(const std::string& subject, const std::string& body);
Result<std::int32_t> id(const std::string& body);
Result<std::vector<std::string>> names(const std::string& body);
Result<std::vector<int>> numbers(const std::string& body);
/// Why a schema is not compatible; nothing when it is.
Result<std::optional<std::string>> refusal(const std::string& body);
/// What an error says; empty: nothing that can be read.
std::string message(const std::string& body);

}  // namespace millrace::inline exec::registry_answer
