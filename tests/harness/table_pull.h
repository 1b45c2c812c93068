#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "exec/runtime/engine.h"
#include "exec/runtime/prepared_pull.h"

namespace millrace {

/// Reads the table that a query keeps: these keys, or all of it.
inline Status pull_table(Engine& engine, const PhysicalPlan& keeper, const std::vector<KeyAccess>& keys,
                         const std::function<bool(const Batch&)>& visit) {
  NodePtr leaf;
  if (keys.empty())
    leaf = make_node(
        StoreScanNode{.table = {}, .query = keeper.query_id, .rows = keeper.result, .window_of_rows = keeper.window});
  else
    leaf = make_node(KeyLookupNode{
        .table = {}, .query = keeper.query_id, .rows = keeper.result, .window_of_rows = keeper.window, .keys = keys});
  auto plan =
      std::make_shared<PhysicalPlan>(make_physical(make_node(OutputNode{.input = std::move(leaf), .limit = {}}), {},
                                                   {.service_id = {}, .query_id = "pull", .transient = true}));
  auto rows = engine.read_table(std::make_shared<PreparedPull>(std::move(plan)), {});
  return rows ? pull_all(**rows, visit) : Status(rows.error());
}

}  // namespace millrace
