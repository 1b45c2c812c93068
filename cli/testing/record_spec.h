#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/testing/json_text.h"

namespace millrace::inline cli::harness {

using HeaderList = std::vector<std::pair<std::string, std::optional<std::string>>>;

/// A record as a test writes it: JSON that the harness encodes and compares.
struct RecordSpec {
  std::string topic;
  Json key, value;
  std::int64_t timestamp = 0;
  bool has_timestamp = false;
  struct Window {
    std::int64_t start = 0, end = 0;
    bool session = false;
  };
  std::optional<Window> window;
  HeaderList headers;
};

/// A record as it lies in a topic.
struct StoredRecord {
  std::optional<std::string> key, value;
  std::int64_t timestamp = 0;
  HeaderList headers;
};

}  // namespace millrace::inline cli::harness
