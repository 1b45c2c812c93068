#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "exec/data/result.h"
#include "server/http/tls.h"
#include "server/session/service.h"

namespace millrace::inline server {

struct PeerOptions {
  std::string secret;  // of the service; empty: none
  TlsOptions tls;      // the stores of this process: what it trusts, and what it shows
  std::chrono::milliseconds forget_after = std::chrono::minutes{5};  // a process that is not asked, and the lines to it
};

/// The other processes of the service, asked over their HTTP ports: look-ups that wait for the same process go
/// together, over few connections that are kept. A thread of a server's connections has its own for what its requests
/// look up; for all else there is another thread.
class Peers {
 public:
  static Result<std::shared_ptr<ServicePeers>> make(const PeerOptions& options);
};

/// The parts of an advertised address: `host:port`, with `http://` or `https://` before it.
struct PeerAddress {
  std::string host, port;
  bool tls = false;
};
PeerAddress parse_peer_address(std::string_view text);

}  // namespace millrace::inline server
