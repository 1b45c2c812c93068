#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "parser/ast/query.h"
#include "parser/error/sql_error.h"
#include "planner/bind/query_forms.h"
#include "planner/catalog/catalog.h"

namespace millrace::inline planner {

/// The queries that WITH names, bound once each, and those of the queries around.
template <class Bound>
class NamedRelations {
 public:
  struct Named {
    std::string name;
    std::vector<ast::Identifier> columns;  // names of its columns; empty: as the query has them
    Bound bound;
  };
  /// Null: nothing of that name.
  const Named* find(const std::string& name) const {
    for (const auto& named : queries_)
      if (named->name == name) return named.get();
    return outer_ ? outer_->find(name) : nullptr;
  }

 protected:
  /// `outer`: what is named around it, null: nothing.
  explicit NamedRelations(const NamedRelations* outer) : outer_(outer) {}
  /// Binds what `query` names, in order, each by `bind(query)`, which may look up those before it.
  template <class Bind>
  void bind_all(const ast::Query& query, const Catalog& catalog, const Bind& bind) {
    for (const ast::NamedQuery& named : query.with) {
      if (std::ranges::any_of(queries_, [&](const auto& other) { return other->name == named.name.text; }))
        throw SqlError(Code::invalid_statement, named.name.span, fmt::format("WITH names {} twice.", named.name.text));
      for_each_source(*named.query, [&](const ast::Identifier& name) {
        if (!(name == named.name) || find(name.text) || catalog.find(name.text)) return;
        throw SqlError(Code::not_supported, name.span, "Recursive WITH is not supported.");
      });
      Bound bound = bind(*named.query);
      queries_.push_back(std::make_unique<Named>(Named{named.name.text, named.columns, std::move(bound)}));
    }
  }

 private:
  const NamedRelations* outer_;
  std::vector<std::unique_ptr<Named>> queries_;
};

}  // namespace millrace::inline planner
