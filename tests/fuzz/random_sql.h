#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "parser/ast/statement.h"

namespace millrace::fuzz {

/// Makes syntax trees of every kind that a text could have produced: deterministic for a seed.
class RandomSql {
 public:
  explicit RandomSql(std::uint64_t seed) : random_(seed) {}

  ast::Statement statement();
  ast::ExprPtr expression(int depth);
  std::size_t below(std::size_t bound) { return std::uniform_int_distribution<std::size_t>(0, bound - 1)(random_); }

 private:
  // random_expression.cpp
  ast::ExprPtr leaf();
  ast::ExprPtr compound(int depth);
  ast::ExprPtr container(int depth);
  ast::ExprPtr call(int depth);
  std::shared_ptr<const ast::CallModifiers> modifiers(int depth);
  ast::Over over(int depth);
  std::vector<ast::SortItem> sorting(int depth, std::size_t least);
  ast::ExprPtr argument(int depth);
  ast::ExprPtr choice(int depth);
  ast::ExprPtr number();
  std::vector<ast::ExprPtr> expressions(int depth, std::size_t least);
  ast::TypeName type(int depth);
  ast::Identifier name();
  std::string text();

  // random_statement.cpp
  ast::QueryPtr query();
  ast::Query select();
  ast::SelectItem item();
  ast::FromSource source();
  ast::JoinedSource join();
  ast::Window window();
  ast::Duration duration();
  ast::Properties properties();
  std::vector<ast::Identifier> names(std::size_t count);
  std::vector<ast::ColumnDefinition> columns(ast::SourceKind kind);
  ast::SourceKind kind() { return chance() ? ast::SourceKind::stream : ast::SourceKind::table; }
  ast::CreateSource create_source();
  ast::InsertValues insert_values();
  ast::InsertBranches insert_branches();
  decltype(ast::StatementNode::node) definition();
  decltype(ast::StatementNode::node) inspection();
  decltype(ast::StatementNode::node) control();
  decltype(ast::StatementNode::node) assertion();

  bool chance(std::size_t one_in = 2) { return below(one_in) == 0; }
  template <class T>
  std::optional<T> maybe(T value) {
    return chance() ? std::optional<T>(std::move(value)) : std::nullopt;
  }
  template <class T>
  T pick(std::initializer_list<T> choices) {
    return *(choices.begin() + static_cast<std::ptrdiff_t>(below(choices.size())));
  }

  std::mt19937_64 random_;
  int queries_ = 0;  // that are being made, one within the other
};

/// Parses `rounds` random trees back from their text, and as many mangled texts, and counts what went
/// wrong; the first few failures are appended to `report`.
int fuzz_parser(std::uint64_t seed, int rounds, std::string& report);

}  // namespace millrace::fuzz
