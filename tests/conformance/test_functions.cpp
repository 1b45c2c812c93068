#include "tests/conformance/test_functions.h"

#include <algorithm>
#include <atomic>

#include "exec/functions/aggregate_state.h"
#include "exec/functions/builtin.h"

namespace millrace::conformance {
namespace {

constexpr std::string_view kCategory = "TEST";

// --- scalar ---

/// Its second argument says whether it may be evaluated at all.
Result<Value> guarded(std::span<const Value> arguments, const CallTypes&) {
  if (!arguments[1].as<bool>()) return user_error("evaluated, though it should not be");
  return arguments[0];
}

Result<Value> always_fails(std::span<const Value>, const CallTypes&) {
  return user_error("boom");
}
Result<Value> fails_when_true(std::span<const Value> arguments, const CallTypes&) {
  if (arguments[0].as<bool>()) return user_error("boom");
  return Value(std::int32_t{0});
}
/// NULL at every other call.
Result<Value> sometimes_null(std::span<const Value> arguments, const CallTypes&) {
  static std::atomic<unsigned> calls{0};
  return calls++ % 2 == 0 ? Value() : arguments[0];
}

Result<Value> to_struct(std::span<const Value> arguments, const CallTypes&) {
  return Value::structure({arguments[0]});
}
Result<Value> make_foo(std::span<const Value>, const CallTypes&) {
  return Value::structure({Value(std::string("foo"))});
}
Result<Value> first_field(std::span<const Value> arguments, const CallTypes&) {
  return arguments[0].fields()[0];
}
template <const char* kText>
Result<Value> text(std::span<const Value>, const CallTypes&) {
  return Value(std::string(kText));
}
constexpr char kIntString[] = "doStuffIntString", kLongString[] = "doStuffLongString",
               kLongLongString[] = "doStuffLongLongString";

// --- aggregates ---

/// Numbers as they are, texts by their length, all in one sum that begins with what the constants give.
struct SumOfAll {
  struct State {
    std::int64_t sum;
  };
  struct Input {
    explicit Input(std::span<const ColumnPtr> given) : columns(given) {}
    std::span<const ColumnPtr> columns;
  };
  static constexpr bool kUndo = true;
  explicit SumOfAll(const AggregateSpec& spec) {
    for (const Value& constant : spec.constants) start += measure(constant);
  }
  std::int64_t start = 0;

  static std::int64_t measure(const Value& value) {
    if (const auto* number = value.get_if<std::int32_t>()) return *number;
    if (const auto* number = value.get_if<std::int64_t>()) return *number;
    if (const auto* words = value.get_if<std::string>()) return static_cast<std::int64_t>(words->size());
    return 0;
  }
  static std::int64_t of_row(const Input& input, std::size_t row) {
    std::int64_t sum = 0;
    for (const ColumnPtr& column : input.columns) sum += measure(get_value(*column, row));
    return sum;
  }
  bool add(State& state, const Input& input, std::size_t row) const {
    state.sum += of_row(input, row);
    return true;
  }
  bool remove(State& state, const Input& input, std::size_t row) const {
    state.sum -= of_row(input, row);
    return true;
  }
  bool merge(State& into, const State& from) const {
    into.sum += from.sum;
    return true;
  }
  Error overflow() const { return user_error("overflow"); }
  void encode(const State& state, std::string& out) const { codec::put(state.sum, out); }
  bool decode(std::string_view& in, State& state) const { return codec::get(in, state.sum); }
  void write(const State& state, Column& column, std::size_t row) const {
    column.values_mut<std::int64_t>()[row] = start + state.sum;
  }
};

/// The first argument of every row in which no argument is NULL.
struct CollectFirst {
  struct Object {
    Value::List items;
  };
  static constexpr bool kUndo = false;
  explicit CollectFirst(const AggregateSpec& spec) : type(spec.arguments[0]) {}
  Type type;

  void add(Object& object, std::span<const ColumnPtr> arguments, std::size_t row) const {
    const auto is_null = [row](const ColumnPtr& column) { return column->is_null(row); };
    if (std::ranges::none_of(arguments, is_null)) object.items.push_back(get_value(*arguments[0], row));
  }
  void remove(Object&, std::span<const ColumnPtr>, std::size_t) const {}
  void merge(Object& into, const Object& from) const {
    into.items.insert(into.items.end(), from.items.begin(), from.items.end());
  }
  std::size_t heap_size(const Object& object) const { return heap::bytes(object.items); }
  void encode(const Object& object, std::string& out) const {
    codec::put_unsigned(object.items.size(), out);
    for (const Value& item : object.items) codec::put_value(item, type, out);
  }
  bool decode(std::string_view& in, Object& object) const {
    std::uint64_t count = 0;
    if (!codec::get_unsigned(in, count) || count > in.size()) return false;
    object.items.resize(count);
    return std::ranges::all_of(object.items, [&](Value& item) { return codec::get_value(in, type, item); });
  }
  Value result(const Object& object) const { return Value::list(object.items); }
};

/// STRUCT<A INT, B INT>, field by field.
struct SumOfStructs {
  struct Object {
    std::int32_t a = 0, b = 0;
  };
  static constexpr bool kUndo = false;
  explicit SumOfStructs(const AggregateSpec&) {}
  void add(Object& object, std::span<const ColumnPtr> arguments, std::size_t row) const {
    const Value value = get_value(*arguments[0], row);
    if (value.is_null()) return;
    object.a += static_cast<std::int32_t>(SumOfAll::measure(value.fields()[0]));
    object.b += static_cast<std::int32_t>(SumOfAll::measure(value.fields()[1]));
  }
  void remove(Object&, std::span<const ColumnPtr>, std::size_t) const {}
  void merge(Object& into, const Object& from) const {
    into.a += from.a;
    into.b += from.b;
  }
  std::size_t heap_size(const Object&) const { return 0; }
  void encode(const Object& object, std::string& out) const {
    codec::put(object.a, out);
    codec::put(object.b, out);
  }
  bool decode(std::string_view& in, Object& object) const {
    return codec::get(in, object.a) && codec::get(in, object.b);
  }
  Value result(const Object& object) const { return Value::structure({Value(object.a), Value(object.b)}); }
};

// --- table functions ---

/// One row per argument, as text; of a map its only value.
class Texts final : public TableFunction {
 public:
  explicit Texts(Type element) : element_(std::move(element)) {}
  ColumnPtr apply(std::span<const ColumnPtr> arguments, std::size_t rows, RowErrors&) const override {
    ColumnBuilder builder(Type::array(element_));
    for (std::size_t row = 0; row < rows; ++row) {
      Value::List list;
      for (const ColumnPtr& column : arguments)
        if (!column->is_null(row)) list.push_back(shown(get_value(*column, row), column->type));
      builder.append(Value::list(std::move(list)));
    }
    return builder.finish();
  }

 private:
  Value shown(const Value& value, const Type& type) const {
    if (type.kind() == TypeKind::map) return shown(value.entries().begin()->second, type.value());
    return element_.kind() == TypeKind::string ? Value(to_text(value, type)) : value;
  }
  Type element_;
};

class FailsWhenTrue final : public TableFunction {
 public:
  ColumnPtr apply(std::span<const ColumnPtr> arguments, std::size_t rows, RowErrors& errors) const override {
    ColumnBuilder builder(Type::array(Type::boolean()));
    for (std::size_t row = 0; row < rows; ++row) {
      const Value value = get_value(*arguments[0], row);
      const bool fails = !value.is_null() && value.as<bool>();
      if (fails) errors.add(static_cast<std::uint32_t>(row), "boom");
      builder.append(Value::list(fails || value.is_null() ? Value::List{} : Value::List{value}));
    }
    return builder.finish();
  }
};

std::unique_ptr<TableFunction> make_texts(const Type& element) {
  return std::make_unique<Texts>(element);
}

FunctionVariant sum_of_all(std::string_view signature) {
  return aggregate(signature, {.undo = true}, fixed_aggregate<SumOfAll>());
}
FunctionVariant collect_first(std::string_view signature) {
  return aggregate(signature, {.structured = true}, heap_aggregate<CollectFirst>());
}

FunctionDef scalar_def(std::string_view name, std::vector<FunctionVariant> variants) {
  return define(FunctionKind::scalar, kCategory, {.name = name, .doc = "", .variants = std::move(variants)});
}
FunctionDef aggregate_def(std::string_view name, std::vector<FunctionVariant> variants) {
  return define(FunctionKind::aggregate, kCategory, {.name = name, .doc = "", .variants = std::move(variants)});
}
FunctionDef table_def(std::string_view name, std::vector<FunctionVariant> variants) {
  return define(FunctionKind::table, kCategory, {.name = name, .doc = "", .variants = std::move(variants)});
}

void add_scalars(std::vector<FunctionDef>& out) {
  out.push_back(scalar_def("WHENCONDITION", {boxed("BOOLEAN result, BOOLEAN allowed -> BOOLEAN", guarded)}));
  out.push_back(scalar_def("WHENRESULT", {boxed("INT result, BOOLEAN allowed -> INT", guarded)}));
  out.push_back(scalar_def("BAD_UDF", {not_deterministic(boxed("INT arg -> INT", always_fails)),
                                       boxed("BOOLEAN arg -> INT", fails_when_true),
                                       not_deterministic(boxed("STRING arg -> STRING", sometimes_null))}));
  out.push_back(scalar_def("TOSTRUCT", {boxed("STRING value -> STRUCT<A STRING>", to_struct)}));
  out.push_back(scalar_def(
      "TEST_UDF", {boxed("-> STRUCT<A STRING>", make_foo), boxed("STRUCT<A STRING> arg -> STRING", first_field),
                   boxed("INT a, STRING b -> STRING", text<kIntString>, OnNull::pass),
                   boxed("BIGINT a, STRING b -> STRING", text<kLongString>, OnNull::pass),
                   boxed("BIGINT a, BIGINT b, STRING c -> STRING", text<kLongLongString>, OnNull::pass)}));
}

void add_aggregates(std::vector<FunctionDef>& out) {
  out.push_back(aggregate_def("VAR_ARG", {sum_of_all("BIGINT first, STRING... rest -> BIGINT")}));
  out.push_back(aggregate_def("MID_VAR_ARG",
                              {sum_of_all("BIGINT first, STRING... rest, literal INT a, literal INT b -> BIGINT")}));
  out.push_back(aggregate_def(
      "MULTI_ARG", {sum_of_all("BIGINT first, STRING second, literal INT a, literal STRING... rest -> BIGINT")}));
  out.push_back(
      aggregate_def("FIVE_ARG", {sum_of_all("BIGINT first, STRING second, STRING third, STRING fourth, INT fifth, "
                                            "literal INT a, literal STRING... rest -> BIGINT")}));
  out.push_back(aggregate_def("GENERIC_VAR_ARG", {collect_first("A first, INT second, C... rest -> ARRAY<A>")}));
  out.push_back(aggregate_def("OBJ_COL_ARG", {collect_first("INT first, ANY... rest -> ARRAY<INT>")}));
  out.push_back(aggregate_def("TEST_UDAF", {sum_of_all("INT arg -> BIGINT"), sum_of_all("BIGINT arg -> BIGINT"),
                                            aggregate("STRUCT<A INT, B INT> arg -> STRUCT<A INT, B INT>",
                                                      {.structured = true}, heap_aggregate<SumOfStructs>())}));
}

void add_table_functions(std::vector<FunctionDef>& out) {
  out.push_back(table_def(
      "TEST_UDTF",
      {table("INT arg -> INT", make_texts),
       table("INT a, BIGINT b, DOUBLE c, BOOLEAN d, STRING e, DECIMAL f, STRUCT<A STRING> g -> STRING", make_texts),
       table("MAP<STRING, INT> a, MAP<STRING, BIGINT> b, MAP<STRING, DOUBLE> c, MAP<STRING, BOOLEAN> d, "
             "MAP<STRING, STRING> e, MAP<STRING, DECIMAL> f, MAP<STRING, STRUCT<A STRING>> g -> STRING",
             make_texts)}));
  out.push_back(table_def("THROWING_UDTF", {table("BOOLEAN fails -> BOOLEAN",
                                                  [](const Type&) { return std::make_unique<FailsWhenTrue>(); })}));
}

FunctionCatalog make_catalog() {
  const auto builtin = builtin_functions().all();
  std::vector<FunctionDef> all(builtin.begin(), builtin.end());
  add_scalars(all);
  add_aggregates(all);
  add_table_functions(all);
  return FunctionCatalog(std::move(all));
}

}  // namespace

const FunctionCatalog& functions_with_tests() {
  static const FunctionCatalog catalog = make_catalog();
  return catalog;
}

}  // namespace millrace::conformance
