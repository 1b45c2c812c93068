#pragma once

#include <memory>

#include "server/http/exchange.h"
#include "server/session/service.h"

namespace millrace {

enum class ServiceStage : std::uint8_t { starting, serving, stopping };

/// True for requests that may block for long (statements, inserts): they run on a pool of their own.
bool is_slow(const HttpRequest& request);

/// Answers a request (rest-api.md §1). `service` is null unless serving. A streaming answer goes on after the return.
void handle(const HttpRequest& request, const std::shared_ptr<Responder>& responder, Service* service,
            ServiceStage stage);

}  // namespace millrace
