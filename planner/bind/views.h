#pragma once

#include <memory>
#include <vector>

#include "planner/bind/binder.h"

namespace millrace::inline planner {

/// A view as the catalog keeps it. `statement`: its canonical text.
ViewPtr make_view(const ast::CreateView& create, std::string statement);
/// Throws when the view could be used nowhere: neither in queries that go on nor in those over what is there.
void check_view(const ast::CreateView& create, const BindContext& context);
/// Its columns, bound against the catalog as it is now. Throws where it can no longer be bound.
Schema view_columns(const ViewDef& view, const BindContext& context);
/// The view of that name unless a source has it; null: none.
const ViewDef* find_view(const Catalog& catalog, const ast::Identifier& name);
/// Names of columns as FROM gives them behind an alias.
std::vector<ast::Identifier> column_names(const ViewDef& view, Span span);
/// Views that read a source or a view, also through others.
std::vector<std::string> views_over(const Catalog& catalog, const std::string& name);

}  // namespace millrace::inline planner
