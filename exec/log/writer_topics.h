#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>

#include "exec/log/log.h"

namespace millrace::inline exec {

/// What append() says to a handle that forget_topics() has let go of.
inline Error forgotten_topic() {
  return Error{Fault::bug, "a writer's handle of a topic was kept too long"};
}

/// The topics of a writer by handle. A handle is never given twice, so that one which is kept too long finds nothing
/// rather than another topic. One thread.
template <class Topic>
class WriterTopics {
 public:
  /// Null: unknown, or forgotten. The same topic again, as for the records of a batch, costs a comparison.
  Topic* find(TopicHandle handle) {
    if (handle == last_) [[likely]]
      return last_topic_;
    const auto found = topics_.find(handle);
    if (found == topics_.end()) return nullptr;
    last_ = handle;
    return last_topic_ = &found->second;
  }
  const Topic* find(TopicHandle handle) const {
    const auto found = topics_.find(handle);
    return found == topics_.end() ? nullptr : &found->second;
  }
  TopicHandle add(const std::string& name, Topic topic) {
    const TopicHandle handle{next_++};
    topics_.emplace(handle, std::move(topic));
    handles_[name] = handle;
    return handle;
  }
  /// The newest handle for the name.
  std::optional<TopicHandle> handle(const std::string& name) const {
    const auto found = handles_.find(name);
    return found == handles_.end() ? std::nullopt : std::optional(found->second);
  }
  /// The name gets another handle next time; this one goes on to work.
  void retire(const std::string& name) { handles_.erase(name); }
  /// How many are left.
  template <class Unused>
  std::size_t forget(Unused&& unused) {
    std::erase_if(topics_, [&](const auto& entry) { return unused(entry.first, entry.second); });
    std::erase_if(handles_, [&](const auto& entry) { return !topics_.contains(entry.second); });
    last_ = kNone;
    return topics_.size();
  }
  template <class Visit>
  void each(Visit&& visit) {
    for (auto& [handle, topic] : topics_) visit(topic);
  }

 private:
  static constexpr TopicHandle kNone{-1};

  std::unordered_map<TopicHandle, Topic> topics_;
  std::unordered_map<std::string, TopicHandle> handles_;
  std::int32_t next_ = 0;
  TopicHandle last_ = kNone;
  Topic* last_topic_ = nullptr;
};

}  // namespace millrace::inline exec
