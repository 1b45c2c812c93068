#pragma once

#include <memory>

#include "server/http/access.h"
#include "server/http/answer_terms.h"
#include "server/http/exchange.h"
#include "server/http/live_streams.h"
#include "server/http/query_ender.h"
#include "server/session/service.h"

namespace millrace::inline server {

enum class ServiceStage : std::uint8_t { starting, serving, stopping, terminated };

/// How long a request may keep its thread.
enum class Pace : std::uint8_t {
  quick,      // no waiting
  query,      // waits for workers and perhaps for the client
  statement,  // may wait for the log
};
Pace pace_of(const HttpRequest& request);

/// Answers pull queries that need no waiting (Service::quick_query), now or soon. False: nothing has happened.
bool handle_quick(const HttpRequest& request, const std::shared_ptr<Responder>& responder, Service& service,
                  const AnswerTerms& terms);

/// What the answers need of their server.
struct HandlerContext {
  Service* service = nullptr;  // null unless serving
  ServiceStage stage = ServiceStage::starting;
  QueryEnder& ender;
  LiveStreams& streams;
  const Access* access = nullptr;           // null: nothing is denied
  std::function<void()> terminate = [] {};  // the server refuses everything from now on
  AnswerTerms terms = {};
};

/// Answers a request (http-api.md). A streaming answer goes on after the return.
void handle(const HttpRequest& request, const std::shared_ptr<Responder>& responder, const HandlerContext& context);

}  // namespace millrace::inline server
