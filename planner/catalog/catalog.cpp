#include "planner/catalog/catalog.h"

namespace millrace::inline planner {

const SourceDef* Catalog::find(std::string_view name) const {
  const auto found = sources.find(name);
  return found == sources.end() ? nullptr : found->second.get();
}

}  // namespace millrace::inline planner
