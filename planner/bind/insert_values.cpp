#include <fmt/format.h>

#include <algorithm>

#include "parser/ast/format.h"
#include "planner/bind/binder.h"
#include "planner/bind/coerce_value.h"
#include "planner/bind/dialect.h"
#include "planner/bind/expr_binder.h"
#include "planner/bind/source_checks.h"
#include "planner/catalog/formats.h"

namespace millrace::inline planner {
namespace {

SqlError failed(const SourceDef& target, Span span, const std::string& cause) {
  return SqlError(Code::invalid_insert, span, fmt::format("Failed to insert values into '{}'. {}", target.name, cause));
}

/// The columns that the values go to, by name.
std::vector<std::string> target_columns(const ast::InsertValues& statement, const SourceDef& target) {
  std::vector<std::string> names;
  std::string headers;
  if (statement.columns.empty()) {
    for (const auto& column : target.schema.columns) {
      names.push_back(column.name);
      if (column.role == ColumnRole::header) headers += (headers.empty() ? "" : ", ") + column.name;
    }
    if (!headers.empty() && statement.rows.front().size() < names.size()) {
      std::erase_if(names, [&](const std::string& n) {
        return target.schema.columns[*target.schema.find(n)].role == ColumnRole::header;
      });
      headers.clear();
    }
  }
  for (const auto& column : statement.columns) {
    const auto index = target.schema.find(column.text);
    if (!index && (column.text == "ROWPARTITION" || column.text == "ROWOFFSET")) {
      throw SqlError(Code::invalid_insert, column.span,
                     fmt::format("Inserting into column `{}` is not allowed.", column.text));
    }
    if (!index && column.text != "ROWTIME") {
      throw failed(target, column.span, fmt::format("Column name `{}` does not exist.", column.text));
    }
    if (index && target.schema.columns[*index].role == ColumnRole::header) {
      headers += (headers.empty() ? "" : ", ") + column.text;
    }
    if (std::ranges::find(names, column.text) != names.end()) {
      throw failed(target, column.span, fmt::format("Column name `{}` is given more than once.", column.text));
    }
    names.push_back(column.text);
  }
  if (!headers.empty()) {
    throw SqlError(Code::invalid_insert, statement.target.span, "Cannot insert into HEADER columns: " + headers);
  }
  return names;
}

void check_count(const ast::InsertValues& statement, const std::vector<ast::ExprPtr>& values, const SourceDef& target,
                 const std::vector<std::string>& names) {
  if (names.size() == values.size()) return;
  if (!statement.columns.empty()) {
    throw SqlError(Code::invalid_insert, statement.target.span,
                   fmt::format("Failed to prepare statement: Expected number columns and values to match: {}, {}",
                               names.size(), values.size()));
  }
  std::string expected;
  for (const auto& name : names) expected += fmt::format("{}`{}`", expected.empty() ? "" : ", ", name);
  std::string got;
  for (const auto& value : values) got += (got.empty() ? "" : ", ") + ast::format(*value);
  throw failed(target, statement.target.span,
               fmt::format("Expected a value for each column. Expected Columns: [{}]. Got [{}]", expected, got));
}

/// Whether a constant expression that gives NULL does so because it fails: then IS NULL on it fails as well.
bool fails(const ExprPtr& expr, const BindContext& context) {
  return context.evaluate(*make_expr(IsNullExpr{expr, false}, Type::boolean(), expr->span)).is_null();
}

Value evaluate_value(const ast::ExprPtr& value, const std::string& name, const Type& type, const SourceDef& target,
                     const BindContext& context) {
  const Scope empty;
  const auto qualified = qualify(value, empty);
  check_resolved(qualified, empty, "VALUES");
  ExprBinder binder(context, empty);
  const auto bound = binder.bind(qualified);
  const auto* literal = bound->as<LiteralExpr>();
  const Value result = literal ? literal->value : context.evaluate(*bound);
  if (result.is_null() && !literal && fails(bound, context)) {
    throw failed(target, value->span,
                 fmt::format("{} for column `{}` cannot be evaluated.", ast::format(*value), name));
  }
  if (auto fitted = coerce_value(result, bound->type, type, context)) return std::move(*fitted);
  throw failed(target, value->span,
               fmt::format("Expected type {} for field `{}` but got {}({})", type.to_string(), name,
                           to_text(result, bound->type), bound->type.to_string()));
}

void check_keys(const BoundInsert::Row& row, const SourceDef& target, Span span) {
  if (target.kind != RelationKind::table) return;
  std::string missing;
  for (std::size_t i = 0; i < target.schema.key_count(); ++i) {
    if (row.values[i].is_null()) missing += (missing.empty() ? "" : ", ") + target.schema.columns[i].name;
  }
  if (missing.empty()) return;
  throw failed(target, span, fmt::format("Value for primary key column(s) {} is required for tables", missing));
}

/// DEFAULT: the column is as if it were not named.
bool is_default(const ast::Expression& value, const BindContext& context) {
  const auto* column = value.as<ast::ColumnRef>();
  return column && !column->qualifier && !column->name.quoted && column->name.text == "DEFAULT" &&
         lifts(Lifted::default_values, context.properties);
}

BoundInsert::Row bind_row(const std::vector<ast::ExprPtr>& values, const std::vector<std::string>& names,
                          const SourceDef& target, const BindContext& context) {
  BoundInsert::Row row;
  row.values.resize(target.schema.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto index = target.schema.find(names[i]);
    const Type type = index ? target.schema.columns[*index].type : Type::bigint();
    if (is_default(*values[i], context)) continue;
    Value value = evaluate_value(values[i], names[i], type, target, context);
    if (index) {
      row.values[*index] = std::move(value);
    } else if (!value.is_null()) {
      row.time = value.as<std::int64_t>();
      if (*row.time < 0) {
        throw failed(target, values[i]->span,
                     fmt::format("Invalid timestamp: {}. ROWTIME must not be negative.", *row.time));
      }
    }
  }
  return row;
}

}  // namespace

const SourceDef& require_insert_target(const ast::Identifier& name, const BindContext& context) {
  if (!setting_flag(context.properties, "ksql.insert.into.values.enabled")) {
    throw SqlError(
        Code::not_supported, name.span,
        "The server has disabled INSERT INTO ... VALUES functionality. To enable it, restart your ksqlDB server with "
        "'ksql.insert.into.values.enabled'=true");
  }
  const auto* target = context.catalog.find(name.text);
  if (!target) {
    throw SqlError(Code::unknown_source, name.span,
                   fmt::format("Cannot insert values into an unknown stream/table: `{}`{}", name.text,
                               source_hint(context.catalog, name.text)));
  }
  if (target->read_only) {
    throw SqlError(Code::read_only, name.span,
                   fmt::format("Cannot insert values into read-only {}: {}", kind_word(target->kind), name.text));
  }
  if (is_read_only(target->key_format) || is_read_only(target->value_format)) {
    throw SqlError(Code::read_only, name.span,
                   fmt::format("Cannot insert values into {} `{}`: its format can only be read",
                               kind_word(target->kind), name.text));
  }
  if (target->window) {
    throw SqlError(Code::invalid_insert, name.span, "Cannot insert values into windowed stream/table!");
  }
  return *target;
}

BoundInsert bind_insert_values(const ast::InsertValues& statement, const BindContext& context) {
  const SourceDef& target = require_insert_target(statement.target, context);
  const auto names = target_columns(statement, target);
  BoundInsert bound;
  bound.target = target.name;
  for (const auto& values : statement.rows) {
    check_count(statement, values, target, names);
    bound.rows.push_back(bind_row(values, names, target, context));
    check_keys(bound.rows.back(), target, statement.target.span);
  }
  return bound;
}

}  // namespace millrace::inline planner
