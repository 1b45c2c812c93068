#include "tests/conformance/post_check.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/testing/wire.h"
#include "parser/error/letter_case.h"
#include "parser/syntax/parse.h"

namespace millrace::conformance {
namespace {

Schema expected_schema(const std::string& text, const Catalog& catalog) {
  Schema keys, values, headers;
  for (const auto& column : parse_columns(text)) {
    ColumnDef def{column.name.text, resolve_type(column.type, catalog), ColumnRole::value, std::nullopt};
    switch (column.role) {
      case ast::ColumnRole::key:
      case ast::ColumnRole::primary_key:
        def.role = ColumnRole::key;
        keys.columns.push_back(std::move(def));
        break;
      case ast::ColumnRole::header:
        def.header_key = column.header_key;
        [[fallthrough]];
      case ast::ColumnRole::headers:
        def.role = ColumnRole::header;
        headers.columns.push_back(std::move(def));
        break;
      case ast::ColumnRole::value:
        values.columns.push_back(std::move(def));
        break;
    }
  }
  for (const Schema* part : {&values, &headers})
    keys.columns.insert(keys.columns.end(), part->columns.begin(), part->columns.end());
  return keys;
}

std::string window_word(WindowType type) {
  static constexpr std::string_view kWords[] = {"TUMBLING", "HOPPING", "SESSION"};
  return std::string(kWords[static_cast<std::size_t>(type)]);
}

std::string check_key_format(const Json& expected, const SourceDef& source) {
  if (const std::string name = expected.text_of("format", source.key_format.name); name != source.key_format.name)
    return fmt::format("key format {} instead of {}", source.key_format.name, name);
  const std::string window = source.window ? window_word(source.window->type) : "";
  if (upper_case(expected.text_of("windowType")) != window) return fmt::format("window type '{}'", window);
  const std::string size = source.window && source.window->size_ms ? std::to_string(*source.window->size_ms) : "";
  if (expected.text_of("windowSize") != size) return fmt::format("window size '{}'", size);
  return {};
}

std::set<std::string> key_features(const SourceDef& source) {
  static const std::set<std::string> kUnwraps = {"JSON", "JSON_SR", "AVRO"};
  if (source.schema.key_count() == 1 && kUnwraps.contains(source.key_format.name)) return {"UNWRAP_SINGLES"};
  return {};
}

std::set<std::string> value_features(const SourceDef& source) {
  if (!source.wrap_single_value) return {};
  return {*source.wrap_single_value ? "WRAP_SINGLES" : "UNWRAP_SINGLES"};
}

std::set<std::string> texts(const Json& list) {
  std::set<std::string> out;
  for (const auto& item : list.items) out.insert(item.text);
  return out;
}

std::string differs(const Json& expected, const SourceDef& source, const Catalog& catalog) {
  const std::string kind = source.kind == RelationKind::stream ? "STREAM" : "TABLE";
  if (const Json* type = expected.find("type"); type && upper_case(type->text) != kind)
    return fmt::format("a {}", kind);
  if (const Json* schema = expected.find("schema"); schema && schema->is_string()) {
    const Schema wanted = expected_schema(schema->text, catalog);
    if (!(wanted == source.schema))
      return fmt::format("schema {} instead of {}", source.schema.to_string(), wanted.to_string());
  }
  if (const Json* format = expected.find("keyFormat"); format && format->is_object())
    if (std::string problem = check_key_format(*format, source); !problem.empty()) return problem;
  if (const Json* format = expected.find("valueFormat"); format && !format->is_null()) {
    const std::string name = format->is_object() ? format->text_of("format") : format->text;
    if (name != source.value_format.name)
      return fmt::format("value format {} instead of {}", source.value_format.name, name);
  }
  if (const Json* features = expected.find("keyFeatures"); features && !features->is_null())
    if (texts(*features) != key_features(source)) return "other key features";
  if (const Json* features = expected.find("valueFeatures"); features && !features->is_null())
    if (texts(*features) != value_features(source)) return "other value features";
  if (const Json* read_only = expected.find("isSource"); read_only && !read_only->is_null())
    if (read_only->truth != source.read_only) return "isSource differs";
  return {};
}

std::string check_source(const Json& expected, const Catalog& catalog) {
  const std::string name = expected.text_of("name");
  const SourceDef* source = catalog.find(name);
  if (!source) return fmt::format("post: no source {}", name);
  const std::string problem = differs(expected, *source, catalog);
  return problem.empty() ? "" : fmt::format("post: {} has {}", name, problem);
}

std::string check_schema(const Json& expected, const std::string& subject, LocalRegistry& registry) {
  const auto newest = registry.find(subject, 0);
  if (!newest || !*newest) return "no schema under " + subject;
  const std::string& text = (*newest)->schema.text;
  if ((*newest)->schema.kind == SchemaKind::protobuf)
    return text == expected.text ? "" : fmt::format("schema of {}: {}", subject, text);
  const auto actual = parse_json(text);
  return actual && same_json(expected, *actual) ? "" : fmt::format("schema of {}: {}", subject, text);
}

std::string check_topic(const Json& expected, Session& session) {
  const std::string name = expected.text_of("name");
  if (name.ends_with("-repartition") || name.ends_with("-changelog"))
    return {};  // named by Kafka Streams' node numbers
  const SourcePtr source = session.source_on(name);
  const auto topic = session.find_topic(name);
  if (!source || !topic) return fmt::format("post: no topic {}", name);
  if (const Json* format = expected.find("keyFormat"); format && format->text_of("format") != source->key_format.name)
    return fmt::format("post: key format of topic {}", name);
  if (const Json* format = expected.find("valueFormat");
      format && format->text_of("format") != source->value_format.name)
    return fmt::format("post: value format of topic {}", name);
  if (const std::string count = expected.text_of("partitions");
      !count.empty() && count != std::to_string(topic->partitions))
    return fmt::format("post: topic {} has {} partitions", name, topic->partitions);
  for (const bool is_key : {true, false}) {
    const Json* schema = expected.find(is_key ? "keySchema" : "valueSchema");
    if (!schema || schema->is_null()) continue;
    if (std::string wrong = check_schema(*schema, subject_name(name, is_key), session.registry()); !wrong.empty())
      return "post: " + wrong;
  }
  return {};
}

}  // namespace

std::string check_post(const Case& test, Session& session) {
  if (const Json* sources = test.post.find("sources"))
    for (const auto& source : sources->items)
      if (std::string problem = check_source(source, session.catalog()); !problem.empty()) return problem;
  const Json* topics = test.post.find("topics");
  if (!topics) return {};
  if (const Json* list = topics->find("topics"))
    for (const auto& topic : list->items)
      if (std::string problem = check_topic(topic, session); !problem.empty()) return problem;
  // The only pattern of the corpus forbids repartition topics; the plan knows better than names do.
  if (topics->text_of("blacklist").find("-repartition") == std::string::npos) return {};
  for (const auto& query : session.queries())
    if (query.moves_rows) return fmt::format("post: {} is repartitioned", query.sink);
  return {};
}

}  // namespace millrace::conformance
