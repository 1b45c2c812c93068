#include "cli/test_bed.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/commands.h"
#include "cli/testing/wire.h"
#include "exec/log/local/memory.h"
#include "parser/ast/format.h"

namespace millrace::inline cli {
namespace {

constexpr std::string_view kServiceId = "test_";

template <class T>
T checked(Result<T> result) {
  if (!result) throw TestFailure(TestFailure::Kind::query, result.error().message);
  return std::move(*result);
}
void checked(const Status& status, Span at = {}) {
  if (!status) throw TestFailure(TestFailure::Kind::query, status.error().message, at);
}

template <class T>
const T* literal_of(const ast::Properties& properties, std::string_view name) {
  for (const ast::Property& property : properties)
    if (property.name == name) return property.value->as<T>();
  return nullptr;
}

bool has_partitions(const ast::Properties& properties) {
  return std::any_of(properties.begin(), properties.end(),
                     [](const ast::Property& property) { return property.name == "PARTITIONS"; });
}

template <class T>
std::string with_one_partition(const T& node, const ast::Statement& statement) {
  if (!has_partitions(node.properties)) return statement.text;
  ast::Statement changed = statement;
  T copy = node;
  for (ast::Property& property : copy.properties)
    if (property.name == "PARTITIONS")
      property.value = std::make_shared<ast::Expression>(ast::IntegerLiteral{1}, Span{});
  changed.node = std::move(copy);
  return ast::format(changed) + ";";
}

std::string text_for_one_partition(const ast::Statement& statement) {
  if (const auto* create = statement.as<ast::CreateSource>()) return with_one_partition(*create, statement);
  if (const auto* create = statement.as<ast::CreateAs>()) return with_one_partition(*create, statement);
  return statement.text;
}

}  // namespace

TestBed::TestBed(Dialect dialect) : log_(make_memory_log()) {
  if (dialect == Dialect::ksql) properties_["millrace.dialect"] = "ksql";
  properties_["auto.offset.reset"] = "earliest";
  properties_["cache.max.bytes.buffering"] = "0";
  ServiceOptions options;
  options.config.set("ksql.service.id", std::string(kServiceId));
  options.config.set("ksql.logging.processing.stream.auto.create", "false");
  options.process_id = "test";
  options.advertised = "test";
  options.workers = 0;
  options.version = kVersion;
  options.now = [this] { return clock_; };
  service_ = checked(Service::open(*log_, std::move(options)));
}

TestBed::~TestBed() = default;

void TestBed::declare_topic(const std::string& name, int replicas) {
  checked(log_.declare(name, TopicConfig{.partitions = 1, .replicas = replicas, .retention_ms = -1}));
}

void TestBed::run(const ast::Statement& statement) {
  const Span at = statement.span;
  if (statement.as<ast::Select>() || statement.as<ast::Print>() || statement.as<ast::RunScript>())
    throw TestFailure(TestFailure::Kind::statement, "SELECT, PRINT and RUN SCRIPT have no place in a test.", at);
  if (const auto* create = statement.as<ast::CreateSource>()) {
    const auto* topic = literal_of<ast::StringLiteral>(create->properties, "KAFKA_TOPIC");
    const auto* replicas = literal_of<ast::IntegerLiteral>(create->properties, "REPLICAS");
    if (topic != nullptr) declare_topic(topic->value, replicas != nullptr ? static_cast<int>(replicas->value) : 1);
  }
  Reply reply = service_->execute({.sql = text_for_one_partition(statement),
                                   .properties = properties_,
                                   .variables = {},
                                   .command_sequence_number = {}});
  if (reply.error) throw TestFailure(TestFailure::Kind::statement, reply.error->message, at);
  if (const auto* set = statement.as<ast::SetProperty>()) properties_[set->name] = set->value;
  if (const auto* unset = statement.as<ast::UnsetProperty>()) properties_.erase(unset->name);
  if (const auto* insert = statement.as<ast::InsertValues>()) {
    const Catalog now = catalog();
    if (const SourceDef* source = now.find(insert->target.text)) note_time(source->topic);
  }
  settle(at);
}

void TestBed::feed(const harness::RecordSpec& record) {
  const SourcePtr source = source_on(record.topic);
  if (!source)
    throw TestFailure(TestFailure::Kind::statement,
                      fmt::format("no stream or table reads the input topic {}", record.topic));
  harness::StoredRecord stored;
  try {
    stored = harness::encode_record(record, *source, &registry());
  } catch (const std::exception& error) {
    throw TestFailure(TestFailure::Kind::statement, fmt::format("an input for {}: {}", record.topic, error.what()));
  }
  checked(log_.append(record.topic, stored));
  note_time(record.topic);
  settle({});
}

const std::vector<harness::StoredRecord>& TestBed::records(const std::string& topic) {
  std::vector<harness::StoredRecord>& all = records_[topic];
  std::ranges::move(checked(log_.take(topic)), std::back_inserter(all));
  return all;
}

SourcePtr TestBed::source_on(const std::string& topic) const {
  SourcePtr found;
  const Catalog now = catalog();
  for (const auto& [name, source] : now.sources)
    if (source->topic == topic && (!found || (source->from_query && !found->from_query))) found = source;
  return found;
}

void TestBed::note_time(const std::string& topic) {
  for (const harness::StoredRecord& record : records(topic)) clock_ = std::max(clock_, record.timestamp);
}

void TestBed::settle(Span at) {
  checked(service_->engine().run_until_idle(), at);
  for (const std::string& id : service_->query_ids()) {
    const auto status = service_->engine().status(id);
    if (status && status->state == QueryState::error) throw TestFailure(TestFailure::Kind::query, status->error, at);
  }
}

}  // namespace millrace::inline cli
