#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "parser/ast/query.h"

namespace millrace::inline parser::ast {

enum class ColumnRole : std::uint8_t { value, key, primary_key, headers, header };
struct ColumnDefinition {
  Identifier name;
  TypeName type;
  ColumnRole role = ColumnRole::value;
  std::string header_key;  // HEADER('k')
  Span span;
};

/// One entry of a WITH clause. Names are upper-cased; values are literals.
struct Property {
  std::string name;
  ExprPtr value;
  Span span;
};
using Properties = std::vector<Property>;

enum class SourceKind : std::uint8_t { stream, table };

struct CreateSource {  // CREATE STREAM|TABLE over a topic
  SourceKind kind;
  Identifier name;
  bool or_replace = false, if_not_exists = false, read_only = false;  // read_only: CREATE SOURCE ...
  std::vector<ColumnDefinition> columns;
  Properties properties;
};
struct CreateAs {  // CSAS, CTAS
  SourceKind kind;
  Identifier name;
  bool or_replace = false, if_not_exists = false;
  Properties properties;
  QueryPtr query;
};
struct InsertSelect {
  Identifier target;
  Properties properties;
  QueryPtr query;
};
struct InsertValues {
  Identifier target;
  std::vector<Identifier> columns;  // empty: all, keys first
  std::vector<std::vector<ExprPtr>> rows;
};
struct InsertOnce {  // INSERT INTO ... ONCE SELECT
  Identifier target;
  QueryPtr query;
};
struct InsertBranches {  // INSERT FIRST|ALL WHEN ... THEN INTO ... SELECT
  struct Target {
    Identifier name;
    std::vector<SelectItem> items;
    Span span;
  };
  struct Branch {
    ExprPtr when;
    Target into;
  };
  bool first = false;  // a row goes to the first of them that takes it; else to each
  std::vector<Branch> branches;
  std::optional<Target> otherwise;
  QueryPtr query;
};
struct UpsertValues {
  Identifier target;
  std::vector<Identifier> columns;
  std::vector<std::vector<ExprPtr>> rows;
};
struct UpdateRows {
  Identifier target;
  std::vector<std::pair<Identifier, ExprPtr>> set;
  ExprPtr where;  // null: all rows
};
struct DeleteRows {
  Identifier target;
  ExprPtr where;  // null: all rows
};
struct AlterSource {
  SourceKind kind;
  Identifier name;
  std::vector<ColumnDefinition> added;
};
struct DropSource {
  SourceKind kind;
  Identifier name;
  bool if_exists = false, delete_topic = false;
};
struct CreateView {
  Identifier name;
  bool or_replace = false;
  std::vector<Identifier> columns;  // empty: those of the query
  QueryPtr query;
};
struct DropView {
  Identifier name;
  bool if_exists = false;
};
struct ShowViews {};
struct CreateIndex {
  Identifier name;
  bool if_not_exists = false;
  Identifier table;
  std::vector<SortItem> items;
};
struct DropIndex {
  Identifier name;
  bool if_exists = false;
};
struct ShowIndexes {};
struct FunctionParameter {
  Identifier name;
  TypeName type;
};
struct CreateFunction {
  Identifier name;
  bool or_replace = false, if_not_exists = false;
  std::vector<FunctionParameter> parameters;
  TypeName returns;
  ExprPtr body;
};
struct DropFunction {
  Identifier name;
  bool if_exists = false;
};
struct CreateType {
  Identifier name;
  bool if_not_exists = false;
  TypeName type;
};
struct DropType {
  Identifier name;
  bool if_exists = false;
};
enum class ConnectorKind : std::uint8_t { source, sink, any };
struct CreateConnector {
  ConnectorKind kind;
  Identifier name;
  bool if_not_exists = false;
  Properties properties;
};
struct DropConnector {
  Identifier name;
  bool if_exists = false;
};
struct DescribeConnector {
  Identifier name;
};
struct ShowConnectors {
  ConnectorKind kind = ConnectorKind::any;
};
struct ShowConnectorPlugins {};

struct Select {  // pull or push query
  QueryPtr query;
};
struct Print {
  Identifier topic;
  bool from_beginning = false;
  std::optional<std::int64_t> interval;
  std::optional<std::int64_t> limit;
};

struct ShowSources {  // SHOW STREAMS | TABLES [EXTENDED]
  SourceKind kind;
  bool extended = false;
};
struct ShowTopics {
  bool all = false, extended = false;
};
struct ShowQueries {
  bool extended = false;
};
struct ShowFunctions {};
struct ShowProperties {};
struct ShowTypes {};
struct ShowVariables {};
struct DescribeSource {
  Identifier name;
  bool extended = false;
};
struct DescribeStreams {
  bool extended = false;
};
struct DescribeFunction {
  Identifier name;
};
struct StatementNode;
using StatementPtr = std::shared_ptr<const StatementNode>;
struct Explain {
  std::optional<Identifier> query_id;
  StatementPtr statement;  // set when no query id is given
  bool analyze = false;    // tells what the query has done so far
};

enum class QueryAction : std::uint8_t { terminate, pause, resume };
struct ControlQuery {
  QueryAction action;
  std::optional<Identifier> query_id;  // absent: ALL
};

struct SetProperty {
  std::string name, value;
};
struct UnsetProperty {
  std::string name;
};
struct AlterSystem {
  std::string name, value;
};
struct DefineVariable {
  Identifier name;
  std::string value;
};
struct UndefineVariable {
  Identifier name;
};

struct AssertTopic {
  Identifier topic;
  bool exists = true;
  Properties properties;
  std::optional<Duration> timeout;
};
struct AssertSchema {
  bool exists = true;
  std::optional<std::string> subject;
  std::optional<std::int64_t> id;
  std::optional<Duration> timeout;
};

// Only the test runner executes these.
struct AssertValues {
  Identifier source;
  std::vector<Identifier> columns;
  std::vector<ExprPtr> values;
  bool tombstone = false;  // ASSERT NULL VALUES ... KEY(...)
};
struct AssertSource {  // ASSERT STREAM|TABLE
  CreateSource expected;
};
struct RunScript {
  std::string path;
};

struct StatementNode {
  std::variant<CreateSource, CreateAs, InsertSelect, InsertValues, InsertOnce, InsertBranches, UpsertValues, UpdateRows,
               DeleteRows, AlterSource, DropSource, CreateView, DropView, ShowViews, CreateIndex, DropIndex,
               ShowIndexes, CreateFunction, DropFunction, CreateType, DropType, CreateConnector, DropConnector,
               DescribeConnector, ShowConnectors, ShowConnectorPlugins, Select, Print, ShowSources, ShowTopics,
               ShowQueries, ShowFunctions, ShowProperties, ShowTypes, ShowVariables, DescribeSource, DescribeStreams,
               DescribeFunction, Explain, ControlQuery, SetProperty, UnsetProperty, AlterSystem, DefineVariable,
               UndefineVariable, AssertTopic, AssertSchema, AssertValues, AssertSource, RunScript>
      node;
  Span span;         // from the first token to the semicolon, inclusive
  std::string text;  // that part of the request, verbatim

  template <class T>
  const T* as() const {
    return std::get_if<T>(&node);
  }
};
using Statement = StatementNode;

}  // namespace millrace::inline parser::ast
