#pragma once

#include <boost/json.hpp>
#include <string>

#include "planner/physical/plan.h"

/// The parts of a plan's JSON form. Writers take what they write; readers throw SqlError (Code::invalid_statement) when
/// the text is not a plan that this version understands. Positions of the source text are not kept.
namespace millrace::inline planner::plan_json {

namespace json = boost::json;

json::value write(const Type& type);
Type read_type(const json::value& value);
json::value write(const Value& value);
Value read_value(const json::value& value);
json::value write(const ColumnDef& column);
ColumnDef read_column(const json::value& value);
json::value write(const Schema& schema);
Schema read_schema(const json::value& value);
json::value write(const FormatInfo& format);
FormatInfo read_format(const json::value& value);
json::value write(const std::optional<WindowInfo>& window);
std::optional<WindowInfo> read_window(const json::value& value);

json::value write(const ExprPtr& expr);
ExprPtr read_expr(const json::value& value, const FunctionCatalog& functions);
/// A function and its variation; the variation is known again by its parameter types, whatever order they are declared
/// in.
void write_function(const FunctionDef& function, std::size_t variant, json::object& out);
std::pair<const FunctionDef*, std::size_t> read_function(const json::object& from, const FunctionCatalog& functions);

json::value write(const NodePtr& node);
NodePtr read_node(const json::value& value, const FunctionCatalog& functions);

/// Makes the JSON of a plan that an earlier version wrote what this version writes; what only the tree can tell is
/// completed by `complete_plan` once it has been read.
void upgrade_plan(json::object& plan);
constexpr int kPlanVersion = 2;

[[noreturn]] void malformed(std::string_view what);

}  // namespace millrace::inline planner::plan_json
