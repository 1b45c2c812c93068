#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "grammar/MillraceLexer.h"
#include "grammar/MillraceParser.h"
#include "parser/syntax/parse.h"
#include "parser/syntax/source_text.h"

namespace millrace::inline parser {

/// The lexer, the parser and the text they work on, for one request. One thread at a time in the
/// whole process: the runtime's prediction caches are shared and its locking is not to be trusted.
class Syntax {
 public:
  Syntax(std::string_view text, Dialect dialect);

  /// Runs an entry rule of the grammar; throws SqlError where the text departs from it. The tree
  /// lives as long as this object.
  template <class Tree>
  Tree* read(Tree* (grammar::MillraceParser::*rule)()) {
    Tree* tree = nullptr;
    run([&] { tree = (parser_.*rule)(); });
    return tree;
  }

  const SourceText& source() const { return source_; }

 private:
  struct Failure;
  class Strategy;

  void run(const std::function<void()>& rule);
  std::optional<Failure> attempt(const std::function<void()>& rule);
  Failure read_from(Failure failure, const std::function<void()>& rule);
  /// Takes keywords for names where they make no sense. Absent: the text parses.
  std::optional<Failure> read_names(Failure failure, const std::function<void()>& rule);
  void check_nesting();
  SqlError describe(const Failure& failure, const std::function<void()>& rule);
  std::string reason(const Failure& failure, const std::function<void()>& rule);
  std::string hint(antlr4::Token* token, const antlr4::misc::IntervalSet& expected, const std::function<void()>& rule);
  std::string closest_keyword(const std::string& word, const antlr4::misc::IntervalSet& expected);
  bool would_fit_as_name(antlr4::Token* token, const std::function<void()>& rule);
  bool starts_statement(antlr4::Token* token);
  std::string statement_around(antlr4::Token* token);
  void set_mode(antlr4::atn::PredictionMode mode);

  const Dialect dialect_;
  SourceText source_;
  grammar::MillraceLexer lexer_;
  antlr4::CommonTokenStream tokens_;
  grammar::MillraceParser parser_;
};

/// Whether a token is a keyword that cannot be a name.
bool is_reserved(std::size_t token_type);

}  // namespace millrace::inline parser
