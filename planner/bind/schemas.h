#pragma once

#include "planner/bind/binder.h"
#include "planner/bind/with_properties.h"

namespace millrace::inline planner {

/// Takes the columns that a statement does not list from the schema registry, where the formats keep schemas there:
/// keys, values or both. Throws where a schema that is needed is missing.
void infer_columns(SourceDef& source, const WithProperties& with, const BindContext& context);

/// Gives a declared source the schemas that its rows are written by: of what was inferred, of a subject that is there
/// already and fits, or of its columns, which are registered.
void set_source_schemas(SourceDef& source, const BindContext& context);

/// Gives a sink the schemas that its rows are written by: those named by id, which the columns must fit, or of its
/// columns, which are registered as the next version.
void set_sink_schemas(SourceDef& sink, const WithProperties& with, const BindContext& context);

}  // namespace millrace::inline planner
