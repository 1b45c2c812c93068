#include "planner/bind/resolve_function.h"

#include <fmt/format.h>

#include <algorithm>
#include <compare>

#include "planner/bind/coercion.h"

namespace millrace::inline planner {
namespace {

/// Which parameter each of `count` arguments meets; nullopt when the number does not fit.
std::optional<std::vector<std::size_t>> spread(const FunctionVariant& variant, std::size_t count) {
  const std::size_t parameters = variant.parameters.size();
  std::vector<std::size_t> result;
  if (variant.variadic < 0) {
    if (count != parameters) return std::nullopt;
    for (std::size_t i = 0; i < count; ++i) result.push_back(i);
    return result;
  }
  if (count + 1 < parameters) return std::nullopt;
  const std::size_t repeated = count + 1 - parameters;
  for (std::size_t p = 0; p < parameters; ++p) {
    const std::size_t times = p == static_cast<std::size_t>(variant.variadic) ? repeated : 1;
    result.insert(result.end(), times, p);
  }
  return result;
}

bool accepts(const TypePattern& pattern, const CallArgument& argument, bool widen, TypeBindings& bindings) {
  if (pattern.kind == TypePattern::Kind::lambda || argument.lambda_parameters >= 0) {
    return pattern.kind == TypePattern::Kind::lambda &&
           argument.lambda_parameters + 1 == static_cast<int>(pattern.arguments.size());
  }
  if (pattern.kind == TypePattern::Kind::interval_unit || argument.interval_unit) {
    return pattern.kind == TypePattern::Kind::interval_unit && argument.interval_unit;
  }
  return match_type(pattern, argument.type, widen, bindings);
}

std::optional<FunctionMatch> match_variant(const FunctionVariant& variant, const std::vector<CallArgument>& arguments,
                                           bool widen) {
  auto parameter = spread(variant, arguments.size());
  if (!parameter) return std::nullopt;
  FunctionMatch match;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    if (!accepts(variant.parameters[(*parameter)[i]].type, arguments[i], widen, match.bindings)) return std::nullopt;
  }
  match.parameter = std::move(*parameter);
  return match;
}

int generics(const TypePattern& pattern) {
  int count = pattern.kind == TypePattern::Kind::generic || pattern.kind == TypePattern::Kind::any ? 1 : 0;
  for (const auto& argument : pattern.arguments) count += generics(argument);
  return count;
}

/// Larger is the better match.
std::strong_ordering compare_variants(const FunctionVariant& a, const FunctionVariant& b) {
  const auto count = [](const FunctionVariant& v) {
    int n = 0;
    for (const auto& p : v.parameters) n += generics(p.type);
    return n;
  };
  if (const auto order = (a.variadic < 0) <=> (b.variadic < 0); order != 0) return order;
  if (const auto order = a.parameters.size() <=> b.parameters.size(); order != 0) return order;
  return count(b) <=> count(a);
}

std::string argument_list(const std::vector<CallArgument>& arguments) {
  std::string text;
  for (const auto& argument : arguments) {
    if (!text.empty()) text += ", ";
    text += argument.lambda_parameters >= 0 ? "LAMBDA"
            : argument.interval_unit        ? "INTERVALUNIT"
                                            : argument.type.to_string();
  }
  return text;
}

std::string signatures(const FunctionDef& function) {
  std::string text;
  for (const auto& variant : function.variants) text += signature(function, variant) + "\n";
  return text;
}

/// Widens `known` so that `other` converts to it as well.
bool unify(Type& known, const Type& other) {
  if (can_widen(other, known)) return true;
  if (known.is_numeric() && other.is_numeric()) {
    known = wider_number(known, other);
    return true;
  }
  if (!can_widen(known, other)) return false;
  known = other;
  return true;
}

}  // namespace

bool match_type(const TypePattern& pattern, const Type& type, bool widen, TypeBindings& bindings) {
  using Kind = TypePattern::Kind;
  if (type.is_null()) return true;
  switch (pattern.kind) {
    case Kind::concrete:
      return type == pattern.type || (widen && can_widen(type, pattern.type));
    case Kind::any_decimal:
      return type.kind() == TypeKind::decimal ||
             (widen && (type.kind() == TypeKind::integer || type.kind() == TypeKind::bigint));
    case Kind::generic: {
      const auto [known, fresh] = bindings.try_emplace(pattern.variable, type);
      return fresh || known->second == type || (widen && unify(known->second, type));
    }
    case Kind::array:
      return type.kind() == TypeKind::array && match_type(pattern.arguments[0], type.element(), widen, bindings);
    case Kind::map:
      return type.kind() == TypeKind::map && match_type(pattern.arguments[0], type.key(), widen, bindings) &&
             match_type(pattern.arguments[1], type.value(), widen, bindings);
    case Kind::any_struct:
      return type.kind() == TypeKind::structure;
    case Kind::any:
      return true;
    case Kind::lambda:
    case Kind::interval_unit:
      return false;
  }
  return false;
}

Type instantiate(const TypePattern& pattern, const TypeBindings& bindings, const Type& actual) {
  using Kind = TypePattern::Kind;
  const auto part = [&](TypeKind kind, auto get) { return actual.kind() == kind ? get() : Type::null(); };
  switch (pattern.kind) {
    case Kind::concrete:
      return pattern.type;
    case Kind::any_decimal:
      return actual.is_numeric() ? as_decimal(actual) : actual;
    case Kind::generic: {
      const auto known = bindings.find(pattern.variable);
      return known == bindings.end() ? actual : known->second;
    }
    case Kind::array:
      return Type::array(
          instantiate(pattern.arguments[0], bindings, part(TypeKind::array, [&] { return actual.element(); })));
    case Kind::map:
      return Type::map(
          instantiate(pattern.arguments[0], bindings, part(TypeKind::map, [&] { return actual.key(); })),
          instantiate(pattern.arguments[1], bindings, part(TypeKind::map, [&] { return actual.value(); })));
    default:
      return actual;
  }
}

FunctionMatch resolve_function(const FunctionDef& function, const std::vector<CallArgument>& arguments, Span span) {
  for (const bool widen : {false, true}) {
    std::vector<FunctionMatch> matches;
    for (std::size_t i = 0; i < function.variants.size(); ++i) {
      if (auto match = match_variant(function.variants[i], arguments, widen)) {
        match->variant = i;
        matches.push_back(std::move(*match));
      }
    }
    if (matches.empty()) continue;
    const auto better = [&](const FunctionMatch& a, const FunctionMatch& b) {
      return compare_variants(function.variants[a.variant], function.variants[b.variant]) > 0;
    };
    std::ranges::stable_sort(matches, better);
    if (matches.size() == 1 || better(matches[0], matches[1])) return matches[0];
    throw SqlError(
        Code::no_matching_function, span,
        fmt::format(
            "Function '{}' cannot be resolved due to ambiguous method parameters ({}).\nUse CAST() to explicitly cast "
            "your parameters to one of the supported function calls.\nValid function calls are:\n{}For detailed "
            "information on a function run: DESCRIBE FUNCTION <Function-Name>;",
            function.display_name, argument_list(arguments), signatures(function)));
  }
  throw SqlError(Code::no_matching_function, span,
                 fmt::format("Function '{}' does not accept parameters ({}).\nValid alternatives are:\n{}For detailed "
                             "information on a function run: DESCRIBE FUNCTION <Function-Name>;",
                             function.display_name, argument_list(arguments), signatures(function)));
}

std::string to_string(const TypePattern& pattern) {
  using Kind = TypePattern::Kind;
  switch (pattern.kind) {
    case Kind::concrete:
      return pattern.type.to_string();
    case Kind::any_decimal:
      return "DECIMAL";
    case Kind::generic:
      return pattern.variable;
    case Kind::array:
      return fmt::format("ARRAY<{}>", to_string(pattern.arguments[0]));
    case Kind::map:
      return fmt::format("MAP<{}, {}>", to_string(pattern.arguments[0]), to_string(pattern.arguments[1]));
    case Kind::any_struct:
      return "STRUCT";
    case Kind::any:
      return "ANY";
    case Kind::lambda: {
      std::string text = "LAMBDA (";
      for (std::size_t i = 0; i + 1 < pattern.arguments.size(); ++i) {
        if (i > 0) text += ", ";
        text += to_string(pattern.arguments[i]);
      }
      return text + ") => " + to_string(pattern.arguments.back());
    }
    case Kind::interval_unit:
      return "INTERVALUNIT";
  }
  return "";
}

std::string signature(const FunctionDef& function, const FunctionVariant& variant) {
  std::string text = function.display_name + "(";
  for (std::size_t i = 0; i < variant.parameters.size(); ++i) {
    if (i > 0) text += ", ";
    text += to_string(variant.parameters[i].type);
    if (static_cast<int>(i) == variant.variadic) text += "...";
    if (!variant.parameters[i].name.empty()) text += " " + variant.parameters[i].name;
  }
  return text + ")";
}

}  // namespace millrace::inline planner
