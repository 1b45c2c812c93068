// Numbers beside Java: rounding, casts, texts, arithmetic of DECIMAL.
#include <gtest/gtest.h>

#include <bit>
#include <cmath>

#include "exec/expr/evaluator.h"
#include "java.h"
#include "parser/syntax/parse.h"
#include "planner/bind/expr_binder.h"
#include "planner/types/cast.h"
#include "tests/unit/exec_functions/function_call.h"

namespace millrace {
namespace {

using testing_functions::Outcome;

class NoTopics final : public TopicLookup {
 public:
  std::optional<TopicInfo> find_topic(const std::string&) override { return std::nullopt; }
};

std::string sql(const std::string& text) {
  static const Catalog catalog;
  static const PropertyMap properties;
  static NoTopics topics;
  static const BindContext context{catalog, builtin_functions(), topics, properties, evaluate_constant};
  static const Scope scope;
  const ExprPtr expr = ExprBinder(context, scope).bind(parse_expression(text));
  const Outcome outcome = testing_functions::evaluate(expr);
  return outcome.failed ? "error" : to_text(outcome.value, expr->type);
}

double from_bits(const std::string& text) {
  return text == "NaN" ? std::nan("") : std::bit_cast<double>(static_cast<std::int64_t>(std::stoll(text)));
}
std::string bits(double x) {
  return std::isnan(x) ? "NaN" : std::to_string(std::bit_cast<std::int64_t>(x));
}
std::string shown(const Outcome& outcome) {
  if (outcome.failed) return "error";
  if (const double* x = outcome.value.get_if<double>()) return bits(*x);
  return to_text(outcome.value, testing_functions::type_of(outcome.value));
}

std::string cast(const Value& value, const Type& from, const Type& to) {
  Value out;
  std::string why;
  if (!cast_value(value, from, to, out, why)) return "error";
  const double* x = out.get_if<double>();
  return x != nullptr ? bits(*x) : to_text(out, to);
}

/// Java's LN and EXP may be off by one in the last place, and so may ours.
bool nearly(const std::string& a, const std::string& b) {
  return a == b || (a != "NaN" && b != "NaN" && std::abs(std::stoll(a) - std::stoll(b)) <= 1);
}

const Type kDecimal = Type::decimal(12, 3);

std::string ours(const std::vector<std::string>& line) {
  const std::string& op = line[0];
  if (op == "SQL" || op == "SQLDOUBLE") return sql(line[1]);
  if (op.starts_with("TEXT") && op != "TEXT") {
    const Type to = op == "TEXTINTEGER"  ? Type::integer()
                    : op == "TEXTBIGINT" ? Type::bigint()
                    : op == "TEXTDOUBLE" ? Type::double_()
                                         : kDecimal;
    return cast(Value(line[1]), Type::string(), to);
  }
  const double x = from_bits(line[1]);
  if (op == "ROUNDTO") return shown(testing_functions::call("ROUND", {x, std::stoi(line[2])}));
  if (op == "INTEGER") return cast(x, Type::double_(), Type::integer());
  if (op == "BIGINT") return cast(x, Type::double_(), Type::bigint());
  if (op == "DECIMAL") return cast(x, Type::double_(), kDecimal);
  if (op == "TEXT") return cast(x, Type::double_(), Type::string());
  return shown(testing_functions::call(op.c_str(), {x}));
}

bool agree(const std::vector<std::string>& line, const std::string& mine) {
  const std::string& theirs = line.back();
  if (line[0] == "LN" || line[0] == "EXP") return nearly(mine, theirs);
  if (line[0] == "SQLDOUBLE") return mine != "error" && std::stod(mine) == std::stod(theirs);
  // Before Java 19 its texts of doubles were not always the shortest.
  if (line[0] == "TEXT")
    return mine == theirs || (mine.size() <= theirs.size() && std::stod(mine) == std::stod(theirs));
  return mine == theirs;
}

TEST(JavaNumbers, RoundingCastsAndDecimals) {
  if (!testing_jvm::has_java()) GTEST_SKIP() << "no Java that compiles";
  std::size_t compared = 0;
  for (const std::string& line : testing_jvm::java_lines("NumberReference", "1000")) {
    const auto parts = testing_jvm::split(line, '\t');
    const std::string mine = ours(parts);
    EXPECT_TRUE(agree(parts, mine)) << line << " but here " << mine
                                    << (!parts[0].starts_with("SQL") && parts[0].size() < 8
                                            ? " of " + double_text(from_bits(parts[1]))
                                            : "");
    ++compared;
  }
  EXPECT_GT(compared, 45'000U);
}

}  // namespace
}  // namespace millrace
