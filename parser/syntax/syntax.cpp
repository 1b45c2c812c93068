#include "parser/syntax/syntax.h"

#include <fmt/format.h>

#include "parser/syntax/closest.h"
#include "parser/syntax/dialect.h"

namespace millrace::inline parser {

using antlr4::Token;
using antlr4::atn::PredictionMode;
using grammar::MillraceLexer;
using grammar::MillraceParser;

namespace {

/// Deeper nesting is refused before it can exhaust the stack of a recursive descent.
constexpr int kMaxNesting = 200;
/// More alternatives than this help nobody.
constexpr std::size_t kMaxExpected = 3;
/// Keywords that a text may use as names; a text with more is refused.
constexpr int kMaxNames = 200;

}  // namespace

/// Why and where the parser stopped. Thrown out of the generated code.
struct Syntax::Failure {
  enum class Kind { no_alternative, unexpected, missing };
  Kind kind;
  Token* token;
  antlr4::misc::IntervalSet expected;
};

/// Stops at the first error instead of recovering.
class Syntax::Strategy final : public antlr4::DefaultErrorStrategy {
 public:
  explicit Strategy(Dialect dialect) : dialect_(dialect) {}
  /// Optional parts that the parser passed by before it stopped are noted: they could stand there too.
  void sync(antlr4::Parser* parser) override {
    if (parser->getInterpreter<antlr4::atn::ParserATNSimulator>()->getPredictionMode() == PredictionMode::LL) {
      note(parser);
    }
    DefaultErrorStrategy::sync(parser);
  }
  void reportNoViableAlternative(antlr4::Parser*, const antlr4::NoViableAltException& error) override {
    throw Failure{Failure::Kind::no_alternative, error.getOffendingToken(), {}};
  }
  void reportInputMismatch(antlr4::Parser*, const antlr4::InputMismatchException& error) override {
    auto expected = known(error.getExpectedTokens());
    const bool only_end = expected.size() == 1 && expected.contains(static_cast<ssize_t>(MillraceLexer::SEMICOLON));
    if (only_end && passed_at_ == error.getOffendingToken()->getTokenIndex()) expected.addAll(passed_);
    throw Failure{Failure::Kind::unexpected, error.getOffendingToken(), std::move(expected)};
  }
  void reportUnwantedToken(antlr4::Parser* parser) override {
    throw Failure{Failure::Kind::unexpected, parser->getCurrentToken(), known(getExpectedTokens(parser))};
  }
  void reportMissingToken(antlr4::Parser* parser) override {
    throw Failure{Failure::Kind::missing, parser->getCurrentToken(), known(getExpectedTokens(parser))};
  }

 private:
  void note(antlr4::Parser* parser) {
    const std::size_t at = parser->getCurrentToken()->getTokenIndex();
    if (at != passed_at_) passed_.clear();
    passed_at_ = at;
    const auto& atn = parser->getATN();
    auto next = atn.nextTokens(atn.states[parser->getState()]);
    next.remove(static_cast<ssize_t>(Token::EPSILON));
    passed_.addAll(known(std::move(next)));
  }
  /// Without what the dialect does not have.
  antlr4::misc::IntervalSet known(antlr4::misc::IntervalSet types) const {
    for (const ssize_t type : types.toList())
      if (is_new_token(static_cast<std::size_t>(type), dialect_)) types.remove(type);
    return types;
  }

  const Dialect dialect_;
  antlr4::misc::IntervalSet passed_;
  std::size_t passed_at_ = 0;
};

Syntax::Syntax(std::string_view text, Dialect dialect)
    : dialect_(dialect), source_(text), lexer_(&source_), tokens_(&lexer_), parser_(&tokens_) {
  lexer_.removeErrorListeners();
  parser_.removeErrorListeners();
  parser_.setErrorHandler(std::make_shared<Strategy>(dialect));
}

void Syntax::set_mode(PredictionMode mode) {
  parser_.getInterpreter<antlr4::atn::ParserATNSimulator>()->setPredictionMode(mode);
}

/// What was taken for values alone may be a query whose FROM is not well written: the message is about that.
Syntax::Failure Syntax::read_from(Failure failure, const std::function<void()>& rule) {
  const std::size_t stopped_at = failure.token->getTokenIndex();
  for (std::size_t at = stopped_at; at-- > 0;) {
    auto* token = dynamic_cast<antlr4::WritableToken*>(tokens_.get(at));
    if (token == nullptr || token->getType() != MillraceLexer::SELECT_VALUES) continue;
    token->setType(MillraceLexer::SELECT);
    parser_.reset();
    const auto next = attempt(rule);
    return next && next->token->getTokenIndex() >= stopped_at ? *next : failure;
  }
  return failure;
}

/// SLL prediction is fast and right for nearly every text; only when it fails does the full LL
/// algorithm say whether the text or the shortcut is at fault.
std::optional<Syntax::Failure> Syntax::attempt(const std::function<void()>& rule) {
  try {
    set_mode(PredictionMode::SLL);
    rule();
    return std::nullopt;
  } catch (const Failure&) {
    parser_.reset();
  }
  try {
    set_mode(PredictionMode::LL);
    rule();
    return std::nullopt;
  } catch (const Failure& failure) {
    return failure;
  }
}

std::optional<Syntax::Failure> Syntax::read_names(Failure failure, const std::function<void()>& rule) {
  for (int names = 0; names < kMaxNames; ++names) {
    bool further = false;
    for (const bool before : {false, true}) {
      const std::size_t stopped_at = failure.token->getTokenIndex();
      const auto made = make_name(tokens_.getTokens(), stopped_at, before);
      if (!made) continue;
      parser_.reset();
      const auto next = attempt(rule);
      if (!next) return std::nullopt;
      further = next->token->getTokenIndex() > stopped_at;
      if (further) failure = *next;
      if (further) break;
      made->token->setType(made->type);
    }
    if (!further) break;
  }
  return failure;
}

/// SLL prediction is fast and right for nearly every text; only when it fails does the full LL
/// algorithm say whether the text or the shortcut is at fault.
void Syntax::run(const std::function<void()>& rule) {
  tokens_.fill();
  choose_tokens(tokens_.getTokens(), dialect_);
  check_nesting();
  auto failure = attempt(rule);
  if (failure && dialect_ == Dialect::millrace) failure = read_names(*failure, rule);
  if (failure && dialect_ == Dialect::millrace) failure = read_from(*failure, rule);
  if (failure) throw describe(*failure, rule);
}

void Syntax::check_nesting() {
  std::vector<int> outer;  // depth outside each open bracket
  int depth = 0;
  int prefix = 0;  // signs, NOTs and EXPLAINs in a row: each is a level of its own
  std::size_t before = 0;
  for (Token* token : tokens_.getTokens()) {
    const std::size_t type = token->getType();
    const bool angle = type == MillraceLexer::LT && (before == MillraceLexer::ARRAY || before == MillraceLexer::MAP ||
                                                     before == MillraceLexer::STRUCT);
    const bool opens =
        type == MillraceLexer::LPAREN || type == MillraceLexer::LBRACKET || type == MillraceLexer::CASE || angle;
    const bool closes = type == MillraceLexer::RPAREN || type == MillraceLexer::RBRACKET || type == MillraceLexer::END;
    const bool prefixes = type == MillraceLexer::PLUS || type == MillraceLexer::MINUS || type == MillraceLexer::NOT ||
                          type == MillraceLexer::EXPLAIN;
    prefix = prefixes ? prefix + 1 : 0;
    if (opens && !angle) outer.push_back(depth);
    if (opens || type == MillraceLexer::LAMBDA) ++depth;
    if (type == MillraceLexer::GT && depth > 0 && before != MillraceLexer::MINUS) --depth;
    if (closes && !outer.empty()) {
      depth = outer.back();
      outer.pop_back();
    }
    if (type == MillraceLexer::SEMICOLON) {
      outer.clear();
      depth = 0;
    }
    if (depth + prefix > kMaxNesting) {
      const Span span = source_.token_span(token);
      SqlError error(
          Code::syntax, span,
          fmt::format("line {}:{}: Syntax Error\nThe statement is nested too deeply", span.line, span.column),
          ErrorClass::parse);
      error.set_statement(statement_around(token));
      throw error;
    }
    before = type;
  }
}

SqlError Syntax::describe(const Failure& failure, const std::function<void()>& rule) {
  const Span span = source_.token_span(failure.token);
  SqlError error(Code::syntax, span,
                 fmt::format("line {}:{}: Syntax Error\n{}", span.line, span.column, reason(failure, rule)),
                 ErrorClass::parse);
  error.set_statement(statement_around(failure.token));
  error.hint(hint(failure.token, failure.expected, rule));
  return error;
}

std::string Syntax::reason(const Failure& failure, const std::function<void()>& rule) {
  Token* token = failure.token;
  const bool at_end = token->getType() == Token::EOF;
  const std::string word(at_end ? "<EOF>" : source_.token_text(token));
  const bool is_word = !at_end && (std::isalpha(static_cast<unsigned char>(word.front())) != 0 || word.front() == '_');
  if (is_word && failure.kind != Failure::Kind::missing && starts_statement(token)) {
    return fmt::format("Unknown statement '{}'\nDid you mean '{}'?", word, closest_command(word));
  }
  if (is_reserved(token->getType()) && would_fit_as_name(token, rule)) {
    return fmt::format(
        "\"{0}\" is a reserved keyword and it can't be used as an identifier. You can use it as an identifier by "
        "escaping it as '{0}' ",
        word);
  }
  const auto expected = [&] { return failure.expected.toString(parser_.getVocabulary()); };
  if (failure.kind == Failure::Kind::missing) return fmt::format("missing {} at '{}'", expected(), word);
  if (at_end) return "Syntax error at or near \";\"\n'}', ']', or ')' is missing";
  if (failure.kind == Failure::Kind::no_alternative) {
    const Span span = source_.token_span(token);
    return fmt::format("Syntax error at or near '{}' at line {}:{}", word, span.line, span.column);
  }
  return failure.expected.size() <= kMaxExpected ? "Expecting " + expected() : std::string();
}

/// Parses once more with the word taken as a name: if that gets further, the word was the mistake.
bool Syntax::would_fit_as_name(Token* token, const std::function<void()>& rule) {
  auto* writable = dynamic_cast<antlr4::WritableToken*>(token);
  if (writable == nullptr) return false;
  const std::size_t type = token->getType();
  writable->setType(MillraceLexer::IDENTIFIER);
  parser_.reset();
  bool fits = true;
  try {
    rule();
  } catch (const Failure& failure) {
    fits = failure.token->getTokenIndex() > token->getTokenIndex();
  }
  writable->setType(type);
  return fits;
}

bool Syntax::starts_statement(Token* token) {
  const std::size_t index = token->getTokenIndex();
  return index == 0 || tokens_.get(index - 1)->getType() == MillraceLexer::SEMICOLON;
}

std::string Syntax::statement_around(Token* token) {
  std::size_t first = token->getTokenIndex();
  while (first > 0 && tokens_.get(first - 1)->getType() != MillraceLexer::SEMICOLON) --first;
  std::size_t last = token->getTokenIndex();
  while (tokens_.get(last)->getType() != MillraceLexer::SEMICOLON && tokens_.get(last)->getType() != Token::EOF) ++last;
  if (last > first && tokens_.get(last)->getType() == Token::EOF) --last;
  const Span begin = source_.token_span(tokens_.get(first));
  const Span end = source_.token_span(tokens_.get(last));
  return std::string(source_.text().substr(begin.begin, end.end - begin.begin));
}

}  // namespace millrace::inline parser
