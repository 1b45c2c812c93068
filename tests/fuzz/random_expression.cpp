#include "tests/fuzz/random_sql.h"

namespace millrace::fuzz {

using namespace ast;

namespace {

template <class T>
ExprPtr make(T node) {
  return std::make_shared<const Expression>(Expression{std::move(node), {}});
}

}  // namespace

Identifier RandomSql::name() {
  static const std::vector<std::string> kNames = {
      "A",      "B",    "ID",    "KEY",  "a",        "Mixed",     "with space", "`",      "\"",     "''",
      "SELECT", "FROM", "ARRAY", "MAP",  "STRUCT",   "DAYS",      "DAY",        "DATE",   "EMIT",   "1R",
      "1E5",    "12",   "X@Y",   "_",    "SESSION",  "PARTITION", "FINAL",      "GRACE",  "COLUMN", "IF",
      "ü",      "--",   "/*",    ";",    "SHOW",     "ROWTIME",   "FUNCTION",   "SOURCE", "ESCAPE", "TIMESTAMP",
      "ZONE",   "CASE", "END",   "${x}", "INTERVAL", "STRING",    "TOPIC",      "SET"};
  return {kNames[below(kNames.size())], chance(), {}};
}

std::string RandomSql::text() {
  return pick<std::string>({"", "x", "it's", "''", "a;b", "--", "ü\n", "`\"", "%_!", "${v}"});
}

ExprPtr RandomSql::number() {
  switch (below(4)) {
    case 0:
      return make(IntegerLiteral{pick({0, 1, -1, 2147483647, -2147483647 - 1, 42})});
    case 1:
      return make(
          BigintLiteral{pick<std::int64_t>({2147483648LL, -2147483649LL, INT64_MAX, INT64_MIN, 99999999999LL})});
    case 2:
      return make(DecimalLiteral{pick<std::string>({"0.05", "-04.90", "1.", ".5", "-.5", "123.456"})});
    default: {
      const std::string text =
          pick<std::string>({"1E3", "-1.5E-3", "4.9E-324", "1.7976931348623157E308", "0E0", "1e+2"});
      return make(DoubleLiteral{
          std::stod(text == "4.9E-324" ? "0" : text) + (text == "4.9E-324" ? 4.9406564584124654e-324 : 0), text});
    }
  }
}

ExprPtr RandomSql::leaf() {
  switch (below(6)) {
    case 0:
      return make(NullLiteral{});
    case 1:
      return make(BooleanLiteral{chance()});
    case 2:
      return number();
    case 3:
      return make(StringLiteral{text()});
    case 4:
      return make(ColumnRef{name(), name()});
    default:
      return make(ColumnRef{std::nullopt, name()});
  }
}

std::vector<ExprPtr> RandomSql::expressions(int depth, std::size_t least) {
  std::vector<ExprPtr> all;
  for (std::size_t i = least + below(3); i > 0; --i) all.push_back(expression(depth));
  return all;
}

ExprPtr RandomSql::expression(int depth) {
  if (depth <= 0 || chance(6)) return leaf();
  switch (below(3)) {
    case 0:
      return container(depth - 1);
    case 1:
      return call(depth - 1);
    default:
      return compound(depth - 1);
  }
}

ExprPtr RandomSql::compound(int depth) {
  const ExprPtr first = expression(depth);
  const ExprPtr second = expression(depth);
  switch (below(9)) {
    case 0:
      return make(Unary{static_cast<UnaryOp>(below(3)), first});
    case 1:
      return make(Binary{static_cast<BinaryOp>(below(8)), first, second});
    case 2:
      return make(Comparison{static_cast<CompareOp>(below(8)), first, second});
    case 3:
      return make(Comparison{CompareOp::not_equal, first, second, true});
    case 4:
      return make(Between{first, second, expression(depth), chance()});
    case 5:
      return make(In{first, expressions(depth, 1), chance()});
    case 6:
      return make(Like{first, second, maybe<std::string>(pick<std::string>({"!", "'", "ü"})), chance()});
    case 7:
      return make(IsNull{first, chance()});
    default:
      return choice(depth);
  }
}

ExprPtr RandomSql::choice(int depth) {
  Case made;
  if (chance()) made.operand = expression(depth);
  for (std::size_t i = 1 + below(2); i > 0; --i) made.whens.push_back({expression(depth), expression(depth), {}});
  if (chance()) made.otherwise = expression(depth);
  return make(std::move(made));
}

ExprPtr RandomSql::container(int depth) {
  switch (below(9)) {
    case 0:
      return make(FieldAccess{expression(depth), name()});
    case 1:
      return make(Subscript{expression(depth), expression(depth)});
    case 2:
      return make(ArrayConstructor{expressions(depth, 0)});
    case 3: {
      MapConstructor made;
      for (std::size_t i = below(3); i > 0; --i) made.entries.emplace_back(expression(depth), expression(depth));
      return make(std::move(made));
    }
    case 4: {
      StructConstructor made;
      for (std::size_t i = below(3); i > 0; --i) made.fields.emplace_back(name(), expression(depth));
      return make(std::move(made));
    }
    case 5:
      return make(Cast{expression(depth), type(2)});
    case 6:
      if (queries_ >= 2 || !chance(4)) return make(Interval{7, "DAYS"});
      if (chance()) return make(Exists{query()});
      if (chance()) return make(ScalarQuery{query()});
      return make(In{expression(depth), {}, chance(), query()});
    case 7:
      return make(Interval{static_cast<std::int64_t>(below(100)), pick<std::string>({"SECOND", "MONTHS", "DAY"})});
    default:
      return make(AtTimeZone{expression(depth), expression(depth)});
  }
}

ExprPtr RandomSql::call(int depth) {
  Call made{name(), {}, chance(5)};
  if (!made.star) {
    for (std::size_t i = below(4); i > 0; --i) made.arguments.push_back(argument(depth));
  }
  if (chance(5)) made.modifiers = modifiers(depth);
  if (made.modifiers && made.modifiers->distinct && made.arguments.empty()) made.modifiers = nullptr;
  return make(std::move(made));
}

std::shared_ptr<const CallModifiers> RandomSql::modifiers(int depth) {
  CallModifiers made;
  made.distinct = chance();
  if (chance(3)) made.order_by = sorting(depth, 1);
  if (chance(3)) made.limit = static_cast<std::int64_t>(below(100));
  made.ignore_nulls = maybe(chance());
  made.filter = expression(depth);
  if (chance()) made.over = over(depth);
  return std::make_shared<const CallModifiers>(std::move(made));
}

Over RandomSql::over(int depth) {
  Over made;
  made.base = maybe(name());
  if (chance()) made.partition = expressions(depth, 1);
  if (chance()) made.order = sorting(depth, 1);
  if (!chance()) return made;
  const auto bound = [this] {
    FrameBound of;
    of.kind = static_cast<FrameBound::Kind>(below(5));
    const bool distance = of.kind == FrameBound::Kind::preceding || of.kind == FrameBound::Kind::following;
    if (distance && chance()) of.distance = duration();
    if (distance && of.distance.index() == 0) of.distance = static_cast<std::int64_t>(below(100));
    return of;
  };
  made.frame = Frame{chance(), bound(), bound(), {}};
  return made;
}

std::vector<SortItem> RandomSql::sorting(int depth, std::size_t least) {
  std::vector<SortItem> made;
  for (const ExprPtr& expr : expressions(depth, least)) made.push_back({expr, chance(), maybe(chance()), {}});
  return made;
}

ExprPtr RandomSql::argument(int depth) {
  if (chance(6)) return make(IntervalUnit{pick<std::string>({"DAY", "DAYS", "HOURS", "MILLISECOND", "YEARS"})});
  if (!chance(6)) return expression(depth);
  Lambda made;
  for (std::size_t i = 1 + below(3); i > 0; --i) made.parameters.push_back(name());
  made.body = expression(depth);
  return make(std::move(made));
}

TypeName RandomSql::type(int depth) {
  TypeName made;
  const std::size_t shape = depth > 0 ? below(5) : 4;
  if (shape == 0) {
    made.name.text = "ARRAY";
    made.arguments.push_back(type(depth - 1));
  } else if (shape == 1) {
    made.name.text = "MAP";
    made.arguments = {type(depth - 1), type(depth - 1)};
  } else if (shape == 2) {
    made.name.text = "STRUCT";
    for (std::size_t i = below(3); i > 0; --i) {
      made.fields.push_back(name());
      made.arguments.push_back(type(depth - 1));
    }
  } else if (shape == 3) {
    made.name.text = "DECIMAL";
    made.numbers = {static_cast<std::int64_t>(below(40)), static_cast<std::int64_t>(below(10))};
  } else {
    made.name.text =
        pick<std::string>({"INT", "INTEGER", "VARCHAR", "STRING", "DATE", "TIMESTAMP", "my type", "ADDRESS"});
  }
  return made;
}

}  // namespace millrace::fuzz
