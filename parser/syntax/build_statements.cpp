#include "parser/syntax/builder.h"

namespace millrace::inline parser {
namespace {

template <class Node>
ast::StatementPtr statement_of(Node node, const Span& span, const SourceText& source) {
  return std::make_shared<const ast::StatementNode>(
      ast::StatementNode{std::move(node), span, std::string(source.text(span))});
}

bool is_variable_name(std::string_view text) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  if (text.empty() || !letter(text.front())) return false;
  for (const char c : text) {
    if (!letter(c) && !(c >= '0' && c <= '9')) return false;
  }
  return true;
}

}  // namespace

ast::StatementPtr Builder::statement(P::StatementContext* context, Span at) {
  return statement_of(node(context), at, source_);
}

ast::StatementPtr Builder::test_statement(P::TestStatementContext* context, Span at) {
  return statement_of(test_node(context), at, source_);
}

Builder::Node Builder::node(P::StatementContext* context) {
  if (auto* it = context->query()) return ast::Select{query(it)};
  if (auto* it = context->createSource()) return create_source(it);
  if (auto* it = context->insert()) return insert(it);
  if (auto* it = context->insertBranches()) return insert_branches(it);
  if (auto* it = context->upsert()) return upsert(it);
  if (auto* it = context->update()) return update(it);
  if (auto* it = context->deleteRows()) return delete_rows(it);
  if (auto* it = context->show()) return show(it->showTarget());
  if (auto* it = context->describe()) return describe(it);
  if (auto* it = context->explain()) return explain(it);
  if (auto* it = context->print()) return print(it);
  if (auto* it = context->controlQuery()) return control(it);
  if (auto* it = context->createView()) return create_view(it);
  if (auto* it = context->dropView()) return ast::DropView{name(it->name()), it->ifExists() != nullptr};
  if (auto* it = context->createIndex()) return create_index(it);
  if (auto* it = context->dropIndex()) return ast::DropIndex{name(it->name()), it->ifExists() != nullptr};
  if (auto* it = context->createFunction()) return create_function(it);
  if (auto* it = context->dropFunction()) return ast::DropFunction{name(it->name()), it->ifExists() != nullptr};
  if (auto* it = context->createType()) return create_type(it);
  if (auto* it = context->createConnector()) return create_connector(it);
  if (auto* it = context->alterSource()) return alter_source(it);
  if (auto* it = context->dropSource()) return drop_source(it);
  if (auto* it = context->dropType()) return ast::DropType{name(it->name()), it->ifExists() != nullptr};
  if (auto* it = context->dropConnector()) return ast::DropConnector{name(it->name()), it->ifExists() != nullptr};
  if (auto* it = context->setProperty()) return ast::SetProperty{string(it->STRING(0)), string(it->STRING(1))};
  if (auto* it = context->unsetProperty()) return ast::UnsetProperty{string(it->STRING())};
  if (auto* it = context->alterSystem()) return ast::AlterSystem{string(it->STRING(0)), string(it->STRING(1))};
  if (auto* it = context->defineVariable()) return define(it);
  if (auto* it = context->undefineVariable()) return ast::UndefineVariable{variable_name(it->name())};
  if (auto* it = context->assertTopic()) return assert_topic(it);
  return assert_schema(context->assertSchema());
}

Builder::Node Builder::test_node(P::TestStatementContext* context) {
  if (auto* it = context->statement()) return node(it);
  if (auto* it = context->assertValues()) return assert_values(it->name(), it->nameList(), it->valueList(), false);
  if (auto* it = context->assertTombstone()) return assert_values(it->name(), it->nameList(), it->valueList(), true);
  if (auto* it = context->assertSource()) return assert_source(it);
  return ast::RunScript{string(context->runScript()->STRING())};
}

Builder::Node Builder::insert(P::InsertContext* context) {
  if (context->ONCE() != nullptr) return ast::InsertOnce{name(context->name()), query(context->query())};
  if (context->query() != nullptr) {
    return ast::InsertSelect{name(context->name()), properties(context->withClause()), query(context->query())};
  }
  ast::InsertValues insert{name(context->name()), names(context->nameList()), {}};
  insert.rows = rows(context->valueList(), insert.columns.size());
  return insert;
}

Builder::Node Builder::insert_branches(P::InsertBranchesContext* context) {
  ast::InsertBranches insert;
  insert.first = context->kind->getType() == P::FIRST;
  for (auto* branch : context->insertBranch())
    insert.branches.push_back({expression(branch->expression()), branch_target(branch->branchTarget())});
  if (context->branchTarget() != nullptr) insert.otherwise = branch_target(context->branchTarget());
  insert.query = query(context->query());
  return insert;
}

ast::InsertBranches::Target Builder::branch_target(P::BranchTargetContext* context) {
  ast::InsertBranches::Target target{name(context->name()), {}, span(context)};
  for (auto* item : context->selectItem()) target.items.push_back(select_item(item));
  return target;
}

/// `columns`: how many are named; 0: all are meant.
std::vector<std::vector<ast::ExprPtr>> Builder::rows(const std::vector<P::ValueListContext*>& lists,
                                                     std::size_t columns) {
  std::vector<std::vector<ast::ExprPtr>> all;
  for (auto* list : lists) {
    all.push_back(values(list));
    if (columns == 0 || columns == all.back().size()) continue;
    throw SqlError(Code::invalid_insert, span(list),
                   "Failed to prepare statement: Expected number columns and values to match: " +
                       std::to_string(columns) + ", " + std::to_string(all.back().size()));
  }
  return all;
}

Builder::Node Builder::upsert(P::UpsertContext* context) {
  ast::UpsertValues upsert{name(context->name()), names(context->nameList()), {}};
  upsert.rows = rows(context->valueList(), upsert.columns.size());
  return upsert;
}

Builder::Node Builder::update(P::UpdateContext* context) {
  ast::UpdateRows update{name(context->name()), {}, nullptr};
  for (auto* item : context->assignment()) update.set.emplace_back(name(item->name()), expression(item->expression()));
  if (context->expression() != nullptr) update.where = expression(context->expression());
  return update;
}

Builder::Node Builder::delete_rows(P::DeleteRowsContext* context) {
  ast::DeleteRows rows{name(context->name()), nullptr};
  if (context->expression() != nullptr) rows.where = expression(context->expression());
  return rows;
}

Builder::Node Builder::print(P::PrintContext* context) {
  ast::Print print{topic_name(context->topicName()), context->BEGINNING() != nullptr, std::nullopt, std::nullopt};
  if (context->interval != nullptr) print.interval = integer(context->interval);
  if (context->most != nullptr) print.limit = integer(context->most);
  return print;
}

Builder::Node Builder::show(P::ShowTargetContext* context) {
  const bool extended = context->EXTENDED() != nullptr;
  if (context->STREAMS() != nullptr) return ast::ShowSources{ast::SourceKind::stream, extended};
  if (context->TABLES() != nullptr) return ast::ShowSources{ast::SourceKind::table, extended};
  if (context->TOPICS() != nullptr) return ast::ShowTopics{context->ALL() != nullptr, extended};
  if (context->QUERIES() != nullptr) return ast::ShowQueries{extended};
  if (context->FUNCTIONS() != nullptr) return ast::ShowFunctions{};
  if (context->PROPERTIES() != nullptr) return ast::ShowProperties{};
  if (context->TYPES() != nullptr) return ast::ShowTypes{};
  if (context->VARIABLES() != nullptr) return ast::ShowVariables{};
  if (context->VIEWS() != nullptr) return ast::ShowViews{};
  if (context->INDEXES() != nullptr) return ast::ShowIndexes{};
  if (context->PLUGINS() != nullptr) return ast::ShowConnectorPlugins{};
  return ast::ShowConnectors{connector_kind(context->connectorKind())};
}

Builder::Node Builder::describe(P::DescribeContext* context) {
  const bool extended = context->EXTENDED() != nullptr;
  if (context->STREAMS() != nullptr) return ast::DescribeStreams{extended};
  if (context->FUNCTION() != nullptr) return ast::DescribeFunction{name(context->name())};
  if (context->CONNECTOR() != nullptr) return ast::DescribeConnector{name(context->name())};
  return ast::DescribeSource{name(context->name()), extended};
}

Builder::Node Builder::explain(P::ExplainContext* context) {
  const bool analyze = context->ANALYZE() != nullptr;
  if (context->name() != nullptr) return ast::Explain{name(context->name()), nullptr, analyze};
  return ast::Explain{std::nullopt, statement(context->statement(), span(context->statement())), analyze};
}

Builder::Node Builder::control(P::ControlQueryContext* context) {
  ast::ControlQuery control{ast::QueryAction::terminate, std::nullopt};
  if (context->PAUSE() != nullptr) control.action = ast::QueryAction::pause;
  if (context->RESUME() != nullptr) control.action = ast::QueryAction::resume;
  if (context->name() != nullptr) control.query_id = name(context->name());
  return control;
}

Builder::Node Builder::define(P::DefineVariableContext* context) {
  return ast::DefineVariable{variable_name(context->name()), string(context->STRING())};
}

ast::Identifier Builder::variable_name(P::NameContext* context) {
  ast::Identifier variable = name(context);
  if (!is_variable_name(variable.text)) {
    const Span at = span(context);
    throw SqlError(
        Code::syntax, at,
        "Illegal argument at line " + std::to_string(at.line) + ":" + std::to_string(at.column) +
            ". Identifier names cannot start with '@' and may only contain alphanumeric values and '_'. Got: '" +
            std::string(source_.text(at)) + "'",
        ErrorClass::parse);
  }
  for (char& c : variable.text) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - ('a' - 'A')) : c;
  return variable;
}

}  // namespace millrace::inline parser
