#pragma once

#include "server/session/service_impl.h"

namespace millrace {

/// One kind of query each. Throw SqlError before the first row.
Service::Started run_push(const ast::Query& query, const ast::Statement& statement, const SessionProperties& session,
                          ServiceImpl& service, ResultSink& sink);
Service::Started run_table_pull(const ast::Query& query, const SessionProperties& session, ServiceImpl& service,
                                ResultSink& sink);
Service::Started run_stream_pull(const ast::Query& query, const SessionProperties& session, ServiceImpl& service,
                                 ResultSink& sink);
Service::Started run_print(const ast::Print& print, ServiceImpl& service, ResultSink& sink);

}  // namespace millrace
