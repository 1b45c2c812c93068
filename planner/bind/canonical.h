#pragma once

#include <string>

#include "planner/bind/binder.h"

namespace millrace::inline planner {

/// The server's rewrite of a statement (http-api.md): formats, topic and clean-up policy filled in, WITH
/// keys sorted, sources aliased. Ends in `;`.
std::string canonical_text(const ast::CreateSource& statement, const BoundCreate& bound);
std::string canonical_text(const ast::CreateAs& statement, const BoundQuery& bound);
std::string canonical_text(const ast::InsertSelect& statement);
/// Any other statement, as ast::format prints it.
std::string canonical_text(const ast::Statement& statement);

}  // namespace millrace::inline planner
