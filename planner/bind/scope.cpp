#include "planner/bind/scope.h"

#include <fmt/format.h>

#include <algorithm>

#include "parser/ast/format.h"
#include "planner/bind/ast_rewrite.h"
#include "planner/bind/nearest.h"

namespace millrace::inline planner {

std::optional<PseudoColumn> pseudo_column_of(std::string_view name) {
  for (const auto column : {PseudoColumn::row_time, PseudoColumn::row_partition, PseudoColumn::row_offset,
                            PseudoColumn::window_start, PseudoColumn::window_end}) {
    if (pseudo_column_name(column) == name) return column;
  }
  return std::nullopt;
}

const ScopeColumn* ScopeSource::find(std::string_view name) const {
  const auto found =
      std::ranges::find_if(columns, [&](const ScopeColumn& column) { return !column.hidden && column.name == name; });
  return found == columns.end() ? nullptr : &*found;
}

std::optional<PseudoColumn> ScopeSource::find_pseudo(std::string_view name) const {
  if (list) return std::nullopt;
  const auto column = pseudo_column_of(name);
  const bool bound = column == PseudoColumn::window_start || column == PseudoColumn::window_end;
  // What a query gives has no place in a topic.
  const bool place = column == PseudoColumn::row_partition || column == PseudoColumn::row_offset;
  return (bound && !(def && def->window)) || (place && plan) ? std::nullopt : column;
}

const ScopeSource* Scope::find_source(std::string_view alias) const {
  const auto found = std::ranges::find(sources, alias, &ScopeSource::alias);
  return found == sources.end() ? nullptr : &*found;
}

const ScopeColumn* Scope::find_synthetic(std::string_view name) const {
  const auto found = std::ranges::find(synthetic_keys, name, &ScopeColumn::name);
  return found == synthetic_keys.end() ? nullptr : &*found;
}

const SharedColumn* Scope::find_shared(std::string_view alias, const std::string& name) const {
  const auto found = shared.find(name);
  if (found == shared.end()) return nullptr;
  const auto& aliases = found->second.aliases;
  return std::ranges::find(aliases, alias) == aliases.end() ? nullptr : &found->second;
}

bool Scope::has_column(std::string_view name) const {
  return std::ranges::any_of(sources, [&](const auto& source) { return source.find(name) != nullptr; });
}

void Scope::shift(std::size_t count) {
  for (auto& source : sources) {
    for (auto& column : source.columns) column.position += count;
    for (auto& [pseudo, position] : source.pseudo_positions) position += count;
  }
  for (auto& key : synthetic_keys) key.position += count;
}

std::vector<std::string> Scope::column_names() const {
  std::vector<std::string> names;
  for (const auto& source : sources) {
    for (const auto& column : source.columns) {
      if (column.hidden) continue;
      names.push_back(is_join() ? source.alias + "." + column.name : column.name);
    }
  }
  return names;
}

std::string join_column_name(std::string_view alias, std::string_view column) {
  return fmt::format("{}_{}", alias, column);
}

namespace {

bool holds(const ScopeSource& source, const std::string& name) {
  return source.find(name) != nullptr || source.find_pseudo(name).has_value();
}

[[noreturn]] void fail_ambiguous(const ast::ColumnRef& column, const std::vector<const ScopeSource*>& owners,
                                 Span span) {
  std::string choices;
  for (const auto* owner : owners) {
    if (!choices.empty()) choices += " or ";
    choices += owner->alias + "." + column.name.text;
  }
  throw SqlError(
      Code::ambiguous_column, span,
      fmt::format("Exception while preparing statement: Line: {}, Col: {}: Column '{}' is ambiguous. Could be {}.",
                  span.line, span.column, column.name.text, choices));
}

bool names_window_bound(const std::string& name) {
  return name == "WINDOWSTART" || name == "WINDOWEND";
}

class Qualifier {
 public:
  explicit Qualifier(const Scope& scope) : scope_(scope) {}

  /// Unknown qualifiers are reported before any other mistake.
  void check_qualifiers(const ast::ExprPtr& expr) const {
    const auto* column = expr->as<ast::ColumnRef>();
    if (column && column->qualifier && !scope_.find_source(column->qualifier->text)) {
      throw SqlError(Code::unknown_source, expr->span,
                     fmt::format("Failed to prepare statement: '{}' is not a valid stream/table name or alias.",
                                 column->qualifier->text));
    }
    for_each_child(*expr, [this](const ast::ExprPtr& child) { check_qualifiers(child); });
  }

  ast::ExprPtr rewrite(const ast::ExprPtr& expr) {
    if (const auto* column = expr->as<ast::ColumnRef>()) return rewrite_column(expr, *column);
    if (const auto* lambda = expr->as<ast::Lambda>()) return rewrite_lambda(expr, *lambda);
    if (const auto* call = expr->as<ast::Call>()) return rewrite_call(expr, *call);
    return map_children(expr, [this](const ast::ExprPtr& child) { return rewrite(child); });
  }

 private:
  /// A word such as SECOND among the arguments is a unit where the function takes one there, else a column of that
  /// name.
  ast::ExprPtr rewrite_call(const ast::ExprPtr& expr, const ast::Call& call) {
    const FunctionDef* function = scope_.functions ? scope_.functions->find(call.name.text) : nullptr;
    std::size_t index = 0;
    return map_children(expr, [&](const ast::ExprPtr& child) {
      const std::size_t at = index++;
      const auto* unit = child->as<ast::IntervalUnit>();
      if (!unit || (function && takes_unit(*function, at))) return rewrite(child);
      const bool known =
          scope_.has_column(unit->unit) || std::ranges::find(parameters_, unit->unit) != parameters_.end();
      if (!known) return child;
      return rewrite(make_ast(ast::ColumnRef{std::nullopt, {.text = unit->unit, .quoted = false, .span = child->span}},
                              child->span));
    });
  }
  static bool takes_unit(const FunctionDef& function, std::size_t argument) {
    return std::ranges::any_of(function.variants, [&](const FunctionVariant& variant) {
      return argument < variant.parameters.size() &&
             variant.parameters[argument].type.kind == TypePattern::Kind::interval_unit;
    });
  }

  ast::ExprPtr rewrite_column(const ast::ExprPtr& expr, const ast::ColumnRef& column) {
    if (column.qualifier) {
      const bool bound = scope_.window_aggregation && names_window_bound(column.name.text);
      if (!bound || holds(*scope_.find_source(column.qualifier->text), column.name.text)) return expr;
      return make_ast(ast::ColumnRef{std::nullopt, column.name}, expr->span);
    }
    if (std::ranges::find(parameters_, column.name.text) != parameters_.end()) return expr;
    // The windows of the query itself, not those of what it reads.
    const auto of_windows = [](const ScopeSource& source) {
      return source.plan || (source.def->window && source.def->kind == RelationKind::table);
    };
    if (scope_.window_aggregation && names_window_bound(column.name.text) && of_windows(scope_.sources.front()))
      return expr;
    if (scope_.find_synthetic(column.name.text) && !scope_.has_column(column.name.text)) return expr;
    std::vector<const ScopeSource*> owners;
    for (const auto& source : scope_.sources) {
      if (holds(source, column.name.text)) owners.push_back(&source);
    }
    const auto is_shared = [&](const ScopeSource* owner) { return scope_.find_shared(owner->alias, column.name.text); };
    if (owners.size() > 1 && std::ranges::all_of(owners, is_shared)) return scope_.shared.at(column.name.text).value;
    if (owners.size() > 1) fail_ambiguous(column, owners, expr->span);
    if (owners.empty()) return expr;
    ast::ColumnRef qualified = column;
    qualified.qualifier = ast::Identifier{.text = owners[0]->alias, .quoted = false, .span = expr->span};
    return make_ast(qualified, expr->span);
  }

  ast::ExprPtr rewrite_lambda(const ast::ExprPtr& expr, const ast::Lambda& lambda) {
    for (const auto& parameter : lambda.parameters) {
      if (scope_.has_column(parameter.text)) {
        throw SqlError(Code::invalid_statement, parameter.span,
                       "Lambda function argument can't be a column name: " + parameter.text);
      }
      if (std::ranges::find(parameters_, parameter.text) != parameters_.end()) {
        throw SqlError(Code::invalid_statement, parameter.span,
                       "Reusing lambda arguments in nested lambda is not allowed");
      }
    }
    const std::size_t before = parameters_.size();
    for (const auto& parameter : lambda.parameters) parameters_.push_back(parameter.text);
    auto result = map_children(expr, [this](const ast::ExprPtr& child) { return rewrite(child); });
    parameters_.resize(before);
    return result;
  }

  const Scope& scope_;
  std::vector<std::string> parameters_;
};

void check_resolved(const ast::ExprPtr& expr, const Scope& scope, const std::string& clause,
                    std::vector<std::string>& parameters) {
  if (const auto* column = expr->as<ast::ColumnRef>()) {
    const std::string& name = column->name.text;
    if (!column->qualifier) {
      if (std::ranges::find(parameters, name) != parameters.end()) return;
      if (scope.find_synthetic(name)) return;
      if (scope.window_aggregation && names_window_bound(name)) return;
    } else if (const auto* source = scope.find_source(column->qualifier->text); source && holds(*source, name)) {
      return;
    }
    const std::string written = column->qualifier ? column->qualifier->text + "." + name : name;
    std::string message = fmt::format("Line: {}, Col: {}: {} column '{}' cannot be resolved.", expr->span.line,
                                      expr->span.column, clause, written);
    if (clause == "PARTITION BY") {
      message += fmt::format(" '{}' must be a column in the source schema since PARTITION BY is applied on the input.",
                             written);
    }
    std::string hint = nearest_hint(written, scope.column_names());
    // A quoted name that is near no column: other dialects write text so.
    if (hint.empty() && column->name.quoted && !column->qualifier)
      hint = fmt::format("did you mean the text '{}'? Text stands in single quotes", name);
    throw SqlError(Code::unknown_column, expr->span, message).hint(std::move(hint));
  }
  const std::size_t before = parameters.size();
  if (const auto* lambda = expr->as<ast::Lambda>()) {
    for (const auto& parameter : lambda->parameters) parameters.push_back(parameter.text);
  }
  for_each_child(*expr, [&](const ast::ExprPtr& child) { check_resolved(child, scope, clause, parameters); });
  parameters.resize(before);
}

}  // namespace

ast::ExprPtr qualify(const ast::ExprPtr& expr, const Scope& scope) {
  if (!expr) return expr;
  Qualifier qualifier(scope);
  qualifier.check_qualifiers(expr);
  return qualifier.rewrite(expr);
}

void check_resolved(const ast::ExprPtr& expr, const Scope& scope, const std::string& clause) {
  std::vector<std::string> parameters;
  if (expr) check_resolved(expr, scope, clause, parameters);
}

std::string display(const ast::ExprPtr& expr, const Scope& scope) {
  const std::function<ast::ExprPtr(const ast::ExprPtr&)> strip = [&](const ast::ExprPtr& node) -> ast::ExprPtr {
    const auto* column = node->as<ast::ColumnRef>();
    if (!column) return map_children(node, strip);
    if (!column->qualifier) return node;
    ast::ColumnRef plain{std::nullopt, column->name};
    if (scope.is_join()) plain.name.text = join_column_name(column->qualifier->text, column->name.text);
    return make_ast(plain, node->span);
  };
  return ast::format(*strip(expr));
}

std::string source_hint(const Catalog& catalog, const std::string& name) {
  if (const auto found = catalog.unavailable.find(name); found != catalog.unavailable.end())
    return fmt::format(" It is there, but this version of Millrace cannot read it: {}", found->second);
  std::vector<std::string> names;
  for (const auto& [other, source] : catalog.sources) names.push_back(other);
  const std::string nearest = nearest_name(name, names);
  if (nearest.empty()) return "";
  const std::string shown = ast::format_name(nearest);
  if (shown != nearest) {
    return fmt::format("\nDid you mean \"{}\"? Hint: wrap the source name in double quotes to make it case-sensitive.",
                       nearest);
  }
  const bool quoted = ast::format_name(name) != name;
  return fmt::format("\nDid you mean {}?{}", nearest,
                     quoted ? " Hint: try removing double quotes from the source name." : "");
}

const SourceDef& require_source(const Catalog& catalog, const ast::Identifier& name, std::string_view kind) {
  if (const auto* source = catalog.find(name.text)) return *source;
  throw SqlError(Code::unknown_source, name.span,
                 fmt::format("{}{} does not exist.{}", kind, name.text, source_hint(catalog, name.text)))
      .hint([&] {
        std::vector<std::string> names;
        for (const auto& [other, source] : catalog.sources) names.push_back(other);
        return nearest_hint(name.text, names);
      }());
}

}  // namespace millrace::inline planner
