#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/testing/record_file.h"

namespace millrace::conformance {

using namespace harness;

struct Case {
  std::string id;
  std::vector<std::string> statements;
  std::vector<std::pair<std::string, std::string>> properties;
  std::vector<Json> topics;
  std::vector<RecordSpec> inputs, outputs;
  std::optional<Json> expected_exception;
  Json post;
  std::optional<Json> expected_error;  // this and what follows: the rest suite only
  std::vector<Json> responses;
  bool waits_for_push = false;  // inputs come once the push query runs
  bool with_protobuf = false;   // queries are asked once more, for answers in Protobuf
  std::vector<std::string> tags;

  bool has_tag(std::string_view tag) const;
};

/// `core`, `registry` or `udf`; `rest` for the cases that need a server.
std::string_view suite_of(const Case& test);

/// Every case of the files (or of all .json files below the folders), in file order. Throws std::runtime_error when a
/// file cannot be read.
std::vector<Case> load_cases(const std::vector<std::filesystem::path>& paths);

}  // namespace millrace::conformance
