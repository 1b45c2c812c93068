#pragma once

#include <optional>
#include <string>
#include <vector>

#include "exec/schemas/registry.h"

namespace millrace::inline exec {

/// A schema of a subject's history, oldest first, with its references.
struct KnownSchema {
  SchemaKind kind;
  SchemaText schema;
};

/// What a subject demands of its next version.
struct CompatibilityRule {
  Compatibility level = Compatibility::backward;
  ContentPolicy policy = ContentPolicy::lenient;
};

/// Checks that a text is a schema of its kind, good enough to be registered: defaults fit their types.
Status check_schema(SchemaKind kind, const SchemaText& schema);

/// Why data written by `writer` cannot be read by `reader`; nothing when it can. Both are schemas of one kind.
Result<std::optional<std::string>> reading_fault(SchemaKind kind, const SchemaText& reader, const SchemaText& writer,
                                                 ContentPolicy policy = ContentPolicy::lenient);

/// Why `next` may not follow `history`; nothing when it may.
Result<std::optional<std::string>> compatibility_fault(const CompatibilityRule& rule,
                                                       const std::vector<KnownSchema>& history,
                                                       const KnownSchema& next);

}  // namespace millrace::inline exec
