#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "parser/ast/statement.h"
#include "parser/syntax/syntax.h"

namespace millrace::inline parser {

/// Makes the syntax tree out of ANTLR's parse tree, one file per family of rules. Throws SqlError
/// (class parse unless said otherwise) for what the grammar lets pass and the dialect does not.
class Builder {
 public:
  using P = grammar::MillraceParser;

  explicit Builder(const SourceText& source) : source_(source) {}

  // build_statements.cpp
  ast::StatementPtr statement(P::StatementContext* context, Span span);
  ast::StatementPtr test_statement(P::TestStatementContext* context, Span span);

  // build_expressions.cpp
  ast::ExprPtr expression(P::ExpressionContext* context);
  // build_types.cpp
  ast::TypeName data_type(P::DataTypeContext* context);
  // build_definitions.cpp
  ast::ColumnDefinition column(P::ColumnDefinitionContext* context);

 private:
  using Node = decltype(ast::StatementNode::node);
  Node node(P::StatementContext* context);
  Node test_node(P::TestStatementContext* context);

  // build_definitions.cpp
  Node create_source(P::CreateSourceContext* context);
  Node create_as(P::CreateSourceContext* context);
  Node alter_source(P::AlterSourceContext* context);
  Node drop_source(P::DropSourceContext* context);
  Node create_view(P::CreateViewContext* context);
  Node create_index(P::CreateIndexContext* context);
  Node create_function(P::CreateFunctionContext* context);
  Node create_type(P::CreateTypeContext* context);
  Node create_connector(P::CreateConnectorContext* context);
  std::vector<ast::ColumnDefinition> columns(P::ColumnListContext* context, ast::SourceKind kind);
  ast::Properties properties(P::WithClauseContext* context, bool upper_case_names = true);
  ast::ExprPtr property_value(P::PropertyValueContext* context);
  ast::SourceKind source_kind(P::SourceKindContext* context);
  ast::ConnectorKind connector_kind(P::ConnectorKindContext* context);

  // build_statements.cpp
  Node insert(P::InsertContext* context);
  Node insert_branches(P::InsertBranchesContext* context);
  ast::InsertBranches::Target branch_target(P::BranchTargetContext* context);
  Node upsert(P::UpsertContext* context);
  Node update(P::UpdateContext* context);
  Node delete_rows(P::DeleteRowsContext* context);
  std::vector<std::vector<ast::ExprPtr>> rows(const std::vector<P::ValueListContext*>& lists, std::size_t columns);
  Node print(P::PrintContext* context);
  Node show(P::ShowTargetContext* context);
  Node describe(P::DescribeContext* context);
  Node explain(P::ExplainContext* context);
  Node control(P::ControlQueryContext* context);
  Node define(P::DefineVariableContext* context);
  ast::Identifier variable_name(P::NameContext* context);

  // build_assertions.cpp
  Node assert_topic(P::AssertTopicContext* context);
  Node assert_schema(P::AssertSchemaContext* context);
  Node assert_values(P::NameContext* source, P::NameListContext* columns, P::ValueListContext* values, bool tombstone);
  Node assert_source(P::AssertSourceContext* context);
  std::vector<ast::ExprPtr> values(P::ValueListContext* context);
  std::optional<ast::Duration> timeout(P::TimeoutContext* context);

  // build_query.cpp
  ast::QueryPtr query(P::QueryContext* context);
  ast::Query terms(P::QueryContext* context);
  ast::Query term(P::TermContext* context);
  void read_select(P::SelectContext* context, ast::Query& query);
  void read_values(P::SelectContext* context, ast::Query& query);
  ast::Query values_query(P::PlainRelationContext* context);
  ast::NamedQuery named_query(P::CteContext* context);
  ast::SelectItem select_item(P::SelectItemContext* context);
  ast::FromSource from_source(P::SourceReferenceContext* context);
  ast::JoinedSource joined_source(P::JoinedSourceContext* context);
  ast::Within within(P::WithinContext* context);
  ast::Window window(P::WindowContext* context);
  ast::Window window_of(P::RelationContext* context);
  template <class Context>
  void read_window(Context* context, ast::Window& window);
  ast::Grouping grouping(P::GroupingContext* context);
  ast::Grouping groups(P::GroupsContext* context);
  ast::DistinctOn distinct_on(P::DistinctContext* context);
  ast::SortItem sort_item(P::SortItemContext* context);
  void page(P::OffsetContext* context, ast::Query& query);
  ast::Duration duration(P::DurationContext* context);
  std::optional<ast::Duration> grace(P::GracePeriodContext* context);
  std::int64_t limit(P::LimitContext* context);

  // build_expressions.cpp
  ast::ExprPtr predicate(P::PredicateContext* context);
  ast::ExprPtr condition(P::ConditionContext* context, const ast::ExprPtr& left, const Span& span);
  ast::ExprPtr operand(P::OperandContext* context);
  ast::ExprPtr signed_operand(P::SignedContext* context);
  ast::ExprPtr primary(P::PrimaryContext* context);
  ast::ExprPtr postfix(P::PrimaryContext* context);
  ast::ExprPtr constructor(P::PrimaryContext* context);
  ast::ExprPtr case_expression(P::CaseExpressionContext* context);
  ast::ExprPtr interval(P::IntervalContext* context);
  ast::ExprPtr call(P::CallContext* context);
  std::shared_ptr<const ast::CallModifiers> modifiers(P::CallContext* context);
  ast::Over over(P::WindowSpecContext* context);
  ast::Frame frame(P::FrameContext* context);
  ast::FrameBound bound(P::BoundContext* context);
  ast::ExprPtr column_reference(P::ColumnReferenceContext* context);
  ast::ExprPtr argument(P::ArgumentContext* context);
  ast::ExprPtr lambda(P::LambdaContext* context);
  std::vector<ast::ExprPtr> expressions(const std::vector<P::ExpressionContext*>& contexts);

  // build_values.cpp
  ast::ExprPtr literal(P::LiteralContext* context);
  ast::ExprPtr number(P::NumberContext* context, bool negative, Span span);
  std::int64_t integer(antlr4::Token* digits);
  std::int64_t integer(antlr4::Token* digits, bool negative, const Span& at);
  std::string string(antlr4::tree::TerminalNode* node) const;
  ast::Identifier name(P::NameContext* context) const;
  std::vector<ast::Identifier> names(P::NameListContext* context) const;
  ast::Identifier topic_name(P::TopicNameContext* context) const;
  std::string word(antlr4::ParserRuleContext* context) const;

  template <class T>
  ast::ExprPtr make(T node, Span span) const {
    return std::make_shared<const ast::Expression>(ast::Expression{std::move(node), span});
  }
  Span span(antlr4::ParserRuleContext* context) const { return source_.span(context); }
  Span span(antlr4::Token* token) const { return source_.token_span(token); }

  /// Counts the levels of the tree under construction; refuses trees too deep to walk recursively.
  class Level;

  const SourceText& source_;
  int depth_ = 0;
};

}  // namespace millrace::inline parser
