#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "planner/types/schema.h"

namespace millrace::inline parser::ast {
struct Query;
}

namespace millrace::inline planner {

/// A stream or table.
struct SourceDef {
  std::string name;
  RelationKind kind = RelationKind::stream;
  std::string topic;
  Schema schema;
  FormatInfo key_format, value_format;
  /// WRAP_SINGLE_VALUE as given explicitly or by the config default; absent: the format's own default.
  std::optional<bool> wrap_single_value;
  std::optional<WindowInfo> window;
  std::optional<std::int64_t> window_retention_ms;  // how long rows of a windowed table matter; absent: not known
  std::optional<std::int64_t> idle_timeout_ms;      // stream time of queries goes on when it has been quiet for so long
  std::optional<std::int64_t> history_ms;           // a table's versions that may be asked for; absent: the newest only
  std::optional<std::string> timestamp_column;
  std::optional<std::string> timestamp_format;
  int partitions = 1;
  int replicas = 1;
  bool read_only = false;   // CREATE SOURCE ...
  bool from_query = false;  // CREATE ... AS SELECT
  bool broadcast = false;   // a table that streams are joined with as if BROADCAST stood there
  std::string created_by;   // id of the query that fills it (CSAS/CTAS), or of the CST_ query of a source table
  std::string statement;    // canonical SQL
};
using SourcePtr = std::shared_ptr<const SourceDef>;

struct MacroDef;  // planner/bind/macros.h
using MacroPtr = std::shared_ptr<const MacroDef>;

/// A named query, which stands for what it says wherever it is read.
struct ViewDef {
  std::string name;
  std::vector<std::string> columns;  // names of its columns; empty: those of the query
  std::shared_ptr<const ast::Query> query;
  std::vector<std::string> reads;  // sources and views, by name
  std::string statement;           // canonical SQL
};
using ViewPtr = std::shared_ptr<const ViewDef>;

/// A way to the rows of a table beside its key.
struct IndexDef {
  std::string name, table;
  std::vector<std::string> columns;  // of the table, the foremost first
  std::string statement;             // canonical SQL
};
using IndexPtr = std::shared_ptr<const IndexDef>;

/// What a statement is bound against: an immutable snapshot. Copying is cheap enough to do per statement
/// (pointers to definitions); a new version is a changed copy. Any thread may read one.
struct Catalog {
  std::uint64_t version = 0;
  std::map<std::string, SourcePtr, std::less<>> sources;
  std::map<std::string, Type, std::less<>> types;       // CREATE TYPE aliases
  std::map<std::string, MacroPtr, std::less<>> macros;  // CREATE FUNCTION
  std::map<std::string, ViewPtr, std::less<>> views = {};
  std::map<std::string, IndexPtr, std::less<>> indexes = {};
  /// Sources, types, functions, views and queries that are there, but that this version of the program cannot read, and
  /// why.
  std::map<std::string, std::string, std::less<>> unavailable;

  const SourceDef* find(std::string_view name) const;
};

/// What the binder must know of topics: existence and partition counts. Given by the server (from the log) or by a
/// test.
struct TopicInfo {
  int partitions = 1;
  int replicas = 1;
};
class TopicLookup {
 public:
  virtual ~TopicLookup() = default;
  virtual std::optional<TopicInfo> find_topic(const std::string& name) = 0;
  /// Why there are no topics of the Kafka cluster of that name; absent: there may be.
  virtual std::optional<std::string> missing_cluster(const std::string& name);
};

}  // namespace millrace::inline planner
