#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "exec/schemas/registry.h"
#include "planner/catalog/schemas.h"

namespace millrace::inline exec {

/// Answers the binder from a schema registry: names subjects by their topic, reads SQL types out of schemas and writes
/// schemas for columns as ksqlDB does. One thread; the registry must outlive it.
class SchemaRegistrar final : public SchemaLookup {
 public:
  enum class Mode : std::uint8_t {
    trial,  // registers nothing, but says what the registry would refuse; ids of new schemas are 0
    real,
  };
  SchemaRegistrar(SchemaRegistry& registry, Mode mode) : registry_(registry), mode_(mode) {}

  std::optional<InferredSchema> find_schema(const SchemaSubject& subject, std::optional<std::int64_t> id) override;
  std::shared_ptr<const WriterSchema> register_schema(const SchemaSubject& subject, const std::string& source,
                                                      const std::vector<ColumnDef>& columns, bool only_new) override;
  /// How often a trial has pretended to register a schema.
  std::size_t registered() const { return registered_; }
  std::string writing_fault(const FormatInfo& format, const WriterSchema& schema, const std::vector<ColumnDef>& columns,
                            bool is_key) override;

 private:
  /// The newest schema of a subject, what this trial pretends to have registered included.
  std::optional<SubjectVersion> newest(const std::string& subject, std::string_view doing);

  SchemaRegistry& registry_;
  const Mode mode_;
  std::map<std::string, SchemaSource> pretended_;  // by subject
  std::size_t registered_ = 0;
};

/// The schema for rows of these columns of a source, as ksqlDB writes it.
SchemaSource schema_for_columns(const FormatInfo& format, const std::string& source,
                                const std::vector<ColumnDef>& columns, bool is_key);

}  // namespace millrace::inline exec
