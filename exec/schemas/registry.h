#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "exec/data/result.h"
#include "planner/types/schema.h"

namespace millrace::inline exec {

enum class SchemaKind : std::uint8_t { avro, json, protobuf };
std::string_view schema_kind_name(SchemaKind kind);  // AVRO, JSON, PROTOBUF
std::optional<SchemaKind> find_schema_kind(std::string_view name);
/// Of AVRO and DEBEZIUM_AVRO, JSON_SR, PROTOBUF; nothing for other formats.
std::optional<SchemaKind> schema_kind_of_format(std::string_view format);

struct SchemaReference {
  std::string name;  // as the text imports it
  std::string subject;
  int version = 0;
  friend bool operator==(const SchemaReference&, const SchemaReference&) = default;
};

/// A schema as it is registered.
struct SchemaSource {
  SchemaKind kind = SchemaKind::avro;
  std::string text;
  std::vector<SchemaReference> references;
  friend bool operator==(const SchemaSource&, const SchemaSource&) = default;
};

/// One version of a subject.
struct SubjectVersion {
  std::string subject;
  int version = 0;
  std::int32_t id = 0;
  SchemaSource schema;
};

enum class Compatibility : std::uint8_t {
  none,
  backward,
  backward_transitive,
  forward,
  forward_transitive,
  full,
  full_transitive,
};
std::string_view compatibility_name(Compatibility level);  // BACKWARD, ...
std::optional<Compatibility> find_compatibility(std::string_view name);

/// Whether objects of a JSON Schema that do not say `additionalProperties: false` may still hold whatever a later
/// version does not name or names anew (lenient), or a property with a type counts as a narrowing of what was allowed
/// (strict).
enum class ContentPolicy : std::uint8_t { lenient, strict };

/// What keeps schemas: ids for schemas, versions of subjects. Any thread. Errors: external when it cannot be reached or
/// refuses us (retriable); user when it says that something is wrong with what was asked.
class SchemaRegistry {
 public:
  virtual ~SchemaRegistry() = default;

  /// True: calls answer at once and never fail to reach it.
  virtual bool local() const = 0;

  /// Nothing: there is no such id.
  virtual Result<std::optional<SchemaSource>> find(std::int32_t id) = 0;
  /// Nothing: no such subject or version. `version` 0: the newest.
  virtual Result<std::optional<SubjectVersion>> find(const std::string& subject, int version) = 0;
  virtual Result<std::vector<std::string>> subjects() = 0;
  virtual Result<std::vector<int>> versions(const std::string& subject) = 0;

  /// Registers a version unless the subject has it; gives the id of the schema. A user error for a text that is no
  /// schema and for one that the subject's compatibility level refuses.
  virtual Result<std::int32_t> add(const std::string& subject, const SchemaSource& schema) = 0;
  /// Nothing when it could be added; else why not. Nothing changes.
  virtual Result<std::optional<std::string>> refusal(const std::string& subject, const SchemaSource& schema) = 0;
  /// Deletes all versions; ids stay. False: no such subject.
  virtual Result<bool> remove(const std::string& subject) = 0;
};

/// The text of a schema with all that it refers to, in an order in which each comes after what it needs.
Result<SchemaText> resolve(SchemaRegistry& registry, const SchemaSource& schema);

/// <topic>-key or <topic>-value, whatever cluster it lies in: their schemas are in one registry.
std::string subject_name(std::string_view topic, bool is_key);
/// The subject of a topic's keys or values in a format.
std::string subject_of(const FormatInfo& format, std::string_view topic, bool is_key);

}  // namespace millrace::inline exec
