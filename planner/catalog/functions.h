#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "planner/types/value.h"

/// What the planner knows of functions. The functions themselves live in exec/functions, which fills a
/// FunctionCatalog; the planner never looks inside an implementation.
namespace millrace::inline planner {

/// Shape of a parameter or result type, with type variables.
struct TypePattern {
  enum class Kind : std::uint8_t {
    concrete,       // exactly `type` (implicit casts are the resolver's business)
    any_decimal,    // DECIMAL of any precision and scale
    generic,        // type variable `variable`, bound by the first argument that meets it
    array,          // arguments[0]
    map,            // arguments[0], arguments[1]
    any_struct,     // any STRUCT
    any,            // anything, unrelated to other parameters
    lambda,         // arguments: parameters..., result last
    interval_unit,  // DAYS, HOURS, ...
  };
  Kind kind = Kind::any;
  Type type{};
  std::string variable{};
  std::vector<TypePattern> arguments{};
};

struct ParameterDef {
  std::string name;
  TypePattern type;
  std::string doc;
  bool literal = false;                 // must be a literal constant (init arguments of aggregates)
  std::optional<std::int32_t> least{};  // of a literal INT: smaller ones are refused
  bool clock_unit = false;              // of an interval unit: MONTHS and YEARS are refused
};

/// Base of what exec knows about one variation; opaque here.
struct FunctionImplementation {
  virtual ~FunctionImplementation() = default;
};

/// One variation (overload) of a function.
struct FunctionVariant {
  std::vector<ParameterDef> parameters;
  int variadic = -1;  // index of the parameter that may repeat (zero or more times), -1 for none
  TypePattern returns;
  /// When set, gives the result type from the argument types (after implicit casts) instead of `returns`.
  std::function<Type(std::span<const Type>)> resolve_return;
  std::string doc;
  bool undo = false;        // aggregates: can be applied to a table
  bool structured = false;  // aggregates: the accumulator holds an array, map or struct
  bool combines = false;    // aggregates: parts of the rows, taken in apart and merged, give exactly what the rows give
  bool last_wins = false;   // aggregates: gives the last argument that is not NULL, whatever came before
  bool deterministic = true;  // false: RANDOM, UUID, UNIX_TIMESTAMP(): never folded
  std::shared_ptr<const FunctionImplementation> implementation;
};

/// `window`: a function that needs OVER, as LAG does; aggregates may have it.
enum class FunctionKind : std::uint8_t { scalar, aggregate, table, window };

struct FunctionExample {
  std::string sql;     // expression, for example LEN('mill')
  std::string result;  // expression, or `error` when the row fails; of a table function: its rows as an array
  std::vector<std::string> over{};  // of an aggregate: arrays with the values of the columns x, y and z, row by row
};

struct FunctionDef {
  std::string name;          // upper case, what SQL says
  std::string display_name;  // as error messages print it (sql.md), often equal to `name`
  FunctionKind kind = FunctionKind::scalar;
  std::string category;
  std::string doc;
  std::vector<FunctionVariant> variants;
  std::vector<FunctionExample> examples;
};

/// All functions by name. Built once at start, immutable afterwards, outlives every plan.
class FunctionCatalog {
 public:
  /// Precondition: no two definitions with one name (throws std::logic_error, so a clash fails at start).
  explicit FunctionCatalog(std::vector<FunctionDef> definitions);
  const FunctionDef* find(std::string_view upper_name) const;        // null when unknown
  std::span<const FunctionDef> all() const { return definitions_; }  // sorted by name

 private:
  std::vector<FunctionDef> definitions_;
};

}  // namespace millrace::inline planner
