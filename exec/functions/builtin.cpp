#include "exec/functions/builtin.h"

#include "exec/functions/families.h"

namespace millrace::inline exec {
namespace {

constexpr FunctionFamily (*kFamilies[])() = {
    math_functions,    rounding_functions,        conditional_functions, string_functions,
    mask_functions,    bytes_functions,           regex_functions,       array_functions,
    map_functions,     lambda_functions,          json_functions,        url_functions,
    date_functions,    date_arithmetic_functions, numeric_aggregates,    extreme_aggregates,
    offset_aggregates, collect_aggregates,        top_aggregates,        by_aggregates,
    table_functions,   window_functions,
};

FunctionCatalog make_catalog() {
  std::vector<FunctionDef> all;
  for (const auto family : kFamilies)
    for (FunctionDef& def : family()) all.push_back(std::move(def));
  return FunctionCatalog(std::move(all));
}

}  // namespace

const FunctionCatalog& builtin_functions() {
  static const FunctionCatalog catalog = make_catalog();
  return catalog;
}

}  // namespace millrace::inline exec
