#include "planner/catalog/functions.h"

#include <algorithm>
#include <stdexcept>

namespace millrace::inline planner {

FunctionCatalog::FunctionCatalog(std::vector<FunctionDef> definitions) : definitions_(std::move(definitions)) {
  std::ranges::sort(definitions_, {}, &FunctionDef::name);
  const auto twice = std::ranges::adjacent_find(definitions_, {}, &FunctionDef::name);
  if (twice != definitions_.end()) throw std::logic_error("function defined twice: " + twice->name);
}

const FunctionDef* FunctionCatalog::find(std::string_view upper_name) const {
  const auto found = std::ranges::lower_bound(definitions_, upper_name, {},
                                              [](const FunctionDef& f) { return std::string_view(f.name); });
  return found != definitions_.end() && found->name == upper_name ? &*found : nullptr;
}

}  // namespace millrace::inline planner
