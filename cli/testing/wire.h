#pragma once

#include <optional>
#include <string>

#include "cli/testing/record_spec.h"
#include "exec/schemas/registry.h"
#include "planner/catalog/catalog.h"

/// The harness's own serdes (conformance/README.md): from what a case says to bytes, and from the engine's bytes to
/// what can be compared.
namespace millrace::inline cli::harness {

// `registry` keeps the schemas of formats that have one; null: none.

/// Throws std::runtime_error for what cannot be expressed in the source's formats.
StoredRecord encode_record(const RecordSpec& spec, const SourceDef& source, SchemaRegistry* registry = nullptr);

/// A decoded output. A key of a windowed relation has `window` set.
struct DecodedRecord {
  Json key, value;
  std::optional<RecordSpec::Window> window;
};
DecodedRecord decode_record(const StoredRecord& record, const SourceDef& sink, SchemaRegistry* registry = nullptr);

/// Equal by the structure of what is expected: the entries of objects in any order.
bool same_json(const Json& expected, const Json& actual);

/// What differs, or nothing. `exact` false: fractions within 0.000001.
std::optional<std::string> compare_record(const RecordSpec& expected, const StoredRecord& actual, const SourceDef& sink,
                                          bool exact, bool any_zero_timestamp, SchemaRegistry* registry = nullptr);

}  // namespace millrace::inline cli::harness
