#include "tests/sql/world.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <numeric>
#include <regex>
#include <stdexcept>
#include <thread>

#include "cli/testing/wire.h"
#include "exec/data/wall_clock.h"
#include "exec/log/local/memory.h"
#include "exec/runtime/joint_pull.h"
#include "exec/runtime/one_row.h"
#include "exec/runtime/topic_pull.h"
#include "parser/syntax/parse.h"
#include "tests/harness/checked.h"
#include "tests/harness/table_pull.h"

namespace millrace::sql_test {
namespace {

using harness::checked;
using harness::Json;
using harness::StoredRecord;

constexpr std::chrono::seconds kLongestWait{60};

std::uint64_t counter(const QueryStatus& status, const std::string& name) {
  if (name == "late_rows") return status.late_rows;
  if (name == "bad_records") return status.bad_records;
  if (name == "rows_in") return status.rows_in;
  if (name == "rows_out") return status.rows_out;
  if (name == "expression_errors") {
    std::uint64_t errors = 0;
    for (const auto& step : status.operators) errors += step.errors;
    return errors;
  }
  throw std::runtime_error("no metric is called " + name);
}

std::string text_of(const StoredRecord& record, const SourceDef& source, SchemaRegistry& registry) {
  const auto decoded = harness::decode_record(record, source, &registry);
  const std::string window = decoded.window ? fmt::format(" | {}..{}", decoded.window->start, decoded.window->end) : "";
  return fmt::format("{}{} | {} | {}", print_json(decoded.key), window, print_json(decoded.value), record.timestamp);
}

bool same_text(const RecordSpec& spec, const StoredRecord& record, const SourceDef& source, SchemaRegistry& registry) {
  const auto decoded = harness::decode_record(record, source, &registry);
  return !harness::compare_record(spec, record, source, true, false, &registry) &&
         print_json(decoded.key) == print_json(spec.key) && print_json(decoded.value) == print_json(spec.value);
}

// Takes out the first that fits.
template <class Fits>
bool take(std::vector<RecordSpec>& from, Fits fits) {
  const auto at = std::find_if(from.begin(), from.end(), fits);
  if (at == from.end()) return false;
  from.erase(at);
  return true;
}

// In order; where several partitions were written, in any order.
std::string compare_all(std::vector<RecordSpec> expected, const std::vector<StoredRecord>& actual,
                        const SourceDef& source, bool ordered, SchemaRegistry& registry) {
  std::string problem;
  if (ordered) {
    for (std::size_t i = 0; i < std::min(expected.size(), actual.size()) && problem.empty(); ++i)
      if (const auto difference = harness::compare_record(expected[i], actual[i], source, true, false, &registry))
        problem = fmt::format("row {}: {}", i + 1, *difference);
  } else {
    // What is the same to the letter first: a null may also stand for what is not there, and would take another's
    // place.
    std::vector<const StoredRecord*> rest;
    for (const auto& record : actual)
      if (!take(expected, [&](const RecordSpec& spec) { return same_text(spec, record, source, registry); }))
        rest.push_back(&record);
    for (const StoredRecord* record : rest)
      if (!take(expected, [&](const RecordSpec& spec) {
            return !harness::compare_record(spec, *record, source, true, false, &registry);
          }))
        problem = "not expected: " + text_of(*record, source, registry);
    if (problem.empty() && !expected.empty()) problem = fmt::format("{} rows are missing", expected.size());
  }
  if (problem.empty() && ordered && expected.size() != actual.size())
    problem = fmt::format("{} rows instead of {}", actual.size(), expected.size());
  if (problem.empty()) return {};
  for (const auto& record : actual) problem += "\n    " + text_of(record, source, registry);
  return problem;
}

std::string key_text(const Json& key, const std::optional<RecordSpec::Window>& window) {
  return print_json(key) + (window ? fmt::format(" {}..{}", window->start, window->end) : "");
}

// As `query` and `pull` steps write it. Window bounds stand behind the keys, of which there is one then.
std::string row_text(const Batch& batch, std::size_t row, const std::vector<std::size_t>& order, bool window) {
  std::string text = "[";
  const auto add = [&](const std::string& value) { text += (text.size() > 1 ? "," : "") + value; };
  for (std::size_t i = 0; i < order.size(); ++i) {
    const Column& column = *batch.columns[order[i]];
    add(to_json(get_value(column, row), column.type));
    if (i > 0 || !window || !batch.window_start) continue;
    add(std::to_string((*batch.window_start)[row]));
    add(std::to_string((*batch.window_end)[row]));
  }
  return (batch.kind(row) == RowKind::remove ? "tombstone " : "") + print_json(*harness::parse_json(text + "]"));
}

void drop_signs_of_zeros(std::vector<std::string>& rows) {
  static const std::regex zero("-0\\.0(?=[,\\]}])");
  for (std::string& row : rows) row = std::regex_replace(row, zero, "0.0");
}

std::string compare_rows(std::vector<std::string> expected, std::vector<std::string> actual, bool ordered = false) {
  if (!ordered) {
    std::sort(expected.begin(), expected.end());
    std::sort(actual.begin(), actual.end());
  }
  if (expected == actual) return {};
  std::string problem = "other rows:";
  for (const auto& row : actual) problem += "\n    " + row;
  return problem;
}

std::string compare_failure(const std::string& expected, const std::string& message) {
  const bool as_expected = !expected.empty() && message.find(expected) != std::string::npos;
  return as_expected ? "" : "failed: " + message;
}

// The newest value of every key; a key that was never there equals one that was withdrawn.
std::string compare_last(const std::vector<RecordSpec>& expected, const std::vector<StoredRecord>& actual,
                         const SourceDef& source, SchemaRegistry& registry) {
  std::map<std::string, const RecordSpec*> wanted;
  for (const auto& spec : expected) wanted[key_text(spec.key, spec.window)] = &spec;
  std::map<std::string, const StoredRecord*> got;
  for (const auto& record : actual) {
    const auto decoded = harness::decode_record(record, source, &registry);
    got[key_text(decoded.key, decoded.window)] = &record;
  }
  for (const auto& [key, spec] : wanted) {
    const auto found = got.find(key);
    if (found == got.end() && !spec->value.is_null()) return "no row for " + key;
    if (found == got.end()) continue;
    RecordSpec any_time = *spec;  // changes that cancelled out between two commits leave no time behind
    any_time.has_timestamp = false;
    if (const auto difference = harness::compare_record(any_time, *found->second, source, true, false, &registry))
      return fmt::format("last row of {}: {}", key, *difference);
  }
  for (const auto& [key, record] : got)
    if (!wanted.contains(key) && record->value) return "not expected: " + text_of(*record, source, registry);
  return {};
}

}  // namespace

World::World(const Variant& variant)
    : variant_(variant),
      session_(variant.last_values ? PropertyMap{{"cache.max.bytes.buffering", "10485760"}} : PropertyMap{},
               variant.rules_off) {
  if (variant.shares) session_.share();
  EngineOptions options;
  options.service_id = std::string(harness::kServiceId);
  options.process_id = "sql-test";
  options.schemas = session_.schemas();
  options.workers = variant_.workers;
  options.batch_rows = variant_.batch_rows;
  if (variant.on_disk) {
    std::string name = (std::filesystem::temp_directory_path() / "millrace-sql-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary directory");
    state_ = name;
    options.state_directory = name;
  }
  bed_ = std::make_unique<harness::Bed>(harness::TestLog(make_memory_log()), options);
  // Without rules topics are read each time, as a server does that is to keep no tables.
  if (variant.rules_off.empty()) session_.keep_tables_by([this](const SourcePtr& source) { return keep(source); });
}

World::~World() {
  kept_.clear();
  bed_.reset();
  wall_clock_ahead_ms -= ahead_ms_;
  std::error_code ignored;
  if (!state_.empty()) std::filesystem::remove_all(state_, ignored);
}

std::shared_ptr<const PhysicalPlan> World::keep(const SourcePtr& source) {
  std::shared_ptr<KeptTable>& kept = kept_[source];
  if (!kept) {
    const std::string id = fmt::format("{}{} {}", kKeptTablePrefix, source->name, kept_.size());
    kept = checked(bed_->engine->keep_table(session_.plan_kept(*source, id)));
  }
  const Status done = kept->catch_up(kLongestWait);
  if (!done) throw std::runtime_error(done.error().message);
  return kept->plan();
}

void World::restart() {
  for (const auto& query : session_.queries()) {
    const auto status = query.plan ? bed_->engine->status(query.plan->query_id) : std::nullopt;
    if (!status) continue;
    QueryStatus& sum = before_[query.plan->query_id];
    sum.late_rows += status->late_rows;
    sum.bad_records += status->bad_records;
    sum.rows_in += status->rows_in;
    sum.rows_out += status->rows_out;
    sum.operators.insert(sum.operators.end(), status->operators.begin(), status->operators.end());
  }
  kept_.clear();
  variant_.clean ? bed_->restart() : bed_->crash();
}

std::string World::run(const StatementStep& step) {
  try {
    for (const auto& statement : parse(step.text, session_.dialect())) {
      if (!change_rows(*statement)) session_.apply(statement);
      bed_->follow(session_);
      bed_->settle();
    }
  } catch (const SqlError& error) {
    if (step.error.empty()) return fmt::format("failed: {}", error.what());
    if (code_name(error.code()) != step.error)
      return fmt::format("{} instead of {}: {}", code_name(error.code()), step.error, error.what());
    const std::string position = fmt::format("{}:{}", error.span().line, error.span().column);
    if (!step.position.empty() && position != step.position)
      return fmt::format("at {} instead of {}: {}", position, step.position, error.what());
    if (std::string_view(error.what()).find(step.message) == std::string_view::npos)
      return fmt::format("says: {}", error.what());
    return {};
  }
  return step.error.empty() ? "" : "succeeded";
}

std::string World::run(const SchemaStep& step) {
  const auto kind = find_schema_kind(step.kind);
  if (!kind) return "no kind of schema is called " + step.kind;
  const auto added = session_.registry().add(step.subject, {.kind = *kind, .text = step.text, .references = {}});
  return added ? "" : added.error().message;
}

std::string World::run(const FeedStep& step) {
  const SourceDef* source = session_.catalog().find(step.source);
  if (!source) return "no source " + step.source;
  const std::size_t crash = variant_.midway ? random_() % std::max<std::size_t>(step.rows.size(), 1) : step.rows.size();
  for (std::size_t i = 0; i < step.rows.size(); ++i) {
    checked(bed_->log.append(source->topic, harness::encode_record(step.rows[i], *source, &session_.registry())));
    if (i != crash) continue;
    std::this_thread::sleep_for(std::chrono::microseconds(random_() % 1000));
    restart();
  }
  bed_->settle();
  if (variant_.restart) {
    restart();
    bed_->settle();
  }
  return {};
}

std::string World::run(const ExpectStep& step) {
  const SourceDef* source = session_.catalog().find(step.source);
  if (!source) return "no source " + step.source;
  const auto* query = query_into(step.source);
  if (query)
    if (const auto status = bed_->engine->status(query->plan->query_id); status && status->state == QueryState::error)
      return "the query failed: " + status->error;
  const auto actual = checked(bed_->log.take(source->topic));
  using Compare = ExpectStep::Compare;
  const bool coalesced = variant_.last_values && source->kind == RelationKind::table && step.compare == Compare::all;
  if (coalesced || step.compare == Compare::last) return compare_last(step.rows, actual, *source, session_.registry());
  return compare_all(step.rows, actual, *source,
                     step.compare == Compare::all && session_.topics().at(source->topic).partitions == 1,
                     session_.registry());
}

std::string World::run(const ClockStep& step) {
  const std::int64_t by = step.absolute ? step.milliseconds - wall_clock_ms() : step.milliseconds;
  ahead_ms_ += by;
  wall_clock_ahead_ms += by;
  if (variant_.workers > 0) std::this_thread::sleep_for(std::chrono::milliseconds(300));  // they look at it by and by
  bed_->settle();
  return {};
}

std::string World::run(const MetricStep& step) {
  const auto* query = query_into(step.source);
  if (!query) return "no query fills " + step.source;
  if (variant_.midway) return {};  // what was worked off and not committed is counted twice
  const std::string& id = query->plan->query_id;
  std::uint64_t value = counter(before_[id], step.metric);
  if (const auto status = bed_->engine->status(id)) value += counter(*status, step.metric);
  return value == step.value ? "" : fmt::format("{} is {}", step.metric, value);
}

std::string World::run(const FailsStep& step) {
  const auto* query = query_into(step.source);
  const auto status = query ? bed_->engine->status(query->plan->query_id) : std::nullopt;
  if (!status) return "no query fills " + step.source;
  if (status->state != QueryState::error) return "the query has not failed";
  return status->error.find(step.text) != std::string::npos ? "" : "it failed with: " + status->error;
}

std::string World::run(const QueryStep& step) {
  std::vector<std::string> actual;
  std::optional<Error> failure;
  std::atomic<bool> ended = false;  // tells this thread that what the others wrote is there
  try {
    const auto statements = parse(step.text, session_.dialect());
    const auto* select = statements.at(0)->as<ast::Select>();
    if (!select) return "not a query";
    if (select->query->emit == ast::Emit::none) return run_pull(*select->query, step);
    auto plan = session_.plan_push(*select->query);
    const auto* output = plan->subtopologies.back().root->as<OutputNode>();
    TransientEvents events;
    events.on_rows = [&](const Batch& batch) {
      for (std::size_t row = 0; row < batch.rows; ++row) actual.push_back(row_text(batch, row, output->columns, false));
      return true;
    };
    events.on_end = [&](std::optional<Error> error) {
      failure = std::move(error);
      ended = true;
    };
    const auto query = checked(bed_->engine->run_transient(plan, true, std::move(events)));
    if (variant_.workers == 0) bed_->settle();
    const auto deadline = std::chrono::steady_clock::now() + kLongestWait;
    while (variant_.workers > 0 && !ended && std::chrono::steady_clock::now() < deadline)
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
  } catch (const SqlError& error) {
    return fmt::format("failed: {}", error.what());
  }
  if (failure) return compare_failure(step.failure, failure->message);
  if (!step.failure.empty()) return "it has not failed";
  return ended ? compare_rows(step.rows, std::move(actual)) : "the query has not ended";
}

std::shared_ptr<TableRows> World::read(const harness::Session::Pull& plan) {
  if (plan.finite.above) {
    std::vector<std::shared_ptr<TableRows>> leaves;
    std::vector<std::shared_ptr<PreparedPull>> tables;
    for (const auto& leaf : plan.finite.leaves)
      if (leaf.table) tables.push_back(std::make_shared<PreparedPull>(leaf.table));
    auto kept = checked(bed_->engine->read_tables(tables));
    std::size_t table = 0;
    for (const auto& leaf : plan.finite.leaves) {
      if (leaf.one_row)
        leaves.push_back(std::make_shared<OneRow>());
      else
        leaves.push_back(leaf.table ? kept[table++] : read({nullptr, leaf.topic, {}}));
    }
    return checked(JointPull::make(plan.finite.above, std::move(leaves)));
  }
  if (plan.table) return checked(bed_->engine->read_table(std::make_shared<PreparedPull>(plan.table), {}));
  auto rows = checked(TopicPull::start(*bed_->engine, plan.topic.below, plan.topic.above, kLongestWait));
  if (variant_.workers == 0) bed_->settle();
  return rows;
}

bool World::change_rows(const ast::Statement& statement) {
  const auto change = session_.bind_change(statement);
  if (!change) return false;
  std::vector<std::vector<Value>> found;
  if (change->reads()) {
    const auto plan = change->many ? session_.plan_pull(*change->many) : session_.plan_pull(change->found);
    checked(pull_all(*read(plan), [&](const Batch& batch) {
      for (std::size_t row = 0; row < batch.rows; ++row) {
        auto& values = found.emplace_back();
        for (const ColumnPtr& column : batch.columns) values.push_back(get_value(*column, row));
      }
      return true;
    }));
  }
  session_.write(*change, row_changes(*change, std::move(found)));
  return true;
}

std::string World::run_pull(const ast::Query& query, const QueryStep& step) {
  std::vector<std::string> actual;
  const auto rows = read(session_.plan_pull(query));
  const Status done = pull_all(*rows, [&](const Batch& batch) {
    std::vector<std::size_t> order(batch.columns.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    for (std::size_t row = 0; row < batch.rows; ++row) actual.push_back(row_text(batch, row, order, false));
    return true;
  });
  if (!done) return compare_failure(step.failure, done.error().message);
  if (!step.failure.empty()) return "it has not failed";
  std::vector<std::string> expected = step.rows;
  if (step.zeros_alike)
    for (auto* side : {&expected, &actual}) drop_signs_of_zeros(*side);
  return compare_rows(std::move(expected), std::move(actual), !query.order_by.empty());
}

std::string World::run(const PullStep& step) {
  const auto* query = query_into(step.source);
  if (!query) return "no query fills " + step.source;
  std::vector<std::string> actual;
  checked(pull_table(*bed_->engine, *query->plan, {}, [&](const Batch& batch) {
    for (std::size_t row = 0; row < batch.rows; ++row) {
      std::vector<std::size_t> order(batch.columns.size());
      for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
      actual.push_back(row_text(batch, row, order, true));
    }
    return true;
  }));
  return compare_rows(step.rows, std::move(actual));
}

const harness::PersistentQuery* World::query_into(const std::string& source) const {
  for (const auto& query : session_.queries())
    if (query.sink == source && query.plan) return &query;
  return nullptr;
}

}  // namespace millrace::sql_test
