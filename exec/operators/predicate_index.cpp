#include "exec/operators/predicate_index.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <optional>

#include "planner/types/text_order.h"

namespace millrace::inline exec {
namespace {

// Fewer are compared one by one.
constexpr std::uint32_t kWorthAnIndex = 4;
constexpr std::size_t kKnownPerPartition = 2;
constexpr std::size_t kFewRows = 16;  // one in so many: they are put in order instead of looking at all

struct TextLess {
  bool operator()(std::string_view a, std::string_view b) const { return compare_text(a, b) < 0; }
};

template <class T>
bool is_nan(const T& value) {
  if constexpr (std::is_same_v<T, double>) return std::isnan(value);
  return false;
}

template <class T, class Less>
class OrderOf final : public PredicateIndex::Order {
 public:
  void sort(const std::vector<const Column*>& constants) override {
    sorted_.clear();
    for (const Column* constant : constants) sorted_.push_back(constant->values<T>()[0]);
    const std::vector<T> all = sorted_;
    std::sort(sorted_.begin(), sorted_.end(), Less());
    sorted_.erase(std::unique(sorted_.begin(), sorted_.end()), sorted_.end());
    distinct_ = static_cast<std::uint32_t>(sorted_.size());
    places_.clear();
    for (const T& value : all) places_.push_back(place_of(value));
  }

  void find(const Column& values, std::size_t rows, std::uint32_t* codes) const override {
    const std::span<const T> all = values.values<T>();
    for (std::size_t row = 0; row < rows; ++row) {
      const std::uint32_t place = place_of(all[row]);
      codes[row] = 2 * place + (place < distinct_ && sorted_[place] == all[row] ? 1 : 0);
    }
    for (std::size_t row = 0; row < rows; ++row)
      if (values.is_null(row) || is_nan(all[row])) codes[row] = 2 * distinct_ + 1;
  }

 private:
  /// Of the first constant that is not less.
  std::uint32_t place_of(const T& value) const {
    const T* first = sorted_.data();
    for (std::size_t left = sorted_.size(); left > 0;) {
      const std::size_t half = (left + 1) / 2;
      first = Less()(first[half - 1], value) ? first + half : first;  // no branch: rows come in any order
      left -= half;
    }
    return static_cast<std::uint32_t>(first - sorted_.data());
  }

  std::vector<T> sorted_;
};

template <class T>
using NumberOrder = OrderOf<T, std::less<T>>;

std::unique_ptr<PredicateIndex::Order> order_of(const Type& type) {
  switch (type.kind()) {
    case TypeKind::integer:
    case TypeKind::time:
    case TypeKind::date:
      return std::make_unique<NumberOrder<std::int32_t>>();
    case TypeKind::bigint:
    case TypeKind::timestamp:
      return std::make_unique<NumberOrder<std::int64_t>>();
    case TypeKind::double_:
      return std::make_unique<NumberOrder<double>>();
    case TypeKind::string:
      return std::make_unique<OrderOf<std::string_view, TextLess>>();
    default:
      return nullptr;
  }
}

std::optional<CompareOp> mirrored(CompareOp op) {
  switch (op) {
    case CompareOp::equal:
      return op;
    case CompareOp::less:
      return CompareOp::greater;
    case CompareOp::less_equal:
      return CompareOp::greater_equal;
    case CompareOp::greater:
      return CompareOp::less;
    case CompareOp::greater_equal:
      return CompareOp::less_equal;
    default:
      return std::nullopt;
  }
}

/// The same whenever it is computed over the same columns.
bool depends_on_columns_only(const Expr& expr) {
  if (expr.as<PseudoExpr>() || expr.as<ParameterExpr>()) return false;
  if (const auto* call = expr.as<CallExpr>())
    if (call->function == nullptr || !call->function->variants[call->variant].deterministic) return false;
  bool only = true;
  for_each_child(expr, [&](const ExprPtr& child) { only = only && depends_on_columns_only(*child); });
  return only;
}

struct Comparison {
  ExprPtr expression;
  CompareOp op;
  ColumnPtr constant;  // of one row
  ExprPtr rest;        // evaluated on the rows that pass only, as the right side of an AND is
};

std::optional<Comparison> comparison_in(const ExprPtr& predicate) {
  if (const auto* both = predicate->as<LogicalExpr>(); both != nullptr && both->is_and) {
    auto first = comparison_in(both->left);
    // Behind TRUE it is a condition as it was behind the comparison: NULL there is a failure.
    if (first)
      first->rest =
          make_conjunction({first->rest ? first->rest : make_literal(Value(true), Type::boolean()), both->right});
    return first;
  }
  const auto* compare = predicate->as<CompareExpr>();
  if (compare == nullptr || !mirrored(compare->op)) return std::nullopt;
  const bool on_left = compare->left->as<LiteralExpr>() != nullptr;
  const ExprPtr& expression = on_left ? compare->right : compare->left;
  const ExprPtr& other = on_left ? compare->left : compare->right;
  const auto* literal = other->as<LiteralExpr>();
  if (literal == nullptr || literal->value.is_null() || other->type != expression->type ||
      !depends_on_columns_only(*expression))
    return std::nullopt;
  ColumnPtr constant = make_constant_column(literal->value, other->type, 1);
  if (other->type.kind() == TypeKind::double_ && std::isnan(constant->values<double>()[0])) return std::nullopt;
  return Comparison{expression, on_left ? *mirrored(compare->op) : compare->op, std::move(constant), nullptr};
}

/// The columns that an expression reads.
std::vector<std::size_t> columns_of(const Expr& expr, std::size_t all) {
  std::vector<bool> used(all, false);
  collect_columns(expr, used);
  std::vector<std::size_t> columns;
  for (std::size_t i = 0; i < all; ++i)
    if (used[i]) columns.push_back(i);
  return columns;
}

}  // namespace

PredicateIndex::PredicateIndex(const ExprPtr& expression, std::unique_ptr<Order> order)
    : expression_(expression), order_(std::move(order)) {}

void PredicateIndex::add(Member& member) {
  members_.push_back(&member);
  stale_ = true;
}

void PredicateIndex::remove(Member& member) {
  std::erase(members_, &member);
  stale_ = true;
}

void PredicateIndex::arrange() {
  std::vector<const Column*> constants;
  for (const Member* member : members_) constants.push_back(member->constant_.get());
  order_->sort(constants);
  const std::uint32_t end = 2 * order_->distinct() + 1;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    Member& member = *members_[i];
    const std::uint32_t own = 2 * order_->places()[i] + 1;
    const bool with_own = member.op_ != CompareOp::less && member.op_ != CompareOp::greater;
    const bool above = member.op_ == CompareOp::greater || member.op_ == CompareOp::greater_equal;
    const bool below = member.op_ == CompareOp::less || member.op_ == CompareOp::less_equal;
    member.from_ = below ? 0 : own + (with_own ? 0 : 1);
    member.to_ = above ? end : own + (with_own ? 1 : 0);
  }
  known_.clear();
  stale_ = false;
}

const PredicateIndex::Known& PredicateIndex::known(const Member& member, const Batch& in) {
  const auto same = [&](const Known& known) {
    for (std::size_t i = 0; i < member.columns_.size(); ++i) {
      const ColumnPtr& column = in.columns[member.columns_[i]];
      if (known.columns[i].owner_before(column) || column.owner_before(known.columns[i])) return false;
    }
    return true;
  };
  std::size_t of_partition = 0;
  Known* place = nullptr;
  for (Known& known : known_) {
    if (known.partition != in.partition) continue;
    if (same(known)) return known;
    ++of_partition;
    if (place == nullptr || known.made < place->made) place = &known;
  }
  if (of_partition < kKnownPerPartition) place = &known_.emplace_back();
  find_out(member, in, *place);
  return *place;
}

void PredicateIndex::find_out(const Member& member, const Batch& in, Known& made) {
  made.partition = in.partition;
  made.made = ++made_;
  made.columns.clear();
  Batch read;
  read.rows = in.rows;
  read.timestamps = in.timestamps;
  for (const std::size_t column : member.columns_) {
    made.columns.emplace_back(in.columns[column]);
    read.columns.push_back(in.columns[column]);
  }
  RowErrors errors;
  const ColumnPtr values = expression_.evaluate(read, errors);
  made.sound = errors.count == 0;
  if (!made.sound) return;
  const std::size_t codes = 2 * std::size_t{order_->distinct()} + 2;
  made.codes.resize(in.rows);
  order_->find(*values, in.rows, made.codes.data());
  made.starts.assign(codes + 1, 0);
  for (const std::uint32_t code : made.codes) ++made.starts[code + 1];
  std::partial_sum(made.starts.begin(), made.starts.end(), made.starts.begin());
  made.rows.resize(in.rows);
  next_of_code_.assign(made.starts.begin(), made.starts.end());
  for (std::uint32_t row = 0; row < in.rows; ++row) made.rows[next_of_code_[made.codes[row]]++] = row;
}

PredicateIndex::Member::Member(std::shared_ptr<PredicateIndex> index, CompareOp op, ColumnPtr constant,
                               std::vector<std::size_t> columns, ExprPtr rest)
    : index_(std::move(index)),
      op_(op),
      constant_(std::move(constant)),
      columns_(std::move(columns)),
      rest_(std::move(rest)) {
  index_->add(*this);
}

PredicateIndex::Member::~Member() {
  index_->remove(*this);
}

bool PredicateIndex::Member::select(const Batch& in, std::vector<std::uint32_t>& selected) {
  if (index_->stale_) index_->arrange();
  // Who has a column for himself has the only reference to it.
  if (index_->order_->distinct() < kWorthAnIndex || in.columns[columns_.front()].use_count() < 2) return false;
  const Known& known = index_->known(*this, in);
  if (!known.sound) return false;
  const std::uint32_t begin = known.starts[from_], end = known.starts[to_];
  const std::size_t count = end - begin;
  if (to_ == from_ + 1 || count * kFewRows < in.rows) {
    selected.assign(known.rows.begin() + begin, known.rows.begin() + end);
    if (to_ != from_ + 1) std::sort(selected.begin(), selected.end());
    return true;
  }
  selected.resize(in.rows);
  std::size_t taken = 0;
  for (std::uint32_t row = 0; row < in.rows; ++row) {
    selected[taken] = row;
    taken += known.codes[row] >= from_ && known.codes[row] < to_ ? 1 : 0;
  }
  selected.resize(taken);
  return true;
}

std::unique_ptr<PredicateIndex::Member> PredicateIndexes::add(const SourceNode& source, const ExprPtr& predicate) {
  auto found = comparison_in(predicate);
  if (!found) return nullptr;
  std::vector<std::size_t> columns = columns_of(*found->expression, source.read.size());
  auto order = order_of(found->expression->type);
  if (columns.empty() || order == nullptr) return nullptr;
  const ExprPtr declared = remap_columns(found->expression, source.read);
  const std::string name = fmt::format("{}\n{}", source.topic, to_string(*found->expression));
  std::shared_ptr<PredicateIndex> index;
  const auto [first, last] = known_.equal_range(name);
  for (auto it = first; it != last;) {
    auto known = it->second.index.lock();
    if (known && equal(*it->second.expression, *declared)) index = known;
    it = known ? std::next(it) : known_.erase(it);
  }
  if (!index) {
    std::vector<std::size_t> places(source.read.size(), 0);
    for (std::size_t i = 0; i < columns.size(); ++i) places[columns[i]] = i;
    index = std::make_shared<PredicateIndex>(remap_columns(found->expression, places), std::move(order));
    known_.emplace(name, Entry{declared, index});
  }
  return std::make_unique<PredicateIndex::Member>(std::move(index), found->op, std::move(found->constant),
                                                  std::move(columns), std::move(found->rest));
}

}  // namespace millrace::inline exec
