#include "planner/bind/pull_lookups.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "planner/bind/ast_rewrite.h"

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

ast::CompareOp mirrored(ast::CompareOp op) {
  switch (op) {
    case ast::CompareOp::less:
      return ast::CompareOp::greater;
    case ast::CompareOp::less_equal:
      return ast::CompareOp::greater_equal;
    case ast::CompareOp::greater:
      return ast::CompareOp::less;
    case ast::CompareOp::greater_equal:
      return ast::CompareOp::less_equal;
    default:
      return op;
  }
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

  BoundPull::Lookup finish() {
    const auto keys = source_.def.schema.keys();
    if (equal_.size() == keys.size()) {
      for (const auto& key : keys) lookup_.key.push_back(equal_.at(key.name));
    }
    if (!lookup_.key.empty()) {
      lookup_.range_min.reset();
      lookup_.range_max.reset();
    }
    return std::move(lookup_);
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
    if (equal_.size() == keys.size()) return;
    const bool range =
        keys.size() == 1 && (lookup_.range_min || lookup_.range_max) && source_.range_scan && !source_.def.window;
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
    const auto value = source_.constant(compared.other, column.type, false);
    touched_.push_back(column.name);
    if (!value || value->is_null()) return;
    if (compared.op == ast::CompareOp::equal) {
      equal_.try_emplace(column.name, *value);
      return;
    }
    const bool scannable = column.type.kind() == TypeKind::string || column.type.kind() == TypeKind::bytes;
    if (source_.def.schema.key_count() != 1 || !scannable) return;
    if (is_lower(compared.op) && !lookup_.range_min) lookup_.range_min = *value;
    if (is_upper(compared.op) && !lookup_.range_max) lookup_.range_max = *value;
  }

  void take_bound(const Compared& compared) {
    const auto value = source_.constant(compared.other, Type::bigint(), true);
    if (!value || value->is_null()) return;
    const bool start = *source_.bound_of(compared.column) == PseudoColumn::window_start;
    auto& min = start ? lookup_.window_start_min : lookup_.window_end_min;
    auto& max = start ? lookup_.window_start_max : lookup_.window_end_max;
    const std::int64_t limit = value->as<std::int64_t>();
    const auto raise = [&](std::int64_t to) { min = min ? std::max(*min, to) : to; };
    const auto lower = [&](std::int64_t to) { max = max ? std::min(*max, to) : to; };
    switch (compared.op) {
      case ast::CompareOp::equal:
        raise(limit), lower(limit);
        break;
      case ast::CompareOp::less:
        lower(limit - 1);
        break;
      case ast::CompareOp::less_equal:
        lower(limit);
        break;
      case ast::CompareOp::greater:
        raise(limit + 1);
        break;
      case ast::CompareOp::greater_equal:
        raise(limit);
        break;
      default:
        break;
    }
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
  BoundPull::Lookup lookup_;
  std::map<std::string, Value> equal_;
  std::vector<std::string> touched_;  // key columns that a comparison names
};

/// The wider of two limits: none as soon as one side has none.
std::optional<std::int64_t> hull(std::optional<std::int64_t> a, std::optional<std::int64_t> b, bool lower) {
  if (!a || !b) return std::nullopt;
  return lower ? std::min(*a, *b) : std::max(*a, *b);
}

/// Look-ups of one key become one over all their windows, so that no row is found twice.
void add_lookup(std::vector<BoundPull::Lookup>& lookups, BoundPull::Lookup next) {
  const auto same = std::ranges::find(lookups, next.key, &BoundPull::Lookup::key);
  if (next.key.empty() || same == lookups.end()) {
    lookups.push_back(std::move(next));
    return;
  }
  same->window_start_min = hull(same->window_start_min, next.window_start_min, true);
  same->window_start_max = hull(same->window_start_max, next.window_start_max, false);
  same->window_end_min = hull(same->window_end_min, next.window_end_min, true);
  same->window_end_max = hull(same->window_end_max, next.window_end_max, false);
}

}  // namespace

std::string pull_help() {
  return " See https://cnfl.io/queries for more info.\nAdd EMIT CHANGES if you intended to issue a push query.";
}

std::vector<BoundPull::Lookup> find_lookups(const ast::ExprPtr& predicate, const PullSource& source) {
  const bool strict = !source.table_scan && source.def.kind == RelationKind::table;
  if (!predicate) {
    if (strict) throw SqlError(Code::not_supported, {}, "Missing WHERE clause." + pull_help());
    return {BoundPull::Lookup{}};
  }
  std::vector<BoundPull::Lookup> lookups;
  bool scans = false;
  std::size_t count = 0;
  for (const auto& conjunct : disjuncts(predicate)) {
    LookupBuilder builder(source, conjunct);
    if (strict) builder.require_lookup();
    auto lookup = builder.finish();
    scans |= lookup.key.empty();
    ++count;
    add_lookup(lookups, std::move(lookup));
  }
  if (count > 1 && scans && strict) {
    throw SqlError(Code::not_supported, predicate->span, "Query requires table scan to be enabled." + pull_help());
  }
  // One scan sees every row anyway; it must not be combined with look-ups, which would give rows twice.
  if (lookups.empty() || (count > 1 && scans)) return {BoundPull::Lookup{}};
  return lookups;
}

}  // namespace millrace::inline planner
