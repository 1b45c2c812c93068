#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "server/http/exchange.h"

namespace millrace::inline server {

/// A request that the server's log is to tell of when it takes long. Begins when it is made.
class SlowRequest {
 public:
  SlowRequest() = default;
  /// `limit` 0: never.
  SlowRequest(std::chrono::milliseconds limit, const HttpRequest& request, std::string_view text);
  void over() const;

 private:
  using Clock = std::chrono::steady_clock;
  std::chrono::milliseconds limit_{0};
  Clock::time_point began_ = Clock::now();
  std::string text_, user_, id_;
};

}  // namespace millrace::inline server
