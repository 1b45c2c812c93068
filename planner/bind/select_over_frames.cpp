#include <fmt/format.h>

#include <cmath>

#include "planner/bind/ast_rewrite.h"
#include "planner/bind/select_over.h"
#include "planner/types/civil.h"

namespace millrace::inline planner {
namespace {

using Kind = ast::FrameBound::Kind;

bool has_distance(Kind kind) {
  return kind == Kind::preceding || kind == Kind::following;
}

/// Moves with the frame: FIRST_VALUE and its like; the other functions that there are for windows have none.
bool takes_frame(const std::string& name) {
  return name == "FIRST_VALUE" || name == "LAST_VALUE" || name == "NTH_VALUE";
}

std::int64_t row_distance(const ast::FrameBound& bound) {
  if (const auto* rows = std::get_if<std::int64_t>(&bound.distance)) return *rows;
  throw SqlError(Code::invalid_statement, bound.span, "ROWS takes a number of rows.")
      .hint("RANGE goes by the value that rows are ordered by");
}

/// What two values of the order differ by.
class RangeDistance {
 public:
  RangeDistance(const ast::FrameBound& bound, const Type& type) : bound_(bound), type_(type) {}

  void convert(std::int64_t& by, double& real) const {
    if (const auto* duration = std::get_if<ast::Duration>(&bound_.distance)) return from_duration(*duration, by);
    const auto* whole = std::get_if<std::int64_t>(&bound_.distance);
    const double number = whole ? static_cast<double>(*whole) : std::get<double>(bound_.distance);
    switch (type_.kind()) {
      case TypeKind::double_:
        real = number;
        return;
      case TypeKind::decimal:
        by = scaled(number);
        return;
      case TypeKind::integer:
      case TypeKind::bigint:
        if (!whole) fail("a whole number");
        by = *whole;
        return;
      default:
        fail("a length of time, as 10 SECONDS");
    }
  }

 private:
  [[noreturn]] void fail(const char* wanted) const {
    throw SqlError(Code::type_mismatch, bound_.span, fmt::format("RANGE over {} takes {}.", type_.to_string(), wanted));
  }
  void from_duration(const ast::Duration& duration, std::int64_t& by) const {
    switch (type_.kind()) {
      case TypeKind::bigint:
      case TypeKind::timestamp:
      case TypeKind::time:
        by = duration.millis;
        return;
      case TypeKind::date:
        if (duration.millis % kMillisPerDay != 0) fail("whole days");
        by = duration.millis / kMillisPerDay;
        return;
      default:
        fail("a number");
    }
  }
  std::int64_t scaled(double number) const {
    const double digits = number * std::pow(10.0, type_.scale());
    if (digits > 9e17) fail("a smaller number");
    return static_cast<std::int64_t>(std::llround(digits));
  }

  const ast::FrameBound& bound_;
  const Type& type_;
};

OverFrame::Edge edge_of(Kind kind) {
  return static_cast<OverFrame::Edge>(kind);
}
static_assert(static_cast<int>(Kind::unbounded_following) == static_cast<int>(OverFrame::Edge::unbounded_following));

void check_ends(const ast::Frame& frame) {
  const auto refuse = [&](const char* what) {
    throw SqlError(Code::invalid_statement, frame.span, fmt::format("A frame cannot {}.", what));
  };
  if (frame.start.kind == Kind::unbounded_following) refuse("begin with UNBOUNDED FOLLOWING");
  if (frame.end.kind == Kind::unbounded_preceding) refuse("end with UNBOUNDED PRECEDING");
  if (frame.start.kind > frame.end.kind) refuse("begin behind its end");
}

const Type& range_type(const ast::Frame& frame, const std::vector<SortKey>& order) {
  if (order.size() != 1)
    throw SqlError(Code::invalid_statement, frame.span, "RANGE with a distance needs one expression in ORDER BY.")
        .hint("ROWS counts rows whatever they are ordered by");
  const Type& type = order.front().expr->type;
  if (!type.is_numeric() && !type.is_temporal())
    throw SqlError(
        Code::type_mismatch, frame.span,
        fmt::format("RANGE with a distance needs a number or a time to order by, not {}.", type.to_string()));
  return type;
}

ast::ExprPtr changed(const ast::ExprPtr& call, const std::string& name, std::vector<ast::ExprPtr> arguments, bool star,
                     const ast::Frame& frame) {
  ast::Call made = *call->as<ast::Call>();
  made.name.text = name;
  made.arguments = std::move(arguments);
  made.star = star;
  ast::CallModifiers modifiers = *made.modifiers;
  modifiers.over->frame = frame;
  if (name != "FIRST_VALUE" && name != "LAST_VALUE" && name != "NTH_VALUE") modifiers.ignore_nulls.reset();
  made.modifiers = std::make_shared<const ast::CallModifiers>(std::move(modifiers));
  return make_ast(std::move(made), call->span);
}

ast::FrameBound bound(Kind kind) {
  ast::FrameBound made;
  made.kind = kind;
  return made;
}

[[noreturn]] void refuse_on_stream(const std::string& what, Span span, const std::string& hint) {
  throw SqlError(Code::not_supported, span, what).hint(hint);
}

/// FIRST_VALUE, LAST_VALUE, NTH_VALUE and aggregates over a frame from the first row of all on.
ast::ExprPtr as_running(const ast::ExprPtr& expr, const ast::Call& call, const ast::Frame& all) {
  const std::string& name = call.name.text;
  const bool ignore = call.modifiers->ignore_nulls.value_or(false);
  const auto with_flag = [&](const char* aggregate) {
    std::vector<ast::ExprPtr> arguments = call.arguments;
    arguments.push_back(make_ast(ast::BooleanLiteral{ignore}, expr->span));
    return changed(expr, aggregate, std::move(arguments), false, all);
  };
  if (name == "FIRST_VALUE") return with_flag("EARLIEST_BY_OFFSET");
  if (name == "LAST_VALUE" && ignore) return with_flag("LATEST_BY_OFFSET");
  if (name == "LAST_VALUE") {
    ast::Frame own = all;
    own.start = bound(Kind::current_row);
    return changed(expr, name, call.arguments, false, own);
  }
  if (name == "NTH_VALUE")
    refuse_on_stream("NTH_VALUE on a stream needs a frame with a first row.", expr->span,
                     "ROWS BETWEEN n PRECEDING AND CURRENT ROW");
  return changed(expr, name, call.arguments, call.star, all);
}

}  // namespace

OverFrame bind_frame(const ast::Call& call, const std::vector<SortKey>& order, bool window_function, Span span) {
  const auto& frame = call.modifiers->over->frame;
  if (window_function && !takes_frame(call.name.text)) {
    if (frame) throw SqlError(Code::invalid_statement, frame->span, fmt::format("{} has no frame.", call.name.text));
    return {};
  }
  OverFrame made;
  if (!frame) {
    if (!order.empty()) made.range = true, made.end = OverFrame::Edge::current_row;
    return made;
  }
  check_ends(*frame);
  made.range = frame->range;
  made.start = edge_of(frame->start.kind);
  made.end = edge_of(frame->end.kind);
  const bool start = has_distance(frame->start.kind), end = has_distance(frame->end.kind);
  if (!frame->range) {
    if (start) made.start_by = row_distance(frame->start);
    if (end) made.end_by = row_distance(frame->end);
  } else if (start || end) {
    const Type& type = range_type(*frame, order);
    if (start) RangeDistance(frame->start, type).convert(made.start_by, made.start_real);
    if (end) RangeDistance(frame->end, type).convert(made.end_by, made.end_real);
  }
  if (frame->start.kind == frame->end.kind && start) {
    const bool before = frame->start.kind == Kind::preceding;
    const bool empty = before ? made.start_by < made.end_by || made.start_real < made.end_real
                              : made.start_by > made.end_by || made.start_real > made.end_real;
    if (empty) throw SqlError(Code::invalid_statement, span, "A frame cannot begin behind its end.");
  }
  return made;
}

ast::ExprPtr fit_to_stream(const ast::ExprPtr& expr, bool window_function, bool exact) {
  const ast::Call& call = *expr->as<ast::Call>();
  const std::string& name = call.name.text;
  const auto& written = call.modifiers->over->frame;
  ast::Frame all;
  all.span = call.modifiers->over->span;
  all.start = bound(Kind::unbounded_preceding);
  all.end = bound(Kind::current_row);
  // What is equal in the order and has not come yet is not known before; then each row counts for itself.
  const bool ordered = !call.modifiers->over->order.empty();
  if (name == "ROW_NUMBER" && window_function) {
    if (!call.modifiers->over->frame) return changed(expr, "COUNT", {}, true, all);
    throw SqlError(Code::invalid_statement, call.modifiers->over->frame->span, "ROW_NUMBER has no frame.");
  }
  if (name == "LAG") {
    if (!call.modifiers->ignore_nulls.value_or(false)) return expr;
    refuse_on_stream("LAG with IGNORE NULLS is not supported on a stream.", expr->span,
                     "LATEST_BY_OFFSET keeps the last value that is not NULL");
  }
  if (name == "LEAD" && !exact)
    refuse_on_stream("LEAD on a stream needs EMIT FINAL.", expr->span, "write EMIT FINAL, or look back with LAG");
  if (name == "LEAD" && call.modifiers->ignore_nulls.value_or(false))
    refuse_on_stream("LEAD with IGNORE NULLS is not supported on a stream.", expr->span,
                     "FIRST_VALUE(...) IGNORE NULLS over ROWS BETWEEN 1 FOLLOWING AND n FOLLOWING looks n rows ahead");
  if (name == "LEAD") return expr;
  if (window_function && !takes_frame(name))
    refuse_on_stream(fmt::format("{} on a stream would change with every row that comes.", name), expr->span,
                     "make a table of the stream, or keep the first rows: QUALIFY ROW_NUMBER() OVER (...) <= n");
  all.range = exact && (written ? written->range : ordered);
  const ast::Frame frame = written.value_or(all);
  check_ends(frame);
  if (!exact && (frame.end.kind > Kind::current_row || frame.start.kind > Kind::current_row))
    refuse_on_stream("FOLLOWING on a stream needs EMIT FINAL.", frame.span,
                     "let the frame end at CURRENT ROW, or write EMIT FINAL");
  if (frame.end.kind == Kind::unbounded_following)
    refuse_on_stream("A frame of a stream has an end: rows come for ever.", frame.span,
                     "let it end with n FOLLOWING, or make a table of the stream");
  if (frame.start.kind != Kind::unbounded_preceding) return expr;
  if (frame.end.kind != Kind::current_row)
    refuse_on_stream("A frame of a stream that begins with UNBOUNDED PRECEDING ends at CURRENT ROW.", frame.span,
                     "begin it with n PRECEDING");
  return as_running(expr, call, all);
}

void check_stream_order(const ast::Over& over, const Scope& scope, Span span) {
  if (over.order.empty()) return;
  const auto* column = over.order.front().expr->as<ast::ColumnRef>();
  const auto* source = column && column->qualifier ? scope.find_source(column->qualifier->text) : nullptr;
  bool time = false;
  if (source && !source->find(column->name.text)) time = column->name.text == "ROWTIME";
  if (source && !time && !scope.is_join()) time = source->def->timestamp_column == column->name.text;
  if (time && !over.order.front().descending) return;
  throw SqlError(
      Code::not_supported, span,
      "On a stream OVER runs in time order. Use ORDER BY ROWTIME, a rank condition (Top-N), or make a table.");
}

}  // namespace millrace::inline planner
