#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "server/http/user_rates.h"

namespace millrace::inline server {

/// What every request of a server is answered under.
struct AnswerTerms {
  std::chrono::milliseconds slow{0};           // requests that the log is to tell of; 0: none
  std::shared_ptr<UserRates> rates = nullptr;  // null: no limits
  std::int64_t pull_rows = 0;                  // that a pull query may give; 0: any number
};

}  // namespace millrace::inline server
