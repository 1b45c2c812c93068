#include "tests/allocations/line.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/harness/checked.h"

namespace millrace::allocations {
namespace {

using harness::checked;

}  // namespace

Fetch make_fetch(std::vector<std::string> keys, std::vector<std::string> values, std::int64_t timestamp) {
  using Texts = std::pair<std::vector<std::string>, std::vector<std::string>>;
  auto texts = std::make_shared<const Texts>(std::move(keys), std::move(values));
  Fetch fetch;
  for (std::size_t i = 0; i < texts->first.size(); ++i)
    fetch.records.push_back({.key = texts->first[i],
                             .value = texts->second[i],
                             .timestamp = timestamp,
                             .offset = static_cast<std::int64_t>(i),
                             .headers = {}});
  fetch.owner = texts;
  return fetch;
}

struct Line::Changelog final : ChangelogSink {
  Changelog(Writer& the_writer, TopicHandle the_topic) : writer(the_writer), topic(the_topic) {}
  Status put(std::string_view key, std::optional<std::string_view> value) override {
    return writer.append(topic, 0, key, value, RecordTime{0});
  }
  Writer& writer;
  TopicHandle topic;
};

Line::Line(Log& log, const PhysicalPlan& plan, std::size_t subtopology, Shared* shared)
    : shared_(shared),
      plan_(plan),
      subtopology_(plan.subtopologies[subtopology]),
      writer_(checked(log.writer("line", nullptr))) {
  pipeline_ = checked(build_pipeline(subtopology_, *this, *this));
  const auto on_bad = [](const BadRecord& bad) { ADD_FAILURE() << bad.message; };
  for (const auto& leaf : pipeline_->leaves())
    sources_.push_back(std::make_unique<SourceStage>(
        *leaf.source, plan.options, 0, SourceSetup{.decoders = shared == nullptr ? nullptr : &shared->decoders},
        on_bad));
  sink_ = std::make_unique<SinkStage>(*subtopology_.root, plan.options, 0,
                                      [](const std::string& message, std::uint64_t) { ADD_FAILURE() << message; });
}
Line::~Line() = default;

void Line::feed(const std::string& topic, const Fetch& fetch) {
  feed(topic, fetch, fetch.records.size());
}

void Line::feed(const std::string& topic, const Arrival& arrival) {
  feed(topic, arrival, arrival.fetch.records.size());
}

template <class Records>
void Line::feed(const std::string& topic, const Records& records, std::size_t count) {
  for (std::size_t leaf = 0; leaf < sources_.size(); ++leaf) {
    if (pipeline_->leaves()[leaf].source->as<SourceNode>()->topic != topic) continue;
    const Batch batch = checked(sources_[leaf]->decode(records, 0, count));
    checked(pipeline_->push(leaf, batch));
  }
}

void Line::commit(bool keep) {
  checked(pipeline_->commit());
  for (auto& [topic, store] : stores_) {
    Changelog changelog(*writer_, checked(writer_->topic(topic)));
    checked(store->begin_commit(changelog));
  }
  checked(keep ? writer_->commit() : writer_->abort());
  if (keep && writer_->commit_state(std::chrono::seconds{10}).outcome != Writer::Outcome::committed)
    throw std::runtime_error("the memory log does not commit");
  for (auto& [topic, store] : stores_) store->commit_done(0);
}

StoreSlot Line::store(const std::string& name) {
  StoreSlot slot;
  slot.prefix = name;
  for (const StorePlan& plan : subtopology_.stores) {
    if (plan.name != name) continue;
    slot.retention_ms = plan.retention_ms;
    slot.changelog = !plan.changelog_topic.empty();
    slot.attach = [this, topic = plan.changelog_topic](std::unique_ptr<Store> made) {
      stores_.emplace_back(topic, std::move(made));
      return stores_.back().second.get();
    };
  }
  return slot;
}

void Line::report(std::string_view step, RecordErrorKind, const RowErrors& errors, const Batch&) {
  ADD_FAILURE() << step << ": " << errors.entries.front().message;
}

Status Line::batch(Batch&& batch) {
  return sink_->write(batch, *writer_, rows_out_);
}

}  // namespace millrace::allocations
