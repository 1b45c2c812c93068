#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>

#include "cli/print.h"

namespace millrace::inline cli {
namespace json = boost::json;
namespace {

using Rows = std::vector<std::vector<std::string>>;

std::string text(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value == nullptr || value->is_null() ? std::string() : cell_text(*value);
}
const json::array& list(const json::object& object, std::string_view name) {
  static const json::array kEmpty;
  const json::value* value = object.if_contains(name);
  return value == nullptr || !value->is_array() ? kEmpty : value->get_array();
}

std::string type_text(const json::object& schema) {
  const std::string type = text(schema, "type");
  if (type == "STRING") return "VARCHAR(STRING)";
  if (type == "DECIMAL") {
    const json::object& parameters = schema.at("parameters").as_object();
    return fmt::format("DECIMAL({}, {})", text(parameters, "precision"), text(parameters, "scale"));
  }
  if (type == "ARRAY") return fmt::format("ARRAY<{}>", type_text(schema.at("memberSchema").as_object()));
  if (type == "MAP") return fmt::format("MAP<STRING, {}>", type_text(schema.at("memberSchema").as_object()));
  if (type == "STRUCT") {
    std::string fields;
    for (const json::value& field : list(schema, "fields"))
      fields += fmt::format("{}{} {}", fields.empty() ? "" : ", ", text(field.as_object(), "name"),
                            type_text(field.as_object().at("schema").as_object()));
    return fmt::format("STRUCT<{}>", fields);
  }
  return type;
}

std::string message_table(const std::string& message, const PrintOptions& options) {
  return print_table({"Message"}, {{message}}, options);
}

std::string print_sources(const json::object& entity, std::string_view member, std::string_view title,
                          const PrintOptions& options) {
  Rows rows;
  for (const json::value& value : list(entity, member)) {
    const json::object& source = value.as_object();
    rows.push_back({text(source, "name"), text(source, "topic"), text(source, "keyFormat"), text(source, "valueFormat"),
                    text(source, "isWindowed")});
  }
  return print_table({fmt::format("{} Name", title), "Kafka Topic", "Key Format", "Value Format", "Windowed"}, rows,
                     options);
}

std::string replicas_text(const json::array& replicas) {
  if (replicas.empty()) return "0";
  for (const json::value& one : replicas)
    if (one != replicas[0]) return cell_text(json::value(replicas));
  return cell_text(replicas[0]);
}

std::string schema_text(const json::object& schema) {
  if (schema.if_contains("error") != nullptr) return text(schema, "error");
  const std::string id = text(schema, "id"), writer = text(schema, "writtenBy");
  std::string out = id.empty() ? "not registered" : fmt::format("id {}, version {}", id, text(schema, "version"));
  if (!writer.empty() && writer != id) out += fmt::format("; written by id {}", writer);
  return out;
}

std::string print_topics(const json::object& entity, bool extended, const PrintOptions& options) {
  std::vector<std::string> header = {"Kafka Topic", "Partitions", "Partition Replicas"};
  if (extended) header.insert(header.end(), {"Consumers", "ConsumerGroups", "Schemas"});
  Rows rows;
  for (const json::value& value : list(entity, "topics")) {
    const json::object& topic = value.as_object();
    rows.push_back({text(topic, "name"), std::to_string(list(topic, "replicaInfo").size()),
                    replicas_text(list(topic, "replicaInfo"))});
    if (!extended) continue;
    std::string schemas;
    for (const json::value& one : list(topic, "schemas"))
      schemas += fmt::format("{}{}: {}", schemas.empty() ? "" : "\n", text(one.as_object(), "part"),
                             schema_text(one.as_object()));
    rows.back().insert(rows.back().end(), {text(topic, "consumerCount"), text(topic, "consumerGroupCount"), schemas});
  }
  return print_table(header, rows, options);
}

std::string status_counts(const json::object& query) {
  std::string out;
  if (const json::value* counts = query.if_contains("statusCount"); counts != nullptr && counts->is_object())
    for (const auto& entry : counts->get_object())
      out += fmt::format("{}{}:{}", out.empty() ? "" : ",", std::string(entry.key()), cell_text(entry.value()));
  return out;
}

std::string joined(const json::array& values) {
  std::string out;
  for (const json::value& value : values) out += (out.empty() ? "" : ",") + cell_text(value);
  return out;
}

/// A statement on one line.
std::string one_line(std::string sql) {
  std::string out;
  for (char c : sql) {
    if (c == '\n' || c == ' ') {
      if (!out.empty() && out.back() != ' ') out += ' ';
    } else {
      out += c;
    }
  }
  return out;
}

std::string print_queries(const json::object& entity, const PrintOptions& options) {
  Rows rows;
  for (const json::value& value : list(entity, "queries")) {
    const json::object& query = value.as_object();
    rows.push_back({text(query, "id"), text(query, "queryType"), status_counts(query), joined(list(query, "sinks")),
                    joined(list(query, "sinkKafkaTopics")), one_line(text(query, "queryString"))});
  }
  return print_table({"Query ID", "Query Type", "Status", "Sink Name", "Sink Kafka Topic", "Query String"}, rows,
                     options) +
         "For detailed information on a Query run: EXPLAIN <Query ID>;\n";
}

std::string field_type(const json::object& field, const json::object& source) {
  std::string type = type_text(field.at("schema").as_object()), mark;
  const std::string role = text(field, "type");
  if (role == "KEY") mark = text(source, "type") == "TABLE" ? "(primary key)" : "(key)";
  if (role == "KEY" && !text(source, "windowType").empty())
    mark += fmt::format(" (Window type: {})", text(source, "windowType"));
  if (role == "HEADER")
    mark = text(field, "headerKey").empty() ? "(headers)" : fmt::format("(header('{}'))", text(field, "headerKey"));
  return mark.empty() ? type : fmt::format("{:<16} {}", type, mark);
}

std::string print_fields(const json::object& source, const PrintOptions& options) {
  Rows rows;
  for (const json::value& field : list(source, "fields"))
    rows.push_back({text(field.as_object(), "name"), field_type(field.as_object(), source)});
  return print_table({"Field", "Type"}, rows, options);
}

std::string labelled(std::string_view label, std::string_view value) {
  return fmt::format("{:<20} : {}\n", label, value);
}

std::string print_query_list(const json::array& queries, std::string_view title) {
  if (queries.empty()) return "";
  std::string out = fmt::format("\n{}\n{}\n", title, std::string(35, '-'));
  for (const json::value& value : queries)
    out += fmt::format("{} ({}) : {}\n", text(value.as_object(), "id"), text(value.as_object(), "state"),
                       one_line(text(value.as_object(), "queryString")));
  return out;
}

std::string print_constraints(const json::array& sources) {
  if (sources.empty()) return "";
  std::string out = fmt::format("\nSources that have a DROP constraint on this source\n{}\n", std::string(50, '-'));
  for (const json::value& source : sources) out += cell_text(source) + "\n";
  return out;
}

std::string print_topic_offsets(const json::object& topic, const PrintOptions& options) {
  Rows rows;
  std::int64_t longest = 0;
  for (const json::value& value : list(topic, "offsets")) {
    const json::object& one = value.as_object();
    const std::int64_t lag =
        one.at("logEndOffset").to_number<std::int64_t>() - one.at("consumerOffset").to_number<std::int64_t>();
    longest = std::max(longest, lag);
    rows.push_back({text(one, "partition"), text(one, "logStartOffset"), text(one, "logEndOffset"),
                    text(one, "consumerOffset"), std::to_string(lag)});
  }
  return "\n" + labelled("Kafka topic", text(topic, "kafkaTopic")) + labelled("Max lag", std::to_string(longest)) +
         "\n" + print_table({"Partition", "Start Offset", "End Offset", "Offset", "Lag"}, rows, options);
}

std::string print_offsets(const json::object& source, const PrintOptions& options) {
  std::string out;
  for (const json::value& value : list(source, "queryOffsetSummaries")) {
    const json::object& group = value.as_object();
    out += (out.empty() ? "\nConsumer Groups summary:\n" : "") +
           ("\n" + labelled("Consumer Group", text(group, "groupId")));
    for (const json::value& topic : list(group, "topicSummaries"))
      out += print_topic_offsets(topic.as_object(), options);
  }
  return out;
}

std::string print_source(const json::object& source, const PrintOptions& options) {
  std::string out = "\n" + labelled("Name", text(source, "name"));
  const bool extended = text(source, "extended") == "true";
  if (extended) {
    const std::string timestamp = text(source, "timestamp");
    out += labelled("Type", text(source, "type")) +
           labelled("Timestamp field", timestamp.empty() ? "Not set - using <ROWTIME>" : timestamp) +
           labelled("Key format", text(source, "keyFormat")) + labelled("Value format", text(source, "valueFormat")) +
           labelled("Kafka topic", fmt::format("{} (partitions: {}, replication: {})", text(source, "topic"),
                                               text(source, "partitions"), text(source, "replication")));
    if (source.contains("guarantee")) out += labelled("Guarantee", text(source, "guarantee"));
    for (const json::value& one : list(source, "schemas"))
      out += labelled(text(one.as_object(), "part") == "KEY" ? "Key schema" : "Value schema",
                      fmt::format("{} ({})", text(one.as_object(), "subject"), schema_text(one.as_object())));
    out += labelled("Statement", text(source, "statement")) + "\n";
  }
  out += print_fields(source, options);
  if (!extended)
    return out +
           fmt::format("For runtime statistics and query details run: DESCRIBE {} EXTENDED;\n", text(source, "name"));
  const std::string type = text(source, "type");
  out += print_constraints(list(source, "sourceConstraints"));
  out += print_query_list(list(source, "readQueries"), fmt::format("Queries that read from this {}", type));
  out += print_query_list(list(source, "writeQueries"), fmt::format("Queries that write from this {}", type));
  out +=
      "\nFor query topology and execution plan please run: EXPLAIN <QueryId>\n\nLocal runtime "
      "statistics\n------------------------\n";
  out += text(source, "statistics") + "\n" + text(source, "errorStats") + "\n";
  out += fmt::format("(Statistics of the local Millrace server interaction with the Kafka topic {})\n",
                     text(source, "topic"));
  return out + print_offsets(source, options);
}

/// EXPLAIN ANALYZE.
std::string print_analysis(const json::object& analysis, const PrintOptions& options) {
  std::string out = fmt::format("\nWhat it did on {}\n---------------\n", text(analysis, "host")) +
                    labelled("Rows in, out", text(analysis, "rowsIn") + ", " + text(analysis, "rowsOut")) +
                    labelled("Late rows", text(analysis, "lateRows")) +
                    labelled("Bad records", text(analysis, "badRecords")) +
                    labelled("Records behind", analysis.at("lag").is_null() ? "not known" : text(analysis, "lag"));
  Rows rows;
  for (const json::value& value : list(analysis, "operators")) {
    const json::object& step = value.as_object();
    rows.push_back({text(step, "operator"), text(step, "rowsIn"), text(step, "rowsOut"), text(step, "lateRows"),
                    text(step, "errors"), text(step, "stateBytes"),
                    fmt::format("{:.1f} %", 100 * step.at("share").to_number<double>()), text(step, "detail")});
  }
  return out + print_table({"Operator", "Rows in", "Rows out", "Late", "Errors", "State bytes", "CPU", "Step"}, rows,
                           options);
}

std::string print_query(const json::object& query, const PrintOptions& options) {
  std::string out = "\n" + labelled("ID", text(query, "id")) + labelled("Query Type", text(query, "queryType")) +
                    labelled("SQL", text(query, "statementText"));
  if (const json::value* hosts = query.if_contains("ksqlHostQueryStatus"); hosts != nullptr && hosts->is_object())
    for (const auto& entry : hosts->get_object())
      out += labelled("Host Query Status", fmt::format("{}: {}", std::string(entry.key()), cell_text(entry.value())));
  out += "\n" + print_fields(query, options);
  if (!list(query, "sources").empty())
    out += fmt::format(
        "\nSources that this query reads from: \n-----------------------------------\n{}\n\nFor source description "
        "please run: DESCRIBE [EXTENDED] <SourceId>\n",
        joined(list(query, "sources")));
  if (!list(query, "sinks").empty())
    out += fmt::format(
        "\nSinks that this query writes to: \n-----------------------------------\n{}\n\nFor sink description please "
        "run: DESCRIBE [EXTENDED] <SinkId>\n",
        joined(list(query, "sinks")));
  out += fmt::format(
      "\nExecution plan      \n--------------      \n{}\n\nProcessing topology \n------------------- \n{}\n",
      text(query, "executionPlan"), text(query, "topology"));
  if (const json::value* analysis = query.if_contains("analysis"); analysis != nullptr && analysis->is_object())
    out += print_analysis(analysis->get_object(), options);
  if (const json::object& overridden = query.at("overriddenProperties").as_object(); !overridden.empty()) {
    Rows rows;
    for (const auto& entry : overridden) rows.push_back({std::string(entry.key()), cell_text(entry.value())});
    out += "\nOverridden Properties\n---------------------\n" + print_table({"Property", "Value"}, rows, options);
  }
  for (const json::value& error : list(query, "queryErrors"))
    out += "\n" + labelled("Error Details", text(error.as_object(), "errorMessage")) +
           labelled("Error Type", text(error.as_object(), "type"));
  return out;
}

std::string print_function(const json::object& function) {
  std::string out =
      fmt::format("{:<12}: {}\n{:<12}: {}\n{:<12}: {}\n{:<12}: {}\n{:<12}: {}\n{:<12}: \n", "Name",
                  text(function, "name"), "Author", text(function, "author"), "Overview", text(function, "description"),
                  "Type", text(function, "type"), "Jar", text(function, "path"), "Variations");
  for (const json::value& value : list(function, "functions")) {
    const json::object& variant = value.as_object();
    std::string arguments, described;
    for (const json::value& one : list(variant, "arguments")) {
      const json::object& argument = one.as_object();
      arguments += fmt::format("{}{} {}{}", arguments.empty() ? "" : ", ", text(argument, "name"),
                               text(argument, "type"), text(argument, "isVariadic") == "true" ? "[]" : "");
      if (!text(argument, "description").empty())
        described += fmt::format("\t{:<12}: {}\n", text(argument, "name"), text(argument, "description"));
    }
    out += fmt::format("\n\t{:<12}: {}({})\n\t{:<12}: {}\n\t{:<12}: {}\n{}", "Variation", text(function, "name"),
                       arguments, "Returns", text(variant, "returnType"), "Description", text(variant, "description"),
                       described);
  }
  return out;
}

std::string print_properties(const json::object& entity, const PrintOptions& options) {
  Rows rows;
  for (const json::value& value : list(entity, "properties")) {
    const json::object& property = value.as_object();
    const auto& overwritten = list(entity, "overwrittenProperties");
    const bool is_overwritten =
        std::find(overwritten.begin(), overwritten.end(), property.at("name")) != overwritten.end();
    rows.push_back(
        {text(property, "name"), text(property, "scope"), is_overwritten ? "SESSION" : "", text(property, "value")});
  }
  return print_table({"Property", "Scope", "Default override", "Effective Value"}, rows, options);
}

std::string print_pairs(const json::object& entity, std::string_view member, std::vector<std::string> header,
                        std::vector<std::string_view> fields, const PrintOptions& options) {
  Rows rows;
  for (const json::value& value : list(entity, member)) {
    std::vector<std::string>& row = rows.emplace_back();
    for (std::string_view field : fields) row.push_back(text(value.as_object(), field));
  }
  return print_table(header, rows, options);
}

std::string print_types(const json::object& entity, const PrintOptions& options) {
  Rows rows;
  for (const auto& entry : entity.at("types").as_object())
    rows.push_back({std::string(entry.key()), type_text(entry.value().as_object())});
  return print_table({"Type Name", "Schema"}, rows, options);
}

using Print = std::function<std::string(const json::object&, const PrintOptions&)>;

const std::map<std::string, Print, std::less<>>& printers() {
  static const std::map<std::string, Print, std::less<>> table = {
      {"currentStatus",
       [](const auto& e, const auto& o) {
         return message_table(text(e.at("commandStatus").as_object(), "message"), o);
       }},
      {"rows_changed",
       [](const auto& e, const auto& o) {
         const auto rows = e.at("rows").template to_number<std::int64_t>();
         return message_table(fmt::format("{} {} changed", rows, rows == 1 ? "row" : "rows"), o);
       }},
      {"warning_entity", [](const auto& e, const auto& o) { return message_table(text(e, "message"), o); }},
      {"streams", [](const auto& e, const auto& o) { return print_sources(e, "streams", "Stream", o); }},
      {"tables", [](const auto& e, const auto& o) { return print_sources(e, "tables", "Table", o); }},
      {"kafka_topics", [](const auto& e, const auto& o) { return print_topics(e, false, o); }},
      {"kafka_topics_extended", [](const auto& e, const auto& o) { return print_topics(e, true, o); }},
      {"queries", print_queries},
      {"sourceDescription",
       [](const auto& e, const auto& o) { return print_source(e.at("sourceDescription").as_object(), o); }},
      {"source_descriptions",
       [](const auto& e, const auto& o) {
         std::string out;
         for (const json::value& one : list(e, "sourceDescriptions")) out += print_source(one.as_object(), o);
         return out;
       }},
      {"queryDescription",
       [](const auto& e, const auto& o) { return print_query(e.at("queryDescription").as_object(), o); }},
      {"query_descriptions",
       [](const auto& e, const auto& o) {
         std::string out;
         for (const json::value& one : list(e, "queryDescriptions")) out += print_query(one.as_object(), o);
         return out;
       }},
      {"function_names",
       [](const auto& e, const auto& o) {
         return print_pairs(e, "functions", {"Function Name", "Category"}, {"name", "category"}, o) +
                "For detailed information about a function, run: DESCRIBE FUNCTION <Function Name>;\n";
       }},
      {"describe_function", [](const auto& e, const auto&) { return print_function(e); }},
      {"properties", print_properties},
      {"variables",
       [](const auto& e, const auto& o) {
         return print_pairs(e, "variables", {"Variable Name", "Value"}, {"name", "value"}, o);
       }},
      {"type_list", print_types},
      {"views",
       [](const auto& e, const auto& o) {
         return print_pairs(e, "views", {"View Name", "Statement"}, {"name", "statement"}, o);
       }},
      {"indexes",
       [](const auto& e, const auto& o) {
         return print_pairs(e, "indexes", {"Index Name", "Table", "Columns"}, {"name", "table", "columns"}, o);
       }},
      {"assert_topic",
       [](const auto& e, const auto& o) {
         return message_table(fmt::format("Topic {} {}.", text(e, "topicName"),
                                          text(e, "exists") == "true" ? "exists" : "does not exist"),
                              o);
       }},
      {"assert_schema",
       [](const auto& e, const auto& o) {
         const std::string subject = text(e, "subject"), id = text(e, "id");
         return message_table(
             fmt::format("Schema{}{} {}.", subject.empty() ? "" : " with subject " + subject,
                         id.empty() ? "" : " id " + id, text(e, "exists") == "true" ? "exists" : "does not exist"),
             o);
       }},
  };
  return table;
}

}  // namespace

std::string print_entity(const json::object& entity, const PrintOptions& options) {
  if (options.format == OutputFormat::json) return pretty_json(entity);
  auto it = printers().find(text(entity, "@type"));
  std::string out = it == printers().end() ? pretty_json(entity) : it->second(entity, options);
  for (const json::value& warning : list(entity, "warnings"))
    out += fmt::format("WARNING: {}\n", text(warning.as_object(), "message"));
  return out;
}

}  // namespace millrace::inline cli
