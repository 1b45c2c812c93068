#pragma once

#include <optional>
#include <string>

#include "planner/bind/binder.h"
#include "planner/bind/with_properties.h"

namespace millrace::inline planner {

/// `stream` or `table`.
std::string kind_word(RelationKind kind);

/// Throws when a column has the name of a pseudo column.
void check_reserved_names(const std::vector<ColumnDef>& columns, Span span);
/// Throws when two key columns or two value columns share a name, or a value column has a key's name.
void check_duplicate_columns(const Schema& schema, Span span);
/// Checks TIMESTAMP and TIMESTAMP_FORMAT against the schema and puts them into `source`.
void set_timestamp(SourceDef& source, const WithProperties& with, const BindContext& context);
/// Throws when `next` cannot replace `old` (CREATE OR REPLACE, sql.md).
void check_upgrade(const SourceDef& old, const SourceDef& next, Span span);
/// IDLE_TIMEOUT, which `ksql` does not know.
std::optional<std::int64_t> idle_timeout_of(const WithProperties& with, const BindContext& context);
/// The topic that WITH names, or one of that name, with the cluster that it lies in. Throws where there is no such
/// cluster.
std::string topic_of(const WithProperties& with, const std::string& name, const BindContext& context);
/// Throws when the name is taken. For OR REPLACE: when the old or new source may not be replaced. IF NOT EXISTS passes.
void check_name_free(const Catalog& catalog, const ast::Identifier& name, RelationKind kind, bool or_replace,
                     bool if_not_exists, bool read_only);
/// Throws when an existing topic has other counts than asked for.
void check_topic_counts(const std::string& topic, const TopicInfo& existing, const WithProperties& with);

}  // namespace millrace::inline planner
