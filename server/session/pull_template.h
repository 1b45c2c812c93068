#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "parser/ast/query.h"
#include "planner/bind/binder.h"
#include "server/session/statement_shape.h"

namespace millrace::inline server {

/// What one text of a shape asks of the rows of its template's table.
struct PullArguments {
  std::vector<BoundPull::Lookup> lookups;
  ExprPtr predicate;  // null: none, or the look-ups say it all
};

/// A pull query on a table, parsed and bound once for all texts of one shape. Bound for other literals, it gives what
/// parsing and binding their text would give. Immutable; any thread.
class PullTemplate {
 public:
  /// `text` is the statement that `query` was parsed from and `shape` was read from. Null when its literals cannot be
  /// told apart in the tree. The context is used within the call only. Throws SqlError as bind_pull does.
  static std::shared_ptr<const PullTemplate> make(std::string_view text, const StatementShape& shape,
                                                  const ast::Query& query, const BindContext& context);

  /// What is the same for all texts: source, projection, limit. Its predicate and look-ups are of the first text.
  const BoundPull& bound() const { return bound_; }
  /// Look-ups of whole keys, made by putting values in their places. Nullopt when this takes more than that.
  std::optional<PullArguments> key_arguments(const StatementShape& shape) const;
  /// For any text of the shape. Nullopt when it must be parsed, for the mistake in it.
  std::optional<PullArguments> arguments(const StatementShape& shape, const BindContext& context) const;

 private:
  struct Slot {
    bool negative = false;
  };
  struct KeySlot {  // where a literal goes in a look-up
    std::size_t lookup, position, slot;
    bool widen;  // INTEGER to BIGINT
  };
  using Literals = std::vector<ast::Expression>;

  bool find_slots(std::string_view text, const StatementShape& shape);
  std::optional<Literals> literals(const StatementShape& shape) const;
  ast::ExprPtr with_literals(const ast::ExprPtr& expr, const Literals& literals) const;
  BoundPull bind(const Literals& literals, const BindContext& context) const;
  bool find_plain(const StatementShape& shape, const BindContext& context);
  bool gives(const Literals& literals, const BoundPull& expected) const;
  bool place_keys(const std::vector<Value>& values);
  bool place_predicate(const ExprPtr& expr, const std::vector<Value>& values);
  bool covered() const;
  std::optional<PullArguments> put(const std::vector<Value>& values) const;

  ast::Query query_;
  std::vector<Slot> slots_;
  std::unordered_map<const ast::Expression*, std::size_t> places_;  // literal nodes of query_.where
  BoundPull bound_;
  bool plain_ = false;
  // Plain ones: a binding of made-up literals, and where they stand in it.
  BoundPull model_;
  std::vector<KeySlot> keys_;
  std::unordered_map<const Expr*, std::size_t> predicate_slots_;
  bool covered_ = false;
};

}  // namespace millrace::inline server
