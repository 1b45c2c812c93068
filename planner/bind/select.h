#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "planner/bind/binder.h"

namespace millrace::inline planner {

/// The query part of a statement, bound up to its projection.
struct BoundSelect {
  NodePtr root;                            // a ProjectNode, or a TimeSortNode over one
  std::vector<std::size_t> order;          // positions of the root's columns in SELECT order
  std::vector<const SourceDef*> sources;   // of the catalog, as they are read
  FormatInfo key_format;                   // what the result's key would inherit
  bool null_key = false;                   // PARTITION BY NULL
  std::optional<std::size_t> branch = {};  // UNION ALL of tables: the column with the number of the branch
  bool structured_aggregates = false;      // an accumulator holds an array, map or struct
  ast::Query rewritten;                    // as error messages and catalogs print it
};

/// Binds a query clause by clause: sources and joins, WHERE, table functions, keys, aggregation, projection.
/// `sink` names the result of a persistent query; empty for push queries. `on_columns` is called with the columns
/// of the projection before the key is looked for in it: for checks that come first.
/// `stream`: the result is to be a stream, so that EMIT FINAL gives one.
BoundSelect bind_select(const ast::Query& query, const BindContext& context, std::string sink,
                        std::function<void(const Schema&)> on_columns = {}, bool stream = false);

class NamedQueries;
/// A query within another one. Key columns that it does not show stand in its root all the same; `order` lists those
/// that it shows. `named`: what WITH names around it, null: nothing. `within_final`: EMIT FINAL stands around it.
BoundSelect bind_inner(const ast::Query& query, const BindContext& context, const NamedQueries* named,
                       bool within_final);

}  // namespace millrace::inline planner
