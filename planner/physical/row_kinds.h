#pragma once

#include <map>

#include "planner/logical/plan.h"

namespace millrace::inline planner {

/// Whether the readers of internal topics need rows before, by topic.
using BeforeByTopic = std::map<std::string, bool>;

/// Decides which operators give "before" rows (design.md §3), writes it into the nodes, and puts a Materialize where an
/// operator that needs them stands on one that cannot give them by itself.
/// `transient`: no store below the root will tell which rows had passed a filter, so every filter over a table must
/// know. `topics`: for a tree that is a subtopology already; sources note there what they need, sinks look it up.
NodePtr provide_before_rows(const NodePtr& root, bool transient, BeforeByTopic* topics = nullptr);

/// Gives the rows of a table that a query makes a store to lie in, when no operator keeps them already.
NodePtr make_pullable(const NodePtr& root);

/// The node below the sink that keeps the rows of a table in a store (Aggregate or Materialize), reached through
/// filters and projections only; null when there is none.
NodePtr find_materialized(const NodePtr& sink);

}  // namespace millrace::inline planner
