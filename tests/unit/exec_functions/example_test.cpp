#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "exec/functions/aggregate.h"
#include "exec/functions/table_function.h"
#include "exec/functions/window_function.h"
#include "function_call.h"
#include "parser/syntax/parse.h"
#include "planner/bind/expr_binder.h"

/// Every example that a function declares: scalar ones through the parser, the binder and the evaluator, aggregates
/// over the rows that the example names, table functions on their one list.
namespace millrace {
namespace {

using testing_functions::evaluate;
using testing_functions::Outcome;

class NoTopics final : public TopicLookup {
 public:
  std::optional<TopicInfo> find_topic(const std::string&) override { return std::nullopt; }
};

ExprPtr bound(const ast::ExprPtr& tree) {
  static const Catalog catalog;
  static const PropertyMap properties;
  static NoTopics topics;
  static const BindContext context{catalog, builtin_functions(), topics, properties, evaluate_constant};
  static const Scope scope;
  return ExprBinder(context, scope).bind(tree);
}
ExprPtr bound(const std::string& sql) {
  return bound(parse_expression(sql));
}

std::string shown(const Outcome& outcome, const Type& type) {
  if (outcome.failed) return "error";
  return outcome.value.is_null() ? "NULL" : to_text(outcome.value, type) + " " + type.to_string();
}
std::string shown(const std::string& sql) {
  const ExprPtr expr = bound(sql);
  return shown(evaluate(expr), expr->type);
}

std::size_t column_index(const ast::ExprPtr& argument) {
  const auto* column = argument->as<ast::ColumnRef>();
  return column == nullptr ? std::string::npos : std::string("XYZ").find(column->name.text);
}

/// What an aggregate call takes in: columns, and constants by parameter.
struct AggregateArguments {
  std::vector<CallArgument> known;
  std::vector<ExprPtr> expressions;  // literals as they are, columns as references
  std::vector<ColumnPtr> columns;
};

AggregateArguments aggregate_arguments(const ast::Call& call, const std::vector<std::string>& over) {
  AggregateArguments out;
  for (const auto& argument : call.arguments) {
    const std::size_t index = column_index(argument);
    if (index == std::string::npos) {
      out.expressions.push_back(bound(argument));
    } else {
      const ExprPtr list = bound(over.at(index));
      ColumnBuilder builder(list->type.element());
      const Value values = evaluate(list).value;
      for (const Value& value : values.items()) builder.append(value);
      out.columns.push_back(builder.finish());
      out.expressions.push_back(testing_functions::expression(ColumnExpr{index}, list->type.element()));
    }
    out.known.push_back({.type = out.expressions.back()->type});
  }
  return out;
}

/// The call that an example of an aggregate or of a function over windows shows.
AggregateCall example_call(const ast::Call& parsed, const AggregateArguments& in) {
  AggregateCall call{};
  call.function = builtin_functions().find(parsed.name.text);
  const auto match = resolve_function(*call.function, in.known, {});
  const auto& variant = call.function->variants[match.variant];
  call.variant = match.variant;
  std::vector<Type> types;
  for (std::size_t i = 0; i < in.known.size(); ++i) {
    types.push_back(in.known[i].type);
    if (variant.parameters[match.parameter[i]].literal)
      call.constants.push_back(evaluate(in.expressions[i]).value);
    else
      call.arguments.push_back(in.expressions[i]);
  }
  call.column.type = variant.resolve_return ? variant.resolve_return(types)
                                            : instantiate(variant.returns, match.bindings, Type::null());
  return call;
}

std::string aggregate_shown(const FunctionExample& example) {
  const auto tree = parse_expression(example.sql);
  const auto& parsed = *tree->as<ast::Call>();
  AggregateArguments in = aggregate_arguments(parsed, example.over);
  const AggregateCall call = example_call(parsed, in);
  const auto aggregate = make_aggregate(call);
  const std::size_t rows = evaluate(bound(example.over.at(0))).value.items().size();
  alignas(64) std::byte memory[256];
  aggregate->init(memory);
  std::vector<std::byte*> states(rows, memory);
  std::vector<std::uint32_t> all(rows);
  std::iota(all.begin(), all.end(), 0U);
  const auto status = aggregate->update(states, 0, in.columns, all);
  const std::byte* const state = memory;
  const ColumnPtr result = aggregate->result(std::span(&state, 1), 0);
  std::string text = status ? shown({get_value(*result, 0), false}, aggregate->type()) : "error";
  aggregate->destroy(memory);
  return text;
}

/// Integers of an example are INTEGERs, whatever a rank is.
std::string without_type(const std::string& shown_value) {
  return shown_value.substr(0, shown_value.find(" ARRAY<"));
}

/// Over all values of x, which the rows are ordered by; frames end at the row itself.
std::string window_shown(const FunctionExample& example) {
  const auto tree = parse_expression(example.sql);
  const auto& parsed = *tree->as<ast::Call>();
  const AggregateArguments in = aggregate_arguments(parsed, example.over);
  const OverCall call{.call = example_call(parsed, in), .frame = {}};
  const Value x = evaluate(bound(example.over.at(0))).value;
  const auto rows = static_cast<std::uint32_t>(x.items().size());
  std::vector<std::uint32_t> peers;
  std::vector<WindowRows::Frame> frames;
  for (std::uint32_t row = 0; row < rows; ++row) {
    peers.push_back(row > 0 && x.items()[row] == x.items()[row - 1] ? peers.back() : row);
    frames.push_back({0, row + 1});
  }
  std::vector<ColumnPtr> columns = in.columns;
  if (call.call.arguments.size() > columns.size())  // a default
    columns.push_back(make_constant_column(evaluate(call.call.arguments.back()).value, columns[0]->type, rows));
  const WindowRows::Part all{0, rows, 0, rows};
  const ColumnPtr result = make_window_function(call)->evaluate({{&all, 1}, peers, frames}, columns);
  Value::List values;
  for (std::uint32_t row = 0; row < rows; ++row) values.push_back(get_value(*result, row));
  return without_type(shown({Value::list(std::move(values)), false}, Type::array(result->type)));
}

std::string table_shown(const FunctionExample& example) {
  const auto tree = parse_expression(example.sql);
  const auto& parsed = *tree->as<ast::Call>();
  const ExprPtr list = bound(parsed.arguments.at(0));
  TableCall call{};
  call.function = builtin_functions().find(parsed.name.text);
  call.arguments = {list};
  call.column.type = call.function->name == "EXPLODE" ? list->type.element() : list->type;
  ColumnBuilder builder(list->type);
  builder.append(evaluate(list).value);
  RowErrors errors;
  const ColumnPtr arguments[] = {builder.finish()};
  const ColumnPtr rows = make_table_function(call)->apply(arguments, 1, errors);
  return shown({get_value(*rows, 0), errors.count != 0}, rows->type);
}

struct Case {
  FunctionKind kind;
  FunctionExample example;
};
void PrintTo(const Case& one, std::ostream* out) {
  *out << one.example.sql;
}

class Example : public testing::TestWithParam<Case> {};

TEST_P(Example, Holds) {
  const auto& [kind, example] = GetParam();
  std::string expected = example.result == "error" ? "error" : shown(example.result);
  if (kind == FunctionKind::window) expected = without_type(expected);
  EXPECT_EQ(kind == FunctionKind::scalar      ? shown(example.sql)
            : kind == FunctionKind::aggregate ? aggregate_shown(example)
            : kind == FunctionKind::window    ? window_shown(example)
                                              : table_shown(example),
            expected)
      << example.sql;
}

std::vector<Case> all_examples() {
  std::vector<Case> all;
  for (const FunctionDef& function : builtin_functions().all())
    for (const FunctionExample& example : function.examples) all.push_back({function.kind, example});
  return all;
}
INSTANTIATE_TEST_SUITE_P(Builtin, Example, testing::ValuesIn(all_examples()));

TEST(Catalog, EveryFunctionIsDocumentedAndCallable) {
  for (const FunctionDef& function : builtin_functions().all()) {
    EXPECT_FALSE(function.doc.empty()) << function.name;
    EXPECT_FALSE(function.variants.empty()) << function.name;
    const bool repeatable = std::ranges::any_of(function.variants, &FunctionVariant::deterministic);
    EXPECT_EQ(function.examples.empty(), !repeatable) << function.name << " needs an example beside its declaration";
    for (const FunctionVariant& variant : function.variants)
      EXPECT_NE(variant.implementation, nullptr) << function.name;
  }
}

// An example of an error must not pass for one of NULL, nor the other way round.
TEST(Catalog, ErrorsAreToldFromNull) {
  EXPECT_EQ(shown("GENERATE_SERIES(1, 2, 0)"), "error");
  EXPECT_EQ(shown("NULLIF(1, 1)"), "NULL");
}

}  // namespace
}  // namespace millrace
