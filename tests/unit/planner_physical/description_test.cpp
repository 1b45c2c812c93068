#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>

#include "exec/functions/builtin.h"
#include "planner/physical/json_codec.h"
#include "planner/physical/plan.h"
#include "tests/unit/planner_rules/plans.h"

// What loops over the descriptions of plan nodes: that every field of every node counts in equality and comes back from
// JSON.
namespace millrace {
namespace {

using namespace test;

ColumnDef sample_column() {
  return ColumnDef{"X", Type::decimal(7, 3), ColumnRole::header, "h"};
}

// A value that is not the default, for each type that fields have.
void fill(bool& value) {
  value = !value;
}
void fill(int& value) {
  value = 7;
}
void fill(std::int64_t& value) {
  value = 1'234'567;
}
void fill(std::string& value) {
  value = "text";
}
void fill(RelationKind& value) {
  value = RelationKind::table;
}
void fill(NullKey& value) {
  value = NullKey::drop;
}
void fill(EmitPolicy& value) {
  value = EmitPolicy::final;
}
void fill(JoinType& value) {
  value = JoinType::full;
}
void fill(RankFunction& value) {
  value = RankFunction::dense_rank;
}
void fill(FormatInfo& value) {
  value = FormatInfo{.name = "DELIMITED", .delimiter = ';', .wrap_single = false};
}
void fill(ColumnDef& value) {
  value = sample_column();
}
void fill(Schema& value) {
  value.columns = {column("ID", Type::string(), ColumnRole::key), sample_column()};
}
void fill(std::vector<std::size_t>& value) {
  value = {1, 0};
}
void fill(std::optional<std::int64_t>& value) {
  value = 5;
}
void fill(std::optional<TimestampColumn>& value) {
  value = TimestampColumn{.column = 1, .format = "yyyy"};
}
void fill(std::optional<WindowInfo>& value) {
  value = WindowInfo{.type = WindowType::hopping, .size_ms = 10};
}
void fill(std::optional<WindowSpec>& value) {
  value = WindowSpec{WindowType::session, 1, 2, 3, 4, true};
}
void fill(ExprPtr& value) {
  value = add(make_column(0, Type::bigint(), "A"), literal(3));
}
void fill(std::vector<ProjectItem>& value) {
  value = {{sample_column(), add(make_column(0, Type::bigint(), "A"), literal(4))}};
}
void fill(std::vector<TableCall>& value) {
  value = {{catalog().find("SUM"), 1, {literal(5)}, sample_column()}};
}
void fill(std::vector<AggregateCall>& value) {
  value = {{catalog().find("MAX"),
            1,
            {literal(6)},
            {Value(2.5), Value()},
            sample_column(),
            9,
            literal(12),
            true,
            {{literal(13), true, true}},
            7}};
}

void fill(std::vector<OverCall>& value) {
  std::vector<AggregateCall> calls;
  fill(calls);
  using Edge = OverFrame::Edge;
  value = {{calls[0], {true, Edge::preceding, Edge::following, 2, 3, 2.5, 3.5}, true}};
}
void fill(std::vector<ExprPtr>& value) {
  value = {add(make_column(0, Type::bigint(), "A"), literal(7))};
}
void fill(std::vector<WindowLimit>& value) {
  value = {{PseudoColumn::window_end, CompareOp::less, literal(8)}};
}
void fill(std::vector<KeyAccess>& value) {
  value = {{.key = {literal(9)}, .limits = {{PseudoColumn::window_start, CompareOp::equal, literal(10)}}}};
}
void fill(std::vector<SortKey>& value) {
  value = {{literal(11), true, true}};
}

template <class Node>
void fill_inputs(Node& node) {
  for_each_input<Node>([&](auto input) { node.*input = stream(); });
}

bool comes_back(const NodePtr& node) {
  return equal(*plan_json::read_node(plan_json::write(node), catalog()), *node);
}

template <class Node>
class Description : public testing::Test {};
template <class Variant>
struct TypesOf;
template <class... Nodes>
struct TypesOf<std::variant<Nodes...>> {
  using type = testing::Types<Nodes...>;
};
TYPED_TEST_SUITE(Description, TypesOf<AnyNode>::type);

TYPED_TEST(Description, EveryFieldCountsAndComesBack) {
  TypeParam filled{};
  fill_inputs(filled);
  for_each_field<TypeParam>([&](const auto& field) { fill(filled.*(field.member)); });
  if constexpr (std::same_as<TypeParam, SourceNode>) filled.declared.columns.push_back(sample_column());
  const NodePtr whole = make_node(filled);
  EXPECT_TRUE(comes_back(whole)) << explain(whole);
  EXPECT_TRUE(equal(*whole, *make_node(filled)));
  for_each_field<TypeParam>([&](const auto& field) {
    TypeParam other = filled;
    other.*(field.member) = TypeParam{}.*(field.member);
    if constexpr (std::same_as<TypeParam, SourceNode>)
      if (field.name == "declared") other.declared.columns = {sample_column(), sample_column()};
    EXPECT_FALSE(same(other.*(field.member), filled.*(field.member))) << field.name << " has its default";
    const NodePtr changed = make_node(other);
    EXPECT_FALSE(equal(*changed, *whole)) << field.name;
    const bool expression = std::same_as<std::remove_cvref_t<decltype(other.*(field.member))>, ExprPtr>;
    if (!expression) {
      EXPECT_TRUE(comes_back(changed)) << field.name;
      EXPECT_FALSE(equal(*plan_json::read_node(plan_json::write(changed), catalog()), *whole)) << field.name;
    }
  });
}

TYPED_TEST(Description, EveryExpressionIsVisited) {
  TypeParam filled{};
  fill_inputs(filled);
  for_each_field<TypeParam>([&](const auto& field) { fill(filled.*(field.member)); });
  if constexpr (std::same_as<TypeParam, SourceNode>) filled.declared.columns.push_back(sample_column());
  const NodePtr node = make_node(filled);
  std::size_t visited = 0;
  for_each_expression(*node, [&](const ExprPtr&) { ++visited; });
  std::size_t written = 0;
  const std::string text = boost::json::serialize(plan_json::write(node));
  for (std::size_t at = text.find(R"("e":"literal")"); at != std::string::npos;
       at = text.find(R"("e":"literal")", at + 1))
    ++written;  // each sample has one literal
  EXPECT_EQ(visited, written);
}

std::vector<std::string> lines_of(const char* path) {
  std::ifstream file(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

template <class Node>
const Node* find_node(const PlanNode& node) {
  if (const auto* found = node.as<Node>()) return found;
  for (const auto& input : inputs_of(node))
    if (const Node* found = find_node<Node>(*input)) return found;
  return nullptr;
}

PhysicalPlan read_old(const std::string& query_id) {
  for (const std::string& line : lines_of("tests/compat/plans_1.jsonl"))
    if (line.find("\"query\":\"" + query_id + "_") != std::string::npos)
      return physical_from_json(line, builtin_functions());
  ADD_FAILURE() << "no plan of " << query_id;
  return {};
}

TEST(OldPlans, RecordsOfAnotherFormAreRefused) {
  std::string text = to_json(read_old("CTAS_TOTALS"));
  const std::string mine = fmt::format("\"records\":{}", kRecordForm);
  ASSERT_NE(text.find(mine), std::string::npos);
  EXPECT_NO_THROW(physical_from_json(text, builtin_functions()));
  text.replace(text.find(mine), mine.size(), fmt::format("\"records\":{}", kRecordForm + 1));
  EXPECT_THROW(physical_from_json(text, builtin_functions()), SqlError);
}

TEST(InternalTopics, AnotherFormIsAnotherTopic) {
  EXPECT_EQ(internal_topic_name("q", "Aggregate", "changelog", 1), "q-Aggregate-changelog");
  EXPECT_EQ(internal_topic_name("q", "Aggregate", "changelog", 2), "q-Aggregate-changelog-2");
}

TEST(OldPlans, AllAreReadAndWrittenAnew) {
  const auto lines = lines_of("tests/compat/plans_1.jsonl");
  ASSERT_EQ(lines.size(), 10u);
  for (const std::string& line : lines) {
    const PhysicalPlan plan = physical_from_json(line, builtin_functions());
    const PhysicalPlan again = physical_from_json(to_json(plan), builtin_functions());
    ASSERT_EQ(again.subtopologies.size(), plan.subtopologies.size());
    for (std::size_t i = 0; i < plan.subtopologies.size(); ++i) {
      const Subtopology &a = plan.subtopologies[i], &b = again.subtopologies[i];
      EXPECT_TRUE(equal(*a.root, *b.root)) << explain(a.root) << explain(b.root);
      ASSERT_EQ(a.stores.size(), b.stores.size());
      for (std::size_t s = 0; s < a.stores.size(); ++s) {
        EXPECT_EQ(a.stores[s].role, b.stores[s].role);
        EXPECT_EQ(a.stores[s].layout, b.stores[s].layout);
        EXPECT_EQ(a.stores[s].retention_ms, b.stores[s].retention_ms);
        EXPECT_EQ(node_name(*a.stores[s].owner), node_name(*b.stores[s].owner));
      }
    }
  }
}

TEST(OldPlans, GetWhatExecDecidedThen) {
  const PhysicalPlan both = read_old("CSAS_BOTH"), eager = read_old("CSAS_EAGER");
  const auto* graced = find_node<StreamStreamJoinNode>(*both.subtopologies[0].root);
  const auto* at_once = find_node<StreamStreamJoinNode>(*eager.subtopologies[0].root);
  ASSERT_TRUE(graced && at_once);
  EXPECT_EQ(graced->grace_ms, 1000);
  EXPECT_FALSE(graced->eager);
  EXPECT_EQ(at_once->grace_ms, 24 * 60 * 60 * 1000);
  EXPECT_TRUE(at_once->eager);
  EXPECT_EQ(eager.subtopologies[0].stores.at(1).role, "right");
  EXPECT_EQ(eager.subtopologies[0].stores.at(1).layout, StoreLayout::timed_rows);

  const PhysicalPlan ranks = read_old("CTAS_RANKS");
  EXPECT_TRUE(find_node<MaterializeNode>(*ranks.subtopologies[0].root)->emit_before);
  EXPECT_EQ(read_old("CTAS_SESSIONS").subtopologies[0].stores.at(0).layout, StoreLayout::timed_groups);
  EXPECT_EQ(ranks.subtopologies[0].name_of(*ranks.subtopologies[0].root), "sink.1");
}

}  // namespace
}  // namespace millrace
