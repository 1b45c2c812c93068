#pragma once

#include <map>
#include <optional>
#include <string>

#include "exec/log/log.h"
#include "planner/catalog/catalog.h"

namespace millrace::inline server {

/// Topics as the binder sees them: those of the log, each looked up once, with what earlier statements of the same
/// request would make and delete.
/// One thread. Throws SqlError(Code::external) when the log does not answer.
class LogTopics final : public TopicLookup {
 public:
  explicit LogTopics(Log& log) : log_(log) {}
  std::optional<TopicInfo> find_topic(const std::string& name) override;
  std::optional<std::string> missing_cluster(const std::string& name) override;
  /// `info` empty: it is gone.
  void pretend(const std::string& name, std::optional<TopicInfo> info) { known_[name] = info; }

 private:
  Log& log_;
  std::map<std::string, std::optional<TopicInfo>> known_;
};

/// True when `topic` matches one of the regular expressions of a `ksql.*.topics` setting.
bool matches_topic_list(const std::string& topic, const std::string& patterns);

}  // namespace millrace::inline server
