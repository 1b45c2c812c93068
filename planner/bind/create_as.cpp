#include <fmt/format.h>

#include "parser/ast/format.h"
#include "planner/bind/binder.h"
#include "planner/bind/late_into.h"
#include "planner/bind/schemas.h"
#include "planner/bind/sink.h"
#include "planner/bind/source_checks.h"
#include "planner/logical/window_trace.h"

namespace millrace::inline planner {
namespace {

void check_result_kind(RelationKind wanted, const NodePtr& root, Span span) {
  if (root->kind == wanted) return;
  const char* kind = root->kind == RelationKind::stream ? "STREAM" : "TABLE";
  throw SqlError(
      Code::invalid_statement, span,
      fmt::format("Invalid result type. Your SELECT query produces a {0}. Please use CREATE {0} AS SELECT statement "
                  "instead.",
                  kind));
}

void bind_sink_topic(const BindContext& context, const WithProperties& with, BoundQuery& bound,
                     const SourceDef& leftmost) {
  SourceDef& sink = *bound.sink;
  if (with.retention_ms && sink.kind == RelationKind::table && !sink.window) {
    throw SqlError(
        Code::invalid_property, with.span,
        "Invalid config variable in the WITH clause: RETENTION_MS. Non-windowed tables do not support retention.");
  }
  if (const auto topic = context.topics.find_topic(sink.topic)) {
    check_topic_counts(sink.topic, *topic, with);
    sink.partitions = topic->partitions;
    sink.replicas = topic->replicas;
    return;
  }
  const bool inherit = setting_flag(context.properties, "ksql.create.topic.inherit.source.replicas.enabled");
  const int replicas = with.replicas.value_or(inherit ? leftmost.replicas : -1);
  sink.partitions = with.partitions.value_or(leftmost.partitions);
  sink.replicas = replicas < 1 ? 1 : replicas;
  bound.create_topic = TopicInfo{sink.partitions, replicas};
  if (with.retention_ms) bound.retention_ms = with.retention_ms;
}

SqlError with_statement_text(const SqlError& error, const ast::CreateAs& statement, const ast::Query& rewritten) {
  ast::Statement shown;
  ast::CreateAs copy = statement;
  copy.query = std::make_shared<const ast::Query>(rewritten);
  shown.node = std::move(copy);
  std::string text = ast::format(shown);
  while (!text.empty() && (text.back() == ';' || text.back() == '\n')) text.pop_back();
  return SqlError(error.code(), error.span(), fmt::format("{}\nStatement: {}", error.what(), text), error.error_class())
      .hint(error.hint());
}

}  // namespace

BoundQuery bind_create_as(const ast::CreateAs& statement, const BindContext& context) {
  const RelationKind kind = statement.kind == ast::SourceKind::stream ? RelationKind::stream : RelationKind::table;
  const WithProperties with = read_with(statement.properties, WithKind::create_as);
  check_name_free(context.catalog, statement.name, kind, statement.or_replace, statement.if_not_exists, false);
  auto select = bind_select(
      *statement.query, context, statement.name.text,
      [&with, &context](const Schema& columns) {
        SourceDef shown;
        shown.schema = columns;
        set_timestamp(shown, with, context);
      },
      kind == RelationKind::stream);
  check_no_limit(*statement.query);
  check_result_kind(kind, select.root, statement.name.span);
  BoundQuery bound;
  bound.options = read_options(context.properties);
  for (const auto* source : select.sources) bound.sources.push_back(source->name);
  SourceDef& sink = bound.sink.emplace();
  sink.name = statement.name.text;
  sink.kind = kind;
  sink.schema = select.root->schema;
  sink.window = select.root->window;
  if (sink.window && kind == RelationKind::table) sink.window_retention_ms = kept_for(*select.root);
  sink.from_query = true;
  sink.idle_timeout_ms = idle_timeout_of(with, context);
  sink.topic = topic_of(with, setting_text(context.properties, "ksql.output.topic.name.prefix") + sink.name, context);
  set_sink_formats(sink, select, with, context);
  check_duplicate_columns(sink.schema, statement.name.span);
  set_timestamp(sink, with, context);
  try {
    check_sink_formats(sink, select, with, context);
  } catch (const SqlError& error) {
    throw with_statement_text(error, statement, select.rewritten);
  }
  bind_sink_topic(context, with, bound, *select.sources.front());
  if (const auto* old = context.catalog.find(sink.name); old && statement.or_replace) {
    check_upgrade(*old, sink, statement.name.span);
  }
  set_sink_schemas(sink, with, context);
  bound.root = make_sink(in_intervals(select.root, *statement.query), sink);
  bound.late = late_streams(bound.root, sink, context);
  return bound;
}

}  // namespace millrace::inline planner
