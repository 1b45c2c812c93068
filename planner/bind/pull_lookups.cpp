#include "planner/bind/pull_lookups.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "planner/bind/ast_rewrite.h"
#include "planner/bind/pull_indexes.h"

namespace millrace::inline planner {
namespace {

using Conjunct = std::vector<ast::ExprPtr>;
constexpr std::size_t kMaxDisjuncts = 1000;

/// Disjunctive normal form over AND, OR and IN; anything else is a leaf. Empty when it would grow too large.
std::vector<Conjunct> disjuncts(const ast::ExprPtr& expr) {
  if (const auto* binary = expr->as<ast::Binary>()) {
    if (binary->op == ast::BinaryOp::logical_or) {
      auto result = disjuncts(binary->left);
      auto right = disjuncts(binary->right);
      if (result.empty() || right.empty()) return {};
      std::ranges::move(right, std::back_inserter(result));
      return result.size() > kMaxDisjuncts ? std::vector<Conjunct>{} : result;
    }
    if (binary->op == ast::BinaryOp::logical_and) {
      const auto left = disjuncts(binary->left);
      const auto right = disjuncts(binary->right);
      if (left.size() * right.size() > kMaxDisjuncts) return {};
      std::vector<Conjunct> result;
      for (const auto& a : left) {
        for (const auto& b : right) {
          result.push_back(a);
          result.back().insert(result.back().end(), b.begin(), b.end());
        }
      }
      return result;
    }
  }
  if (const auto* in = expr->as<ast::In>(); in && !in->negated && in->items.size() <= kMaxDisjuncts) {
    std::vector<Conjunct> result;
    for (const auto& item : in->items) {
      result.push_back({make_ast(ast::Comparison{ast::CompareOp::equal, in->value, item}, expr->span)});
    }
    return result;
  }
  return {{expr}};
}

bool is_lower(ast::CompareOp op) {
  return op == ast::CompareOp::greater || op == ast::CompareOp::greater_equal;
}
bool is_upper(ast::CompareOp op) {
  return op == ast::CompareOp::less || op == ast::CompareOp::less_equal;
}

class LookupBuilder {
 public:
  LookupBuilder(const PullSource& source, const Conjunct& conjunct) : source_(source), conjunct_(conjunct) {
    for (const auto& leaf : conjunct) take(leaf);
  }

  bool has_key() const { return equal_.size() == source_.def.schema.key_count(); }
  KeyAccess key() {
    KeyAccess access{.key = {}, .limits = std::move(limits_)};
    for (const auto& key : source_.def.schema.keys()) access.key.push_back(equal_.at(key.name));
    return access;
  }
  /// Every row of the key is accepted: the disjunct has an equation for each key column, and no more. Only of types
  /// whose equal values have equal bytes.
  bool says_all() const {
    const auto plain = [](const auto& entry) {
      const TypeKind kind = entry.second->type.kind();
      return kind == TypeKind::string || kind == TypeKind::integer || kind == TypeKind::bigint;
    };
    return has_key() && conjunct_.size() == equal_.size() && touched_.size() == equal_.size() &&
           std::ranges::all_of(equal_, plain);
  }
  void scan(BoundPull::Access& access) {
    access.limits = std::move(limits_);
    if (from_) access.from = {from_};
    if (to_) access.to = {to_};
  }

  /// Table scans are off: throws unless the keys of this disjunct lead to the rows.
  void require_lookup() const {
    check_leaves();
    const auto keys = source_.def.schema.keys();
    if (touched_.empty()) fail("WHERE clause missing key column for disjunct: " + shown());
    if (touched_.size() < keys.size()) {
      fail(
          fmt::format("Multi-column sources must specify every key in the WHERE clause. Specified: [{}] Expected: [{}]",
                      touched_text(), Schema{keys}.to_string()));
    }
    if (has_key()) return;
    const bool range = keys.size() == 1 && (from_ || to_) && source_.range_scan && !source_.def.window;
    if (!range) fail("Query requires table scan to be enabled");
  }

 private:
  struct Compared {
    ast::CompareOp op;
    ast::ExprPtr column, other;
  };

  /// The comparison with the wanted kind of column on its left, or nullopt.
  template <class Wanted>
  std::optional<Compared> oriented(const ast::ExprPtr& leaf, Wanted wanted) const {
    const auto* comparison = leaf->as<ast::Comparison>();
    if (!comparison) return std::nullopt;
    if (wanted(comparison->left)) return Compared{comparison->op, comparison->left, comparison->right};
    if (wanted(comparison->right)) return Compared{mirrored(comparison->op), comparison->right, comparison->left};
    return std::nullopt;
  }

  void take(const ast::ExprPtr& leaf) {
    if (const auto key = oriented(leaf, [&](const auto& e) { return source_.key_of(e) != nullptr; }))
      return take_key(*key);
    if (const auto bound = oriented(leaf, [&](const auto& e) { return source_.bound_of(e).has_value(); }))
      take_bound(*bound);
  }

  void take_key(const Compared& compared) {
    const auto& column = *source_.key_of(compared.column);
    const ExprPtr value = source_.constant(compared.other, column.type, false);
    touched_.push_back(column.name);
    if (!value) return;
    if (compared.op == ast::CompareOp::equal) {
      equal_.try_emplace(column.name, value);
      return;
    }
    const bool scannable = column.type.kind() == TypeKind::string || column.type.kind() == TypeKind::bytes;
    if (source_.def.schema.key_count() != 1 || !scannable) return;
    if (is_lower(compared.op) && !from_) from_ = value;
    if (is_upper(compared.op) && !to_) to_ = value;
  }

  void take_bound(const Compared& compared) {
    const ExprPtr value = source_.constant(compared.other, Type::bigint(), true);
    const bool limits = compared.op == ast::CompareOp::equal || is_lower(compared.op) || is_upper(compared.op);
    if (value && limits) limits_.push_back({*source_.bound_of(compared.column), compared.op, value});
  }

  void check_leaves() const {
    std::vector<std::string> seen;
    for (const auto& leaf : conjunct_) {
      if (const auto* like = leaf->as<ast::Like>(); like && !source_.is_column(like->value)) {
        fail("Like condition must be between strings");
      }
      const auto* comparison = leaf->as<ast::Comparison>();
      if (!comparison) continue;
      const bool left = source_.is_column(comparison->left);
      const bool right = source_.is_column(comparison->right);
      if (left && right) fail("A comparison must be between a key column and a resolvable expression");
      if (!left && !right) fail("A comparison must directly reference a key column");
      const auto key = oriented(leaf, [&](const auto& e) { return source_.key_of(e) != nullptr; });
      if (!key) continue;
      if (key->op == ast::CompareOp::not_equal) {
        fail(fmt::format("Bound on key columns '[{}]' must currently be '='",
                         Schema{source_.def.schema.keys()}.to_string()));
      }
      const std::string& name = source_.key_of(key->column)->name;
      if (std::ranges::find(seen, name) != seen.end()) {
        fail(
            "A comparison condition on the key column cannot be combined with other comparisons such as an IN "
            "predicate");
      }
      seen.push_back(name);
    }
  }

  std::string shown() const {
    std::string text;
    for (const auto& leaf : conjunct_) text += (text.empty() ? "" : " AND ") + source_.show(leaf);
    return text;
  }
  std::string touched_text() const {
    std::string text;
    for (const auto& name : touched_) text += (text.empty() ? "`" : ", `") + name + "`";
    return text;
  }
  [[noreturn]] void fail(const std::string& message) const {
    throw SqlError(Code::not_supported, conjunct_.empty() ? Span{} : conjunct_.front()->span,
                   message + "." + pull_help());
  }

  const PullSource& source_;
  const Conjunct& conjunct_;
  std::map<std::string, ExprPtr> equal_;
  std::vector<WindowLimit> limits_;
  ExprPtr from_, to_;
  std::vector<std::string> touched_;  // key columns that a comparison names
};

}  // namespace

std::string pull_help() {
  return " See https://cnfl.io/queries for more info.\nAdd EMIT CHANGES if you intended to issue a push query.";
}

BoundPull::Access find_access(const ast::ExprPtr& predicate, const PullSource& source) {
  const bool strict = !source.table_scan && source.def.kind == RelationKind::table;
  BoundPull::Access access;
  if (!predicate) {
    if (strict) throw SqlError(Code::not_supported, {}, "Missing WHERE clause." + pull_help());
    return access;
  }
  const auto all = disjuncts(predicate);
  bool scans = all.empty();
  access.says_all = !all.empty();
  const bool keyed =
      std::ranges::all_of(all, [&](const Conjunct& conjunct) { return LookupBuilder(source, conjunct).has_key(); });
  if ((!keyed || all.empty()) && find_index(all, source, access)) {
    access.says_all = false;
    return access;
  }
  for (const auto& conjunct : all) {
    LookupBuilder builder(source, conjunct);
    if (strict) builder.require_lookup();
    access.says_all = access.says_all && builder.says_all();
    if (builder.has_key())
      access.keys.push_back(builder.key());
    else if (all.size() == 1)
      builder.scan(access);
    else
      scans = true;
  }
  if (all.size() > 1 && scans && strict)
    throw SqlError(Code::not_supported, predicate->span, "Query requires table scan to be enabled." + pull_help());
  // One scan sees every row anyway; it must not be combined with look-ups, which would give rows twice.
  if (scans) access.keys.clear();
  return access;
}

}  // namespace millrace::inline planner
