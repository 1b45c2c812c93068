#pragma once

#include <memory>
#include <string>
#include <vector>

#include "planner/bind/named_relations.h"
#include "planner/bind/select.h"
#include "planner/bind/select_clauses.h"

namespace millrace::inline planner {

/// What WITH names in queries that go on.
class NamedQueries final : public NamedRelations<BoundSelect> {
 public:
  /// `within_final`: as of bind_inner.
  NamedQueries(const ast::Query& query, const BindContext& context, const NamedQueries* outer, bool within_final);
};

/// Opens the sources of FROM: what names mean before anything is built. Throws for unknown and repeated ones. What the
/// catalog's sources are that queries in FROM read is added to `reads`.
Scope open_sources(const SelectInput& input, std::vector<const SourceDef*>& reads);

/// What the grammar has and nothing runs yet. `first`: it stands right of FROM. `plain`: it is a source of the catalog.
void check_reading(const ast::FromSource& source, bool first, bool plain);
/// Throws where FOR SYSTEM_TIME AS OF stands behind what has no versions.
void check_versions(const ast::FromSource& source, const SourceDef& def);

}  // namespace millrace::inline planner
