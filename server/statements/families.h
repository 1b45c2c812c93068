#pragma once

#include <concepts>
#include <string>

#include "server/statements/planned.h"
#include "server/statements/privileges.h"

/// What `plan_statement` and `add_needs` dispatch to: a row per kind of statement. A kind without one does not compile.
namespace millrace::inline server {

// sources.cpp
Planned plan(const ast::CreateSource& create, const ast::Statement& statement, const StatementContext& context);
void need(const ast::CreateSource& create, Needs& needs);
Planned plan(const ast::AlterSource& alter, const ast::Statement& statement, const StatementContext& context);
void need(const ast::AlterSource& alter, Needs& needs);
Planned plan(const ast::DropSource& drop, const ast::Statement& statement, const StatementContext& context);
void need(const ast::DropSource& drop, Needs& needs);
// queries.cpp
Planned plan(const ast::CreateAs& create, const ast::Statement& statement, const StatementContext& context);
void need(const ast::CreateAs& create, Needs& needs);
Planned plan(const ast::InsertSelect& insert, const ast::Statement& statement, const StatementContext& context);
void need(const ast::InsertSelect& insert, Needs& needs);
Planned plan(const ast::InsertBranches& insert, const ast::Statement& statement, const StatementContext& context);
void need(const ast::InsertBranches& insert, Needs& needs);
Planned plan(const ast::ControlQuery& control, const ast::Statement& statement, const StatementContext& context);
void need(const ast::ControlQuery& control, Needs& needs);
// types.cpp
Planned plan(const ast::CreateType& create, const ast::Statement& statement, const StatementContext& context);
void need(const ast::CreateType& create, Needs& needs);
Planned plan(const ast::DropType& drop, const ast::Statement& statement, const StatementContext& context);
void need(const ast::DropType& drop, Needs& needs);
Planned plan(const ast::ShowTypes& show, const ast::Statement& statement, const StatementContext& context);
// insert_values.cpp
Planned plan(const ast::InsertValues& insert, const ast::Statement& statement, const StatementContext& context);
void need(const ast::InsertValues& insert, Needs& needs);
Planned plan(const ast::InsertOnce& insert, const ast::Statement& statement, const StatementContext& context);
void need(const ast::InsertOnce& insert, Needs& needs);
Planned plan(const ast::UpsertValues& upsert, const ast::Statement& statement, const StatementContext& context);
void need(const ast::UpsertValues& upsert, Needs& needs);
Planned plan(const ast::UpdateRows& update, const ast::Statement& statement, const StatementContext& context);
void need(const ast::UpdateRows& update, Needs& needs);
Planned plan(const ast::DeleteRows& rows, const ast::Statement& statement, const StatementContext& context);
void need(const ast::DeleteRows& rows, Needs& needs);
// views.cpp
Planned plan(const ast::CreateView& create, const ast::Statement& statement, const StatementContext& context);
void need(const ast::CreateView& create, Needs& needs);
Planned plan(const ast::DropView& drop, const ast::Statement& statement, const StatementContext& context);
void need(const ast::DropView& drop, Needs& needs);
Planned plan(const ast::ShowViews& show, const ast::Statement& statement, const StatementContext& context);
// indexes.cpp
Planned plan(const ast::CreateIndex& create, const ast::Statement& statement, const StatementContext& context);
void need(const ast::CreateIndex& create, Needs& needs);
Planned plan(const ast::DropIndex& drop, const ast::Statement& statement, const StatementContext& context);
void need(const ast::DropIndex& drop, Needs& needs);
/// The table's new plan has the indexes of the old one. Throws SqlError where a column of theirs is gone.
void keep_indexes(const QueryInfo& replaced, const Schema& columns, PhysicalPlan& plan);
Planned plan(const ast::ShowIndexes& show, const ast::Statement& statement, const StatementContext& context);
// properties.cpp
Planned plan(const ast::SetProperty& set, const ast::Statement& statement, const StatementContext& context);
Planned plan(const ast::UnsetProperty& unset, const ast::Statement& statement, const StatementContext& context);
Planned plan(const ast::AlterSystem& alter, const ast::Statement& statement, const StatementContext& context);
void need(const ast::AlterSystem& alter, Needs& needs);
Planned plan(const ast::ShowProperties& show, const ast::Statement& statement, const StatementContext& context);
Planned plan(const ast::DefineVariable& define, const ast::Statement& statement, const StatementContext& context);
Planned plan(const ast::UndefineVariable& undefine, const ast::Statement& statement, const StatementContext& context);
Planned plan(const ast::ShowVariables& show, const ast::Statement& statement, const StatementContext& context);
// show.cpp
Planned plan(const ast::ShowSources& show, const ast::Statement& statement, const StatementContext& context);
Planned plan(const ast::ShowTopics& show, const ast::Statement& statement, const StatementContext& context);
// describe.cpp
Planned plan(const ast::DescribeSource& describe, const ast::Statement& statement, const StatementContext& context);
void need(const ast::DescribeSource& describe, Needs& needs);
Planned plan(const ast::DescribeStreams& describe, const ast::Statement& statement, const StatementContext& context);
// functions.cpp
Planned plan(const ast::CreateFunction& create, const ast::Statement& statement, const StatementContext& context);
void need(const ast::CreateFunction& create, Needs& needs);
Planned plan(const ast::DropFunction& drop, const ast::Statement& statement, const StatementContext& context);
void need(const ast::DropFunction& drop, Needs& needs);
Planned plan(const ast::ShowFunctions& show, const ast::Statement& statement, const StatementContext& context);
Planned plan(const ast::DescribeFunction& describe, const ast::Statement& statement, const StatementContext& context);
// explain.cpp
Planned plan(const ast::Explain& explain, const ast::Statement& statement, const StatementContext& context);
void need(const ast::Explain& explain, Needs& needs);
Planned plan(const ast::ShowQueries& show, const ast::Statement& statement, const StatementContext& context);
// assertions.cpp
Planned plan(const ast::AssertTopic& check, const ast::Statement& statement, const StatementContext& context);
void need(const ast::AssertTopic& check, Needs& needs);
Planned plan(const ast::AssertSchema& check, const ast::Statement& statement, const StatementContext& context);
// elsewhere.cpp: what runs elsewhere, or not yet
Planned plan(const ast::Select& select, const ast::Statement& statement, const StatementContext& context);
void need(const ast::Select& select, Needs& needs);
Planned plan(const ast::Print& print, const ast::Statement& statement, const StatementContext& context);
void need(const ast::Print& print, Needs& needs);
Planned plan(const ast::CreateConnector& create, const ast::Statement& statement, const StatementContext& context);
void need(const ast::CreateConnector& create, Needs& needs);
Planned plan(const ast::DropConnector& drop, const ast::Statement& statement, const StatementContext& context);
void need(const ast::DropConnector& drop, Needs& needs);
Planned plan(const ast::DescribeConnector& describe, const ast::Statement& statement, const StatementContext& context);
Planned plan(const ast::ShowConnectors& show, const ast::Statement& statement, const StatementContext& context);
Planned plan(const ast::ShowConnectorPlugins& show, const ast::Statement& statement, const StatementContext& context);
Planned plan(const ast::AssertValues& check, const ast::Statement& statement, const StatementContext& context);
Planned plan(const ast::AssertSource& check, const ast::Statement& statement, const StatementContext& context);
Planned plan(const ast::RunScript& run, const ast::Statement& statement, const StatementContext& context);

template <class T, class... Ts>
concept OneOf = (std::same_as<T, Ts> || ...);
/// Lists, which are filtered; what belongs to the session alone; what a server does not run.
template <class Node>
requires OneOf<Node, ast::ShowSources, ast::ShowTopics, ast::ShowQueries, ast::ShowFunctions, ast::ShowProperties,
               ast::ShowTypes, ast::ShowViews, ast::ShowIndexes, ast::ShowVariables, ast::ShowConnectors,
               ast::ShowConnectorPlugins, ast::DescribeStreams, ast::DescribeFunction, ast::DescribeConnector,
               ast::SetProperty, ast::UnsetProperty, ast::DefineVariable, ast::UndefineVariable, ast::AssertSchema,
               ast::AssertValues, ast::AssertSource, ast::RunScript>
void need(const Node&, Needs&) {}

/// A mistake that is not at one place of the text.
SqlError general_error(Code code, const std::string& message);
std::string_view kind_word(ast::SourceKind kind);  // "stream"
std::string kind_title(RelationKind kind);         // "Stream"
/// Refuses OR REPLACE where it is switched off.
void check_replace_allowed(bool or_replace, const StatementContext& context);
/// How a new topic for a source is to be.
TopicConfig topic_config(const TopicInfo& info, RelationKind kind, const std::optional<WindowInfo>& window,
                         std::optional<std::int64_t> retention);
/// IF NOT EXISTS and plain duplicates. True: the statement is over, `result` says so.
bool exists_already(const std::string& name, ast::SourceKind kind, bool or_replace, bool if_not_exists,
                    const StatementContext& context, Mutation& result);
/// Refuses to drop what views read.
void check_no_views(const std::string& name, const StatementContext& context);
/// Reading and writing a table, for statements that answer with how many rows there were: they tell what is in it.
void need_changes(const ast::Identifier& table, Needs& needs);
/// The topic that WITH says, with its cluster; where it says only that, one called `name` there.
std::optional<std::string> topic_property(const ast::Properties& properties, const std::string& name);
/// The id of a query that the next command starts: PREFIX_SINK_NUMBER.
std::string next_query_id(std::string_view prefix, std::string_view sink, const StatementContext& context);

}  // namespace millrace::inline server
