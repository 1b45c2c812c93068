#include "planner/bind/pull_indexes.h"

#include <algorithm>
#include <map>
#include <optional>

#include "planner/bind/ast_rewrite.h"

namespace millrace::inline planner {
namespace {

/// What a conjunction says of the columns of a table.
class Said {
 public:
  Said(const std::vector<ast::ExprPtr>& conjunction, const PullSource& source) : source_(source) {
    for (const ast::ExprPtr& part : conjunction) take(part);
  }

  /// How many of the first columns of an index have one value.
  std::size_t equal(const IndexDef& index) const {
    const auto unknown = std::ranges::find_if(index.columns, [&](const auto& name) { return !equal_.contains(name); });
    return static_cast<std::size_t>(unknown - index.columns.begin());
  }
  KeyAccess prefix(const IndexDef& index, std::size_t columns) const {
    KeyAccess access;
    for (std::size_t i = 0; i < columns; ++i) access.key.push_back(equal_.at(index.columns[i]));
    return access;
  }
  /// The least and the greatest value of a column, as far as they are known.
  struct Range {
    ExprPtr from, to;
    bool any() const { return from || to; }
  };
  Range range(const IndexDef& index, std::size_t column) const {
    if (column == index.columns.size()) return {};
    const auto found = ranges_.find(index.columns[column]);
    return found != ranges_.end() ? found->second : Range{};
  }

 private:
  void take(const ast::ExprPtr& part) {
    if (const auto* comparison = part->as<ast::Comparison>()) {
      compare(comparison->op, comparison->left, comparison->right);
      compare(mirrored(comparison->op), comparison->right, comparison->left);
    }
    if (const auto* between = part->as<ast::Between>(); between != nullptr && !between->negated) {
      compare(ast::CompareOp::greater_equal, between->value, between->low);
      compare(ast::CompareOp::less_equal, between->value, between->high);
    }
    const auto* null = part->as<ast::IsNull>();
    const ColumnDef* column = null != nullptr && !null->negated ? source_.column_of(null->value) : nullptr;
    if (column != nullptr) equal_.try_emplace(column->name, make_literal(Value(), column->type));
  }

  void compare(ast::CompareOp op, const ast::ExprPtr& left, const ast::ExprPtr& right) {
    using ast::CompareOp;
    const ColumnDef* column = source_.column_of(left);
    if (column == nullptr || source_.column_of(right) != nullptr) return;
    ExprPtr value = source_.constant(right, column->type, false);
    if (!value) return;
    if (op == CompareOp::equal) equal_.try_emplace(column->name, value);
    if (column->type.kind() == TypeKind::string) return;  // its order is not that of its bytes
    Range& range = ranges_[column->name];
    if ((op == CompareOp::greater || op == CompareOp::greater_equal) && !range.from) range.from = value;
    if ((op == CompareOp::less || op == CompareOp::less_equal) && !range.to) range.to = value;
  }

  const PullSource& source_;
  std::map<std::string, ExprPtr> equal_;
  std::map<std::string, Range> ranges_;
};

}  // namespace

bool can_be_indexed(const Type& type) {
  return !type.is_nested() && type.kind() != TypeKind::double_;  // 0.0 and -0.0 are equal
}

bool find_index(const std::vector<std::vector<ast::ExprPtr>>& disjuncts, const PullSource& source,
                BoundPull::Access& access) {
  if (source.indexes.empty() || disjuncts.empty()) return false;
  std::vector<Said> all;
  for (const auto& conjunction : disjuncts) all.emplace_back(conjunction, source);
  const IndexDef* best = nullptr;
  std::size_t prefix = 0;
  Said::Range range;
  for (const IndexPtr& index : source.indexes) {
    std::size_t equal = index->columns.size();
    for (const Said& said : all) equal = std::min(equal, said.equal(*index));
    const Said::Range behind = all.size() == 1 ? all.front().range(*index, equal) : Said::Range{};
    if (equal == 0 && !behind.any()) continue;
    if (best != nullptr && (equal < prefix || (equal == prefix && (range.any() || !behind.any())))) continue;
    best = index.get();
    prefix = equal;
    range = behind;
  }
  if (best == nullptr) return false;
  access.index = best->name;
  for (const std::string& column : best->columns) access.index_columns.push_back(*source.def.schema.find(column));
  for (const Said& said : all) access.prefixes.push_back(said.prefix(*best, prefix));
  if (range.from) access.from = {range.from};
  if (range.to) access.to = {range.to};
  return true;
}

}  // namespace millrace::inline planner
