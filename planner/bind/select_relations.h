#pragma once

#include <memory>
#include <string>
#include <vector>

#include "planner/bind/select.h"
#include "planner/bind/select_clauses.h"

namespace millrace::inline planner {

/// The queries that WITH names, bound once each, and those of the queries around.
class NamedQueries {
 public:
  /// Binds what `query` names. `outer`: what is named around it, null: nothing. `within_final`: as of bind_inner.
  NamedQueries(const ast::Query& query, const BindContext& context, const NamedQueries* outer, bool within_final);

  struct Named {
    std::string name;
    std::vector<ast::Identifier> columns;  // names of its columns; empty: as the query has them
    BoundSelect select;
  };
  /// Null: nothing of that name.
  const Named* find(const std::string& name) const;

 private:
  const NamedQueries* outer_;
  std::vector<std::unique_ptr<Named>> queries_;
};

/// Opens the sources of FROM: what names mean before anything is built. Throws for unknown and repeated ones. What the
/// catalog's sources are that queries in FROM read is added to `reads`.
Scope open_sources(const SelectInput& input, std::vector<const SourceDef*>& reads);

}  // namespace millrace::inline planner
