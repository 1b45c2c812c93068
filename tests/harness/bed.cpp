#include "tests/harness/bed.h"

#include <algorithm>

#include "parser/syntax/parse.h"
#include "tests/harness/checked.h"

namespace millrace::harness {

Bed::Bed(TestLog on, EngineOptions options) : log(std::move(on)), options_(std::move(options)) {
  open();
}

Bed::~Bed() {
  engine.reset();
}

void Bed::open() {
  EngineEvents events;
  events.on_record_error = [this](const ProcessingError& error) {
    const std::lock_guard lock(mutex_);
    errors.push_back(error);
  };
  engine = checked(Engine::start(*log, options_, std::move(events)));
  launch(plans_);
}

void Bed::launch(std::span<const Plan> plans) {
  std::vector<Engine::Start> starts;
  for (const Plan& plan : plans) starts.push_back({plan});
  checked(engine->start_queries(starts));
}

void Bed::declare_topics(const Session& session) {
  for (const auto& [name, info] : session.topics())
    checked(log.declare(name, TopicConfig{.partitions = info.partitions}));
}

void Bed::follow(Session& session) {
  declare_topics(session);
  for (auto& [topic, records] : session.records()) {
    for (const StoredRecord& record : records) checked(log.append(topic, record));
    records.clear();
  }
  std::vector<Plan> wanted, fresh;
  for (const PersistentQuery& query : session.queries())
    if (query.plan) wanted.push_back(query.plan);
  std::erase_if(plans_, [&](const Plan& known) {
    if (std::ranges::find(wanted, known) != wanted.end()) return false;
    checked(engine->stop_query(known->query_id));
    return true;
  });
  std::ranges::copy_if(wanted, std::back_inserter(fresh),
                       [&](const Plan& plan) { return std::ranges::find(plans_, plan) == plans_.end(); });
  if (!fresh.empty()) start(fresh);
}

PhysicalPlan Bed::plan(const std::string& sql, int partitions, const PropertyMap& properties) {
  Session session(properties, {});
  const auto statements = parse(sql);
  session.declare_topics_of(statements, partitions);
  for (const auto& statement : statements) session.apply(statement);
  declare_topics(session);
  return *session.queries().front().plan;
}

void Bed::start(const std::vector<Plan>& plans) {
  std::vector<const PhysicalPlan*> all;
  for (const Plan& plan : plans) all.push_back(plan.get());
  checked(engine->prepare(all));
  plans_.insert(plans_.end(), plans.begin(), plans.end());
  launch(plans);
}

void Bed::join(const PhysicalPlan& plan) {
  plans_.push_back(std::make_shared<const PhysicalPlan>(plan));
  launch({&plans_.back(), 1});
}

void Bed::settle(std::chrono::milliseconds longest) {
  if (options_.workers > 0) {
    if (!engine->wait_until_idle(longest)) throw Failure("the queries do not come to rest");
    return;
  }
  // Commits that fail are tried again.
  const auto deadline = Clock::now() + longest;
  for (Status done = engine->run_until_idle(); !done; done = engine->run_until_idle())
    if (Clock::now() >= deadline) return checked(done);
}

void Bed::crash() {
  engine->kill();
  restart();
}

void Bed::restart() {
  engine.reset();
  open();
}

}  // namespace millrace::harness
