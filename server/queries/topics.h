#pragma once

#include <map>
#include <optional>
#include <string>

#include "exec/log/log.h"
#include "planner/catalog/catalog.h"

namespace millrace::inline server {

/// Topics as the binder sees them: those of the log, plus those that earlier statements of the same request would make.
/// One thread. Throws SqlError(Code::external) when the log does not answer.
class LogTopics final : public TopicLookup {
 public:
  explicit LogTopics(Log& log) : log_(log) {}
  std::optional<TopicInfo> find_topic(const std::string& name) override;
  void pretend(const std::string& name, const TopicInfo& info) { overlay_[name] = info; }

 private:
  Log& log_;
  std::map<std::string, TopicInfo> overlay_;
};

}  // namespace millrace::inline server
