#include "exec/data/equal.h"
#include "exec/functions/declare.h"
#include "exec/functions/families.h"
#include "planner/types/decimal.h"

namespace millrace::inline exec {
namespace {

/// Takes each row from one of the arguments.
ColumnPtr pick_rows(const Type& type, std::span<const Operand> arguments, std::span<const Pick> picks) {
  std::vector<const Column*> sources;
  std::vector<std::shared_ptr<Column>> stand_ins;
  for (const Operand& argument : arguments) {
    if (argument.column->type.is_null()) {
      stand_ins.push_back(make_null_column(type, argument.column->size));
      sources.push_back(stand_ins.back().get());
    } else {
      sources.push_back(argument.column.get());
    }
  }
  return interleave(type, sources, picks);
}

Pick pick(std::span<const Operand> arguments, std::size_t which, std::size_t row) {
  return {static_cast<std::uint32_t>(which), static_cast<std::uint32_t>(arguments[which].row(row))};
}

class CoalesceKernel final : public ScalarKernel {
 public:
  explicit CoalesceKernel(Type type) : type_(std::move(type)) {}
  ColumnPtr evaluate(Frame& frame, std::span<const Operand> arguments, std::span<LambdaBody>) override {
    if (!arguments[0].constant && arguments[0].column->nulls.empty()) return arguments[0].column;
    std::vector<Pick> picks(frame.rows());
    for (std::size_t i = 0; i < picks.size(); ++i)
      for (std::size_t a = 0; a < arguments.size(); ++a)
        if (!arguments[a].is_null(i)) {
          picks[i] = pick(arguments, a, i);
          break;
        }
    return pick_rows(type_, arguments, picks);
  }

 private:
  Type type_;
};

class NullIfKernel final : public ScalarKernel {
 public:
  explicit NullIfKernel(Type type) : type_(std::move(type)) {}
  ColumnPtr evaluate(Frame& frame, std::span<const Operand> arguments, std::span<LambdaBody>) override {
    const Operand& a = arguments[0];
    const Operand& b = arguments[1];
    std::vector<Pick> picks(frame.rows());
    for (std::size_t i = 0; i < picks.size(); ++i)
      if (!a.is_null(i) && (b.is_null(i) || !equal_values(*a.column, a.row(i), *b.column, b.row(i))))
        picks[i] = pick(arguments, 0, i);
    return pick_rows(type_, arguments, picks);
  }

 private:
  Type type_;
};

/// The largest or smallest argument that is not NULL.
template <bool Greatest>
class ExtremeKernel final : public ScalarKernel {
 public:
  explicit ExtremeKernel(Type type) : type_(std::move(type)) {}
  ColumnPtr evaluate(Frame& frame, std::span<const Operand> given, std::span<LambdaBody>) override {
    std::vector<Operand> arguments(given.begin(), given.end());
    for (Operand& argument : arguments) align(argument);
    std::vector<Pick> picks(frame.rows());
    for (std::size_t i = 0; i < picks.size(); ++i) {
      std::size_t best = arguments.size();
      for (std::size_t a = 0; a < arguments.size(); ++a) {
        if (arguments[a].is_null(i)) continue;
        if (best == arguments.size() || better(arguments[a], arguments[best], i)) best = a;
      }
      if (best < arguments.size()) picks[i] = pick(arguments, best, i);
    }
    return pick_rows(type_, arguments, picks);
  }

 private:
  static bool better(const Operand& a, const Operand& b, std::size_t row) {
    const auto order = compare_values(*a.column, a.row(row), *b.column, b.row(row));
    return Greatest ? order > 0 : order < 0;
  }
  /// Brings decimals to the scale of the result.
  void align(Operand& argument) const {
    const Type& type = argument.column->type;
    if (type.kind() != TypeKind::decimal || type.scale() == type_.scale()) return;
    auto column = make_column(type_, argument.column->size);
    column->nulls = Bitmap();
    merge_nulls({argument.column, false}, column->size, column->nulls);
    const auto* in = argument.column->data.as<Int128>();
    for (std::size_t i = 0; i < column->size; ++i)
      column->values_mut<Int128>()[i] = rescale(in[i], type.scale(), type_.scale(), Rounding::half_up).value_or(0);
    argument.column = std::move(column);
  }
  Type type_;
};

class AsValueKernel final : public ScalarKernel {
 public:
  ColumnPtr evaluate(Frame& frame, std::span<const Operand> arguments, std::span<LambdaBody>) override {
    return spread(arguments[0], frame.rows());
  }
};

template <class K>
KernelMaker make() {
  return [](const CallTypes& types) { return std::make_unique<K>(types.result); };
}

/// Wide enough for the integer digits and the scale of every argument.
Type widest_decimal(std::span<const Type> types) {
  int whole = 0;
  int scale = 0;
  for (const Type& type : types) {
    if (type.kind() != TypeKind::decimal) continue;
    whole = std::max(whole, type.precision() - type.scale());
    scale = std::max(scale, type.scale());
  }
  return Type::decimal(std::max(1, whole + scale), scale);
}

template <bool Greatest>
std::vector<FunctionVariant> extremes() {
  std::vector<FunctionVariant> variants;
  for (const std::string type :
       {"INT", "BIGINT", "DOUBLE", "DECIMAL", "STRING", "BYTES", "DATE", "TIME", "TIMESTAMP"}) {
    variants.push_back(kernel(type + " first, " + type + "... rest -> " + type, make<ExtremeKernel<Greatest>>()));
    if (type == "DECIMAL") variants.back().resolve_return = widest_decimal;
  }
  return variants;
}

}  // namespace

FunctionFamily conditional_functions() {
  return {
      define(FunctionKind::scalar, "CONDITIONAL",
             {"COALESCE",
              "The first argument that is not NULL.",
              {kernel("T first, T... rest -> T", make<CoalesceKernel>())},
              {{"COALESCE(NULL, 2)", "2"}}}),
      define(FunctionKind::scalar, "CONDITIONAL",
             {"IFNULL",
              "The value, or the alternative where it is NULL.",
              {kernel("T value, T alternative -> T", make<CoalesceKernel>())},
              {{"IFNULL(NULL, 'x')", "'x'"}}}),
      define(FunctionKind::scalar, "CONDITIONAL",
             {"NULLIF",
              "NULL where both arguments are equal, else the first.",
              {kernel("T a, T b -> T", make<NullIfKernel>())},
              {{"NULLIF(1, 1)", "NULL"}, {"NULLIF(1, 2)", "1"}}}),
      define(FunctionKind::scalar, "MATHEMATICAL",
             {"greatest",
              "The largest argument; NULL ones do not count.",
              extremes<true>(),
              {{"GREATEST(1, 3, 2)", "3"}}}),
      define(FunctionKind::scalar, "MATHEMATICAL",
             {"least", "The smallest argument; NULL ones do not count.", extremes<false>(), {{"LEAST(1, 3, 2)", "1"}}}),
      define(FunctionKind::scalar, "OTHER",
             {"AS_VALUE",
              "The value itself: keeps a copy of a key column among the values.",
              {kernel("T value -> T", [](const CallTypes&) { return std::make_unique<AsValueKernel>(); })},
              {{"AS_VALUE(1)", "1"}}})};
}

}  // namespace millrace::inline exec
