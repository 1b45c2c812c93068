#include "planner/bind/with_properties.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <sstream>

#include "parser/ast/format.h"
#include "parser/error/letter_case.h"
#include "planner/bind/formats.h"
#include "planner/types/civil.h"
#include "planner/types/topic_name.h"

namespace millrace::inline planner {
namespace {

[[noreturn]] void fail_value(const ast::Property& property, const std::string& reason) {
  throw SqlError(Code::invalid_property, property.span,
                 fmt::format("Failed to prepare statement: Invalid value {} for property {}: {}",
                             ast::format(*property.value), property.name, reason));
}

std::string text_of(const ast::Property& property) {
  if (const auto* text = property.value->as<ast::StringLiteral>()) return text->value;
  fail_value(property, "the value must be a text.");
}

std::int64_t number_of(const ast::Property& property) {
  if (const auto* number = property.value->as<ast::IntegerLiteral>()) return number->value;
  if (const auto* number = property.value->as<ast::BigintLiteral>()) return number->value;
  if (const auto* text = property.value->as<ast::StringLiteral>()) {
    std::int64_t value = 0;
    const char* end = text->value.data() + text->value.size();
    const auto parsed = std::from_chars(text->value.data(), end, value);
    if (parsed.ec == std::errc() && parsed.ptr == end) return value;
  }
  fail_value(property, "the value must be a whole number.");
}

int small_number_of(const ast::Property& property, int min) {
  const std::int64_t value = number_of(property);
  if (value < min || value > 1'000'000) fail_value(property, fmt::format("the value must be at least {}.", min));
  return static_cast<int>(value);
}

/// -1: no limit.
std::int64_t retention_of(const ast::Property& property) {
  const std::int64_t value = number_of(property);
  if (value < -1) fail_value(property, "the value must be at least -1.");
  return value;
}

bool flag_of(const ast::Property& property) {
  if (const auto* flag = property.value->as<ast::BooleanLiteral>()) return flag->value;
  if (const auto* text = property.value->as<ast::StringLiteral>()) {
    const std::string word = upper_case(text->value);
    if (word == "TRUE" || word == "FALSE") return word == "TRUE";
  }
  fail_value(property, "the value must be TRUE or FALSE.");
}

std::string format_of(const ast::Property& property) {
  return upper_case(text_of(property));
}

char delimiter_of(const ast::Property& property) {
  const std::string text = text_of(property);
  const auto fail = [&](const std::string& reason) {
    throw SqlError(Code::invalid_property, property.span,
                   fmt::format("Failed to prepare statement: Configuration {} is invalid: {}\nExample valid value: ';'",
                               property.name, reason));
  };
  if (text == "TAB") return '\t';
  if (text == "SPACE") return ' ';
  if (text.find_first_not_of(" \t") == std::string::npos) {
    fail(
        "Delimiter cannot be empty, if you meant to have a tab or space for delimiter, please use the special values "
        "'TAB' or "
        "'SPACE'");
  }
  if (text.size() != 1) {
    fail(fmt::format("Invalid delimiter value: '{}'. Delimiter must be a single character or TAB,SPACE", text));
  }
  return text[0];
}

std::string topic_name_of(const ast::Property& property) {
  std::string name = text_of(property);
  if (name.find(kClusterMark) != std::string::npos)
    fail_value(property, "a topic has no '/' in its name; KAFKA_CLUSTER says in which cluster it is.");
  return name;
}

void take_cluster(const ast::Property& property, WithProperties& with) {
  with.cluster = text_of(property);
  with.cluster_span = property.span;
  if (!is_cluster_name(*with.cluster))
    fail_value(property, "a cluster is called by letters, digits, '-' and '_', as in the server's settings.");
}

WindowType window_type_of(const ast::Property& property) {
  const std::string text = upper_case(text_of(property));
  if (text == "SESSION") return WindowType::session;
  if (text == "TUMBLING") return WindowType::tumbling;
  if (text == "HOPPING") return WindowType::hopping;
  fail_value(property, "String must be one of: SESSION, HOPPING, TUMBLING, null");
}

/// As long as all times that records can have.
constexpr std::int64_t kLongestWindow = 253'402'300'799'999;

/// As WINDOW_SIZE has it: a number and a unit.
std::int64_t duration_of(const ast::Property& property) {
  std::istringstream in(text_of(property));
  std::int64_t count = 0;
  std::string unit;
  std::string rest;
  constexpr std::array<std::pair<std::string_view, std::int64_t>, 5> kUnits = {
      {{"MILLISECOND", 1}, {"SECOND", 1000}, {"MINUTE", 60'000}, {"HOUR", 3'600'000}, {"DAY", kMillisPerDay}}};
  if (in >> count >> unit && !(in >> rest) && count > 0) {
    unit = upper_case(unit);
    if (unit.ends_with('S')) unit.pop_back();
    for (const auto& [name, millis] : kUnits) {
      if (unit == name && count <= kLongestWindow / millis) return count * millis;
    }
  }
  throw SqlError(
      Code::invalid_property, property.span,
      fmt::format("Failed to prepare statement: Configuration {} is invalid: Invalid duration: '{}'. Example "
                  "valid value: '10 SECONDS'",
                  property.name, text_of(property)));
}

NullableRepresentation nullable_of(const ast::Property& property) {
  const std::string text = upper_case(text_of(property));
  if (text == "OPTIONAL") return NullableRepresentation::optional;
  if (text == "WRAPPER") return NullableRepresentation::wrapper;
  fail_value(property, "String must be one of: OPTIONAL, WRAPPER, null");
}

bool allowed(const std::string& name, WithKind kind) {
  constexpr std::array kAlways = {"KAFKA_TOPIC",
                                  "KAFKA_CLUSTER",
                                  "PARTITIONS",
                                  "REPLICAS",
                                  "RETENTION_MS",
                                  "FORMAT",
                                  "KEY_FORMAT",
                                  "VALUE_FORMAT",
                                  "KEY_DELIMITER",
                                  "VALUE_DELIMITER",
                                  "TIMESTAMP",
                                  "TIMESTAMP_FORMAT",
                                  "WRAP_SINGLE_VALUE",
                                  "KEY_PROTOBUF_NULLABLE_REPRESENTATION",
                                  "VALUE_PROTOBUF_NULLABLE_REPRESENTATION",
                                  "VALUE_AVRO_SCHEMA_FULL_NAME",
                                  "KEY_SCHEMA_FULL_NAME",
                                  "VALUE_SCHEMA_FULL_NAME",
                                  "KEY_SCHEMA_ID",
                                  "VALUE_SCHEMA_ID",
                                  "IDLE_TIMEOUT"};
  constexpr std::array kCreate = {"WINDOW_TYPE", "WINDOW_SIZE", "SOURCED_BY_CONNECTOR", "BROADCAST", "HISTORY"};
  if (kind == WithKind::insert) return name == "QUERY_ID";
  if (std::ranges::find(kAlways, name) != kAlways.end()) return true;
  return kind == WithKind::create && std::ranges::find(kCreate, name) != kCreate.end();
}

/// Takes one property; false when the name belongs to the second half.
bool take_topic_property(const ast::Property& property, WithProperties& with) {
  const std::string& name = property.name;
  if (name == "KAFKA_TOPIC")
    with.topic = topic_name_of(property);
  else if (name == "KAFKA_CLUSTER")
    take_cluster(property, with);
  else if (name == "PARTITIONS")
    with.partitions = small_number_of(property, 1);
  else if (name == "REPLICAS")
    with.replicas = small_number_of(property, -1);
  else if (name == "RETENTION_MS")
    with.retention_ms = retention_of(property);
  else if (name == "FORMAT")
    with.format = format_of(property);
  else if (name == "KEY_FORMAT")
    with.key_format = format_of(property);
  else if (name == "VALUE_FORMAT")
    with.value_format = format_of(property);
  else if (name == "KEY_DELIMITER")
    with.key_delimiter = delimiter_of(property);
  else if (name == "VALUE_DELIMITER")
    with.value_delimiter = delimiter_of(property);
  else
    return false;
  return true;
}

void take_other_property(const ast::Property& property, WithProperties& with) {
  const std::string& name = property.name;
  if (name == "TIMESTAMP")
    with.timestamp = text_of(property);
  else if (name == "TIMESTAMP_FORMAT")
    with.timestamp_format = text_of(property);
  else if (name == "WRAP_SINGLE_VALUE")
    with.wrap_single_value = flag_of(property);
  else if (name == "BROADCAST")
    with.broadcast = flag_of(property);
  else if (name == "KEY_SCHEMA_ID")
    with.key_schema_id = number_of(property);
  else if (name == "VALUE_SCHEMA_ID")
    with.value_schema_id = number_of(property);
  else if (name == "IDLE_TIMEOUT")
    with.idle_timeout_ms = duration_of(property);
  else if (name == "HISTORY")
    with.history_ms = duration_of(property);
  else if (name == "QUERY_ID")
    with.query_id = upper_case(text_of(property));
  else if (name == "KEY_SCHEMA_FULL_NAME")
    with.key_full_name = text_of(property);
  else if (name.ends_with("SCHEMA_FULL_NAME"))
    with.value_full_name = text_of(property);
  else if (name.ends_with("PROTOBUF_NULLABLE_REPRESENTATION"))
    (name.starts_with("KEY") ? with.key_nullable : with.value_nullable) = nullable_of(property);
}

const ast::Property* find_given(const ast::Properties& properties, std::string_view name) {
  const auto found = std::ranges::find(properties, name, &ast::Property::name);
  return found == properties.end() ? nullptr : &*found;
}

void take_window(const ast::Properties& properties, WithProperties& with) {
  const auto* type = find_given(properties, "WINDOW_TYPE");
  const auto* size = find_given(properties, "WINDOW_SIZE");
  if (!type) {
    if (size) {
      throw SqlError(Code::invalid_property, size->span,
                     "'WINDOW_SIZE' is only valid together with 'WINDOW_TYPE' in the WITH clause.");
    }
    return;
  }
  WindowInfo window{.type = window_type_of(*type), .size_ms = std::nullopt};
  if (size) window.size_ms = duration_of(*size);
  if (window.type == WindowType::session && size) {
    throw SqlError(Code::invalid_property, size->span,
                   "Failed to prepare statement: 'WINDOW_SIZE' should not be set for SESSION windows.");
  }
  if (window.type != WindowType::session && !size) {
    throw SqlError(
        Code::invalid_property, type->span,
        fmt::format("Failed to prepare statement: {} windows require 'WINDOW_SIZE' to be provided in the WITH "
                    "clause. For example: 'WINDOW_SIZE'='10 SECONDS'",
                    upper_case(text_of(*type))));
  }
  with.window = window;
}

void check_formats(const WithProperties& with) {
  for (const auto& [part, name] :
       {std::pair{&with.key_format, "KEY_FORMAT"}, std::pair{&with.value_format, "VALUE_FORMAT"}}) {
    if (with.format && *part) {
      throw SqlError(
          Code::invalid_property, with.span,
          fmt::format("Cannot supply both '{}' and 'FORMAT' properties, as 'FORMAT' sets both key and value formats. "
                      "Either use just 'FORMAT', or use 'KEY_FORMAT' and 'VALUE_FORMAT'.",
                      name));
    }
  }
  for (const auto& name : {with.format, with.key_format, with.value_format}) {
    if (name) require_format(*name, with.span);
  }
}

}  // namespace

WithProperties read_with(const ast::Properties& properties, WithKind kind) {
  WithProperties with;
  if (!properties.empty()) with.span = properties.front().span;
  for (const auto& property : properties) {
    if (property.name == "CLEANUP_POLICY") {
      throw SqlError(
          Code::invalid_property, property.span,
          "Invalid config variable in the WITH clause: CLEANUP_POLICY. The CLEANUP_POLICY config is automatically "
          "inferred based on the type of source (STREAM or TABLE). Users can't set the CLEANUP_POLICY config "
          "manually.");
    }
    if (!allowed(property.name, kind)) {
      throw SqlError(Code::invalid_property, property.span,
                     "Failed to prepare statement: Invalid config variable(s) in the WITH clause: " + property.name);
    }
    if (!take_topic_property(property, with)) take_other_property(property, with);
  }
  take_window(properties, with);
  check_formats(with);
  return with;
}

namespace {

/// As Confluent's serializers call the strategies, with or without their package.
SubjectNaming naming_of(bool key, const PropertyMap& properties) {
  const std::string text =
      setting_text(properties, fmt::format("ksql.schema.registry.{}.subject.name.strategy", key ? "key" : "value"));
  const std::string name = upper_case(text.substr(text.rfind('.') + 1));
  if (name == "RECORDNAMESTRATEGY") return SubjectNaming::record;
  return name == "TOPICRECORDNAMESTRATEGY" ? SubjectNaming::topic_record : SubjectNaming::topic;
}

}  // namespace

FormatInfo make_format(const std::string& name, std::optional<char> delimiter, bool key, const WithProperties& with,
                       const PropertyMap& properties) {
  const auto& traits = require_format(name, with.span);
  FormatInfo format{.name = name};
  if (traits.registry) format.naming = naming_of(key, properties);
  const auto refuse = [&](const char* config) {
    throw SqlError(Code::invalid_property, with.span,
                   fmt::format("{} does not support the following configs: [{}]", name, config));
  };
  if (delimiter) {
    if (!traits.has_delimiter) refuse("delimiter");
    format.delimiter = *delimiter;
  }
  const auto schema_id = key ? with.key_schema_id : with.value_schema_id;
  if (schema_id && !traits.registry) {
    throw SqlError(
        Code::invalid_property, with.span,
        fmt::format("{0}_FORMAT should support schema inference when {0}_SCHEMA_ID is provided. Current format is {1}.",
                    key ? "KEY" : "VALUE", name));
  }
  if (const auto& full_name = key ? with.key_full_name : with.value_full_name) {
    // Where the subject is named after the record, a schema of JSON has a name too: its title.
    if (!traits.has_full_name && format.naming == SubjectNaming::topic) refuse("fullSchemaName");
    if (full_name->find_first_not_of(' ') == std::string::npos) {
      throw SqlError(Code::invalid_property, with.span,
                     "fullSchemaName cannot be empty. Format configuration: {fullSchemaName=}");
    }
    format.full_name = *full_name;
  }
  if (const auto& nullable = key ? with.key_nullable : with.value_nullable) {
    if (!traits.has_nullable) refuse("nullableRepresentation");
    format.nullable = *nullable;
  }
  format.wrap_single = key ? traits.key_wraps_single : traits.wraps_by_default;
  return format;
}

std::string default_key_format(const PropertyMap& properties) {
  std::string set = setting_text(properties, "ksql.persistence.default.format.key");
  return set.empty() ? bare_format().name : set;
}

std::optional<std::string> find_property(const PropertyMap& properties, const std::string& name) {
  const auto found = properties.find(name);
  return found == properties.end() ? std::nullopt : std::optional(found->second);
}

std::optional<bool> find_flag(const PropertyMap& properties, const std::string& name) {
  const std::string text = upper_case(setting_text(properties, name));
  if (text.empty()) return std::nullopt;
  return text == "TRUE";
}

}  // namespace millrace::inline planner
