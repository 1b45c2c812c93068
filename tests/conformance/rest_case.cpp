#include "tests/conformance/rest_case.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <deque>
#include <map>
#include <thread>

#include "cli/testing/test_log.h"
#include "cli/testing/wire.h"
#include "exec/formats/format.h"
#include "exec/log/local/memory.h"
#include "exec/schemas/local_registry.h"
#include "parser/syntax/parse.h"
#include "server/http/client.h"
#include "server/http/server.h"
#include "tests/conformance/http2_client.h"
#include "tests/conformance/proto_rows.h"
#include "tests/conformance/rest_compare.h"
#include "tests/harness/checked.h"
#include "tests/harness/session.h"

namespace millrace::conformance {
namespace {

constexpr int kRestPartitions = 4;
constexpr std::chrono::seconds kIdleWait{20};
constexpr std::chrono::milliseconds kPushStart{300}, kPushLongest{10'000}, kOutputsLongest{5'000};

Json text(std::string content) {
  return Json::string(std::move(content));
}

Json parsed(const std::string& body) {
  auto value = parse_json(body);
  return value ? std::move(*value) : Json::string(body);
}

class RestRun {
 public:
  RestRun(const Case& test, RestProtocol protocol) : test_(test), log_(make_memory_log()) {
    ServiceOptions options;
    options.process_id = "rest";
    options.workers = 2;
    options.config.set("auto.offset.reset", "earliest");
    options.config.set("cache.max.bytes.buffering", "0");
    options.config.set("commit.interval.ms", "10");
    options.config.set("ksql.query.push.v2.enabled", "true");
    options.config.set("millrace.dialect", "ksql");
    service_ = harness::checked(Service::open(*log_, std::move(options)));
    http_ = harness::checked(
        HttpServer::listen({.listeners = {{.host = "127.0.0.1", .port = 0}}, .limits = {}, .tls = {}, .security = {}}));
    http_->serve(*service_);
    client_ = protocol == RestProtocol::http2
                  ? make_http2_client(http_->port())
                  : harness::checked(HttpClient::create(fmt::format("http://127.0.0.1:{}", http_->port())));
    const auto query = std::find_if(test.statements.begin(), test.statements.end(),
                                    [](const std::string& text) { return text.starts_with("SELECT "); });
    admin_.assign(test.statements.begin(), query);
    queries_.assign(query, test.statements.end());
  }
  ~RestRun() {
    client_.reset();
    http_->stop();
  }

  std::string run() {
    create_topics();
    std::string joined;
    for (const std::string& statement : admin_) joined += (joined.empty() ? "" : "\n") + statement;
    if (!joined.empty()) {
      const auto answer = post("/ksql", "ksql", joined);
      if (answer.status != 200) return failed(answer);
      for (const Json& entity : parsed(answer.body).items) entities_.push_back(entity);
    }
    if (test_.expected_error && queries_.empty()) return "the expected error did not come";
    if (!test_.waits_for_push) {
      produce();
      if (!test_.expected_error && test_.responses.size() > admin_.size() && !service_->wait_until_idle(kIdleWait))
        return "the queries never came to rest";
    }
    for (const std::string& query : queries_)
      if (std::string problem = run_query(query, test_.waits_for_push); !problem.empty()) return problem;
    if (test_.with_protobuf)
      for (const std::string& query : queries_)
        if (std::string problem = run_with_protobuf(query); !problem.empty()) return problem;
    if (test_.expected_error && !error_seen_) return "the expected error did not come";
    if (std::string problem = check_outputs(); !problem.empty()) return problem;
    return check_responses();
  }

 private:
  std::string failed(const HttpResponse& answer) {
    if (!test_.expected_error) return fmt::format("status {}: {}", answer.status, answer.body);
    error_seen_ = true;
    return error_difference(test_, answer.status, parsed(answer.body));
  }

  std::string body_of(std::string_view field, const std::string& sql) const {
    Json body, properties;
    body.kind = properties.kind = Json::Kind::object;
    for (const auto& [name, value] : test_.properties) properties.members.emplace_back(name, text(value));
    body.members.emplace_back(std::string(field), text(sql));
    body.members.emplace_back(field == "ksql" ? "streamsProperties" : "properties", std::move(properties));
    return print_json(body);
  }
  HttpResponse post(const std::string& path, std::string_view field, const std::string& sql,
                    const HttpClient::Headers& headers = {}) {
    return harness::checked(client_->request("POST", path, body_of(field, sql), headers));
  }

  void create_topics() {
    Session topics({}, {});
    for (const Json& topic : test_.topics)
      topics.declare_topic(topic.text_of("name"), {.partitions = std::stoi(topic.text_of("partitions", "1"))});
    std::string joined;
    for (const std::string& statement : admin_) joined += statement + "\n";
    try {
      const auto statements = parse(joined, Dialect::ksql);
      topics.declare_topics_of(statements, kRestPartitions);
      register_schemas(test_, statements, topics);
      copy_schemas(topics.registry());
    } catch (const SqlError&) {
      // The server says it too.
    }
    for (const auto* list : {&test_.inputs, &test_.outputs})
      for (const RecordSpec& record : *list) topics.declare_topic(record.topic, {.partitions = kRestPartitions});
    for (const auto& [name, info] : topics.topics())
      harness::checked(log_.declare(name, {.partitions = info.partitions}));
  }

  /// With the same ids.
  void copy_schemas(LocalRegistry& from) {
    auto& registry = dynamic_cast<LocalRegistry&>(service_->registry());
    harness::checked(registry.set_config("", {.level = Compatibility::none}));
    std::map<std::int32_t, SubjectVersion> all;
    for (const std::string& subject : harness::checked(from.subjects()))
      for (const int version : harness::checked(from.versions(subject))) {
        auto found = harness::checked(from.find(subject, version));
        all.emplace(found->id, *found);
      }
    for (const auto& [id, one] : all) harness::checked(registry.add_with_id(one.subject, one.schema, id));
  }

  SourcePtr source_on(const std::string& topic) const {
    SourcePtr found;
    for (const auto& [name, source] : service_->catalog().sources)
      if (source->topic == topic && (!found || (found->from_query && !source->from_query))) found = source;
    if (!found) throw std::runtime_error("no source reads topic " + topic);
    return found;
  }

  /// Each topic in its own order, the oldest of what comes next first: so a query that finds them all would read them.
  void produce() {
    std::vector<std::pair<std::string, std::deque<const RecordSpec*>>> waiting;  // by topic, in the case's order
    for (const RecordSpec& input : test_.inputs) {
      auto topic =
          std::find_if(waiting.begin(), waiting.end(), [&](const auto& one) { return one.first == input.topic; });
      if (topic == waiting.end()) topic = waiting.insert(topic, {input.topic, {}});
      topic->second.push_back(&input);
    }
    for (std::size_t left = test_.inputs.size(); left > 0; --left) {
      auto next = waiting.end();
      for (auto it = waiting.begin(); it != waiting.end(); ++it)
        if (!it->second.empty() &&
            (next == waiting.end() || it->second.front()->timestamp < next->second.front()->timestamp))
          next = it;
      const std::string& topic = next->first;
      harness::checked(
          log_.append(topic, encode_record(*next->second.front(), *source_on(topic), &service_->registry())));
      next->second.pop_front();
    }
  }

  std::string run_query(const std::string& sql, bool produce_when_running) {
    std::string body;
    std::thread feeder, timer;
    std::atomic<bool> done = false;
    timer = std::thread([&] {
      const auto deadline = std::chrono::steady_clock::now() + kPushLongest;
      while (!done && std::chrono::steady_clock::now() < deadline)
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
      if (!done) client_->cancel();
    });
    auto answer = client_->stream("POST", "/query", body_of("ksql", sql), {}, [&](std::string_view piece) {
      body += piece;
      if (produce_when_running && !feeder.joinable() && body.find('\n') != std::string::npos)
        feeder = std::thread([this] {
          std::this_thread::sleep_for(kPushStart);
          produce();
        });
      return true;
    });
    done = true;
    timer.join();
    if (feeder.joinable()) feeder.join();
    const HttpResponse response = harness::checked(std::move(answer));
    if (response.status != 200) return failed(response);
    const Json rows = parsed(body);
    if (rows.kind != Json::Kind::array) return "no JSON array: " + body;
    answers_.push_back(rows.items);
    return {};
  }

  std::string run_with_protobuf(const std::string& sql) {
    const auto answer = post("/query-stream", "sql", sql, {{"Accept", "application/vnd.ksql.v1+protobuf"}});
    if (answer.status != 200) return fmt::format("status {}: {}", answer.status, answer.body);
    proto_answers_.push_back(parsed(answer.body).items);
    return {};
  }

  std::string check_outputs() {
    std::vector<std::string> topics;
    for (const RecordSpec& record : test_.outputs)
      if (std::find(topics.begin(), topics.end(), record.topic) == topics.end()) topics.push_back(record.topic);
    for (const std::string& topic : topics)
      if (std::string problem = check_topic(topic); !problem.empty()) return topic + ": " + problem;
    return {};
  }

  /// Each partition's records in their order.
  std::vector<std::vector<StoredRecord>> read_topic(const std::string& topic) {
    std::vector<std::vector<StoredRecord>> all(harness::checked(log_->describe_topic(topic))->config.partitions);
    for (std::int32_t partition = 0; partition < static_cast<std::int32_t>(all.size()); ++partition) {
      auto reader = harness::checked(log_->reader("rest"));
      harness::checked(reader->add(TopicPartition{topic, partition}, kOffsetBeginning));
      while (auto fetch = harness::checked(reader->poll(1000, std::chrono::milliseconds(0)))) {
        for (const auto& record : fetch->records) {
          StoredRecord& out = all[partition].emplace_back();
          if (record.key) out.key = std::string(*record.key);
          if (record.value) out.value = std::string(*record.value);
          out.timestamp = record.timestamp;
        }
        if (fetch->records.empty()) break;
      }
    }
    return all;
  }

  std::string check_topic(const std::string& topic) {
    const SourcePtr sink = source_on(topic);
    std::vector<RecordSpec> expected;
    for (const RecordSpec& record : test_.outputs)
      if (record.topic == topic) expected.push_back(record);
    std::vector<std::vector<StoredRecord>> actual;
    const auto deadline = std::chrono::steady_clock::now() + kOutputsLongest;
    std::size_t count = 0;
    do {
      actual = read_topic(topic);
      count = 0;
      for (const auto& partition : actual) count += partition.size();
      if (count < expected.size()) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    } while (count < expected.size() && std::chrono::steady_clock::now() < deadline);
    if (count != expected.size()) return fmt::format("{} records instead of {}", count, expected.size());
    std::vector<std::size_t> next(actual.size());
    for (RecordSpec& record : expected) {
      // Headers and windows are not compared.
      std::string why;
      bool found = false;
      for (std::size_t p = 0; p < actual.size() && !found; ++p) {
        if (next[p] >= actual[p].size()) continue;
        record.headers = actual[p][next[p]].headers;
        record.window = decode_record(actual[p][next[p]], *sink, &service_->registry()).window;
        const auto difference =
            compare_record(record, actual[p][next[p]], *sink, true, test_.inputs.empty(), &service_->registry());
        if (difference) {
          why += *difference + "; ";
        } else {
          found = true;
          ++next[p];
        }
      }
      if (!found) return why;
    }
    return {};
  }

  std::string check_responses() {
    std::size_t next_answer = 0, next_proto = 0, index = 0;
    for (const Json& expected : test_.responses) {
      const auto& [kind, wanted] = expected.members.front();
      std::string problem;
      if (kind == "admin") {
        problem = index < entities_.size() ? subset_difference(wanted, entities_[index]) : "no such entity";
      } else if (kind == "query") {
        problem = next_answer < answers_.size() ? rows_difference(wanted, answers_[next_answer]) : "no such query";
        ++next_answer;
      } else {
        problem = next_proto < proto_answers_.size() ? proto_rows_difference(wanted, proto_answers_[next_proto])
                                                     : "no such query";
        ++next_proto;
      }
      if (!problem.empty()) return fmt::format("response {}: {}", index, problem);
      ++index;
    }
    return {};
  }

  const Case& test_;
  harness::TestLog log_;
  std::unique_ptr<Service> service_;
  std::unique_ptr<HttpServer> http_;
  std::unique_ptr<HttpClient> client_;
  std::vector<std::string> admin_, queries_;
  std::vector<Json> entities_;
  std::vector<std::vector<Json>> answers_, proto_answers_;
  bool error_seen_ = false;
};

}  // namespace

std::string run_rest_case(const Case& test, RestProtocol protocol) {
  try {
    return RestRun(test, protocol).run();
  } catch (const std::exception& error) {
    return fmt::format("harness: {}", error.what());
  }
}

}  // namespace millrace::conformance
