#include <cmath>

#include "server/session/metrics_text.h"
#include "server/session/service_impl.h"

namespace millrace::inline server {

std::string ServiceImpl::metrics() {
  MetricsText out;
  const auto metric = [&](std::string_view name, std::string_view type, std::string_view help, auto value) {
    out.family(name, type, help);
    out.sample(static_cast<double>(value));
  };
  metric("uptime_seconds", "gauge", "Time since start.",
         std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - started_).count());
  metric("pull_queries_total", "counter", "Pull queries answered.", pull_count.load());
  metric("push_queries_total", "counter", "Push queries started.", push_count.load());
  metric("statements_total", "counter", "Statements executed.", statement_count.load());
  metric("errors_total", "counter", "Requests answered with an error.", error_count.load());
  metric("processing_log_entries_total", "counter", "Entries of the processing log.", processing_log_->reported());
  metric("command_runner_healthy", "gauge", "1 when the command log is applied.", commands_->failure() ? 0 : 1);
  struct Series {
    std::string_view name, type, help;
    std::function<double(const QueryStatus&)> value;
  };
  const Series series[] = {
      {"query_up", "gauge", "1 when the query runs.",
       [](const QueryStatus& s) { return s.state == QueryState::running ? 1.0 : 0.0; }},
      {"query_rows_in_total", "counter", "Rows read.",
       [](const QueryStatus& s) { return static_cast<double>(s.rows_in); }},
      {"query_rows_out_total", "counter", "Rows written.",
       [](const QueryStatus& s) { return static_cast<double>(s.rows_out); }},
      {"query_late_rows_total", "counter", "Rows dropped because they were late.",
       [](const QueryStatus& s) { return static_cast<double>(s.late_rows); }},
      {"query_bad_records_total", "counter", "Records that could not be decoded.",
       [](const QueryStatus& s) { return static_cast<double>(s.bad_records); }},
      {"query_restarts_total", "counter", "Restarts after a failure.",
       [](const QueryStatus& s) { return static_cast<double>(s.restarts); }},
      {"query_lag_records", "gauge", "Records between progress and the end of the inputs; NaN while not known.",
       [](const QueryStatus& s) { return s.lag < 0 ? std::nan("") : static_cast<double>(s.lag); }},
  };
  const StatePtr now = state();
  metric("owned_slots", "gauge", "Slots that this process owns.", engine_->owned_slots());
  out.family("cluster_available", "gauge", "1 when the other Kafka cluster answers.");
  for (const std::string& cluster : log_.clusters()) out.sample(log_.is_away(cluster) ? 0 : 1, {{"cluster", cluster}});
  std::map<std::pair<std::string, int>, std::int64_t> copies;  // records that they lack, by query and partition
  for (const CopyStatus& copy : engine_->copies())
    for (const CopyStatus::Store& store : copy.stores)
      copies[{copy.query_id, copy.partition}] += store.end - store.position;
  out.family("standby_lag_records", "gauge", "Records that the copy kept here of what another process owns lacks.");
  for (const auto& [of, lag] : copies)
    out.sample(static_cast<double>(lag), {{"query", of.first}, {"partition", std::to_string(of.second)}});
  metric("rows_decoded_total", "counter", "Records decoded for persistent queries.", engine_->rows_decoded());
  metric("persistent_queries", "gauge", "Persistent queries.", now->queries.size());
  for (const Series& one : series) {
    out.family(one.name, one.type, one.help);
    for (const auto& [id, query] : now->queries)
      if (auto status = engine_->status(id)) out.sample(one.value(*status), {{"query", id}});
  }
  struct OperatorSeries {
    std::string_view name, help;
    std::uint64_t QueryStatus::Operator::*value;
  };
  for (const OperatorSeries& one :
       {OperatorSeries{"operator_late_rows_total", "Rows that an operator dropped because they were late.",
                       &QueryStatus::Operator::late_rows},
        OperatorSeries{"operator_errors_total", "Rows that an operator reported to the processing log.",
                       &QueryStatus::Operator::errors}}) {
    out.family(one.name, "counter", one.help);
    for (const auto& [id, query] : now->queries)
      if (auto status = engine_->status(id))
        for (const auto& step : status->operators)
          out.sample(static_cast<double>(step.*one.value), {{"query", id}, {"operator", step.name}});
  }
  out.family("query_error_info", "gauge", "Why a query does not run.");
  for (const auto& [id, query] : now->queries)
    if (auto status = engine_->status(id); status && status->state == QueryState::error)
      out.sample(1, {{"query", id}, {"reason", status->error}});
  return std::move(out).text();
}

}  // namespace millrace::inline server
