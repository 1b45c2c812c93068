#pragma once

#include <functional>
#include <optional>
#include <string>

#include "exec/schemas/local_registry.h"
#include "server/http/exchange.h"

namespace millrace::inline server {

/// Whether the path belongs to the schema registry's API.
bool is_schema_path(std::string_view path);

/// Whether a path is about nothing but a subject, or a schema of one, that `sees` is true of.
bool is_about(std::string_view path, LocalRegistry& registry, const std::function<bool(const std::string&)>& sees);

struct SchemaAnswer {
  int status = 200;
  std::string body;
};
/// Answers a request to Confluent's schema registry API. Precondition: is_schema_path().
SchemaAnswer answer_schema_request(const HttpRequest& request, LocalRegistry& registry);

}  // namespace millrace::inline server
