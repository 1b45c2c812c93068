#include <gtest/gtest.h>

#include "planner/physical/plan.h"
#include "planner/physical/warnings.h"
#include "planner/rules/rules.h"
#include "tests/unit/planner_rules/plans.h"

namespace millrace {
namespace {

using namespace test;

PhysicalPlan physical(const NodePtr& root, bool transient = false) {
  const QueryOptions options;
  const Rewritten rewritten = rewrite(root, RuleContext{.evaluate = {}, .options = options});
  PhysicalPlan plan = make_physical(
      rewritten.root, options,
      PhysicalContext{
          .service_id = "default_", .query_id = transient ? "transient_1" : "CTAS_T_5", .transient = transient});
  plan.fired_rules = rewritten.fired;
  if (!transient) plan.bound = root;
  return plan;
}

void expect_equal(const PhysicalPlan& a, const PhysicalPlan& b) {
  EXPECT_EQ(a.query_id, b.query_id);
  EXPECT_EQ(a.result, b.result);
  EXPECT_EQ(a.kind, b.kind);
  EXPECT_EQ(a.window, b.window);
  EXPECT_EQ(a.fired_rules, b.fired_rules);
  ASSERT_EQ(a.subtopologies.size(), b.subtopologies.size());
  for (std::size_t i = 0; i < a.subtopologies.size(); ++i) {
    const Subtopology &x = a.subtopologies[i], &y = b.subtopologies[i];
    EXPECT_EQ(x.id, y.id);
    EXPECT_TRUE(equal(*x.root, *y.root)) << explain(x.root) << explain(y.root);
    ASSERT_EQ(x.stores.size(), y.stores.size());
    for (std::size_t s = 0; s < x.stores.size(); ++s) {
      const StorePlan &left = x.stores[s], &right = y.stores[s];
      EXPECT_EQ(
          std::tie(left.name, left.changelog_topic, left.role, left.layout, left.windowed, left.retention_ms),
          std::tie(right.name, right.changelog_topic, right.role, right.layout, right.windowed, right.retention_ms));
      EXPECT_TRUE(equal(*left.owner, *right.owner));
    }
    ASSERT_EQ(x.steps.size(), y.steps.size());
    for (std::size_t s = 0; s < x.steps.size(); ++s) EXPECT_EQ(x.steps[s].name, y.steps[s].name);
  }
  ASSERT_EQ(a.topics.size(), b.topics.size());
  for (std::size_t i = 0; i < a.topics.size(); ++i) {
    const InternalTopic &x = a.topics[i], &y = b.topics[i];
    EXPECT_EQ(std::tie(x.name, x.changelog, x.partitions, x.subtopology),
              std::tie(y.name, y.changelog, y.partitions, y.subtopology));
  }
  ASSERT_EQ(a.bound != nullptr, b.bound != nullptr);
  if (a.bound) {
    EXPECT_TRUE(equal(*a.bound, *b.bound)) << explain(a.bound) << explain(b.bound);
  }
  ASSERT_EQ(a.materialization.has_value(), b.materialization.has_value());
  if (!a.materialization) return;
  EXPECT_EQ(a.materialization->subtopology, b.materialization->subtopology);
  EXPECT_EQ(a.materialization->store, b.materialization->store);
  EXPECT_EQ(a.materialization->store_schema, b.materialization->store_schema);
  EXPECT_EQ(a.materialization->window, b.materialization->window);
  ASSERT_EQ(a.materialization->above.size(), b.materialization->above.size());
  for (std::size_t i = 0; i < a.materialization->above.size(); ++i)
    EXPECT_TRUE(equal(*a.materialization->above[i], *b.materialization->above[i]));
}

TEST(Physical, CutsAtTheRepartition) {
  const PhysicalPlan plan = physical(sink(sum(rekey(stream(), 3, NullKey::drop), 2)));
  EXPECT_EQ(
      explain(plan),
      "query CTAS_T_5\n"
      "rules: repartition_insertion, column_pruning\n"
      "subtopology 0\n"
      "  sink (internal) topic=_confluent-ksql-default_query_CTAS_T_5-Aggregate-GroupBy-repartition KAFKA/ROW  "
      "[stream]\n"
      "    project C, A  [stream]\n"
      "      rekey C  [stream]\n"
      "        source S topic=S KAFKA/JSON reads 3 of 4  [stream]\n"
      "subtopology 1\n"
      "  sink OUT topic=OUT KAFKA/JSON  [table]\n"
      "    aggregate SUM(A)  [table]\n"
      "      source (internal) topic=_confluent-ksql-default_query_CTAS_T_5-Aggregate-GroupBy-repartition KAFKA/ROW  "
      "[stream]\n"
      "  store aggregate.1/groups "
      "changelog=_confluent-ksql-default_query_CTAS_T_5-Aggregate-Aggregate-Materialize-changelog\n"
      "repartition topic _confluent-ksql-default_query_CTAS_T_5-Aggregate-GroupBy-repartition read by subtopology 1\n"
      "pull queries read aggregate.1/groups of subtopology 1\n");
}

TEST(Physical, HavingAsksTheAggregateForBeforeRows) {
  const NodePtr totals = sum(stream(), 1);
  const PhysicalPlan plan = physical(sink(filter(totals, greater(ref(totals, 1), literal(3)))));
  EXPECT_EQ(explain(plan.subtopologies[0].root),
            "sink OUT topic=OUT KAFKA/JSON  [table]\n"
            "  filter (TOTAL > 3) retract  [table]\n"
            "    aggregate SUM(A) before  [table]\n"
            "      source S topic=S KAFKA/JSON reads 2 of 4  [stream]\n");
  ASSERT_TRUE(plan.materialization);
  EXPECT_EQ(plan.materialization->above.size(), 1u);
}

TEST(Physical, AnAggregateOverATableMaterializesIt) {
  const PhysicalPlan plan = physical(sink(sum(rekey(table("T", 1), 3, NullKey::drop), 2)));
  EXPECT_EQ(explain(plan.subtopologies[0].root),
            "sink OUT topic=OUT KAFKA/JSON  [table]\n"
            "  aggregate SUM(A)  [table]\n"
            "    rekey C  [table]\n"
            "      materialize before  [table]\n"
            "        source T topic=T KAFKA/JSON reads 3 of 4  [table]\n");
}

TEST(Physical, ATableMadeOfATableIsKeptForPullQueries) {
  const PhysicalPlan plan = physical(sink(project(table(), {0, 1})));
  EXPECT_EQ(explain(plan.subtopologies[0].root),
            "sink OUT topic=OUT KAFKA/JSON  [table]\n"
            "  materialize  [table]\n"
            "    project ID, A  [table]\n"
            "      source T topic=T KAFKA/JSON reads 2 of 4  [table]\n");
  ASSERT_TRUE(plan.materialization);
  EXPECT_EQ(plan.materialization->store, "materialize.1/rows");
}

TEST(Physical, ARowBeforeIsGivenOnlyWhereItIsWanted) {
  // What lies in the other table's partition decides there; nobody asked the filter for rows before.
  const NodePtr t = table("T", 2);
  const NodePtr moved = make_node(
      RepartitionNode{.input = filter(t, greater(ref(t, 1), literal(3))), .role = "Join-left", .key_format = {}});
  const NodePtr other = table("U", 4);
  ColumnDef key = other->schema.columns[0];
  const QueryOptions options;
  const PhysicalPlan plan = make_physical(
      sink(make_node(TableTableJoinNode{.left = moved, .right = other, .type = JoinType::inner, .key = key})), options,
      PhysicalContext{.service_id = "default_", .query_id = "CTAS_T_5"});
  const auto& kept = *inputs_of(*plan.subtopologies[0].root)[0]->as<FilterNode>();
  EXPECT_FALSE(kept.retract);
  EXPECT_FALSE(kept.emit_before);
}

PhysicalPlan replacement(const NodePtr& root, const PhysicalPlan& old) {
  const QueryOptions options;
  const Rewritten rewritten = rewrite(root, RuleContext{.evaluate = {}, .options = options});
  return make_physical(
      rewritten.root, options,
      PhysicalContext{.service_id = "default_", .query_id = "CTAS_T_5", .transient = false, .replaced = &old});
}

TEST(Replacement, KeepsThePlacesOfColumnsInStoresAndTopics) {
  const auto counted = [](bool filtered) {
    NodePtr below = table("T", 2);
    if (filtered) below = filter(below, greater(ref(below, 1), literal(3)));
    return sink(sum(rekey(below, 3, NullKey::drop), 3));
  };
  const PhysicalPlan old = physical(counted(false));
  const PhysicalPlan next = replacement(counted(true), old);
  const PlanNode& before = *old.subtopologies[0].stores.at(0).owner;
  const PlanNode& after = *next.subtopologies[0].stores.at(0).owner;
  EXPECT_EQ(old.subtopologies[0].stores.at(0).name, next.subtopologies[0].stores.at(0).name);
  EXPECT_EQ(before.schema.to_string(), "`ID` STRING KEY, `B` BIGINT, `C` STRING");
  EXPECT_EQ(after.schema.to_string(), "`ID` STRING KEY, `B` BIGINT, `C` STRING, `A` BIGINT");
  EXPECT_EQ(next.subtopologies[1].root->as<SinkNode>()->topic, "OUT");
  // Without the filter the column stays, as NULL.
  const PhysicalPlan last = replacement(counted(false), next);
  EXPECT_EQ(last.subtopologies[0].stores.at(0).owner->schema, after.schema);
}

TEST(Replacement, IsRefusedWhereRowsUnderWayWouldBeLost) {
  const PhysicalPlan old = physical(sink(sum(rekey(stream(), 3, NullKey::drop), 2)));
  EXPECT_THROW(replacement(sink(sum(stream(), 2)), old), SqlError);
}

TEST(Physical, ATransientQueryHasNoChangelog) {
  OutputNode node{.input = sum(rekey(stream(), 3), 2), .limit = 2};
  const PhysicalPlan plan = physical(make_node(std::move(node)), true);
  EXPECT_EQ(plan.topics.size(), 1u);
  EXPECT_EQ(plan.topics[0].name, "_confluent-ksql-default_transient_1-Aggregate-GroupBy-repartition");
  EXPECT_EQ(plan.subtopologies[1].stores.at(0).changelog_topic, "");
  EXPECT_FALSE(plan.materialization);
}

TEST(Physical, JsonComesBackEqual) {
  const NodePtr totals = sum(rekey(stream(), 3, NullKey::drop), 2);
  AggregateNode windowed = *totals->as<AggregateNode>();
  windowed.window = WindowSpec{WindowType::hopping, 10, 5, 3, 20};
  windowed.emit = EmitPolicy::final;
  windowed.calls[0].constants = {Value(std::int32_t{3}), Value(2.5),
                                 Value(Decimal{.unscaled = -(Int128{1} << 90), .scale = 3}),
                                 Value::list({Value(), Value(std::string("x"))})};
  const NodePtr aggregate = make_node(std::move(windowed));
  const NodePtr joined = join(stream(), table(), JoinType::left);
  for (const NodePtr& root :
       {sink(filter(aggregate, greater(ref(aggregate, 1), literal(3)))), sink(project(joined, {0, 2, 6})),
        sink(table()), sink(sum(rekey(stream(), 3, NullKey::drop), 2, "MAX"))}) {
    const PhysicalPlan plan = physical(root);
    const PhysicalPlan again = physical_from_json(to_json(plan), catalog());
    expect_equal(again, plan);
  }
  EXPECT_THROW(physical_from_json("{}", catalog()), SqlError);
}

TEST(Physical, LeavesOfPullQueriesComeBackEqual) {
  const ExprPtr key = make_literal(Value(std::string("a")), Type::string());
  const ExprPtr start = expr_of(Type::bigint(), ParameterExpr{0});
  const WindowLimit limit{PseudoColumn::window_start, CompareOp::greater, start};
  const WindowInfo window{.type = WindowType::tumbling, .size_ms = 10};
  const Schema rows = stream()->schema;
  const NodePtr lookup = make_node(KeyLookupNode{.table = "T",
                                                 .query = "CTAS_T_1",
                                                 .rows = rows,
                                                 .window_of_rows = window,
                                                 .keys = {{.key = {key}, .limits = {limit}}}});
  const NodePtr scan = make_node(StoreScanNode{.table = "T",
                                               .query = "CTAS_T_1",
                                               .rows = rows,
                                               .window_of_rows = window,
                                               .limits = {limit},
                                               .from = {key},
                                               .to = {key, key}});
  for (const NodePtr& leaf : {lookup, scan}) {
    const PhysicalPlan plan = physical(make_node(OutputNode{.input = leaf, .limit = 7}), true);
    expect_equal(physical_from_json(to_json(plan), catalog()), plan);
    EXPECT_EQ(plan.kind, RelationKind::stream);
    EXPECT_TRUE(plan.subtopologies[0].stores.empty());
  }
  EXPECT_EQ(explain(lookup), "key_lookup T kept by CTAS_T_1 keys ('a' WINDOWSTART > ?0)  [stream windowed]\n");
  EXPECT_EQ(explain(scan), "store_scan T kept by CTAS_T_1 WINDOWSTART > ?0 from 'a' to 'a', 'a'  [stream windowed]\n");
  KeyLookupNode other = *lookup->as<KeyLookupNode>();
  other.keys[0].limits[0].op = CompareOp::less;
  EXPECT_FALSE(equal(*make_node(other), *lookup));
}

TEST(Physical, EveryExpressionComesBackEqual) {
  const NodePtr s = stream();
  const Type array = Type::array(Type::bigint());
  const Type structure =
      Type::structure({{"F", Type::bigint()}, {"G", Type::map(Type::string(), Type::decimal(4, 2))}});
  const ExprPtr a = ref(s, 1), c = ref(s, 3), list = expr_of(array, ArrayExpr{{a, literal(1)}});
  const ExprPtr yes = expr_of(Type::boolean(), IsNullExpr{a, true});
  std::vector<ExprPtr> expressions = {
      expr_of(Type::bigint(), SubscriptExpr{list, literal(-1)}),
      expr_of(Type::bigint(), FieldExpr{make_literal(Value(), structure), 0}),
      expr_of(Type::map(Type::string(), Type::bigint()), MapExpr{{{c, a}}}),
      expr_of(Type::structure({{"X", Type::bigint()}}), StructExpr{{a}}),
      expr_of(Type::bigint(), CaseExpr{{{yes, a}}, literal(4)}),
      expr_of(Type::boolean(), InExpr{a, {literal(1), literal(2)}, true}),
      expr_of(Type::boolean(), LikeExpr{c, make_literal(std::string("%x"), Type::string()), '!', false}),
      expr_of(Type::boolean(), NotExpr{expr_of(Type::boolean(), LogicalExpr{false, yes, yes})}),
      expr_of(Type::bigint(), NegateExpr{expr_of(Type::bigint(), CastExpr{c})}),
      expr_of(Type::bigint(), LambdaExpr{{7}, expr_of(Type::bigint(), LambdaParamExpr{7, "X"})}),
      expr_of(Type::bigint(), ParameterExpr{3}),
      expr_of(Type::bigint(), PseudoExpr{PseudoColumn::row_time})};
  ProjectNode node{.input = s, .items = {{s->schema.columns[0], ref(s, 0)}}};
  for (const auto& expr : expressions) node.items.push_back({column("X", expr->type), expr});
  const PhysicalPlan plan = physical(sink(make_node(std::move(node))));
  const PhysicalPlan again = physical_from_json(to_json(plan), catalog());
  const auto& items = inputs_of(*again.subtopologies[0].root)[0]->as<ProjectNode>()->items;
  const auto& before = inputs_of(*plan.subtopologies[0].root)[0]->as<ProjectNode>()->items;
  ASSERT_EQ(items.size(), before.size());
  for (std::size_t i = 0; i < items.size(); ++i) EXPECT_TRUE(equal(*items[i].expr, *before[i].expr)) << i;
}

TEST(Physical, WarnsOfStateWithoutABound) {
  EXPECT_EQ(warnings_of(physical(sink(join_ever(rekey(stream("L"), 3), rekey(stream("R"), 3))))),
            (std::vector<std::string>{
                "stream_stream_join.1 keeps every row of L for ever. Bound it with WITHIN, TTL or a window.",
                "stream_stream_join.1 keeps every row of R for ever. Bound it with WITHIN, TTL or a window."}));
  EXPECT_EQ(warnings_of(physical(sink(join_ever(stream("L"), stream("R"), 5)))), std::vector<std::string>{});
  BroadcastJoinNode broadcast{stream("L"), table("T"), JoinType::inner};
  EXPECT_EQ(
      warnings_of(physical(sink(make_node(broadcast)))),
      std::vector<std::string>{"broadcast_join.1 has no equality: each row of L is compared with all kept rows of T."});
}

}  // namespace
}  // namespace millrace
