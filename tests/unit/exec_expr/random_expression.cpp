#include "random_expression.h"

#include <fmt/format.h>

#include <cmath>
#include <random>

#include "build_expr.h"
#include "exec/expr/evaluator.h"
#include "naive_evaluator.h"

namespace millrace::test {
namespace {

class Generator {
 public:
  explicit Generator(std::uint64_t seed) : random_(seed) {}

  std::size_t below(std::size_t n) { return std::uniform_int_distribution<std::size_t>(0, n - 1)(random_); }
  bool chance(std::size_t in) { return below(in) == 0; }

  static const std::vector<Type>& column_types() {
    static const std::vector<Type> types{Type::boolean(),
                                         Type::integer(),
                                         Type::bigint(),
                                         Type::double_(),
                                         Type::decimal(10, 2),
                                         Type::string(),
                                         Type::array(Type::bigint()),
                                         Type::structure({{"A", Type::integer()}, {"B", Type::string()}}),
                                         Type::map(Type::string(), Type::integer())};
    return types;
  }

  Value value(const Type& type) {
    if (chance(6)) return {};
    switch (type.kind()) {
      case TypeKind::boolean:
        return chance(2);
      case TypeKind::integer:
        return pick<std::int32_t>({0, 1, -1, 7, 123, -2147483647 - 1, 2147483647});
      case TypeKind::bigint:
        return pick<std::int64_t>({0, 1, -1, 5, 123, 1000003, INT64_MIN, INT64_MAX});
      case TypeKind::double_:
        return pick<double>({0.0, -0.0, 1.5, -2.25, 1e10, NAN, INFINITY, 1e-5});
      case TypeKind::decimal:
        return Decimal{static_cast<Int128>(below(20000)) - 10000, type.scale()};
      case TypeKind::string:
        return pick<std::string>({"", "a", "ab", "a\nb", "12", "-3.5", "true", "abc%", "x_y"});
      case TypeKind::array: {
        Value::List items;
        for (std::size_t i = below(4); i > 0; --i) items.push_back(value(type.element()));
        return Value::list(std::move(items));
      }
      case TypeKind::map: {
        Value::Map entries;
        for (const char* key : {"a", "ab"})
          if (chance(2)) entries.emplace_back(std::string(key), value(type.value()));
        return Value::map(std::move(entries));
      }
      default:
        return Value::structure({value(type.fields()[0].type), value(type.fields()[1].type)});
    }
  }

  ExprPtr leaf(const Type& type) {
    const auto& columns = column_types();
    if (!chance(4))
      for (std::size_t i = 0; i < columns.size(); ++i)
        if (columns[i] == type) return column(i, type);
    return literal(value(type), type);
  }

  ExprPtr any(const Type& type, int depth) {
    if (depth == 0) return leaf(type);
    switch (below(6)) {
      case 0:
        return choice(type, depth - 1);
      case 1:
        return taken(type, depth - 1);
      case 2:
        if (const ExprPtr made = casted(type, depth - 1)) return made;
        [[fallthrough]];
      default:
        return special(type, depth - 1);
    }
  }

 private:
  template <class T>
  Value pick(std::initializer_list<T> from) {
    return *(from.begin() + static_cast<std::ptrdiff_t>(below(from.size())));
  }
  ExprPtr choice(const Type& type, int depth) {
    CaseExpr node;
    for (std::size_t i = 1 + below(2); i > 0; --i)
      node.whens.emplace_back(any(Type::boolean(), depth), any(type, depth));
    if (!chance(3)) node.otherwise = any(type, depth);
    return expr(type, std::move(node));
  }
  ExprPtr taken(const Type& type, int depth) {
    if (chance(2))
      return expr(type, SubscriptExpr{expr(Type::array(type), ArrayExpr{{any(type, depth), any(type, depth)}}),
                                      any(Type::integer(), depth)});
    const Type pair = Type::structure({{"X", type}, {"Y", Type::integer()}});
    return expr(type, FieldExpr{expr(pair, StructExpr{{any(type, depth), any(Type::integer(), depth)}}), 0});
  }
  ExprPtr casted(const Type& type, int depth) {
    if (type.kind() == TypeKind::string) return cast(any(column_types()[below(9)], depth), type);
    if (type.is_numeric()) return cast(any(chance(3) ? Type::string() : column_types()[1 + below(4)], depth), type);
    return nullptr;
  }
  ExprPtr special(const Type& type, int depth) {
    if (type.kind() == TypeKind::boolean) return predicate(depth);
    if (type.kind() == TypeKind::decimal) {
      const Type cents = Type::decimal(10, 2);
      return cast(
          expr(Type::decimal(21, 4), ArithmeticExpr{ArithmeticOp::multiply, any(cents, depth), any(cents, depth)}),
          type);
    }
    if (type.is_numeric()) {
      if (chance(6)) return expr(type, NegateExpr{any(type, depth)});
      return expr(type, ArithmeticExpr{static_cast<ArithmeticOp>(below(5)), any(type, depth), any(type, depth)});
    }
    if (type.kind() == TypeKind::string)
      return expr(type, ArithmeticExpr{ArithmeticOp::add, any(type, depth), any(type, depth)});
    if (type.kind() == TypeKind::array)
      return expr(type, ArrayExpr{{any(type.element(), depth), any(type.element(), depth)}});
    if (type.kind() == TypeKind::map)
      return expr(type, MapExpr{{{any(type.key(), depth), any(type.value(), depth)},
                                 {any(type.key(), depth), any(type.value(), depth)}}});
    return expr(type, StructExpr{{any(type.fields()[0].type, depth), any(type.fields()[1].type, depth)}});
  }
  ExprPtr predicate(int depth) {
    const Type boolean = Type::boolean();
    const Type of = column_types()[below(9)];
    switch (below(7)) {
      case 0:
        return logical(chance(2), any(boolean, depth), any(boolean, depth));
      case 1:
        return expr(boolean, NotExpr{any(boolean, depth)});
      case 2:
        return expr(boolean, IsNullExpr{any(of, depth), chance(2)});
      case 3:
        return expr(boolean, InExpr{any(of, depth), {any(of, depth), any(of, depth)}, chance(2)});
      case 4:
        return expr(boolean,
                    LikeExpr{any(Type::string(), depth),
                             literal(pick<std::string>({"a%", "%b", "_", "%", "a!%", "%a%b%"}), Type::string()), '!',
                             chance(2)});
      default: {
        auto op = static_cast<CompareOp>(below(8));
        if ((of.is_nested() || of.kind() == TypeKind::boolean) && op != CompareOp::distinct_from &&
            op != CompareOp::not_distinct_from)
          op = chance(2) ? CompareOp::equal : CompareOp::not_equal;
        return comparison(op, any(of, depth), any(of, depth));
      }
    }
  }
  std::mt19937_64 random_;
};

/// Equal, where NaN equals NaN at any depth.
bool same(const Value& a, const Value& b, const Type& type) {
  return a == b || to_text(a, type) == to_text(b, type);
}

constexpr std::size_t kRows = 17;
using RandomColumns = std::vector<std::pair<Type, std::vector<Value>>>;

std::optional<std::string> compare_row(const Expr& made, const RandomColumns& columns, std::size_t row,
                                       const Column& out, bool failed) {
  std::vector<Value> values;
  for (const auto& column : columns) values.push_back(column.second[row]);
  const NaiveResult expected = evaluate_naively(made, values);
  const Value got = get_value(out, row);
  if (failed == expected.failed && same(got, expected.value, made.type)) return std::nullopt;
  return fmt::format("row {} of {}\n  gives {} ({}), expected {} ({})", row, to_string(made), to_text(got, made.type),
                     failed ? "failed" : "fine", to_text(expected.value, made.type),
                     expected.failed ? "failed" : "fine");
}

}  // namespace

std::optional<std::string> check_random_expression(std::uint64_t seed) {
  Generator generator(seed);
  RandomColumns columns;
  for (const Type& type : Generator::column_types()) {
    columns.emplace_back(type, std::vector<Value>());
    for (std::size_t i = 0; i < kRows; ++i) columns.back().second.push_back(generator.value(type));
  }
  const Batch in = batch(columns);
  const Type type = Generator::column_types()[generator.below(Generator::column_types().size())];
  const ExprPtr made = generator.any(type, 3);
  RowErrors errors;
  Bitmap failed;
  Evaluator evaluator(made);
  const ColumnPtr out = evaluator.evaluate(in, errors, failed);
  for (std::size_t row = 0; row < kRows; ++row)
    if (auto problem = compare_row(*made, columns, row, *out, failed.test(row)))
      return fmt::format("seed {}: {}", seed, *problem);
  return std::nullopt;
}

}  // namespace millrace::test
