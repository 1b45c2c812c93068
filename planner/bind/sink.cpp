#include "planner/bind/sink.h"

#include <fmt/format.h>

#include "planner/bind/dialect.h"
#include "planner/bind/formats.h"

namespace millrace::inline planner {

QueryOptions read_options(const PropertyMap& properties) {
  const auto is = [&](const char* name, std::string_view value) { return setting_text(properties, name) == value; };
  QueryOptions options;
  options.emit_every_change = is("cache.max.bytes.buffering", "0") || is("statestore.cache.max.bytes", "0");
  options.from_earliest = is("auto.offset.reset", "earliest");
  options.fail_on_bad_record = setting_flag(properties, "ksql.fail.on.deserialization.error");
  options.fail_on_bad_timestamp = setting_flag(properties, "ksql.timestamp.throw.on.invalid");
  options.align_times = is("millrace.time.alignment", "source");
  options.idle_timeout_ms = setting_integer(properties, "millrace.idle.timeout.ms");
  return options;
}

void check_no_limit(const ast::Query& query) {
  if (!query.limit) return;
  throw SqlError(Code::invalid_statement, query.span,
                 "LIMIT is not supported in persistent queries: they run until they are terminated.");
}

namespace {

/// What a sink writes that is given this format, or inherits it. Throws where a format that is only read is given.
std::string written_name(const std::string& name, bool given, Span span) {
  const FormatDef& format = require_format(name, span);
  if (format.written_as.empty()) return name;
  if (!given) return std::string(format.written_as);
  throw SqlError(Code::invalid_format, span,
                 fmt::format("Format '{}' can only be read, not written: use {}.", name, format.written_as));
}

}  // namespace

void set_sink_formats(SourceDef& sink, const BoundSelect& select, const WithProperties& with,
                      const BindContext& context) {
  const auto key = with.wanted_key_format();
  const auto value = with.wanted_value_format();
  const bool keyless = sink.schema.key_count() == 0;
  if (keyless && with.key_format && !holds_nothing({.name = *with.key_format})) {
    throw SqlError(Code::invalid_format, with.span, "Key format specified for stream without key columns.");
  }
  std::string key_name = key.value_or(select.key_format.name);
  if (select.null_key) key_name = empty_format().name;
  if (!key && !keyless && holds_nothing({.name = key_name})) key_name = default_key_format(context.properties);
  key_name = written_name(key_name, key.has_value(), with.span);
  if (!key && !keyless && sink.schema.key_count() > 1 && lifts(Lifted::key_format, context.properties) &&
      !refusal(require_format(key_name, with.span), sink.schema.keys()).empty())
    key_name = object_format().name;
  const auto inherited = [](const std::optional<char>& given, bool same, const FormatInfo& from) {
    const FormatDef* def = find_format(from.name);
    if (given || !same || !def || !def->has_delimiter) return given;
    return std::optional<char>(from.delimiter);
  };
  const FormatInfo& value_source = select.sources.front()->value_format;
  const std::string value_name = written_name(value.value_or(value_source.name), value.has_value(), with.span);
  sink.key_format = make_format(
      key_name, inherited(with.key_delimiter, !key && key_name == select.key_format.name, select.key_format), true,
      with, context.properties);
  sink.value_format =
      make_format(value_name, inherited(with.value_delimiter, !value, value_source), false, with, context.properties);
  if (!value && !with.value_nullable) sink.value_format.nullable = value_source.nullable;
  if (!key && !with.key_nullable && key_name == select.key_format.name)
    sink.key_format.nullable = select.key_format.nullable;
}

void check_sink_formats(SourceDef& sink, const BoundSelect& select, const WithProperties& with,
                        const BindContext& context) {
  const auto keys = sink.schema.keys();
  const auto values = sink.schema.values();
  check_no_map_key(keys, with.span);
  sink.wrap_single_value =
      resolve_wrap(require_format(sink.value_format.name, with.span), values.size(), with.wrap_single_value,
                   find_flag(context.properties, "ksql.persistence.wrap.single.values"), with.span);
  if (sink.wrap_single_value) sink.value_format.wrap_single = *sink.wrap_single_value;
  const FormatDef* source_format = find_format(select.sources.front()->value_format.name);
  if (select.structured_aggregates && source_format && !source_format->nested) {
    throw SqlError(Code::invalid_aggregate, select.rewritten.span,
                   "One of the functions used in the statement has an intermediate type that the value format can not "
                   "handle. Please "
                   "remove the function or change the format.");
  }
  check_key_format(sink.key_format, keys, with.span);
  check_value_format(sink.value_format, values, sink.wrap_single_value, with.span);
}

NodePtr in_intervals(NodePtr root, const ast::Query& query) {
  if (!query.every) return root;
  const Span span = query.every->span;
  if (root->kind != RelationKind::table)
    throw SqlError(Code::not_supported, span, "EMIT CHANGES EVERY is for tables: rows of a stream change nothing.")
        .hint("leave EVERY out, or GROUP BY a key");
  if (query.every->millis <= 0) throw SqlError(Code::invalid_statement, span, "EVERY needs a duration above zero.");
  return make_node(EveryNode{std::move(root), query.every->millis});
}

NodePtr make_sink(const NodePtr& input, const SourceDef& sink) {
  SinkNode node{.input = input,
                .name = sink.name,
                .topic = sink.topic,
                .key_format = sink.key_format,
                .value_format = sink.value_format,
                .timestamp = std::nullopt};
  if (sink.timestamp_column) {
    node.timestamp =
        TimestampColumn{.column = *sink.schema.find(*sink.timestamp_column), .format = sink.timestamp_format};
  }
  return make_node(std::move(node));
}

}  // namespace millrace::inline planner
