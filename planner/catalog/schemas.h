#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "planner/types/schema.h"

namespace millrace::inline planner {

/// Whose schema is asked for.
struct SchemaSubject {
  const FormatInfo& format;
  std::string topic;
  bool is_key = false;
};

/// A registered schema and what it describes in SQL.
struct InferredSchema {
  std::shared_ptr<const WriterSchema> writer;
  Type type;  // of a whole key or value, names as the schema has them; STRUCT for records
};

/// What the binder asks a schema registry. All throw SqlError where it cannot be reached or refuses.
class SchemaLookup {
 public:
  virtual ~SchemaLookup() = default;
  /// The schema with this id, or the newest of the subject. Nothing: there is none.
  virtual std::optional<InferredSchema> find_schema(const SchemaSubject& subject, std::optional<std::int64_t> id) = 0;
  /// Registers the schema of these columns for a source, and gives it. `only_new`: leaves a subject that is there
  /// alone, and gives its newest schema if the columns can be written by it, else nothing. While a statement is only
  /// tried, nothing is registered and the id may be 0.
  virtual std::shared_ptr<const WriterSchema> register_schema(const SchemaSubject& subject, const std::string& source,
                                                              const std::vector<ColumnDef>& columns, bool only_new) = 0;
  /// Why rows of these columns cannot be written by a schema; empty when they can.
  virtual std::string writing_fault(const FormatInfo& format, const WriterSchema& schema,
                                    const std::vector<ColumnDef>& columns, bool is_key) = 0;
};

}  // namespace millrace::inline planner
