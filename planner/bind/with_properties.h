#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "parser/ast/statement.h"
#include "planner/bind/binder.h"

namespace millrace::inline planner {

enum class WithKind : std::uint8_t { create, create_as, insert };

/// A WITH clause, names and values checked. Format names are upper case and known.
struct WithProperties {
  std::optional<std::string> topic, cluster;
  std::optional<int> partitions, replicas;
  std::optional<std::int64_t> retention_ms;
  std::optional<std::string> format, key_format, value_format;
  std::optional<char> key_delimiter, value_delimiter;
  std::optional<std::string> timestamp, timestamp_format;
  std::optional<bool> wrap_single_value, broadcast;
  std::optional<WindowInfo> window;
  std::optional<std::string> key_full_name, value_full_name;  // *_SCHEMA_FULL_NAME
  std::optional<NullableRepresentation> key_nullable, value_nullable;
  std::optional<std::int64_t> key_schema_id, value_schema_id;
  std::optional<std::string> query_id;
  std::optional<std::int64_t> idle_timeout_ms, history_ms;
  Span span;  // of the first property
  Span cluster_span;

  std::optional<std::string> wanted_key_format() const { return format ? format : key_format; }
  std::optional<std::string> wanted_value_format() const { return format ? format : value_format; }
};

/// Throws for unknown names and bad values, and for FORMAT beside KEY_FORMAT or VALUE_FORMAT.
WithProperties read_with(const ast::Properties& properties, WithKind kind);

/// A format with what the clause says of it. `configs` are checked against the format.
FormatInfo make_format(const std::string& name, std::optional<char> delimiter, bool key, const WithProperties& with,
                       const PropertyMap& properties);

/// Value of a session or server property; nullopt when it is not set.
/// The key format where nothing names one: what the setting says, or bare texts.
std::string default_key_format(const PropertyMap& properties);
std::optional<std::string> find_property(const PropertyMap& properties, const std::string& name);
/// What was set, or the setting's default; nothing when it has none.
std::optional<bool> find_flag(const PropertyMap& properties, const std::string& name);

}  // namespace millrace::inline planner
