#pragma once

#include <functional>
#include <vector>

#include "planner/bind/select_clauses.h"

namespace millrace::inline planner {

/// Where the columns of what is late are found among the rows of a step.
struct LateColumns {
  std::vector<ProjectItem> items;  // keys first
  FormatInfo key_format;
  bool windows = false;  // rows are late for windows
};

/// LATE INTO: the step that hands late rows of the step above to `stream`, which is there and fits, or is to be made.
NodePtr keep_late_rows(const SelectInput& input, const Scope& scope, const ast::Identifier& stream, NodePtr rows,
                       LateColumns columns);

/// The columns of all sources of FROM as they stand in the rows now, with what is their key. `moved`: so many columns
/// stand in front that the scope does not know of.
std::vector<ProjectItem> source_columns(const Scope& scope, std::size_t moved);

/// The streams that take late rows of a bound query. Throws where two steps share one, or it is the query's own sink.
std::vector<BoundLate> late_streams(const NodePtr& root, const SourceDef& sink, const BindContext& context);

/// Calls `visit` for the stream of each LATE INTO of a query and those within it.
void for_each_late(const ast::Query& query, const std::function<void(const ast::Identifier&)>& visit);
/// Throws where there is one: the query does not stay.
void refuse_late(const ast::Query& query);

}  // namespace millrace::inline planner
