#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace millrace::inline server {

/// What one client may take. Sizes in bytes.
struct HttpLimits {
  std::size_t connections = 20'000;
  std::uint32_t streams = 1'000;                   // of one HTTP/2 connection at a time
  std::size_t header_bytes = 64 << 10;             // of one request
  std::size_t body_bytes = 64 << 20;               // of one request that is gathered before it is answered
  std::size_t bodies_bytes = 512 << 20;            // of all such requests together
  std::size_t unread_bytes = 1 << 20;              // of a streamed body, before the peer has to wait
  std::chrono::milliseconds request_time{30'000};  // to send a head, and between two pieces of a body
  std::chrono::milliseconds idle_time{600'000};    // without a request
  std::chrono::milliseconds drain_time{10'000};    // for answers under way at a stop
};

}  // namespace millrace::inline server
