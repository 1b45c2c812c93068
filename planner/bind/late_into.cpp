#include "planner/bind/late_into.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "planner/bind/schemas.h"
#include "planner/bind/sink.h"
#include "planner/bind/source_checks.h"
#include "planner/catalog/formats.h"

namespace millrace::inline planner {
namespace {

Schema written_schema(const LateColumns& columns) {
  LateNode node;
  node.items = columns.items;
  node.windows = columns.windows;
  return node.written().schema;
}

/// A stream that is there takes rows as INSERT INTO gives them.
void check_fits(const SourceDef& target, const Schema& written, const ast::Identifier& name) {
  const auto fail = [&](Code code, const std::string& message) { throw SqlError(code, name.span, message); };
  if (target.kind == RelationKind::table)
    fail(Code::invalid_insert, fmt::format("LATE INTO takes a stream, but {} is a table.", target.name));
  if (target.read_only) fail(Code::read_only, fmt::format("Cannot insert into read-only stream: {}", target.name));
  const bool same = std::ranges::equal(target.schema.columns, written.columns, [](const auto& a, const auto& b) {
    return a.name == b.name && a.type == b.type && a.role == b.role;
  });
  if (!same)
    fail(Code::invalid_insert,
         fmt::format("Incompatible schema between late rows and sink.\nSchema of late rows is {}\nSink schema is {}",
                     written.to_string(), target.schema.to_string()));
}

/// As CREATE STREAM AS SELECT would make it.
SourceDef new_stream(const SelectInput& input, const Scope& scope, const ast::Identifier& name, const Schema& written,
                     const FormatInfo& key_format) {
  SourceDef made;
  made.name = name.text;
  made.schema = written;
  made.topic = find_property(input.context.properties, "ksql.output.topic.name.prefix").value_or("") + name.text;
  BoundSelect like;
  like.sources.push_back(scope.sources.front().def);
  like.key_format = key_format;
  like.null_key = made.schema.key_count() == 0;
  like.rewritten.span = name.span;
  WithProperties with;
  with.span = name.span;
  set_sink_formats(made, like, with, input.context);
  check_duplicate_columns(made.schema, name.span);
  check_sink_formats(made, like, with, input.context);
  return made;
}

/// Both sides of a join have one stream, which counts once.
void collect(const PlanNode& node, std::vector<const PlanNode*>& found) {
  for (const NodePtr& input : inputs_of(node)) collect(*input, found);
  if (node.as<LateNode>()) found.push_back(&node);
  const auto* join = node.as<StreamStreamJoinNode>();
  if (join && join->left->as<LateNode>() && join->right->as<LateNode>()) found.pop_back();
}

/// The stream or table that rows come from, leftmost.
const SourceNode* leaf_of(const PlanNode& node) {
  const auto inputs = inputs_of(node);
  return inputs.empty() ? node.as<SourceNode>() : leaf_of(*inputs.front());
}

}  // namespace

std::vector<ProjectItem> source_columns(const Scope& scope, std::size_t moved) {
  std::vector<ProjectItem> keys, values;
  for (const ScopeSource& source : scope.sources) {
    for (const ScopeColumn& column : source.columns) {
      const bool key = column.role == ColumnRole::key && !scope.is_join();
      if (column.hidden && !key) continue;
      const std::string name = scope.is_join() ? join_column_name(source.alias, column.name) : column.name;
      ColumnDef made{.name = name, .type = column.type, .role = key ? ColumnRole::key : ColumnRole::value};
      (key ? keys : values).push_back({std::move(made), make_column(column.position + moved, column.type, name)});
    }
  }
  keys.insert(keys.end(), values.begin(), values.end());
  return keys;
}

NodePtr keep_late_rows(const SelectInput& input, const Scope& scope, const ast::Identifier& stream, NodePtr rows,
                       LateColumns columns) {
  const Schema written = written_schema(columns);
  const SourceDef* target = input.context.catalog.find(stream.text);
  SourceDef made;
  if (target != nullptr)
    check_fits(*target, written, stream);
  else
    made = new_stream(input, scope, stream, written, columns.key_format);
  SourceDef sink = target != nullptr ? *target : made;
  if (target == nullptr || !can_write(sink.key_format) || !can_write(sink.value_format))
    set_sink_schemas(sink, {}, input.context);
  LateNode node{.input = std::move(rows),
                .items = std::move(columns.items),
                .name = sink.name,
                .topic = sink.topic,
                .key_format = sink.key_format,
                .value_format = sink.value_format,
                .timestamp = std::nullopt,
                .windows = columns.windows};
  if (sink.timestamp_column)
    node.timestamp =
        TimestampColumn{.column = *sink.schema.find(*sink.timestamp_column), .format = sink.timestamp_format};
  return make_node(std::move(node));
}

std::vector<BoundLate> late_streams(const NodePtr& root, const SourceDef& sink, const BindContext& context) {
  std::vector<const PlanNode*> nodes;
  collect(*root, nodes);
  std::vector<BoundLate> streams;
  std::set<std::string> names{sink.name};
  for (const PlanNode* node : nodes) {
    const LateNode& late = *node->as<LateNode>();
    if (!names.insert(late.name).second)
      throw SqlError(Code::invalid_insert, {},
                     fmt::format("{} takes the rows of two steps of this query: late ones need a stream of their own.",
                                 late.name));
    BoundLate& bound = streams.emplace_back();
    if (const SourceDef* there = context.catalog.find(late.name)) {
      bound.sink = *there;
      continue;
    }
    bound.made = true;
    bound.sink.name = late.name;
    bound.sink.topic = late.topic;
    bound.sink.schema = late.written().schema;
    bound.sink.key_format = late.key_format;
    bound.sink.value_format = late.value_format;
    bound.sink.from_query = true;
    const SourceNode* leaf = leaf_of(*node);
    const SourceDef* from = leaf != nullptr ? context.catalog.find(leaf->name) : nullptr;
    const bool inherit = setting_flag(context.properties, "ksql.create.topic.inherit.source.replicas.enabled");
    TopicInfo wanted{leaf != nullptr ? std::max(leaf->partitions, 1) : 1,
                     inherit && from != nullptr ? from->replicas : -1};
    if (const auto topic = context.topics.find_topic(late.topic))
      wanted = *topic;
    else
      bound.create_topic = wanted;
    bound.sink.partitions = wanted.partitions;
    bound.sink.replicas = std::max(wanted.replicas, 1);
  }
  return streams;
}

void for_each_late(const ast::Query& query, const std::function<void(const ast::Identifier&)>& visit) {
  const auto source = [&](const ast::FromSource& from) {
    if (from.query) for_each_late(*from.query, visit);
  };
  for (const auto& named : query.with) for_each_late(*named.query, visit);
  source(query.from.first);
  for (const auto& join : query.from.joins) {
    source(join.source);
    if (join.within && join.within->late_into) visit(*join.within->late_into);
  }
  if (query.window && query.window->late_into) visit(*query.window->late_into);
  if (query.distinct_on && query.distinct_on->late_into) visit(*query.distinct_on->late_into);
  if (query.late_into) visit(*query.late_into);
  for (const auto& branch : query.branches) for_each_late(*branch, visit);
}

void refuse_late(const ast::Query& query) {
  for_each_late(query, [](const ast::Identifier& stream) {
    throw SqlError(Code::not_supported, stream.span, "LATE INTO needs a persistent query.")
        .hint("write CREATE STREAM or CREATE TABLE ... AS SELECT");
  });
}

}  // namespace millrace::inline planner
