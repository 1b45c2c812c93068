#include "tests/conformance/run_case.h"

#include <fmt/format.h>

#include "cli/testing/wire.h"
#include "parser/syntax/parse.h"
#include "tests/conformance/post_check.h"
#include "tests/conformance/run_query.h"
#include "tests/conformance/test_functions.h"
#include "tests/harness/checked.h"

namespace millrace::conformance {
namespace {

constexpr int kDefaultPartitions = 4;

/// parse < statement < general < streams: an expected class accepts those to its left.
int rank_of_type(std::string_view type) {
  if (type.ends_with("ParseFailedException")) return 0;
  if (type.ends_with("KsqlStatementException")) return 1;
  if (type.ends_with("KsqlException")) return 2;
  return 3;
}

struct Failure {
  int rank = 3;
  std::string message, detail;
};

Failure failure_of(const SqlError& error, const std::string& statement) {
  Failure failure;
  failure.rank = static_cast<int>(error.error_class());
  failure.message = error.what();
  failure.detail =
      fmt::format("{}\nStatement: {}", error.what(), error.statement().empty() ? statement : error.statement());
  return failure;
}

std::string check_expected(const Case& test, const Failure& failure) {
  const Json& expected = *test.expected_exception;
  if (const Json* type = expected.find("type"); type && failure.rank > rank_of_type(type->text))
    return fmt::format("an error of another class: {}", failure.message);
  // Artefacts of ANTLR and of Java's toString: their wording means nothing here (conformance/README.md).
  if (test.has_tag("parser-message") || test.has_tag("implementation-message")) return {};
  const Json* message = expected.find("message");
  if (!message || failure.message.find(message->text) != std::string::npos ||
      failure.detail.find(message->text) != std::string::npos)
    return {};
  return fmt::format("message \"{}\" instead of \"{}\"", failure.message, message->text);
}

// The source that wrote a topic decides how its records read.
std::string check_topic(const Case& test, Session& session, const std::string& topic) {
  std::vector<const RecordSpec*> expected;
  for (const auto& record : test.outputs)
    if (record.topic == topic) expected.push_back(&record);
  SourcePtr sink;
  for (const auto& [name, source] : session.catalog().sources)
    if (source->topic == topic && (!sink || source->from_query)) sink = source;
  if (!sink) sink = session.source_on(topic);
  if (!sink) return fmt::format("nothing describes topic {}", topic);

  bool exact = true;
  for (const auto& [name, value] : test.properties)
    if (name == "use.exact.numeric.comparison" && value == "false") exact = false;
  const auto& actual = session.records()[topic];
  for (std::size_t i = 0; i < std::min(expected.size(), actual.size()); ++i) {
    const auto difference =
        compare_record(*expected[i], actual[i], *sink, exact, test.inputs.empty(), &session.registry());
    if (difference) return fmt::format("{} record {}: {}", topic, i, *difference);
  }
  if (expected.size() == actual.size()) return {};
  std::string next;
  if (actual.size() > expected.size()) {
    const auto decoded = decode_record(actual[expected.size()], *sink, &session.registry());
    next = fmt::format(", next: {} {}", print_json(decoded.key), print_json(decoded.value));
  }
  return fmt::format("{} has {} records instead of {}{}", topic, actual.size(), expected.size(), next);
}

std::string check_outputs(const Case& test, Session& session) {
  std::set<std::string> topics;
  for (const auto& record : test.outputs) topics.insert(record.topic);
  if (topics.empty() && test.has_tag("no-output-check"))
    for (const auto& query : session.queries()) topics.insert(query.sink_topic);
  topics.erase("");
  for (const auto& topic : topics)
    if (std::string problem = check_topic(test, session, topic); !problem.empty()) return problem;
  return {};
}

/// What the CREATE over a topic says, or 1.
int partitions_in(const std::vector<ast::StatementPtr>& statements, const std::string& topic) {
  for (const auto& statement : statements) {
    const auto* create = statement->as<ast::CreateSource>();
    if (!create) continue;
    int partitions = 1;
    bool same_topic = false;
    for (const auto& property : create->properties) {
      const auto* text = property.value->as<ast::StringLiteral>();
      const auto* number = property.value->as<ast::IntegerLiteral>();
      same_topic = same_topic || (property.name == "KAFKA_TOPIC" && text && text->value == topic);
      if (property.name == "PARTITIONS" && number) partitions = number->value;
    }
    if (same_topic) return partitions;
  }
  return 1;
}

// Topics of conformance/README.md, in its order of precedence.
void declare_topics(const Case& test, const std::vector<ast::StatementPtr>& statements, Session& session) {
  for (const auto& topic : test.topics) {
    const std::string name = topic.text_of("name");
    // A statement may say how many partitions a topic has that the case only names.
    const std::string partitions = topic.text_of("partitions", std::to_string(partitions_in(statements, name)));
    session.declare_topic(
        name, TopicInfo{.partitions = std::stoi(partitions), .replicas = std::stoi(topic.text_of("replicas", "1"))});
  }
  session.declare_topics_of(statements, kDefaultPartitions);
  for (const auto* list : {&test.inputs, &test.outputs})
    for (const auto& record : *list)
      session.declare_topic(record.topic, TopicInfo{.partitions = kDefaultPartitions, .replicas = 1});
}

SchemaSource read_schema(const Json& schema, const std::string& format) {
  SchemaSource out;
  out.kind = format == "JSON" ? SchemaKind::json : schema_kind_of_format(format).value_or(SchemaKind::avro);
  out.text = schema.is_string() ? schema.text : print_json(schema);
  return out;
}

/// One schema of a topic entry: under its subject, with the id it asks for.
void declare_schema(const Json& topic, const std::string& part, bool is_key, LocalRegistry& registry) {
  const Json* schema = topic.find(part + "Schema");
  if (!schema || schema->is_null()) return;
  SchemaSource source = read_schema(*schema, topic.text_of(part + "Format", "AVRO"));
  if (const Json* references = topic.find(part + "SchemaReferences")) {
    for (const Json& reference : references->items) {
      const std::string name = reference.text_of("name");
      (void)registry.add(name, read_schema(*reference.find("schema"), reference.text_of("format")));
      source.references.push_back({name, name, 1});
    }
  }
  const std::string subject = subject_name(topic.text_of("name"), is_key);
  const std::string id = topic.text_of(part + "SchemaId");
  const bool good = id.empty() ? registry.add(subject, source).has_value()
                               : registry.add_with_id(subject, source, std::stoi(id)).has_value();
  if (!good) throw std::runtime_error("cannot register the schema of " + subject);
}

void declare_schemas(const Json& topic, LocalRegistry& registry) {
  declare_schema(topic, "key", true, registry);
  declare_schema(topic, "value", false, registry);
}

// All statements are one text to the parser. Absent: all went through.
std::optional<Failure> apply_statements(const Case& test, Session& session, std::string& problem) {
  std::string text, current;
  for (const auto& statement : test.statements) text += (text.empty() ? "" : "\n") + statement;
  std::size_t index = 0, count = 0;
  try {
    const auto statements = parse(text, Dialect::ksql);
    count = statements.size();
    declare_topics(test, statements, session);
    register_schemas(test, statements, session);
    for (; index < count; ++index) {
      current = statements[index]->text;
      session.apply(statements[index]);
    }
    return std::nullopt;
  } catch (const SqlError& error) {
    if (error.code() == Code::not_supported) {
      problem = fmt::format("not supported: {}", error.what());
    } else if (test.expected_exception && index + 1 < count && error.error_class() != ErrorClass::general) {
      problem = fmt::format("an early statement failed: {}", error.what());
    }
    return failure_of(error, current);
  }
}

std::string run_checked(const Case& test, const RunOptions& options) {
  PropertyMap properties(test.properties.begin(), test.properties.end());
  properties.emplace("millrace.dialect", "ksql");
  Session session(properties, options.rules_off,
                  test.has_tag("java-udf") ? functions_with_tests() : builtin_functions());
  std::string problem;
  if (const auto failure = apply_statements(test, session, problem)) {
    if (!problem.empty()) return problem;
    return test.expected_exception ? check_expected(test, *failure) : failure->message;
  }
  if (test.expected_exception && test.inputs.empty()) return "the expected error did not come";
  if (session.queries().empty() && !test.expected_exception) return "no query was made";
  try {
    for (const auto& query : session.queries()) run_query(session, test, query, options);
  } catch (const harness::Failure& failure) {
    const Failure seen{.rank = 3, .message = failure.what(), .detail = failure.what()};
    return test.expected_exception ? check_expected(test, seen) : fmt::format("the query failed: {}", failure.what());
  }
  if (std::string wrong = check_outputs(test, session); !wrong.empty()) return wrong;
  if (test.expected_exception) return "the expected error did not come";
  return check_post(test, session);
}

}  // namespace

// Topics of statements first, then the others: the order decides the ids.
void register_schemas(const Case& test, const std::vector<ast::StatementPtr>& statements, Session& session) {
  (void)session.registry().set_config(
      "", {.level = Compatibility::none});  // as the harness's registry, which checks nothing
  std::set<std::string> done;
  const auto declare_named = [&](const std::string& name) {
    if (!done.insert(name).second) return;
    for (const Json& topic : test.topics)
      if (topic.text_of("name") == name) declare_schemas(topic, session.registry());
  };
  for (const auto& statement : statements) {
    const auto* create = statement->as<ast::CreateSource>();
    if (!create || create->columns.empty()) continue;
    for (const auto& property : create->properties)
      if (const auto* name = property.value->as<ast::StringLiteral>(); name && property.name == "KAFKA_TOPIC")
        declare_named(name->value);
    session.declare_schemas_of(*create);
  }
  for (const Json& topic : test.topics) declare_named(topic.text_of("name"));
}

std::string run_case(const Case& test, const RunOptions& options) {
  try {
    return run_checked(test, options);
  } catch (const std::exception& error) {
    return fmt::format("harness: {}", error.what());
  }
}

}  // namespace millrace::conformance
