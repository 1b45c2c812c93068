#pragma once

#include <memory>

#include "server/http/exchange.h"
#include "server/session/service.h"

namespace millrace::inline server {

enum class ServiceStage : std::uint8_t { starting, serving, stopping };

/// How long a request may keep its thread.
enum class Pace : std::uint8_t {
  quick,      // no waiting
  query,      // waits for workers and perhaps for the client
  statement,  // may wait for the log
};
Pace pace_of(const HttpRequest& request);

/// Answers pull queries that need no waiting (Service::quick_query), now or soon. False: nothing has happened.
bool handle_quick(const HttpRequest& request, const std::shared_ptr<Responder>& responder, Service& service);

/// Answers a request (rest-api.md §1). `service` is null unless serving. A streaming answer goes on after the return.
void handle(const HttpRequest& request, const std::shared_ptr<Responder>& responder, Service* service,
            ServiceStage stage);

}  // namespace millrace::inline server
