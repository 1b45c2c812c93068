#pragma once

#include "server/session/service_impl.h"

namespace millrace::inline server {

/// One kind of query each. Throw SqlError before the first row. `until_end`: it ends when it has read what is there
/// now.
Service::Started run_push(const ast::Query& query, const Request& request, const SessionProperties& session,
                          ServiceImpl& service, ResultSink& sink);
Service::Started run_table_pull(const ast::Query& query, const Request& request, const SessionProperties& session,
                                ServiceImpl& service, ResultSink& sink);
Service::Started run_stream_pull(const ast::Query& query, const SessionProperties& session, ServiceImpl& service,
                                 ResultSink& sink);
/// A pull query over several sources, or over queries.
Service::Started run_finite_pull(const ast::Query& query, const SessionProperties& session, ServiceImpl& service,
                                 ResultSink& sink);
QueryHeader pull_header(Schema columns);
/// How far behind a copy of the state may be that answers; absent: only the owner does.
std::optional<std::int64_t> allowed_lag(const SessionProperties& session);
/// Throws where pull queries are switched off.
void require_pull_queries(const ast::Query& query, const ServiceImpl& service);
/// A pull query that reads_topic().
Service::Started run_topic_pull(const BoundPull& bound, const StatePtr& state, const SessionProperties& session,
                                ServiceImpl& service, ResultSink& sink);
Service::Started run_print(const ast::Print& print, bool until_end, ServiceImpl& service, ResultSink& sink);

}  // namespace millrace::inline server
