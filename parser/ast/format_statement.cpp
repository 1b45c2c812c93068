#include <algorithm>
#include <array>

#include "parser/ast/format.h"
#include "parser/ast/printer.h"

namespace millrace::inline parser::ast {
namespace {

std::string_view word(SourceKind kind) {
  return kind == SourceKind::stream ? "STREAM " : "TABLE ";
}

std::string_view word(ConnectorKind kind) {
  constexpr std::array<std::string_view, 3> kWords = {"SOURCE ", "SINK ", ""};
  return kWords.at(static_cast<std::size_t>(kind));
}

std::string_view word(QueryAction action) {
  constexpr std::array<std::string_view, 3> kWords = {"TERMINATE ", "PAUSE ", "RESUME "};
  return kWords.at(static_cast<std::size_t>(action));
}

std::string_view extended(bool yes) {
  return yes ? " EXTENDED" : "";
}

}  // namespace

struct StatementWriter {
  Printer& out;

  void text(std::string_view text) { out.text(text); }

  void columns(const std::vector<ColumnDefinition>& columns);
  void column(const ColumnDefinition& column);
  void properties(const Properties& properties);
  void names(const std::vector<Identifier>& names);
  void values(std::string_view word, const std::vector<ExprPtr>& values);
  void rows(const std::vector<std::vector<ExprPtr>>& rows);
  void where(const ExprPtr& where);
  void assignment(std::string_view words, std::string_view key, std::string_view value);
  void timeout(const std::optional<Duration>& timeout);
  void source(const CreateSource& source);

  void operator()(const CreateSource& it);
  void operator()(const CreateAs& it);
  void operator()(const InsertSelect& it);
  void operator()(const InsertValues& it);
  void operator()(const InsertOnce& it);
  void operator()(const InsertBranches& it);
  void target(const InsertBranches::Target& into);
  void operator()(const UpsertValues& it);
  void operator()(const UpdateRows& it);
  void operator()(const DeleteRows& it);
  void operator()(const AlterSource& it);
  void operator()(const DropSource& it);
  void operator()(const CreateView& it);
  void operator()(const DropView& it);
  void operator()(const ShowViews&) { text("SHOW VIEWS"); }
  void operator()(const CreateIndex& it);
  void operator()(const DropIndex& it);
  void operator()(const ShowIndexes&) { text("SHOW INDEXES"); }
  void operator()(const CreateFunction& it);
  void operator()(const DropFunction& it);
  void operator()(const CreateType& it);
  void operator()(const DropType& it);
  void operator()(const CreateConnector& it);
  void operator()(const DropConnector& it);
  void operator()(const DescribeConnector& it);
  void operator()(const ShowConnectors& it);
  void operator()(const ShowConnectorPlugins&) { text("SHOW CONNECTOR PLUGINS"); }
  void operator()(const Select& it) { out.query(*it.query); }
  void operator()(const Print& it);
  void operator()(const ShowSources& it);
  void operator()(const ShowTopics& it);
  void operator()(const ShowQueries& it);
  void operator()(const ShowFunctions&) { text("SHOW FUNCTIONS"); }
  void operator()(const ShowProperties&) { text("SHOW PROPERTIES"); }
  void operator()(const ShowTypes&) { text("SHOW TYPES"); }
  void operator()(const ShowVariables&) { text("SHOW VARIABLES"); }
  void operator()(const DescribeSource& it);
  void operator()(const DescribeStreams& it);
  void operator()(const DescribeFunction& it);
  void operator()(const Explain& it);
  void operator()(const ControlQuery& it);
  void operator()(const SetProperty& it) { assignment("SET ", it.name, it.value); }
  void operator()(const UnsetProperty& it);
  void operator()(const AlterSystem& it) { assignment("ALTER SYSTEM ", it.name, it.value); }
  void operator()(const DefineVariable& it);
  void operator()(const UndefineVariable& it);
  void operator()(const AssertTopic& it);
  void operator()(const AssertSchema& it);
  void operator()(const AssertValues& it);
  void operator()(const AssertSource& it);
  void operator()(const RunScript& it);
};

void StatementWriter::column(const ColumnDefinition& column) {
  out.name(column.name);
  text(" ");
  out.type(column.type);
  constexpr std::array<std::string_view, 5> kRoles = {"", " KEY", " PRIMARY KEY", " HEADERS", " HEADER("};
  text(kRoles.at(static_cast<std::size_t>(column.role)));
  if (column.role == ColumnRole::header) {
    out.quoted(column.header_key);
    text(")");
  }
}

void StatementWriter::columns(const std::vector<ColumnDefinition>& columns) {
  for (std::size_t i = 0; i < columns.size(); ++i) {
    text(i == 0 ? " (" : ", ");
    column(columns[i]);
  }
  if (!columns.empty()) text(")");
}

void StatementWriter::properties(const Properties& properties) {
  std::vector<const Property*> sorted;
  for (const Property& property : properties) sorted.push_back(&property);
  std::stable_sort(sorted.begin(), sorted.end(), [](const auto* a, const auto* b) { return a->name < b->name; });
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    text(i == 0 ? " WITH (" : ", ");
    out.name(sorted[i]->name);
    text("=");
    out.expression(*sorted[i]->value);
  }
  if (!sorted.empty()) text(")");
}

void StatementWriter::names(const std::vector<Identifier>& names) {
  if (names.empty()) return;
  text(" (");
  out.names(names);
  text(")");
}

void StatementWriter::values(std::string_view word, const std::vector<ExprPtr>& values) {
  text(word);
  out.list(values);
  text(")");
}

void StatementWriter::assignment(std::string_view words, std::string_view key, std::string_view value) {
  text(words);
  out.quoted(key);
  text("=");
  out.quoted(value);
}

void StatementWriter::timeout(const std::optional<Duration>& timeout) {
  if (!timeout) return;
  text(" TIMEOUT ");
  out.duration(*timeout);
}

void StatementWriter::source(const CreateSource& source) {
  text(word(source.kind));
  if (source.if_not_exists) text("IF NOT EXISTS ");
  out.name(source.name);
  columns(source.columns);
  properties(source.properties);
}

void StatementWriter::operator()(const CreateSource& it) {
  text("CREATE ");
  if (it.or_replace) text("OR REPLACE ");
  if (it.read_only) text("SOURCE ");
  source(it);
}

void StatementWriter::operator()(const CreateAs& it) {
  text("CREATE ");
  if (it.or_replace) text("OR REPLACE ");
  text(word(it.kind));
  if (it.if_not_exists) text("IF NOT EXISTS ");
  out.name(it.name);
  properties(it.properties);
  text(" AS ");
  out.query(*it.query);
}

void StatementWriter::operator()(const InsertSelect& it) {
  text("INSERT INTO ");
  out.name(it.target);
  properties(it.properties);
  text(" ");
  out.query(*it.query);
}

void StatementWriter::operator()(const InsertValues& it) {
  text("INSERT INTO ");
  out.name(it.target);
  names(it.columns);
  rows(it.rows);
}

void StatementWriter::rows(const std::vector<std::vector<ExprPtr>>& rows) {
  for (std::size_t i = 0; i < rows.size(); ++i) values(i == 0 ? " VALUES (" : ", (", rows[i]);
}

void StatementWriter::operator()(const InsertOnce& it) {
  text("INSERT INTO ");
  out.name(it.target);
  text(" ONCE ");
  out.query(*it.query);
}

void StatementWriter::operator()(const InsertBranches& it) {
  text(it.first ? "INSERT FIRST" : "INSERT ALL");
  for (const auto& branch : it.branches) {
    text("\nWHEN ");
    out.expression(*branch.when);
    text(" THEN");
    target(branch.into);
  }
  if (it.otherwise) {
    text("\nELSE");
    target(*it.otherwise);
  }
  text("\n");
  out.query(*it.query);
}

void StatementWriter::target(const InsertBranches::Target& into) {
  text(" INTO ");
  out.name(into.name);
  for (std::size_t i = 0; i < into.items.size(); ++i) {
    text(i == 0 ? " (" : ", ");
    out.item(into.items[i]);
  }
  text(")");
}

void StatementWriter::operator()(const UpsertValues& it) {
  text("UPSERT INTO ");
  out.name(it.target);
  names(it.columns);
  rows(it.rows);
}

void StatementWriter::operator()(const UpdateRows& it) {
  text("UPDATE ");
  out.name(it.target);
  for (std::size_t i = 0; i < it.set.size(); ++i) {
    text(i == 0 ? " SET " : ", ");
    out.name(it.set[i].first);
    text(" = ");
    out.expression(*it.set[i].second);
  }
  where(it.where);
}

void StatementWriter::operator()(const DeleteRows& it) {
  text("DELETE FROM ");
  out.name(it.target);
  where(it.where);
}

void StatementWriter::where(const ExprPtr& where) {
  if (!where) return;
  text(" WHERE ");
  out.expression(*where);
}

void StatementWriter::operator()(const AlterSource& it) {
  text("ALTER ");
  text(word(it.kind));
  out.name(it.name);
  for (std::size_t i = 0; i < it.added.size(); ++i) {
    text(i == 0 ? " ADD COLUMN " : ", ADD COLUMN ");
    column(it.added[i]);
  }
}

void StatementWriter::operator()(const DropSource& it) {
  text("DROP ");
  text(word(it.kind));
  if (it.if_exists) text("IF EXISTS ");
  out.name(it.name);
  if (it.delete_topic) text(" DELETE TOPIC");
}

void StatementWriter::operator()(const CreateView& it) {
  text(it.or_replace ? "CREATE OR REPLACE VIEW " : "CREATE VIEW ");
  out.name(it.name);
  names(it.columns);
  text(" AS ");
  out.query(*it.query);
}

void StatementWriter::operator()(const DropView& it) {
  text(it.if_exists ? "DROP VIEW IF EXISTS " : "DROP VIEW ");
  out.name(it.name);
}

void StatementWriter::operator()(const CreateIndex& it) {
  text(it.if_not_exists ? "CREATE INDEX IF NOT EXISTS " : "CREATE INDEX ");
  out.name(it.name);
  text(" ON ");
  out.name(it.table);
  out.sorting(" (", it.items);
  text(")");
}

void StatementWriter::operator()(const DropIndex& it) {
  text(it.if_exists ? "DROP INDEX IF EXISTS " : "DROP INDEX ");
  out.name(it.name);
}

void StatementWriter::operator()(const CreateFunction& it) {
  text(it.or_replace ? "CREATE OR REPLACE FUNCTION " : "CREATE FUNCTION ");
  if (it.if_not_exists) text("IF NOT EXISTS ");
  out.name(it.name);
  text(" (");
  for (std::size_t i = 0; i < it.parameters.size(); ++i) {
    if (i > 0) text(", ");
    out.name(it.parameters[i].name);
    text(" ");
    out.type(it.parameters[i].type);
  }
  text(") RETURNS ");
  out.type(it.returns);
  text(" AS ");
  out.expression(*it.body);
}

void StatementWriter::operator()(const DropFunction& it) {
  text(it.if_exists ? "DROP FUNCTION IF EXISTS " : "DROP FUNCTION ");
  out.name(it.name);
}

void StatementWriter::operator()(const CreateType& it) {
  text("CREATE TYPE ");
  if (it.if_not_exists) text("IF NOT EXISTS ");
  out.name(it.name);
  text(" AS ");
  out.type(it.type);
}

void StatementWriter::operator()(const DropType& it) {
  text(it.if_exists ? "DROP TYPE IF EXISTS " : "DROP TYPE ");
  out.name(it.name);
}

void StatementWriter::operator()(const CreateConnector& it) {
  text("CREATE ");
  text(word(it.kind));
  text(it.if_not_exists ? "CONNECTOR IF NOT EXISTS " : "CONNECTOR ");
  out.name(it.name);
  properties(it.properties);
}

void StatementWriter::operator()(const DropConnector& it) {
  text(it.if_exists ? "DROP CONNECTOR IF EXISTS " : "DROP CONNECTOR ");
  out.name(it.name);
}

void StatementWriter::operator()(const DescribeConnector& it) {
  text("DESCRIBE CONNECTOR ");
  out.name(it.name);
}

void StatementWriter::operator()(const ShowConnectors& it) {
  text("SHOW ");
  text(word(it.kind));
  text("CONNECTORS");
}

void StatementWriter::operator()(const Print& it) {
  text("PRINT ");
  out.name(it.topic);
  if (it.from_beginning) text(" FROM BEGINNING");
  if (it.interval) text(" INTERVAL " + std::to_string(*it.interval));
  if (it.limit) text(" LIMIT " + std::to_string(*it.limit));
}

void StatementWriter::operator()(const ShowSources& it) {
  text(it.kind == SourceKind::stream ? "SHOW STREAMS" : "SHOW TABLES");
  text(extended(it.extended));
}

void StatementWriter::operator()(const ShowTopics& it) {
  text(it.all ? "SHOW ALL TOPICS" : "SHOW TOPICS");
  text(extended(it.extended));
}

void StatementWriter::operator()(const ShowQueries& it) {
  text("SHOW QUERIES");
  text(extended(it.extended));
}

void StatementWriter::operator()(const DescribeSource& it) {
  text("DESCRIBE ");
  out.name(it.name);
  text(extended(it.extended));
}

void StatementWriter::operator()(const DescribeStreams& it) {
  text("DESCRIBE STREAMS");
  text(extended(it.extended));
}

void StatementWriter::operator()(const DescribeFunction& it) {
  text("DESCRIBE FUNCTION ");
  out.name(it.name);
}

void StatementWriter::operator()(const Explain& it) {
  text(it.analyze ? "EXPLAIN ANALYZE " : "EXPLAIN ");
  if (it.query_id) {
    out.name(*it.query_id);
  } else {
    out.statement(*it.statement);
  }
}

void StatementWriter::operator()(const ControlQuery& it) {
  text(word(it.action));
  if (it.query_id) {
    out.name(*it.query_id);
  } else {
    text("ALL");
  }
}

void StatementWriter::operator()(const UnsetProperty& it) {
  text("UNSET ");
  out.quoted(it.name);
}

void StatementWriter::operator()(const DefineVariable& it) {
  text("DEFINE ");
  out.name(it.name);
  text("=");
  out.quoted(it.value);
}

void StatementWriter::operator()(const UndefineVariable& it) {
  text("UNDEFINE ");
  out.name(it.name);
}

void StatementWriter::operator()(const AssertTopic& it) {
  text(it.exists ? "ASSERT TOPIC " : "ASSERT NOT EXISTS TOPIC ");
  out.name(it.topic);
  properties(it.properties);
  timeout(it.timeout);
}

void StatementWriter::operator()(const AssertSchema& it) {
  text(it.exists ? "ASSERT SCHEMA" : "ASSERT NOT EXISTS SCHEMA");
  if (it.subject) {
    text(" SUBJECT ");
    out.quoted(*it.subject);
  }
  if (it.id) text(" ID " + std::to_string(*it.id));
  timeout(it.timeout);
}

void StatementWriter::operator()(const AssertValues& it) {
  text(it.tombstone ? "ASSERT NULL VALUES " : "ASSERT VALUES ");
  out.name(it.source);
  names(it.columns);
  values(it.tombstone ? " KEY (" : " VALUES (", it.values);
}

void StatementWriter::operator()(const AssertSource& it) {
  text("ASSERT ");
  source(it.expected);
}

void StatementWriter::operator()(const RunScript& it) {
  text("RUN SCRIPT ");
  out.quoted(it.path);
}

void Printer::statement(const Statement& statement) {
  std::visit(StatementWriter{*this}, statement.node);
}

std::string format(const Statement& statement) {
  Printer printer;
  printer.statement(statement);
  return printer.take();
}

}  // namespace millrace::inline parser::ast
