#include <fmt/format.h>

#include "parser/ast/format.h"
#include "planner/bind/select_joins.h"
#include "planner/catalog/formats.h"

namespace millrace::inline planner {
namespace {

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

}  // namespace

void JoinChecks::fail(const std::string& message) const {
  throw SqlError(Code::invalid_join, step_.clause->span, message);
}

/// The source that messages name for one side: the leftmost.
const std::string& JoinChecks::describe(const JoinSide& side) const {
  return scope_.sources[side.sources.front()].alias;
}

bool JoinChecks::tables() const {
  return left_.node->kind == RelationKind::table && right_.node->kind == RelationKind::table;
}

void JoinChecks::check_kinds() const {
  const bool left_stream = left_.node->kind == RelationKind::stream;
  const bool right_stream = right_.node->kind == RelationKind::stream;
  const auto kind = step_.clause->kind;
  const auto got = [&] { return fmt::format("{} {} {}", describe(left_), join_words_of(kind), describe(right_)); };
  if (left_stream && right_stream) {
    if (!step_.clause->within) {
      fail(
          "Stream-Stream joins must have a WITHIN clause specified. None was provided. To learn about how to specify a "
          "WITHIN "
          "clause with a stream-stream join, please visit: "
          "https://docs.confluent.io/current/ksql/docs/syntax-reference.html#create-stream-as-select");
    }
    check_unbounded();
    return;
  }
  if (!left_stream && right_stream) {
    fail(fmt::format("Invalid join order: table-stream joins are not supported; only stream-table joins. Got {}.",
                     got()));
  }
  if (step_.clause->within) {
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
  if (!is_whole_key(scope_, step_, step_.source, &JoinEquality::right)) {
    fail(fmt::format("Invalid join condition: stream-table joins require to join on the table's primary key. Got {}.",
                     step_.printed));
  }
}

void JoinChecks::check_unbounded() const {
  const ast::Within& within = *step_.clause->within;
  if (!within.unbounded) return;
  const auto refuse = [&](const char* message) { throw SqlError(Code::invalid_join, within.span, message); };
  if (step_.clause->kind != ast::JoinKind::inner) {
    refuse(
        "An outer join without a time bound never knows that a row has no partner. Give WITHIN a duration, or make "
        "tables of the inputs.");
  }
  if (within.grace) refuse("GRACE PERIOD needs a time bound: no row of WITHIN UNBOUNDED is late. Leave it out.");
}

void JoinChecks::check_windows() const {
  const auto& a = left_.node->window;
  const auto& b = right_.node->window;
  const auto& left_source = scope_.sources[left_.sources.front()];
  const auto& right_source = scope_.sources[right_.sources.front()];
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
  const FormatDef* format = find_format(left_.key_format.name);
  if (a->size_ms != b->size_ms && !(format && format->registry)) {
    fail(
        "Implicit repartitioning of windowed sources is not supported. See "
        "https://github.com/confluentinc/ksql/issues/4385.");
  }
}

void JoinChecks::check_key_types(const JoinEquality& equality, const Type& left, const Type& right) const {
  if (left == right) return;
  if (!tables()) {
    throw SqlError(Code::invalid_join, step_.clause->on->span,
                   fmt::format("Invalid join. Key types differ: {} vs {}", left.to_string(), right.to_string()));
  }
  // As it is written.
  const auto* whole = step_.clause->on->as<ast::Comparison>();
  const bool swapped = whole != nullptr && !ast::equal(*qualify(whole->left, scope_), *equality.left);
  const auto shown = [](const ast::ExprPtr& expr, const Type& type) {
    return fmt::format("{}{{{}}}", ast::format(*expr), type.to_string());
  };
  const std::string a = shown(equality.left, left), b = shown(equality.right, right);
  throw SqlError(
      Code::invalid_join, step_.clause->on->span,
      fmt::format("Invalid join condition: types don't match. Got {} = {}.", swapped ? b : a, swapped ? a : b));
}

void JoinChecks::check_foreign_key() const {
  const auto kind = step_.clause->kind;
  if (left_.node->window || right_.node->window)
    fail("Foreign-key table-table joins are not supported on windowed tables.");
  if (left_.sources.size() > 1) {
    fail(fmt::format(
        "Invalid join condition: foreign-key table-table joins are not supported as part of n-way joins. Got {}.",
        step_.printed));
  }
  if (kind == ast::JoinKind::full) {
    fail(fmt::format(
        "Invalid join type: full-outer join not supported for foreign-key table-table join. Got {} OUTER {}.",
        describe(left_), describe(right_)));
  }
  if (kind == ast::JoinKind::right) fail("RIGHT OUTER JOIN on a foreign key is not supported");
}

void JoinChecks::check_partitions() const {
  if (!left_.rekeyed && !right_.rekeyed && left_.partitions != right_.partitions) {
    throw SqlError(
        Code::invalid_join, step_.clause->span,
        fmt::format("Can't join `{0}` with `{1}` since the number of partitions don't match. `{0}` partitions = {2}; "
                    "`{1}` partitions = {3}. Please repartition either one so that the number of partitions match.",
                    describe(left_), describe(right_), left_.partitions, right_.partitions));
  }
}

}  // namespace millrace::inline planner
