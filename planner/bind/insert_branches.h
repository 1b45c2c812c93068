#pragma once

#include <vector>

#include "parser/ast/statement.h"

namespace millrace::inline planner {

/// INSERT FIRST and ALL as one INSERT INTO ... SELECT for each target, in their order: each takes the rows that are its
/// own. They read what the query reads, so that a worker decodes it once and commits all of them together.
std::vector<ast::InsertSelect> split_branches(const ast::InsertBranches& insert);

}  // namespace millrace::inline planner
