#include <fmt/format.h>
#include <gtest/gtest.h>

#include "exec/expr/evaluator.h"
#include "exec/functions/builtin.h"
#include "parser/syntax/parse.h"
#include "planner/bind/expr_binder.h"

/// Every example that a function declares, through the parser, the binder and the evaluator.
namespace millrace {
namespace {

class NoTopics final : public TopicLookup {
 public:
  std::optional<TopicInfo> find_topic(const std::string&) override { return std::nullopt; }
};

std::pair<Value, Type> evaluate(const std::string& sql) {
  static const Catalog catalog;
  static const PropertyMap properties;
  NoTopics topics;
  const BindContext context{catalog, builtin_functions(), topics, properties, evaluate_constant};
  const Scope scope;
  ExprBinder binder(context, scope);
  const ExprPtr expr = binder.bind(parse_expression(sql));
  return {evaluate_constant(*expr), expr->type};
}

class Example : public testing::TestWithParam<FunctionExample> {};

TEST_P(Example, Holds) {
  const auto [value, type] = evaluate(GetParam().sql);
  const auto [expected, expected_type] = evaluate(GetParam().result);
  EXPECT_EQ(to_text(value, type), to_text(expected, expected_type)) << GetParam().sql;
  EXPECT_TRUE(expected.is_null() || type == expected_type)
      << GetParam().sql << " is " << type.to_string() << ", not " << expected_type.to_string();
}

std::vector<FunctionExample> all_examples() {
  std::vector<FunctionExample> all;
  for (const FunctionDef& function : builtin_functions().all())
    all.insert(all.end(), function.examples.begin(), function.examples.end());
  return all;
}
INSTANTIATE_TEST_SUITE_P(Builtin, Example, testing::ValuesIn(all_examples()));

TEST(Catalog, EveryFunctionIsDocumentedAndCallable) {
  for (const FunctionDef& function : builtin_functions().all()) {
    EXPECT_FALSE(function.doc.empty()) << function.name;
    EXPECT_FALSE(function.variants.empty()) << function.name;
    for (const FunctionVariant& variant : function.variants)
      EXPECT_NE(variant.implementation, nullptr) << function.name;
  }
}

}  // namespace

void PrintTo(const FunctionExample& example, std::ostream* out) {
  *out << example.sql;
}

}  // namespace millrace
