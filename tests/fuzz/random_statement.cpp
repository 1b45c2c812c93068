#include "tests/fuzz/random_sql.h"

namespace millrace::fuzz {

using namespace ast;

namespace {

constexpr int kDepth = 4;

ExprPtr text_literal(std::string value) {
  return std::make_shared<const Expression>(Expression{StringLiteral{std::move(value)}, {}});
}

}  // namespace

Duration RandomSql::duration() {
  const auto count = static_cast<std::int64_t>(1 + below(1000));
  if (chance()) return {count, chance() ? "SECONDS" : "SECOND", count * 1000, {}};
  return {count, chance() ? "DAYS" : "DAY", count * 86'400'000, {}};
}

SelectItem RandomSql::item() {
  if (chance(5)) return SelectStar{maybe(name()), {}};
  if (chance(5)) return SelectStructStar{expression(kDepth), {}};
  return SelectExpr{expression(kDepth), maybe(name()), {}};
}

FromSource RandomSql::source() {
  FromSource made{name(), maybe(name())};
  if (chance(5)) made.as_of = expression(kDepth);
  if (queries_ < 2 && chance(12)) {
    made.name.text.clear();
    made.query = query();
  }
  if (made.alias && chance(5)) made.columns = names(1 + below(2));
  if (!made.query && chance(10)) {
    made.name.text.clear();
    made.unnest = expression(kDepth);
    made.ordinality = chance();
  } else if (chance(8)) {
    made.changes = true;
  } else if (chance(5)) {
    made.reading = chance() ? Reading::ready : Reading::broadcast;
  } else if (chance(8)) {
    made.window = window();
    made.window->name.reset();
    made.window->late_into.reset();
    if (made.window->kind == WindowKind::session) made.window->kind = WindowKind::tumbling;
  }
  return made;
}

JoinedSource RandomSql::join() {
  JoinedSource made{static_cast<JoinKind>(below(4)), source(), std::nullopt, expression(kDepth), {}};
  if (chance(8)) {
    made.kind = JoinKind::inner;
    made.on = nullptr;
    return made;
  }
  if (chance()) {
    made.within = Within{duration(), duration(), maybe(duration()), {}, false, {}};
    if (chance(4)) made.within = Within{{}, {}, maybe(duration()), {}, true, maybe(duration())};
  }
  return made;
}

Window RandomSql::window() {
  Window made{static_cast<WindowKind>(below(3)),
              duration(),
              std::nullopt,
              maybe(duration()),
              maybe(duration()),
              maybe(name()),
              {}};
  if (made.kind == WindowKind::hopping) made.advance = duration();
  if (chance(5)) made.late_into = name();
  made.on_clock = chance(5);
  if (!made.on_clock && chance(5))
    made.on = std::make_shared<const Expression>(
        Expression{ColumnRef{chance() ? std::optional(name()) : std::nullopt, name()}, {}});
  return made;
}

QueryPtr RandomSql::query() {
  ++queries_;
  Query made = select();
  for (std::size_t i = queries_ < 2 && chance(5) ? 1 + below(2) : 0; i > 0; --i)
    made.with.push_back({name(), names(below(3)), query(), {}});
  for (std::size_t i = chance(5) ? 1 + below(2) : 0; i > 0; --i)
    made.branches.push_back(std::make_shared<const Query>(select()));
  --queries_;
  made.emit = static_cast<Emit>(below(3));
  if (made.emit == Emit::changes && chance()) made.every = duration();
  if (made.emit == Emit::final) made.final_grace = maybe(duration());
  if (made.final_grace && chance()) made.late_into = name();
  if (chance(3)) made.limit = static_cast<std::int64_t>(below(100)) - 10;
  return std::make_shared<const Query>(std::move(made));
}

Query RandomSql::select() {
  Query made;
  for (std::size_t i = 1 + below(3); i > 0; --i) made.items.push_back(item());
  made.from.first = source();
  for (std::size_t i = below(3); i > 0; --i) made.from.joins.push_back(join());
  if (chance(3)) made.window = window();
  if (chance()) made.where = expression(kDepth);
  if (chance(3)) made.group_by = Grouping{expressions(kDepth, 0), {}};
  if (chance(5)) {
    made.group_by = Grouping{expressions(kDepth, 0), {}, static_cast<GroupingKind>(1 + below(3))};
    for (std::size_t i = 1 + below(3); i > 0; --i) made.group_by->sets.push_back(expressions(kDepth, 0));
  }
  if (chance(3)) made.partition_by = Grouping{expressions(kDepth, 0), {}};
  if (chance(3)) made.having = expression(kDepth);
  for (std::size_t i = chance(4) ? 1 + below(2) : 0; i > 0; --i) made.windows.push_back({name(), over(kDepth)});
  if (chance(4)) made.qualify = expression(kDepth);
  made.distinct = chance(4);
  if (made.distinct && chance())
    made.distinct_on = DistinctOn{expressions(kDepth, 1), maybe(duration()), std::nullopt, {}};
  if (made.distinct_on && made.distinct_on->within) made.distinct_on->grace = maybe(duration());
  return made;
}

Properties RandomSql::properties() {
  Properties made;
  for (std::size_t i = below(4); i > 0; --i) {
    made.push_back({pick<std::string>({"KAFKA_TOPIC", "VALUE_FORMAT", "A.B", "KEY", "SELECT"}),
                    chance() ? number() : text_literal(text()),
                    {}});
  }
  return made;
}

std::vector<Identifier> RandomSql::names(std::size_t count) {
  std::vector<Identifier> made;
  while (made.size() < count) made.push_back(name());
  return made;
}

std::vector<ColumnDefinition> RandomSql::columns(SourceKind kind) {
  std::vector<ColumnDefinition> made;
  const auto key = kind == SourceKind::stream ? ColumnRole::key : ColumnRole::primary_key;
  for (std::size_t i = below(4); i > 0; --i) {
    const auto role = pick({ColumnRole::value, key, ColumnRole::headers, ColumnRole::header});
    made.push_back({name(), type(3), role, role == ColumnRole::header ? text() : "", {}});
  }
  return made;
}

CreateSource RandomSql::create_source() {
  CreateSource made;
  made.kind = kind();
  made.name = name();
  made.or_replace = chance();
  made.if_not_exists = chance();
  made.read_only = chance();
  made.columns = columns(made.kind);
  made.properties = properties();
  return made;
}

InsertValues RandomSql::insert_values() {
  InsertValues made{name(), {}, {expressions(kDepth, 1)}};
  const std::size_t width = made.rows.front().size();
  while (chance()) {
    made.rows.emplace_back();
    for (std::size_t i = 0; i < width; ++i) made.rows.back().push_back(expression(kDepth));
  }
  if (chance()) made.columns = names(width);
  return made;
}

InsertBranches RandomSql::insert_branches() {
  const auto target = [this] {
    InsertBranches::Target made{name(), {}, {}};
    for (std::size_t i = 1 + below(3); i > 0; --i) made.items.push_back(item());
    return made;
  };
  InsertBranches made{chance(), {}, std::nullopt, query()};
  for (std::size_t i = 1 + below(3); i > 0; --i) made.branches.push_back({expression(kDepth), target()});
  if (chance()) made.otherwise = target();
  return made;
}

decltype(StatementNode::node) RandomSql::definition() {
  switch (below(16)) {
    case 0:
      return create_source();
    case 1:
      return CreateAs{kind(), name(), chance(), chance(), properties(), query()};
    case 2:
      return InsertSelect{name(), properties(), query()};
    case 3:
      return insert_values();
    case 4: {
      AlterSource made{kind(), name(), {}};
      for (std::size_t i = 1 + below(3); i > 0; --i) made.added.push_back({name(), type(2), ColumnRole::value, "", {}});
      return made;
    }
    case 5:
      return DropSource{kind(), name(), chance(), chance()};
    case 6:
      return CreateType{name(), chance(), type(3)};
    case 7:
      return DropType{name(), chance()};
    case 8:
      return CreateView{name(), chance(), names(below(3)), query()};
    case 9:
      return DropView{name(), chance()};
    case 10: {
      CreateFunction made{name(), chance(), chance(), {}, type(2), expression(kDepth)};
      for (std::size_t i = below(3); i > 0; --i) made.parameters.push_back({name(), type(2)});
      return made;
    }
    case 11:
      return DropFunction{name(), chance()};
    case 12:
      return insert_branches();
    case 13:
      return CreateIndex{name(), chance(), name(), sorting(1, 1)};
    case 14:
      return DropIndex{name(), chance()};
    default: {
      CreateConnector made{chance() ? ConnectorKind::source : ConnectorKind::sink, name(), chance(), properties()};
      made.properties.push_back({"connector.class", text_literal(text()), {}});
      return made;
    }
  }
}

decltype(StatementNode::node) RandomSql::inspection() {
  switch (below(18)) {
    case 0:
      return Print{name(), chance(), maybe<std::int64_t>(3), maybe<std::int64_t>(7)};
    case 1:
      return ShowSources{kind(), chance()};
    case 2:
      return ShowTopics{chance(), chance()};
    case 3:
      return ShowQueries{chance()};
    case 4:
      return ShowFunctions{};
    case 5:
      return ShowProperties{};
    case 6:
      return ShowTypes{};
    case 7:
      return ShowVariables{};
    case 8:
      return ShowConnectors{static_cast<ConnectorKind>(below(3))};
    case 9:
      return ShowConnectorPlugins{};
    case 10:
      return DescribeSource{name(), chance()};
    case 11:
      return DescribeStreams{chance()};
    case 12:
      return DescribeFunction{name()};
    case 13:
      return DescribeConnector{name()};
    case 14:
      return ShowViews{};
    case 15:
      return ShowIndexes{};
    case 16:
      return Explain{name(), nullptr};
    default:
      return Explain{std::nullopt, std::make_shared<const StatementNode>(StatementNode{definition(), {}, ""})};
  }
}

decltype(StatementNode::node) RandomSql::control() {
  switch (below(7)) {
    case 0:
      return ControlQuery{static_cast<QueryAction>(below(3)), maybe(name())};
    case 1:
      return SetProperty{text(), text()};
    case 2:
      return UnsetProperty{text()};
    case 3:
      return AlterSystem{text(), text()};
    case 4:
      return DefineVariable{{pick<std::string>({"A", "_X1", "SELECT"}), false, {}}, text()};
    case 5:
      return UndefineVariable{{"FORMAT", false, {}}};
    default:
      return DropConnector{name(), chance()};
  }
}

decltype(StatementNode::node) RandomSql::assertion() {
  switch (below(5)) {
    case 0:
      return AssertTopic{name(), chance(), properties(), maybe(duration())};
    case 1:
      return AssertSchema{chance(), maybe(text()), maybe<std::int64_t>(5), maybe(duration())};
    case 2: {
      const InsertValues values = insert_values();
      return AssertValues{values.target, values.columns, values.rows.front(), chance()};
    }
    case 3: {
      AssertSource made{create_source()};
      made.expected.or_replace = made.expected.if_not_exists = made.expected.read_only = false;
      return made;
    }
    default:
      return RunScript{text()};
  }
}

Statement RandomSql::statement() {
  switch (below(6)) {
    case 0:
      return {definition(), {}, ""};
    case 1:
      return {inspection(), {}, ""};
    case 2:
      return {control(), {}, ""};
    case 3:
      return {assertion(), {}, ""};
    default:
      return {Select{query()}, {}, ""};
  }
}

}  // namespace millrace::fuzz
