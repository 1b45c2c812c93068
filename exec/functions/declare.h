#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "exec/expr/scalar_function.h"
#include "exec/functions/aggregate.h"
#include "exec/functions/table_function.h"
#include "planner/catalog/functions.h"

/// How functions are declared: one record per function, with its documentation and examples beside the code.
namespace millrace::inline exec {

/// Parses `ARRAY<T> list, INT n, T... rest -> BOOLEAN`. Types: BOOLEAN INT BIGINT DOUBLE STRING BYTES DATE TIME
/// TIMESTAMP, DECIMAL (any), ANY, STRUCT (any) or STRUCT<K STRING, V INT>, ARRAY<..>, MAP<..>, LAMBDA<A, B, Result>,
/// UNIT; other names are type variables. `literal INT n` must be a constant, `literal INT n >= 1` at
/// least that; `T... rest` repeats. Throws
/// std::logic_error on a typing mistake.
FunctionVariant parse_signature(std::string_view signature);

struct DefinitionSpec {
  std::string_view name;  // as error messages print it; SQL uses the upper-case form
  std::string_view doc;
  std::vector<FunctionVariant> variants{};
  std::vector<FunctionExample> examples{};
};
FunctionDef define(FunctionKind kind, std::string_view category, DefinitionSpec spec);
FunctionDef aggregate_def(DefinitionSpec spec);

/// What a NULL argument does to a scalar function.
enum class OnNull : std::uint8_t {
  result_null,  // any NULL gives NULL
  fail,         // any NULL is an error on that row
  pass,         // the function looks at NULLs itself
};

/// A function over boxes: for nested types, where columns do not pay.
using BoxedFunction = Result<Value> (*)(std::span<const Value> arguments, const CallTypes& types);
FunctionVariant boxed(std::string_view signature, BoxedFunction function, OnNull on_null = OnNull::result_null);

/// A function that works on whole columns.
using KernelMaker = std::function<std::unique_ptr<ScalarKernel>(const CallTypes& types)>;
FunctionVariant kernel(std::string_view signature, KernelMaker make);

/// The types and constants of one aggregate call.
struct AggregateSpec {
  std::vector<Type> arguments;
  std::vector<Value> constants;
  Type result;
  std::int64_t limit = -1;  // most values that a collecting aggregate keeps; -1: all
};
using AggregateMaker = std::function<std::unique_ptr<Aggregate>(const AggregateSpec& spec)>;
struct AggregateTraits {
  bool undo = false;
  bool structured = false;
  bool combines = false;  // merging is exact: no order of rows and no cut between them shows in the result
  bool last_wins = false;
};
FunctionVariant aggregate(std::string_view signature, AggregateTraits traits, AggregateMaker make);

using TableMaker = std::function<std::unique_ptr<TableFunction>(const Type& element)>;
FunctionVariant table(std::string_view signature, TableMaker make);

/// Sets `resolve_return`.
FunctionVariant returning(FunctionVariant variant, std::function<Type(std::span<const Type>)> resolve);
FunctionVariant not_deterministic(FunctionVariant variant);

struct AggregateImplementation : FunctionImplementation {
  explicit AggregateImplementation(AggregateMaker maker) : make(std::move(maker)) {}
  AggregateMaker make;
};
struct TableImplementation : FunctionImplementation {
  explicit TableImplementation(TableMaker maker) : make(std::move(maker)) {}
  TableMaker make;
};

}  // namespace millrace::inline exec
