#include "parser/syntax/parse.h"

#include "parser/error/mutex.h"
#include "parser/syntax/builder.h"
#include "parser/syntax/syntax.h"

namespace millrace::inline parser {
namespace {

using P = grammar::MillraceParser;

/// See Syntax: only one thread at a time may be inside the ANTLR runtime.
Mutex& runtime_mutex() {
  static Mutex mutex;
  return mutex;
}

/// The text up to and including the semicolon, if there is one.
Span through(Span span, antlr4::tree::TerminalNode* semicolon, const SourceText& source) {
  if (semicolon != nullptr) span.end = source.token_span(semicolon->getSymbol()).end;
  return span;
}

ast::StatementPtr build(Builder& builder, P::StatementContext* context, const Span& span) {
  return builder.statement(context, span);
}
ast::StatementPtr build(Builder& builder, P::TestStatementContext* context, const Span& span) {
  return builder.test_statement(context, span);
}

template <class Context>
ast::StatementPtr build_one(const SourceText& source, Context* context, antlr4::tree::TerminalNode* semicolon) {
  const Span span = through(source.span(context), semicolon, source);
  try {
    Builder builder(source);
    return build(builder, context, span);
  } catch (SqlError& error) {
    error.set_statement(std::string(source.text(span)));
    throw;
  }
}

template <class Context>
std::vector<ast::StatementPtr> build_all(const SourceText& source, const std::vector<Context*>& contexts,
                                         const std::vector<antlr4::tree::TerminalNode*>& semicolons) {
  std::vector<ast::StatementPtr> statements;
  for (std::size_t i = 0; i < contexts.size(); ++i) {
    statements.push_back(build_one(source, contexts[i], semicolons[i]));
  }
  return statements;
}

}  // namespace

std::vector<ast::StatementPtr> parse(std::string_view text, Dialect dialect, StatementSet set) {
  const MutexLock lock(runtime_mutex());
  Syntax syntax(text, dialect);
  if (set == StatementSet::test) {
    auto* script = syntax.read(&P::testScript);
    return build_all(syntax.source(), script->testStatement(), script->SEMICOLON());
  }
  auto* script = syntax.read(&P::script);
  return build_all(syntax.source(), script->statement(), script->SEMICOLON());
}

ast::StatementPtr parse_statement(std::string_view text, Dialect dialect, StatementSet set) {
  const MutexLock lock(runtime_mutex());
  Syntax syntax(text, dialect);
  if (set == StatementSet::test) {
    auto* one = syntax.read(&P::oneTestStatement);
    return build_one(syntax.source(), one->testStatement(), one->SEMICOLON());
  }
  auto* one = syntax.read(&P::oneStatement);
  return build_one(syntax.source(), one->statement(), one->SEMICOLON());
}

ast::ExprPtr parse_expression(std::string_view text) {
  const MutexLock lock(runtime_mutex());
  Syntax syntax(text, Dialect::millrace);
  auto* one = syntax.read(&P::oneExpression);
  return Builder(syntax.source()).expression(one->expression());
}

std::vector<ast::ColumnDefinition> parse_columns(std::string_view text) {
  const MutexLock lock(runtime_mutex());
  Syntax syntax(text, Dialect::millrace);
  auto* list = syntax.read(&P::oneColumnList);
  Builder builder(syntax.source());
  std::vector<ast::ColumnDefinition> columns;
  for (auto* item : list->columnDefinition()) columns.push_back(builder.column(item));
  return columns;
}

ast::TypeName parse_type(std::string_view text) {
  const MutexLock lock(runtime_mutex());
  Syntax syntax(text, Dialect::millrace);
  auto* one = syntax.read(&P::oneDataType);
  return Builder(syntax.source()).data_type(one->dataType());
}

}  // namespace millrace::inline parser
