#include "server/session/pull_template.h"

#include <algorithm>

#include "planner/bind/ast_rewrite.h"

namespace millrace::inline server {
namespace {

bool is_literal(const ast::Expression& node) {
  return node.as<ast::IntegerLiteral>() || node.as<ast::BigintLiteral>() || node.as<ast::DecimalLiteral>() ||
         node.as<ast::DoubleLiteral>() || node.as<ast::StringLiteral>();
}

/// Value of a literal as the binder makes it; NULL for kinds whose type depends on the digits.
Value value_of(const ast::Expression& literal) {
  if (const auto* integer = literal.as<ast::IntegerLiteral>()) return integer->value;
  if (const auto* bigint = literal.as<ast::BigintLiteral>()) return bigint->value;
  if (const auto* text = literal.as<ast::StringLiteral>()) return text->value;
  return {};
}

std::vector<Value> values_of(const std::vector<ast::Expression>& literals) {
  std::vector<Value> values;
  values.reserve(literals.size());
  for (const ast::Expression& literal : literals) values.push_back(value_of(literal));
  return values;
}

/// Literals that no statement is likely to hold, of the same kinds and all different.
std::optional<std::vector<ast::Expression>> made_up(const std::vector<ast::Expression>& like, int salt) {
  std::vector<ast::Expression> literals = like;
  for (std::size_t i = 0; i < literals.size(); ++i) {
    const auto number = static_cast<std::int32_t>(1'700'000'011 + 1009 * (2 * i + static_cast<std::size_t>(salt)));
    if (auto* integer = std::get_if<ast::IntegerLiteral>(&literals[i].node)) {
      integer->value = integer->value < 0 ? -number : number;
    } else if (auto* bigint = std::get_if<ast::BigintLiteral>(&literals[i].node)) {
      const std::int64_t big = 4'000'000'000'000'000'000 + number;
      bigint->value = bigint->value < 0 ? -big : big;
    } else if (auto* text = std::get_if<ast::StringLiteral>(&literals[i].node)) {
      text->value = "\x01made up " + std::to_string(number);
    } else {
      return std::nullopt;
    }
  }
  return literals;
}

bool is_column(const ast::ExprPtr& expr) {
  return expr->as<ast::ColumnRef>() != nullptr;
}

/// Conditions in which a literal is only ever compared with a column: how such a text is bound depends on the kinds of
/// its literals, not on their values.
bool is_plain_condition(const ast::ExprPtr& expr) {
  const auto literal_or_column = [](const ast::ExprPtr& e) { return is_literal(*e) || is_column(e); };
  if (const auto* binary = expr->as<ast::Binary>()) {
    const bool logical = binary->op == ast::BinaryOp::logical_and || binary->op == ast::BinaryOp::logical_or;
    return logical && is_plain_condition(binary->left) && is_plain_condition(binary->right);
  }
  if (const auto* comparison = expr->as<ast::Comparison>())
    return literal_or_column(comparison->left) && literal_or_column(comparison->right) &&
           (is_column(comparison->left) || is_column(comparison->right));
  if (const auto* between = expr->as<ast::Between>())
    return is_column(between->value) && literal_or_column(between->low) && literal_or_column(between->high);
  if (const auto* in = expr->as<ast::In>())
    return is_column(in->value) && std::ranges::all_of(in->items, [](const auto& item) { return is_literal(*item); });
  const auto* null = expr->as<ast::IsNull>();
  return null != nullptr && is_column(null->value);
}

bool same_lookups(const std::vector<BoundPull::Lookup>& a, const std::vector<BoundPull::Lookup>& b) {
  return std::ranges::equal(a, b, [](const BoundPull::Lookup& x, const BoundPull::Lookup& y) {
    return x.key == y.key && x.window_start_min == y.window_start_min && x.window_start_max == y.window_start_max &&
           x.window_end_min == y.window_end_min && x.window_end_max == y.window_end_max && x.range_min == y.range_min &&
           x.range_max == y.range_max;
  });
}

bool same_predicate(const ExprPtr& a, const ExprPtr& b) {
  return a == b || (a != nullptr && b != nullptr && equal(*a, *b));
}

bool only_keys(const std::vector<BoundPull::Lookup>& lookups) {
  return !lookups.empty() && std::ranges::all_of(lookups, [](const BoundPull::Lookup& lookup) {
    return !lookup.key.empty() && !lookup.window_start_min && !lookup.window_start_max && !lookup.window_end_min &&
           !lookup.window_end_max && !lookup.range_min && !lookup.range_max;
  });
}

Value widened(const Value& value, bool widen) {
  return widen ? Value(static_cast<std::int64_t>(value.as<std::int32_t>())) : value;
}

ExprPtr replaced(const ExprPtr& expr, const std::unordered_map<const Expr*, std::size_t>& slots,
                 const std::vector<Value>& values) {
  if (const auto slot = slots.find(expr.get()); slot != slots.end()) {
    auto literal = std::make_shared<Expr>();
    literal->type = expr->type;
    literal->node = LiteralExpr{values[slot->second]};
    literal->span = expr->span;
    return literal;
  }
  return map_children(expr, [&](const ExprPtr& child) { return replaced(child, slots, values); });
}

}  // namespace

std::shared_ptr<const PullTemplate> PullTemplate::make(std::string_view text, const StatementShape& shape,
                                                       const ast::Query& query, const BindContext& context) {
  auto made = std::make_shared<PullTemplate>();
  made->query_ = query;
  if (!made->find_slots(text, shape)) return nullptr;
  made->bound_ = bind_pull(made->query_, context);
  made->plain_ = made->find_plain(shape, context);
  return made;
}

bool PullTemplate::find_slots(std::string_view text, const StatementShape& shape) {
  slots_.resize(shape.literals.size());
  if (query_.where == nullptr) return slots_.empty();
  contains(query_.where, [&](const ast::Expression& node) {
    if (!is_literal(node)) return false;
    const auto token = std::ranges::find(shape.literals, node.span.end, &LiteralToken::end);
    if (token == shape.literals.end()) return false;
    const auto slot = static_cast<std::size_t>(token - shape.literals.begin());
    slots_[slot].negative = node.span.begin != token->begin;
    if (!slots_[slot].negative || text[node.span.begin] == '-') places_[&node] = slot;
    return false;
  });
  // The lexer and the parser must agree about each of them.
  const auto nodes = literals(shape);
  if (!nodes || places_.size() != slots_.size()) return false;
  std::vector<bool> seen(slots_.size());
  for (const auto& [node, slot] : places_) {
    if (seen[slot] || node->node.index() != (*nodes)[slot].node.index()) return false;
    seen[slot] = true;
    if (!(value_of(*node) == value_of((*nodes)[slot]))) return false;
    const auto* decimal = node->as<ast::DecimalLiteral>();
    if (decimal != nullptr && decimal->text != (*nodes)[slot].as<ast::DecimalLiteral>()->text) return false;
    const auto* real = node->as<ast::DoubleLiteral>();
    if (real != nullptr && real->value != (*nodes)[slot].as<ast::DoubleLiteral>()->value) return false;
  }
  return true;
}

std::optional<PullTemplate::Literals> PullTemplate::literals(const StatementShape& shape) const {
  Literals nodes;
  nodes.reserve(shape.literals.size());
  for (std::size_t i = 0; i < shape.literals.size(); ++i) {
    auto node = literal_node(shape.literals[i], slots_[i].negative);
    if (!node) return std::nullopt;
    nodes.push_back(std::move(*node));
  }
  return nodes;
}

ast::ExprPtr PullTemplate::with_literals(const ast::ExprPtr& expr, const Literals& literals) const {
  if (const auto place = places_.find(expr.get()); place != places_.end())
    return make_ast(literals[place->second].node, expr->span);
  return map_children(expr, [&](const ast::ExprPtr& child) { return with_literals(child, literals); });
}

BoundPull PullTemplate::bind(const Literals& literals, const BindContext& context) const {
  ast::Query query = query_;
  if (query.where) query.where = with_literals(query.where, literals);
  return bind_pull(query, context);
}

// Finds where literals go by binding made-up ones, and checks it with others and with those of the text.
bool PullTemplate::find_plain(const StatementShape& shape, const BindContext& context) {
  if (!query_.where || !is_plain_condition(query_.where) || !only_keys(bound_.lookups)) return false;
  const auto own = literals(shape);
  const auto first = own ? made_up(*own, 0) : std::nullopt;
  const auto second = own ? made_up(*own, 1) : std::nullopt;
  if (!first || !second) return false;
  try {
    model_ = bind(*first, context);
    const std::vector<Value> values = values_of(*first);
    if (!only_keys(model_.lookups) || !place_keys(values) || !place_predicate(model_.predicate, values)) return false;
    if (!gives(*second, bind(*second, context)) || !gives(*own, bound_)) return false;
  } catch (const SqlError&) {
    return false;
  }
  covered_ = covered();
  return true;
}

bool PullTemplate::gives(const Literals& literals, const BoundPull& expected) const {
  const auto got = put(values_of(literals));
  return got && same_lookups(got->lookups, expected.lookups) && same_predicate(got->predicate, expected.predicate);
}

bool PullTemplate::place_keys(const std::vector<Value>& values) {
  for (std::size_t i = 0; i < model_.lookups.size(); ++i) {
    for (std::size_t k = 0; k < model_.lookups[i].key.size(); ++k) {
      const Value& value = model_.lookups[i].key[k];
      for (std::size_t slot = 0; slot < values.size(); ++slot) {
        const auto* narrow = values[slot].get_if<std::int32_t>();
        if (value == values[slot]) {
          keys_.push_back({i, k, slot, false});
        } else if (narrow != nullptr && value == Value(static_cast<std::int64_t>(*narrow))) {
          keys_.push_back({i, k, slot, true});
        }
      }
    }
  }
  return true;
}

bool PullTemplate::place_predicate(const ExprPtr& expr, const std::vector<Value>& values) {
  if (const auto* literal = expr->as<LiteralExpr>()) {
    const auto value = std::ranges::find(values, literal->value);
    if (value != values.end()) predicate_slots_[expr.get()] = static_cast<std::size_t>(value - values.begin());
    return true;
  }
  bool placed = true;
  for_each_child(*expr, [&](const ExprPtr& child) { placed = place_predicate(child, values) && placed; });
  return placed;
}

/// True when every row that the look-ups find passes the predicate: it says no more than which keys are wanted.
bool PullTemplate::covered() const {
  std::size_t positions = 0;
  for (const BoundPull::Lookup& lookup : model_.lookups) {
    positions += lookup.key.size();
    for (const Value& value : lookup.key)
      if (!value.get_if<std::int32_t>() && !value.get_if<std::int64_t>() && !value.get_if<std::string>()) return false;
  }
  if (keys_.size() != positions || positions != slots_.size()) return false;
  const ast::ExprPtr& where = query_.where;
  if (const auto* in = where->as<ast::In>()) return !in->negated && in->items.size() == positions;
  // As many equations in a conjunction as the key has columns, each with a literal of its own.
  std::size_t equations = 0;
  const auto count = [&](const auto& self, const ast::ExprPtr& expr) -> bool {
    if (const auto* binary = expr->as<ast::Binary>())
      return binary->op == ast::BinaryOp::logical_and && self(self, binary->left) && self(self, binary->right);
    const auto* comparison = expr->as<ast::Comparison>();
    ++equations;
    return comparison != nullptr && comparison->op == ast::CompareOp::equal;
  };
  return model_.lookups.size() == 1 && count(count, where) && equations == positions;
}

std::optional<PullArguments> PullTemplate::put(const std::vector<Value>& values) const {
  PullArguments result;
  result.lookups = model_.lookups;
  for (const KeySlot& key : keys_) result.lookups[key.lookup].key[key.position] = widened(values[key.slot], key.widen);
  // The same key twice is one look-up.
  for (std::size_t i = 1; i < result.lookups.size(); ++i)
    for (std::size_t k = 0; k < i; ++k)
      if (result.lookups[i].key == result.lookups[k].key) return std::nullopt;
  if (!covered_) result.predicate = replaced(model_.predicate, predicate_slots_, values);
  return result;
}

std::optional<PullArguments> PullTemplate::key_arguments(const StatementShape& shape) const {
  if (!plain_) return std::nullopt;
  const auto nodes = literals(shape);
  return nodes ? put(values_of(*nodes)) : std::nullopt;
}

std::optional<PullArguments> PullTemplate::arguments(const StatementShape& shape, const BindContext& context) const {
  const auto nodes = literals(shape);
  if (!nodes) return std::nullopt;
  try {
    BoundPull bound = bind(*nodes, context);
    return PullArguments{std::move(bound.lookups), std::move(bound.predicate)};
  } catch (const SqlError&) {
    return std::nullopt;
  }
}

}  // namespace millrace::inline server
