#include <fmt/format.h>

#include <algorithm>

#include "parser/ast/format.h"
#include "planner/bind/formats.h"
#include "planner/bind/select_binder.h"
#include "planner/catalog/formats.h"
#include "planner/types/civil.h"

namespace millrace::inline planner {
namespace {

JoinType join_type(ast::JoinKind kind) {
  switch (kind) {
    case ast::JoinKind::left:
      return JoinType::left;
    case ast::JoinKind::right:
      return JoinType::right;
    case ast::JoinKind::full:
      return JoinType::full;
    default:
      return JoinType::inner;
  }
}

std::string_view join_words_of(ast::JoinKind kind) {
  switch (kind) {
    case ast::JoinKind::left:
      return "LEFT [OUTER] JOIN";
    case ast::JoinKind::right:
      return "RIGHT [OUTER] JOIN";
    case ast::JoinKind::full:
      return "[FULL] OUTER JOIN";
    default:
      return "[INNER] JOIN";
  }
}

std::string window_words(const ScopeSource& source) {
  const char* word = "not";
  if (source.def->window) {
    constexpr const char* kNames[] = {"TUMBLING", "HOPPING", "SESSION"};
    word = kNames[static_cast<std::size_t>(source.def->window->type)];
  }
  return fmt::format("`{}` is {} windowed", source.def->name, word);
}

std::string window_name(const WindowInfo& window) {
  constexpr const char* kNames[] = {"TUMBLING", "HOPPING", "SESSION"};
  return kNames[static_cast<std::size_t>(window.type)];
}

bool among(const std::vector<ast::ExprPtr>& list, const ast::ExprPtr& expr) {
  return std::ranges::any_of(list, [&](const ast::ExprPtr& other) { return ast::equal(*expr, *other); });
}

}  // namespace

/// The source that messages name for one side: the leftmost.
const std::string& SelectBinder::describe(const Side& side) const {
  return scope_.sources[side.sources.front()].alias;
}

bool SelectBinder::plain_tables(const Side& left, const Side& right) const {
  return left.node->kind == RelationKind::table && right.node->kind == RelationKind::table;
}

void SelectBinder::check_join_kinds(const Side& left, const Side& right, const JoinStep& step) const {
  const bool left_stream = left.node->kind == RelationKind::stream;
  const bool right_stream = right.node->kind == RelationKind::stream;
  const auto kind = step.clause->kind;
  const auto fail = [&](const std::string& message) { throw SqlError(Code::invalid_join, step.clause->span, message); };
  const auto got = [&] { return fmt::format("{} {} {}", describe(left), join_words_of(kind), describe(right)); };
  if (left_stream && right_stream) {
    if (!step.clause->within) {
      fail(
          "Stream-Stream joins must have a WITHIN clause specified. None was provided. To learn about how to specify a "
          "WITHIN "
          "clause with a stream-stream join, please visit: "
          "https://docs.confluent.io/current/ksql/docs/syntax-reference.html#create-stream-as-select");
    }
    return;
  }
  if (!left_stream && right_stream) {
    fail(fmt::format("Invalid join order: table-stream joins are not supported; only stream-table joins. Got {}.",
                     got()));
  }
  if (step.clause->within) {
    fail(fmt::format(
        "A window definition was provided for a {} join. These joins are not windowed. Please drop the window "
        "definition (ie. the WITHIN clause) and try to execute your join again.",
        left_stream ? "Stream-Table" : "Table-Table"));
  }
  if (!left_stream) return;
  if (kind == ast::JoinKind::full) {
    fail(fmt::format("Invalid join type: full-outer join not supported for stream-table join. Got {}.", got()));
  }
  if (kind == ast::JoinKind::right) fail("Invalid join type encountered: RIGHT [OUTER] JOIN");
  if (!is_only_key(step.right, step.source)) {
    fail(fmt::format("Invalid join condition: stream-table joins require to join on the table's primary key. Got {}.",
                     step.printed));
  }
}

void SelectBinder::check_join_windows(const Side& left, const Side& right, const JoinStep& step) const {
  const auto& a = left.node->window;
  const auto& b = right.node->window;
  const auto& left_source = scope_.sources[left.sources.front()];
  const auto& right_source = scope_.sources[right.sources.front()];
  const auto fail = [&](const std::string& message) { throw SqlError(Code::invalid_join, step.clause->span, message); };
  if (a.has_value() != b.has_value()) {
    fail(fmt::format("Can not join windowed source to non-windowed source.\n{}\n{}", window_words(left_source),
                     window_words(right_source)));
  }
  if (!a) return;
  if ((a->type == WindowType::session) != (b->type == WindowType::session)) {
    fail(fmt::format(
        "Incompatible windowed sources.\nLeft source: {}\nRight source: {}\nSession windowed sources can only be "
        "joined to other session windowed sources, and may still not result in expected behaviour as session bounds "
        "must be an exact match for the join to work\nHopping and tumbling windowed sources can only be joined to "
        "other hopping and tumbling windowed sources",
        window_name(*a), window_name(*b)));
  }
  // Keys with the id of a schema are as good as moved: then the bounds' starts decide.
  const FormatDef* format = find_format(left.key_format.name);
  if (a->size_ms != b->size_ms && !(format && format->registry)) {
    fail(
        "Implicit repartitioning of windowed sources is not supported. See "
        "https://github.com/confluentinc/ksql/issues/4385.");
  }
}

void SelectBinder::check_key_types(const Type& left, const Type& right, const JoinStep& step, bool tables) const {
  if (left == right) return;
  if (!tables) {
    throw SqlError(Code::invalid_join, step.clause->on->span,
                   fmt::format("Invalid join. Key types differ: {} vs {}", left.to_string(), right.to_string()));
  }
  const auto comparison = *qualify(step.clause->on, scope_)->as<ast::Comparison>();
  const bool swapped = !ast::equal(*comparison.left, *step.left);
  throw SqlError(Code::invalid_join, step.clause->on->span,
                 fmt::format("Invalid join condition: types don't match. Got {}{{{}}} = {}{{{}}}.",
                             ast::format(*comparison.left), (swapped ? right : left).to_string(),
                             ast::format(*comparison.right), (swapped ? left : right).to_string()));
}

NodePtr SelectBinder::make_join(const Side& left, const Side& right, const JoinStep& step, const ColumnDef& key) const {
  const JoinType type = join_type(step.clause->kind);
  if (plain_tables(left, right)) return make_node(TableTableJoinNode{left.node, right.node, type, key});
  if (right.node->kind == RelationKind::table) return make_node(StreamTableJoinNode{left.node, right.node, type, key});
  const auto& within = *step.clause->within;
  StreamStreamJoinNode node{left.node,
                            right.node,
                            type,
                            key,
                            within.before.millis,
                            within.after.millis,
                            within.grace ? within.grace->millis : kMillisPerDay,
                            !within.grace};
  return make_node(std::move(node));
}

SelectBinder::Side SelectBinder::join_foreign_key(Side left, Side right, const JoinStep& step,
                                                  std::vector<ast::ExprPtr>& equivalent) {
  const auto fail = [&](const std::string& message) { throw SqlError(Code::invalid_join, step.clause->span, message); };
  const auto kind = step.clause->kind;
  if (left.node->window || right.node->window)
    fail("Foreign-key table-table joins are not supported on windowed tables.");
  if (left.sources.size() > 1) {
    fail(fmt::format(
        "Invalid join condition: foreign-key table-table joins are not supported as part of n-way joins. Got {}.",
        step.printed));
  }
  if (kind == ast::JoinKind::full) {
    fail(fmt::format(
        "Invalid join type: full-outer join not supported for foreign-key table-table join. Got {} OUTER {}.",
        describe(left), describe(right)));
  }
  if (kind == ast::JoinKind::right) fail("RIGHT OUTER JOIN on a foreign key is not supported");
  ExprBinder binder(context_, scope_);
  const auto foreign_key = bind_item(binder, step.left, scope_);
  const auto& right_key = right.node->schema.columns[0].type;
  check_key_types(foreign_key->type, right_key, step, true);
  const std::size_t left_size = left.node->schema.size();
  const auto& source = scope_.sources[left.sources.front()];
  const std::size_t keys = source.def->schema.key_count();
  equivalent.clear();
  viable_.clear();
  scope_.synthetic_key.reset();
  for (std::size_t i = 0; i < keys; ++i) {
    auto column = std::make_shared<const ast::Expression>(
        ast::Expression{ast::ColumnRef{ast::Identifier{.text = source.alias, .quoted = false, .span = {}},
                                       ast::Identifier{.text = source.columns[i].name, .quoted = false, .span = {}}},
                        {}});
    keys_.push_back({i, source.columns[i].type, {column}});
    if (keys == 1) equivalent.push_back(column);
    if (keys == 1) viable_.push_back(column);
  }
  origin_ = KeyOrigin::foreign_key;
  Side joined{make_node(ForeignKeyJoinNode{left.node, right.node, join_type(kind), foreign_key}), left.sources, false,
              left.key_format, left.partitions};
  joined.sources.push_back(step.source);
  shift_sources(left.sources, keys);
  shift_sources(right.sources, keys + left_size);
  return joined;
}

SelectBinder::Side SelectBinder::build_join(Side left, Side right, const JoinStep& step,
                                            std::vector<ast::ExprPtr>& equivalent) {
  check_join_kinds(left, right, step);
  const bool left_is_key =
      left.sources.size() == 1 ? is_only_key(step.left, left.sources[0]) : among(equivalent, step.left);
  const bool right_is_key = is_only_key(step.right, step.source);
  if (plain_tables(left, right)) {
    if (!right_is_key) {
      throw SqlError(
          Code::invalid_join, step.clause->span,
          fmt::format("Invalid join condition: table-table joins require to join on the primary key of the right input "
                      "table. Got {}.",
                      step.printed));
    }
    if (!left_is_key) return join_foreign_key(std::move(left), std::move(right), step, equivalent);
  }
  ExprBinder binder(context_, scope_);
  const Type left_type = bind_item(binder, step.left, scope_)->type;
  check_key_types(left_type, bind_item(binder, step.right, scope_)->type, step, plain_tables(left, right));
  check_join_windows(left, right, step);
  const auto key_column = [&](const ast::ExprPtr& expr) {
    const auto* column = expr->as<ast::ColumnRef>();
    return column && column->qualifier ? join_column_name(column->qualifier->text, column->name.text)
                                       : std::string("ROWKEY");
  };
  check_no_map_key({ColumnDef{.name = key_column(step.left), .type = left_type, .role = ColumnRole::key}},
                   step.clause->span);
  if (!left_is_key) rekey_side(left, step.left, key_column(step.left));
  if (!right_is_key) rekey_side(right, step.right, key_column(step.right));
  if (!left.rekeyed && !right.rekeyed && left.partitions != right.partitions) {
    throw SqlError(
        Code::invalid_join, step.clause->span,
        fmt::format("Can't join `{0}` with `{1}` since the number of partitions don't match. `{0}` partitions = {2}; "
                    "`{1}` partitions = {3}. Please repartition either one so that the number of partitions match.",
                    describe(left), describe(right), left.partitions, right.partitions));
  }
  const bool full = step.clause->kind == ast::JoinKind::full;
  if (full || !left_is_key || !among(equivalent, step.left)) equivalent.clear();
  if (!full) equivalent.insert(equivalent.end(), {step.left, step.right});
  std::string name = scope_.synthetic_key ? scope_.synthetic_key->name : key_column(step.left);
  if (!scope_.synthetic_key && !viable_.empty()) name = key_column(viable_.front());
  const std::size_t left_size = left.node->schema.size();
  const bool take_right = left.key_format.name == "NONE";
  Side joined{make_join(left, right, step, ColumnDef{.name = name, .type = left_type, .role = ColumnRole::key}),
              left.sources, false, take_right ? right.key_format : left.key_format,
              left.rekeyed ? right.partitions : left.partitions};
  joined.sources.push_back(step.source);
  shift_sources(left.sources, 1);
  shift_sources(right.sources, 1 + left_size);
  if (origin_ == KeyOrigin::foreign_key) {
    origin_ = KeyOrigin::join;
    keys_.clear();
    viable_.push_back(step.right);
  }
  return joined;
}

}  // namespace millrace::inline planner
