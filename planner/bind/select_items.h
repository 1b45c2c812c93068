#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "planner/bind/select_clauses.h"

namespace millrace::inline planner {

/// Names of expressions without an alias: `KSQL_COL_0`, a column's or a field's own. Gives each name once.
class ItemNames {
 public:
  explicit ItemNames(const Scope& scope);
  std::string name(const ast::ExprPtr& expr);

 private:
  std::string column_name(const ast::ColumnRef& column) const;
  std::string field_name(const std::string& field);
  std::string next_generated();

  const Scope& scope_;
  std::set<int> used_generated_;
  int next_generated_ = 0;
  std::map<std::string, std::set<int>> used_fields_;
};

/// The SELECT list with stars expanded; `partition` is PARTITION BY, whose new key stands first in a star.
std::vector<OutputItem> expand_items(const SelectInput& input, const Scope& scope,
                                     const std::vector<ast::ExprPtr>& partition, ItemNames& names);
/// Throws for pseudo columns' names in the result of a persistent query.
void check_item_names(const SelectInput& input, const Scope& scope, const Clauses& clauses);

}  // namespace millrace::inline planner
