#pragma once

#include <functional>
#include <memory>
#include <string>

#include "server/http/exchange.h"
#include "server/session/service.h"

namespace millrace::inline server {

/// How the processes of a service know each other.
struct PeerTerms {
  std::string secret;  // that all of them have; empty: none
  /// Whether a request comes from one of them. Without a secret: where everybody may do everything anyway.
  bool admits(const HttpRequest& request, bool users_are_known) const;
};

/// Whether another process of the service asks this.
bool is_peer_path(std::string_view path);

/// Answers it from what this process keeps. A scan goes on after the return, on threads that `post` gives work to,
/// which may wait; all that it holds goes with its connection.
void answer_peer(const HttpRequest& request, const std::shared_ptr<Responder>& responder, Service& service,
                 const std::function<void(std::function<void()>)>& post);

}  // namespace millrace::inline server
