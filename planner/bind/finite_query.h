#pragma once

#include <memory>
#include <string>
#include <vector>

#include "planner/bind/binder.h"
#include "planner/bind/named_relations.h"

namespace millrace::inline planner {

/// A query over what is there now, in any form: joins, queries in FROM, WITH, UNION ALL, subqueries in expressions.
/// Its leaves are StoreScanNodes that name no keeper: plan_finite says where the rows of each source are.
struct BoundFinite {
  NodePtr root;                           // its columns are those of the SELECT list, in order
  std::vector<const SourceDef*> sources;  // that it reads, each once
  std::optional<std::int64_t> limit;
  std::int64_t most_memory_bytes = 0;
};

/// Whether a pull query takes this way: it is more than clauses over one source, and the dialect has such queries.
bool is_finite_form(const ast::Query& query, const BindContext& context);
BoundFinite bind_finite(const ast::Query& query, const BindContext& context);

/// A query within another one.
struct FiniteRelation {
  NodePtr root;  // its columns are those of the SELECT list, in order
  std::vector<const SourceDef*> sources;
};

/// What WITH names in queries over what is there now.
class FiniteNames final : public NamedRelations<FiniteRelation> {
 public:
  FiniteNames(const ast::Query& query, const BindContext& context, const FiniteNames* outer);
};

FiniteRelation bind_finite_query(const ast::Query& query, const BindContext& context, const FiniteNames* named);

}  // namespace millrace::inline planner
