#include "naive_evaluator.h"

#include <cmath>
#include <string>

#include "planner/types/cast.h"
#include "planner/types/decimal.h"

namespace millrace::test {
namespace {

struct RowFailed {};

class Naive {
 public:
  explicit Naive(std::span<const Value> row) : row_(row) {}

  Value eval(const Expr& e) {
    return std::visit([&](const auto& node) { return of(node, e); }, e.node);
  }

 private:
  Value of(const LiteralExpr& n, const Expr&) { return n.value; }
  Value of(const ColumnExpr& n, const Expr&) { return row_[n.index]; }
  Value of(const CastExpr& n, const Expr& e) {
    Value out;
    std::string why;
    if (!cast_value(eval(*n.operand), n.operand->type, e.type, out, why)) throw RowFailed();
    return out;
  }

  Value not_null(const ExprPtr& e) {
    Value value = eval(*e);
    if (value.is_null()) throw RowFailed();
    return value;
  }
  bool condition(const ExprPtr& e) { return not_null(e).as<bool>(); }

  Value of(const ArithmeticExpr& n, const Expr& e) {
    const Value a = eval(*n.left);
    const Value b = eval(*n.right);
    if (a.is_null() || b.is_null()) throw RowFailed();
    switch (e.type.kind()) {
      case TypeKind::integer:
        return static_cast<std::int32_t>(whole(n.op, a.as<std::int32_t>(), b.as<std::int32_t>()));
      case TypeKind::bigint:
        return static_cast<std::int64_t>(whole(n.op, a.as<std::int64_t>(), b.as<std::int64_t>()));
      case TypeKind::double_:
        return real(n.op, a.as<double>(), b.as<double>());
      case TypeKind::decimal:
        return decimal(n.op, a.as<Decimal>(), b.as<Decimal>(), e.type);
      default:
        return a.as<std::string>() + b.as<std::string>();
    }
  }
  /// Exact; the caller cuts to the width of the type.
  static Int128 whole(ArithmeticOp op, Int128 a, Int128 b) {
    if ((op == ArithmeticOp::divide || op == ArithmeticOp::modulo) && b == 0) throw RowFailed();
    switch (op) {
      case ArithmeticOp::add:
        return a + b;
      case ArithmeticOp::subtract:
        return a - b;
      case ArithmeticOp::multiply:
        return static_cast<Int128>(static_cast<unsigned __int128>(a) * static_cast<unsigned __int128>(b));
      case ArithmeticOp::divide:
        return a / b;
      case ArithmeticOp::modulo:
        return a % b;
    }
    return 0;
  }
  static double real(ArithmeticOp op, double a, double b) {
    switch (op) {
      case ArithmeticOp::add:
        return a + b;
      case ArithmeticOp::subtract:
        return a - b;
      case ArithmeticOp::multiply:
        return a * b;
      case ArithmeticOp::divide:
        return a / b;
      case ArithmeticOp::modulo:
        return std::fmod(a, b);
    }
    return 0;
  }
  static Value decimal(ArithmeticOp op, Decimal a, Decimal b, const Type& type) {
    const auto result = op == ArithmeticOp::add        ? decimal_add(a, b)
                        : op == ArithmeticOp::subtract ? decimal_subtract(a, b)
                        : op == ArithmeticOp::multiply ? decimal_multiply(a, b)
                        : op == ArithmeticOp::divide   ? decimal_divide(a, b, type.scale())
                                                       : decimal_modulo(a, b);
    const auto fitted = result ? to_decimal(*result, type, Rounding::exact) : std::nullopt;
    if (!fitted) throw RowFailed();
    return Decimal{*fitted, type.scale()};
  }

  Value of(const NegateExpr& n, const Expr& e) {
    const Value a = not_null(n.operand);
    if (e.type.kind() == TypeKind::integer) return static_cast<std::int32_t>(-std::int64_t{a.as<std::int32_t>()});
    if (e.type.kind() == TypeKind::bigint) return static_cast<std::int64_t>(-Int128{a.as<std::int64_t>()});
    if (e.type.kind() == TypeKind::double_) return -a.as<double>();
    return Decimal{-a.as<Decimal>().unscaled, a.as<Decimal>().scale};
  }

  Value of(const CompareExpr& n, const Expr&) {
    const Value a = eval(*n.left);
    const Value b = eval(*n.right);
    if (n.op == CompareOp::distinct_from || n.op == CompareOp::not_distinct_from) {
      const bool same = a.is_null() || b.is_null() ? a.is_null() == b.is_null() : a == b;
      return same == (n.op == CompareOp::not_distinct_from);
    }
    if (a.is_null() || b.is_null()) return false;
    if (n.op == CompareOp::equal) return a == b;
    if (n.op == CompareOp::not_equal) return !(a == b);
    if (const double* x = a.get_if<double>(); x != nullptr && (std::isnan(*x) || std::isnan(b.as<double>())))
      return false;
    const auto order = compare(a, b);
    switch (n.op) {
      case CompareOp::less:
        return order < 0;
      case CompareOp::less_equal:
        return order <= 0;
      case CompareOp::greater:
        return order > 0;
      default:
        return order >= 0;
    }
  }
  Value of(const LogicalExpr& n, const Expr&) {
    if (condition(n.left) != n.is_and) return !n.is_and;
    return condition(n.right);
  }
  Value of(const NotExpr& n, const Expr&) { return !condition(n.operand); }
  Value of(const IsNullExpr& n, const Expr&) { return eval(*n.operand).is_null() != n.negated; }
  Value of(const InExpr& n, const Expr&) {
    const Value value = eval(*n.value);
    bool found = false;
    for (const ExprPtr& item : n.items) {
      const Value other = eval(*item);
      found = found || (!value.is_null() && !other.is_null() && value == other);
    }
    return found != n.negated;
  }
  Value of(const LikeExpr& n, const Expr&) {
    const Value a = eval(*n.value);
    const Value b = eval(*n.pattern);
    if (a.is_null() || b.is_null()) throw RowFailed();
    return like(a.as<std::string>(), b.as<std::string>(), n.escape) != n.negated;
  }
  /// ASCII only, which is all that the random test makes.
  static bool like(std::string_view text, std::string_view pattern, char escape) {
    if (pattern.empty()) return text.empty();
    if (escape != 0 && pattern[0] == escape && pattern.size() > 1)
      return !text.empty() && text[0] == pattern[1] && like(text.substr(1), pattern.substr(2), escape);
    const bool takes_one = !text.empty() && text[0] != '\n' && text[0] != '\r';
    if (pattern[0] == '%')
      return like(text, pattern.substr(1), escape) || (takes_one && like(text.substr(1), pattern, escape));
    if (pattern[0] == '_') return takes_one && like(text.substr(1), pattern.substr(1), escape);
    return !text.empty() && text[0] == pattern[0] && like(text.substr(1), pattern.substr(1), escape);
  }
  Value of(const CaseExpr& n, const Expr&) {
    for (const auto& [when, then] : n.whens)
      if (condition(when)) return eval(*then);
    return n.otherwise == nullptr ? Value() : eval(*n.otherwise);
  }
  Value of(const FieldExpr& n, const Expr&) {
    const Value base = eval(*n.base);
    return base.is_null() ? Value() : base.fields()[n.field];
  }
  Value of(const SubscriptExpr& n, const Expr&) {
    const Value base = eval(*n.base);
    const Value index = eval(*n.index);
    if (base.is_null() || index.is_null()) return {};
    if (n.base->type.kind() == TypeKind::map) {
      for (const auto& [key, value] : base.entries())
        if (key == index) return value;
      return {};
    }
    const std::int64_t size = static_cast<std::int64_t>(base.items().size());
    const std::int64_t at = index.as<std::int32_t>();
    const std::int64_t place = at > 0 ? at - 1 : size + at;
    return at == 0 || place < 0 || place >= size ? Value() : base.items()[static_cast<std::size_t>(place)];
  }
  Value alone(const ExprPtr& e) {
    try {
      return eval(*e);
    } catch (const RowFailed&) {
      return {};
    }
  }
  Value of(const ArrayExpr& n, const Expr&) {
    Value::List items;
    for (const ExprPtr& item : n.items) items.push_back(alone(item));
    return Value::list(std::move(items));
  }
  Value of(const MapExpr& n, const Expr&) {
    Value::Map entries;
    for (const auto& [key, value] : n.entries) {
      const Value k = alone(key);
      const Value v = alone(value);
      bool known = false;
      for (auto& entry : entries)
        if (entry.first == k) {
          entry.second = v;
          known = true;
        }
      if (!known) entries.emplace_back(k, v);
    }
    return Value::map(std::move(entries));
  }
  Value of(const StructExpr& n, const Expr&) {
    Value::List fields;
    for (const ExprPtr& field : n.fields) fields.push_back(alone(field));
    return Value::structure(std::move(fields));
  }
  template <class N>
  Value of(const N&, const Expr&) {
    throw std::logic_error("the naive evaluator does not know this kind of expression");
  }

  std::span<const Value> row_;
};

}  // namespace

NaiveResult evaluate_naively(const Expr& expr, std::span<const Value> row) {
  try {
    return {Naive(row).eval(expr), false};
  } catch (const RowFailed&) {
    return {{}, true};
  }
}

}  // namespace millrace::test
