#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "parser/ast/format.h"
#include "parser/syntax/parse.h"
#include "planner/bind/ast_rewrite.h"
#include "planner/bind/coercion.h"
#include "planner/bind/dialect.h"
#include "planner/bind/expr_binder.h"
#include "planner/bind/formats.h"
#include "planner/bind/join_builder.h"
#include "planner/bind/late_into.h"
#include "planner/catalog/formats.h"
#include "planner/logical/window_trace.h"
#include "planner/types/civil.h"

namespace millrace::inline planner {
JoinType join_type_of(ast::JoinKind kind) {
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

namespace {

std::string key_column(const ast::ExprPtr& expr) {
  const auto* column = expr->as<ast::ColumnRef>();
  return column && column->qualifier ? join_column_name(column->qualifier->text, column->name.text)
                                     : std::string("ROWKEY");
}

/// Of final results: the size of their windows. A session's result has the time of its end.
std::optional<std::int64_t> final_window(const PlanNode& node) {
  const auto trace = trace_windows(node);
  return trace && trace->final ? std::optional(trace->size_ms.value_or(0)) : std::nullopt;
}

/// Each number of one type is one of the other, which is another type.
bool widens(const Type& from, const Type& to) {
  return !(from == to) && from.is_numeric() && to.is_numeric() && wider_number(from, to) == to;
}
bool narrows(const Type& from, const Type& to) {
  return from == Type::bigint() && to == Type::integer();
}

/// The BIGINT as an INTEGER, NULL where it is none.
ast::ExprPtr as_integer(const ast::ExprPtr& value) {
  const auto bound = [&](std::int64_t of) { return make_ast(ast::BigintLiteral{of}, value->span); };
  const auto fits = make_ast(ast::Between{value, bound(INT32_MIN), bound(INT32_MAX), false}, value->span);
  const auto cast = make_ast(ast::Cast{value, parse_type("INTEGER")}, value->span);
  return make_ast(ast::Case{nullptr, {{fits, cast, value->span}}, nullptr}, value->span);
}

}  // namespace

std::set<PseudoColumn> JoinBuilder::used_pseudo_columns(const ScopeSource& source) const {
  std::set<PseudoColumn> used;
  for (const auto* root : clauses_.roots()) {
    contains(*root, [&](const ast::Expression& expr) {
      const auto* column = expr.as<ast::ColumnRef>();
      if (column && column->qualifier && column->qualifier->text == source.alias && !source.find(column->name.text)) {
        if (const auto pseudo = source.find_pseudo(column->name.text)) used.insert(*pseudo);
      }
      return false;
    });
  }
  return used;
}

JoinSide JoinBuilder::leaf(std::size_t index) {
  const auto& def = *scope_.sources[index].def;
  JoinSide side{make_leaf(scope_.sources[index], scope_.sources[index].broadcast),
                {index},
                false,
                def.key_format,
                def.partitions};
  auto& source = scope_.sources[index];
  const auto pseudo = used_pseudo_columns(source);
  if (pseudo.empty()) return side;
  std::vector<ProjectItem> items;
  for (const auto& column : source.columns) {
    ColumnDef def_column{.name = column.name, .type = column.type, .role = column.role};
    if (column.role == ColumnRole::header) def_column.role = ColumnRole::value;
    items.push_back({def_column, make_column(column.position, column.type, column.name)});
  }
  for (const auto column : pseudo) {
    source.pseudo_positions[column] = items.size();
    const std::string name(pseudo_column_name(column));
    items.push_back({ColumnDef{.name = name, .type = pseudo_column_type(column)},
                     make_expr(PseudoExpr{column}, pseudo_column_type(column), input_.query.span)});
  }
  side.node = make_node(ProjectNode{side.node, std::move(items)});
  return side;
}

void JoinBuilder::shift_sources(const std::vector<std::size_t>& sources, std::size_t by) {
  for (const auto index : sources) {
    auto& source = scope_.sources[index];
    for (auto& column : source.columns) column.position += by;
    for (auto& [pseudo, position] : source.pseudo_positions) position += by;
  }
}

void JoinBuilder::rekey_side(JoinSide& side, const std::vector<ExprPtr>& exprs, const std::vector<std::string>& names) {
  const auto trace = trace_windows(*side.node);
  if (side.node->window && !(trace && trace->final)) {
    throw SqlError(Code::invalid_join, exprs.front()->span,
                   "Implicit repartitioning of windowed sources is not supported. See "
                   "https://github.com/confluentinc/ksql/issues/4385.");
  }
  RekeyNode node{side.node, {}, NullKey::keep};
  for (std::size_t i = 0; i < exprs.size(); ++i)
    node.keys.push_back({ColumnDef{.name = names[i], .type = exprs[i]->type, .role = ColumnRole::key}, exprs[i]});
  side.node = make_node(std::move(node));
  side.rekeyed = true;
  shift_sources(side.sources, exprs.size());
}

bool JoinBuilder::is_key(const JoinSide& left, const JoinStep& step) const {
  if (left.sources.size() == 1) return is_whole_key(scope_, step, left.sources[0], &JoinEquality::left);
  if (equivalent_.size() != step.on.size()) return false;
  for (std::size_t i = 0; i < equivalent_.size(); ++i)
    if (!among(equivalent_[i], step.on[i].left)) return false;
  return true;
}

JoinBuilder::Keys JoinBuilder::bind_keys(const JoinSide& left, const JoinSide& right, const JoinStep& step) const {
  ExprBinder binder(input_.context, scope_);
  Keys keys{{}, {}, is_key(left, step), is_whole_key(scope_, step, step.source, &JoinEquality::right)};
  for (std::size_t i = 0; i < step.on.size(); ++i) {
    keys.left.push_back(bind_item(binder, step.on[i].left, scope_));
    keys.right.push_back(bind_item(binder, step.on[i].right, scope_));
    unify_types(left, right, step, i, keys);
  }
  return keys;
}

/// Numbers of a stream are widened to those of the other side.
void JoinBuilder::unify_types(const JoinSide& left, const JoinSide& right, const JoinStep& step, std::size_t at,
                              Keys& keys) const {
  ExprPtr &a = keys.left[at], &b = keys.right[at];
  if (a->type == b->type) return;
  if (lifted() && a->type.is_numeric() && b->type.is_numeric()) {
    const Type wide = wider_number(a->type, b->type);
    const auto widen = [&](const JoinSide& side, ExprPtr& expr, bool& stays) {
      if (expr->type == wide || side.node->kind == RelationKind::table) return;
      expr = cast_to(expr, wide);
      stays = false;
    };
    widen(left, a, keys.left_stays);
    widen(right, b, keys.right_stays);
  }
  JoinChecks(scope_, left, right, step).check_key_types(step.on[at], a->type, b->type);
}

/// Both sides get the values as their key. Bytes of keys of several columns may hold their names, so these are alike.
void JoinBuilder::move_sides(JoinSide& left, JoinSide& right, const JoinStep& step, const Keys& keys) {
  const auto names_of = [](const NodePtr& node) {
    std::vector<std::string> names;
    for (const ColumnDef& column : node->schema.keys()) names.push_back(column.name);
    return names;
  };
  if (step.on.size() == 1) {
    if (!keys.left_stays) rekey_side(left, keys.left, {key_column(step.on[0].left)});
    if (!keys.right_stays) rekey_side(right, keys.right, {key_column(step.on[0].right)});
    return;
  }
  std::vector<std::string> names;
  if (keys.left_stays) {
    names = names_of(left.node);
  } else if (keys.right_stays) {
    names = names_of(right.node);
  } else {
    for (std::size_t i = 0; i < step.on.size(); ++i) names.push_back(fmt::format("KEY_{}", i + 1));
  }
  if (!keys.left_stays) rekey_side(left, keys.left, names);
  if (!keys.right_stays || names_of(right.node) != names) rekey_side(right, keys.right, names);
}

void JoinBuilder::note_equivalents(const JoinStep& step, bool keep) {
  if (!keep || equivalent_.size() != step.on.size()) equivalent_.assign(step.on.size(), {});
  if (step.clause->kind == ast::JoinKind::full) return;
  for (std::size_t i = 0; i < step.on.size(); ++i)
    equivalent_[i].insert(equivalent_[i].end(), {step.on[i].left, step.on[i].right});
}

/// What must hold beside the equalities: above an inner join that is a filter.
NodePtr JoinBuilder::with_rest(NodePtr joined, const JoinStep& step) const {
  if (!step.rest) return joined;
  ExprBinder binder(input_.context, scope_);
  ExprPtr condition = bind_predicate(binder, step.rest, scope_, "JOIN ON");
  if (step.clause->kind == ast::JoinKind::inner) return make_node(FilterNode{std::move(joined), std::move(condition)});
  AnyNode node = joined->node;
  const bool taken = std::visit(
      [&](auto& join) {
        if constexpr (requires { join.condition; }) join.condition = condition;
        return requires {
          join.condition;
        };
      },
      node);
  if (!taken) {
    throw SqlError(Code::not_supported, step.rest->span,
                   "Outer joins of tables with more conditions than those of the key are not supported yet.")
        .hint("only equalities with the primary key of the right table may stand in ON");
  }
  return make_node(std::move(node));
}

/// Late rows of both sides go to one stream: its columns are those of both, NULL on the other side.
void JoinBuilder::keep_late(const JoinSide& left, const JoinSide& right, const JoinStep& step,
                            StreamStreamJoinNode& node) const {
  const ast::Identifier& stream = *step.clause->within->late_into;
  if (node.left_window_ms || node.right_window_ms)
    throw SqlError(Code::not_supported, stream.span, "LATE INTO of a join with final results is not supported.")
        .hint("write it where the rows come in");
  const auto columns_of = [&](const JoinSide& own) {
    std::vector<ProjectItem> items;
    const Schema keys = own.node->schema;
    for (std::size_t i = 0; i < keys.key_count(); ++i) {
      ColumnDef key = (i == 0 ? node.key : node.more_keys.columns[i - 1]);
      key.role = ColumnRole::key;
      items.push_back({key, make_column(i, keys.columns[i].type, key.name)});
    }
    for (const JoinSide* side : {&left, &right}) {
      for (const std::size_t index : side->sources) {
        for (const ScopeColumn& column : scope_.sources[index].columns) {
          ColumnDef made{.name = join_column_name(scope_.sources[index].alias, column.name), .type = column.type};
          const bool known =
              std::ranges::any_of(items, [&](const ProjectItem& item) { return item.column.name == made.name; });
          if (column.hidden || known) continue;
          ExprPtr value =
              side == &own ? make_column(column.position, column.type, made.name) : make_literal(Value(), column.type);
          items.push_back({std::move(made), std::move(value)});
        }
      }
    }
    return items;
  };
  const FormatInfo& format = holds_nothing(left.key_format) ? right.key_format : left.key_format;
  node.left = keep_late_rows(input_, scope_, stream, left.node, {.items = columns_of(left), .key_format = format});
  node.right = keep_late_rows(input_, scope_, stream, right.node, {.items = columns_of(right), .key_format = format});
}

NodePtr JoinBuilder::make_join(const JoinSide& left, const JoinSide& right, const JoinStep& step, Schema keys) const {
  if (step.as_of) return make_as_of_join(left, right, step, std::move(keys));
  const JoinType type = join_type_of(step.clause->kind);
  const ColumnDef key = keys.columns.front();
  keys.columns.erase(keys.columns.begin());
  if (JoinChecks(scope_, left, right, step).tables()) {
    TableTableJoinNode node{left.node, right.node, type, key};
    node.more_keys = std::move(keys);
    return make_node(std::move(node));
  }
  if (right.node->kind == RelationKind::table)
    return make_node(StreamTableJoinNode{left.node, right.node, type, key, std::move(keys)});
  const auto& within = *step.clause->within;
  StreamStreamJoinNode node{left.node, right.node, type, key, {}, {}, {}, !within.grace};
  node.more_keys = std::move(keys);
  if (within.unbounded) {
    if (within.ttl) node.ttl_ms = within.ttl->millis;
  } else {
    node.before_ms = within.before.millis;
    node.after_ms = within.after.millis;
    node.final = is_final();
    if (node.final) node.eager = false;
    node.grace_ms = within.grace ? within.grace->millis : node.final ? 0 : kMillisPerDay;
    if (node.final) node.left_window_ms = final_window(*left.node);
    if (node.final) node.right_window_ms = final_window(*right.node);
  }
  if (within.late_into) keep_late(left, right, step, node);
  return make_node(std::move(node));
}

/// The left key finds the right one as another type, which a join by keys as they lie cannot.
bool JoinBuilder::changes_key(const JoinSide& left, const JoinSide& right, const JoinStep& step) const {
  if (!lifted() || left.sources.size() != 1 || left.node->window || right.node->window) return false;
  for (std::size_t i = 0; i < step.on.size(); ++i)
    if (const Type& own = left.node->schema.columns[i].type, &other = right.node->schema.columns[i].type;
        widens(own, other) || narrows(own, other))
      return true;
  return false;
}

JoinSide JoinBuilder::join_foreign_key(JoinSide left, JoinSide right, const JoinStep& step) {
  const JoinChecks checks(scope_, left, right, step);
  checks.check_foreign_key();
  ExprBinder binder(input_.context, scope_);
  std::vector<ExprPtr> foreign_keys;
  for (std::size_t i = 0; i < step.on.size(); ++i) {
    const Type& wanted = right.node->schema.columns[i].type;
    ExprPtr key = bind_item(binder, step.on[i].left, scope_);
    if (lifted() && widens(key->type, wanted)) key = cast_to(key, wanted);
    if (lifted() && narrows(key->type, wanted)) key = bind_item(binder, as_integer(step.on[i].left), scope_);
    checks.check_key_types(step.on[i], key->type, wanted);
    foreign_keys.push_back(std::move(key));
  }
  const std::size_t left_size = left.node->schema.size();
  const auto& source = scope_.sources[left.sources.front()];
  const std::size_t keys = source.def->schema.key_count();
  equivalent_.clear();
  viable_.clear();
  scope_.synthetic_keys.clear();
  for (std::size_t i = 0; i < keys; ++i) {
    auto column = make_ast_column(source.alias, source.columns[i].name, {});
    keys_.push_back({i, source.columns[i].type, {column}});
    if (keys == 1) equivalent_.push_back({column});
    if (keys == 1) viable_.push_back({column});
  }
  origin_ = KeyOrigin::foreign_key;
  ForeignKeyJoinNode node{left.node, right.node, join_type_of(step.clause->kind), foreign_keys.front()};
  node.more_keys.assign(foreign_keys.begin() + 1, foreign_keys.end());
  JoinSide joined{make_node(std::move(node)), left.sources, false, left.key_format, left.partitions};
  joined.sources.push_back(step.source);
  shift_sources(left.sources, keys);
  shift_sources(right.sources, keys + left_size);
  joined.node = with_rest(joined.node, step);
  return joined;
}

JoinSide JoinBuilder::join(JoinSide left, JoinSide right, const JoinStep& step) {
  if (step.broadcast) return join_broadcast(std::move(left), std::move(right), step);
  if (step.window_end) return join_windows(std::move(left), std::move(right), step);
  const JoinChecks checks(scope_, left, right, step);
  check_reading(left, step);
  checks.check_kinds();
  if (step.pairs && !step.clause->within) return join_pairs(std::move(left), std::move(right), step);
  if (checks.tables()) {
    if (!is_whole_key(scope_, step, step.source, &JoinEquality::right)) {
      throw SqlError(
          Code::invalid_join, step.clause->span,
          fmt::format("Invalid join condition: table-table joins require to join on the primary key of the right input "
                      "table. Got {}.",
                      step.printed));
    }
    if (!is_key(left, step) || changes_key(left, right, step))
      return join_foreign_key(std::move(left), std::move(right), step);
  }
  Keys keys = bind_keys(left, right, step);
  // Final results meet rows of streams whatever their windows are: these do not belong to the key any more. With tables
  // they keep them.
  const bool left_final = is_final() && final_window(*left.node), right_final = is_final() && final_window(*right.node);
  const bool left_changes = left_final && left.node->window && right.node->kind == RelationKind::stream;
  if (left_changes) keys.left_stays = false;
  if (right_final && right.node->window) keys.right_stays = false;
  if (!left_final && !right_final) checks.check_windows();
  // A table's rows have to come as they lie, with all versions: the stream takes the names of its key.
  if ((step.as_of || scope_.sources[step.source].ready) && step.on.size() > 1) keys.left_stays = false;
  Schema key = key_columns(step, keys);
  check_no_map_key(key.columns, step.clause->span);
  const bool keep = is_key(left, step) && !left_changes;
  move_sides(left, right, step, keys);
  // Rows lie where the bytes of the sides' keys say, which hold these names.
  for (std::size_t i = 0; key.size() > 1 && i < key.size(); ++i)
    key.columns[i].name = left.node->schema.columns[i].name;
  if (!lifted() || (left.node->window && !left_final)) checks.check_partitions();
  note_equivalents(step, keep);
  const std::size_t left_size = left.node->schema.size();
  FormatInfo format = holds_nothing(left.key_format) ? right.key_format : left.key_format;
  const FormatDef* def = find_format(format.name);
  if (key.size() > 1 && (def == nullptr || !refusal(*def, key.columns).empty())) format = object_format();
  JoinSide joined{make_join(left, right, step, key), left.sources, false, std::move(format),
                  left.rekeyed    ? right.partitions
                  : right.rekeyed ? left.partitions
                                  : std::max(left.partitions, right.partitions)};
  joined.sources.push_back(step.source);
  shift_sources(left.sources, key.size());
  shift_sources(right.sources, key.size() + left_size);
  if (step.as_of) joined.node = with_time(joined.node, step);
  joined.node = with_rest(joined.node, step);
  if (origin_ == KeyOrigin::foreign_key) {
    origin_ = KeyOrigin::join;
    keys_.clear();
    viable_.resize(1);
    viable_.front().push_back(step.on[0].right);
  }
  return joined;
}

/// The key of the result of a join, named by what may name it.
Schema JoinBuilder::key_columns(const JoinStep& step, const Keys& keys) const {
  Schema schema;
  for (std::size_t i = 0; i < step.on.size(); ++i) {
    const auto own = std::ranges::find(scope_.synthetic_keys, i, &ScopeColumn::position);
    const bool named = i < viable_.size() && !viable_[i].empty();
    schema.columns.push_back({.name = own != scope_.synthetic_keys.end()
                                          ? own->name
                                          : key_column(named ? viable_[i].front() : step.on[i].left),
                              .type = keys.left[i]->type,
                              .role = ColumnRole::key});
  }
  return schema;
}

KeyedPlan JoinBuilder::build() {
  JoinSide left = leaf(0);
  for (const auto& step : clauses_.joins)
    left = step.elements ? join_elements(std::move(left), step) : join(std::move(left), leaf(step.source), step);
  for (std::size_t i = 0; i < viable_.size() && origin_ == KeyOrigin::join; ++i) {
    const Type type = left.node->schema.columns[i].type;
    std::vector<ast::ExprPtr> candidates = viable_[i];
    for (ScopeColumn& key : scope_.synthetic_keys) {
      if (key.position != i) continue;
      key.type = type;
      candidates = {
          make_ast(ast::ColumnRef{std::nullopt, {.text = key.name, .quoted = false, .span = {}}}, input_.query.span)};
    }
    keys_.push_back({i, type, std::move(candidates)});
  }
  NodePtr joined = give_back_windows(left.node);
  return {std::move(joined), keys_, origin_, left.key_format};
}

/// Bounds that ON says nothing about are those of the result's windows, where it has the key of the first source.
NodePtr JoinBuilder::give_back_windows(NodePtr joined) {
  const ScopeSource& first = scope_.sources.front();
  const auto own = static_cast<std::size_t>(std::ranges::count(first.columns, ColumnRole::key, &ScopeColumn::role));
  if (!first.windows || joined->kind != RelationKind::table || keys_.size() != own) return joined;
  const std::size_t keys = own - 2;
  RekeyNode rekey{joined, {}, NullKey::keep};
  for (std::size_t i = 0; i < keys; ++i) {
    const ColumnDef& column = joined->schema.columns[keys_[i].position];
    rekey.keys.push_back({column, make_column(keys_[i].position, column.type, column.name)});
    keys_[i].position = i;
  }
  rekey.window = first.windows;
  rekey.window_start = make_column(keys_[keys].position, Type::bigint(), "WINDOWSTART");
  rekey.window_end = make_column(keys_[keys + 1].position, Type::bigint(), "WINDOWEND");
  keys_.resize(keys);
  std::erase_if(scope_.synthetic_keys, [&](const ScopeColumn& key) { return key.position >= keys; });
  for (std::size_t i = 0; i < scope_.sources.size(); ++i) shift_sources({i}, keys);
  return make_node(std::move(rekey));
}

KeyedPlan bind_joins(const SelectInput& input, Scope& scope, const Clauses& clauses) {
  return JoinBuilder(input, scope, clauses).build();
}

bool is_whole_key(const Scope& scope, const JoinStep& step, std::size_t source, ast::ExprPtr JoinEquality::*side) {
  std::size_t next = 0;
  for (const ScopeColumn& key : scope.sources[source].columns) {
    if (key.role != ColumnRole::key) continue;
    if (next == step.on.size()) return false;
    const auto* column = (step.on[next++].*side)->as<ast::ColumnRef>();
    const bool same = column && column->qualifier && column->qualifier->text == scope.sources[source].alias &&
                      column->name.text == key.name;
    if (!same) return false;
  }
  return next == step.on.size();
}

}  // namespace millrace::inline planner
