#include "planner/rules/rules.h"

#include <gtest/gtest.h>

#include "tests/unit/planner_rules/plans.h"

namespace millrace {
namespace {

using namespace test;

Value evaluate(const Expr& expr) {
  const auto* sum = expr.as<ArithmeticExpr>();
  if (!sum) return {};
  return sum->left->as<LiteralExpr>()->value.as<std::int64_t>() +
         sum->right->as<LiteralExpr>()->value.as<std::int64_t>();
}

std::string rewritten(const NodePtr& root, const std::set<std::string>& off = {}) {
  const QueryOptions options;
  return explain(rewrite(root, RuleContext{.evaluate = evaluate, .options = options}, off).root);
}

TEST(Rules, FoldsConstants) {
  const NodePtr s = stream();
  EXPECT_EQ(rewritten(sink(filter(s, greater(ref(s, 1), add(literal(1), literal(2)))))),
            "sink OUT topic=OUT KAFKA/JSON  [stream]\n"
            "  filter (A > 3)  [stream]\n"
            "    source S topic=S KAFKA/JSON  [stream]\n");
}

TEST(Rules, ReadsOnlyWhatIsUsed) {
  const NodePtr s = stream();
  EXPECT_EQ(rewritten(sink(project(filter(s, greater(ref(s, 2), literal(1))), {0, 3}))),
            "sink OUT topic=OUT KAFKA/JSON  [stream]\n"
            "  project ID, C  [stream]\n"
            "    filter (B > 1)  [stream]\n"
            "      source S topic=S KAFKA/JSON reads 3 of 4  [stream]\n");
}

TEST(Rules, MovesRowsBelowAnAggregateAndNarrowsThem) {
  EXPECT_EQ(rewritten(sink(sum(rekey(stream(), 3, NullKey::drop), 2))),
            "sink OUT topic=OUT KAFKA/JSON  [table]\n"
            "  aggregate SUM(A)  [table]\n"
            "    repartition Aggregate-GroupBy key=KAFKA  [stream]\n"
            "      project C, A  [stream]\n"
            "        rekey C  [stream]\n"
            "          source S topic=S KAFKA/JSON reads 3 of 4  [stream]\n");
}

TEST(Rules, KeepsRowsWhereTheyAreWhenTheKeyStays) {
  EXPECT_EQ(rewritten(sink(sum(stream(), 1))),
            "sink OUT topic=OUT KAFKA/JSON  [table]\n"
            "  aggregate SUM(A)  [table]\n"
            "    source S topic=S KAFKA/JSON reads 2 of 4  [stream]\n");
  const std::string same_key = rewritten(sink(sum(rekey(stream(), 0), 2)));
  EXPECT_EQ(same_key.find("repartition"), std::string::npos) << same_key;
  const std::string off = rewritten(sink(sum(rekey(stream(), 0), 2)), {"all"});
  EXPECT_NE(off.find("repartition"), std::string::npos) << off;
}

TEST(Rules, ElidesTheMoveOverOnePartition) {
  const std::string plan = rewritten(sink(sum(rekey(stream("S", 1), 3), 2)));
  EXPECT_EQ(plan.find("repartition"), std::string::npos) << plan;
  const std::string unknown = rewritten(sink(sum(rekey(stream("S", 0), 3), 2)));
  EXPECT_NE(unknown.find("repartition"), std::string::npos) << unknown;
}

TEST(Rules, PushesPredicatesOfTheStreamBelowTheJoin) {
  const NodePtr joined = join(rekey(stream(), 3), table());
  // Column 3 is the stream's A, column 7 the table's A.
  const NodePtr plan =
      sink(project(filter(joined, expr_of(Type::boolean(), LogicalExpr{true, greater(ref(joined, 3), literal(5)),
                                                                       greater(ref(joined, 7), literal(6))})),
                   {0, 8}));
  EXPECT_EQ(rewritten(plan),
            "sink OUT topic=OUT KAFKA/JSON  [stream]\n"
            "  project C, B  [stream]\n"
            "    filter (A > 6)  [stream]\n"
            "      stream_table_join inner on C  [stream]\n"
            "        repartition Join-left key=KAFKA partitions=4  [stream]\n"
            "          project C  [stream]\n"
            "            rekey C  [stream]\n"
            "              filter (A > 5)  [stream]\n"
            "                source S topic=S KAFKA/JSON reads 3 of 4  [stream]\n"
            "        source T topic=T KAFKA/JSON reads 3 of 4  [table]\n");
}

TEST(Rules, PushesPredicatesOfBothSidesBelowAJoinWithoutATimeBound) {
  const auto plan = [](std::optional<std::int64_t> ttl) {
    const NodePtr joined = join_ever(stream("L"), stream("R"), ttl);
    return sink(filter(joined, expr_of(Type::boolean(), LogicalExpr{true, greater(ref(joined, 2), literal(5)),
                                                                    greater(ref(joined, 6), literal(6))})));
  };
  EXPECT_EQ(rewritten(plan({})),
            "sink OUT topic=OUT KAFKA/JSON  [stream]\n"
            "  stream_stream_join inner on ID within unbounded  [stream]\n"
            "    filter (A > 5)  [stream]\n"
            "      source L topic=L KAFKA/JSON  [stream]\n"
            "    filter (A > 6)  [stream]\n"
            "      source R topic=R KAFKA/JSON  [stream]\n");
  // A row that is left out may be what time goes on by.
  EXPECT_EQ(rewritten(plan(1000)),
            "sink OUT topic=OUT KAFKA/JSON  [stream]\n"
            "  filter ((A > 5) AND (A > 6))  [stream]\n"
            "    stream_stream_join inner on ID ttl 1000 ms within unbounded  [stream]\n"
            "      source L topic=L KAFKA/JSON  [stream]\n"
            "      source R topic=R KAFKA/JSON  [stream]\n");
}

TEST(Rules, LeavesAPredicateThatCanFailAboveTheProjection) {
  const NodePtr s = stream();
  ProjectNode node{.input = s, .items = {{s->schema.columns[0], ref(s, 0)}}};
  node.items.push_back({column("N", Type::bigint()), add(ref(s, 1), literal(1))});
  const NodePtr projected = make_node(std::move(node));
  const std::string plan = rewritten(sink(filter(projected, greater(ref(projected, 1), literal(0)))));
  EXPECT_LT(plan.find("filter"), plan.find("project")) << plan;
}

TEST(Rules, MovesOneSideOfAJoinWhenKeyFormatsDiffer) {
  const std::string plan = rewritten(sink(join(stream("S", 4, "JSON"), table())));
  EXPECT_NE(plan.find("repartition Join-left key=KAFKA partitions=4"), std::string::npos) << plan;
  EXPECT_EQ(plan.find("Join-right"), std::string::npos) << plan;
}

TEST(Rules, CombinesRowsBeforeTheyAreMoved) {
  EXPECT_EQ(rewritten(sink(sum(rekey(stream(), 3, NullKey::drop), 2, "MAX"))),
            "sink OUT topic=OUT KAFKA/JSON  [table]\n"
            "  aggregate MAX(A) combined  [table]\n"
            "    repartition Aggregate-GroupBy key=KAFKA  [stream]\n"
            "      combine MAX(A)  [stream]\n"
            "        project C, A  [stream]\n"
            "          rekey C  [stream]\n"
            "            source S topic=S KAFKA/JSON reads 3 of 4  [stream]\n");
}

TEST(Rules, CombinesNothingWhereItWouldShow) {
  const auto combines = [](const NodePtr& aggregate, bool every_change = false) {
    const QueryOptions options{.emit_every_change = every_change};
    const auto plan = explain(rewrite(sink(aggregate), RuleContext{.evaluate = evaluate, .options = options}).root);
    EXPECT_NE(plan.find("repartition"), std::string::npos) << plan;
    return plan.find("combine") != std::string::npos;
  };
  const NodePtr plain = sum(rekey(stream(), 3, NullKey::drop), 2, "MAX");
  EXPECT_TRUE(combines(plain));
  EXPECT_FALSE(combines(plain, true));
  EXPECT_FALSE(combines(sum(rekey(table(), 3, NullKey::drop), 2, "MAX")));
  AggregateNode one_does_not = *plain->as<AggregateNode>();
  one_does_not.calls.push_back(sum(one_does_not.input, 2)->as<AggregateNode>()->calls.front());
  EXPECT_FALSE(combines(make_node(one_does_not)));
  AggregateNode windowed = *plain->as<AggregateNode>();
  windowed.window = WindowSpec{WindowType::tumbling, 10, 10, 0, 10};
  EXPECT_FALSE(combines(make_node(windowed)));
}

NodePtr first_rows(const NodePtr& input, std::int64_t most, RankFunction rank = RankFunction::row_number) {
  return make_node(TopRowsNode{.input = input,
                               .order = {{.expr = ref(input, 1), .descending = true, .nulls_first = true}},
                               .most = most,
                               .rank = rank,
                               .number = "RN",
                               .row_key = {}});
}

TEST(Rules, LeavesOutRowsThatCountForNothingBeforeTheyAreMoved) {
  EXPECT_EQ(rewritten(sink(first_rows(rekey(stream(), 3), 2))),
            "sink OUT topic=OUT KAFKA/JSON  [table]\n"
            "  top_rows by ID DESC limit 2 ROW_NUMBER RN  [table]\n"
            "    repartition TopRows-PartitionBy key=KAFKA  [stream]\n"
            "      thin by ID DESC limit 2  [stream]\n"
            "        rekey C  [stream]\n"
            "          source S topic=S KAFKA/JSON  [stream]\n");
  const auto thins = [](const NodePtr& rows, bool every_change = false) {
    const QueryOptions options{.emit_every_change = every_change};
    return explain(rewrite(sink(rows), RuleContext{.evaluate = evaluate, .options = options}).root).find("thin") !=
           std::string::npos;
  };
  EXPECT_FALSE(thins(first_rows(rekey(stream(), 3), 2), true));
  EXPECT_FALSE(thins(first_rows(rekey(stream(), 3), 2, RankFunction::rank)));
  EXPECT_FALSE(thins(first_rows(rekey(stream(), 3), 1000)));
  EXPECT_FALSE(thins(first_rows(rekey(table(), 3), 2)));
  EXPECT_FALSE(thins(first_rows(stream(), 2)));

  const NodePtr last = sum(rekey(stream(), 3, NullKey::drop), 2, "LAST");
  EXPECT_TRUE(thins(last));
  EXPECT_FALSE(thins(last, true));
  EXPECT_FALSE(thins(sum(rekey(table(), 3, NullKey::drop), 2, "LAST")));
  AggregateNode other = *last->as<AggregateNode>();
  other.calls.push_back(sum(other.input, 2)->as<AggregateNode>()->calls.front());
  EXPECT_FALSE(thins(make_node(other)));
  AggregateNode filtered = *last->as<AggregateNode>();
  filtered.calls.front().filter = greater(ref(filtered.input, 1), literal(5));
  EXPECT_FALSE(thins(make_node(filtered)));
  AggregateNode windowed = *last->as<AggregateNode>();
  windowed.window = WindowSpec{WindowType::tumbling, 10, 10, 0, 10};
  EXPECT_FALSE(thins(make_node(windowed)));
}

TEST(Rules, NamesWhatFired) {
  const QueryOptions options;
  const auto result = rewrite(sink(sum(rekey(stream(), 3), 2)), RuleContext{.evaluate = evaluate, .options = options});
  EXPECT_EQ(result.fired, (std::vector<std::string>{"repartition_insertion", "column_pruning"}));
}

TEST(Rules, CarriesThePartitionAndOffsetOfTheSourceThroughAMove) {
  const NodePtr keyed = rekey(stream(), 3);
  AggregateNode node{.input = keyed, .calls = {}, .window = {}};
  node.calls.push_back({.function = catalog().find("SUM"),
                        .variant = 1,
                        .arguments = {expr_of(Type::bigint(), PseudoExpr{PseudoColumn::row_offset})},
                        .constants = {},
                        .column = column("TOTAL", Type::bigint())});
  const std::string plan = rewritten(sink(make_node(std::move(node))));
  const auto repartition = plan.find("repartition"), offset = plan.rfind("ROWOFFSET");
  EXPECT_LT(repartition, offset) << plan;
}

}  // namespace
}  // namespace millrace
