#pragma once

#include <string>

#include "exec/schemas/registry.h"

namespace millrace::inline exec {

/// A text by which schemas are the same: without the spaces and comments that say nothing. Of what is no schema: the
/// text.
std::string canonical_form(SchemaKind kind, const std::string& text);

/// A schema that says the same in one way, whichever way it was said in: full names, attributes in one order.
Result<std::string> normal_form(SchemaKind kind, const SchemaText& schema);

}  // namespace millrace::inline exec
