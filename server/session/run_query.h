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
/// A pull query that reads_topic().
Service::Started run_topic_pull(const BoundPull& bound, const SessionProperties& session, ServiceImpl& service,
                                ResultSink& sink);
Service::Started run_print(const ast::Print& print, bool until_end, ServiceImpl& service, ResultSink& sink);

}  // namespace millrace::inline server
