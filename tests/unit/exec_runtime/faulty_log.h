#pragma once

#include <algorithm>
#include <atomic>
#include <deque>
#include <string>

#include "exec/log/log.h"

namespace millrace::runtime_test {

/// Another log's face, behind which a test makes things slow or unreachable.
class FaultyLog final : public Log {
 public:
  explicit FaultyLog(std::unique_ptr<Log> inner) : inner_(std::move(inner)) {}

  /// Records of this topic stay behind, though their readers know of them. Set before readers are made.
  std::string held_topic;
  std::atomic<bool> held{false};
  std::atomic<bool> unreachable{false};  // descriptions of topics get no answer

  /// Slots are dealt by the membership.
  LogTraits traits() const override { return {.membership = true}; }
  Status create_topic(const std::string& name, const TopicConfig& config) override {
    return inner_->create_topic(name, config);
  }
  Result<std::vector<TopicDescription>> list_topics() override { return inner_->list_topics(); }
  Result<std::optional<TopicDescription>> describe_topic(const std::string& name) override {
    if (unreachable) return external_error("nobody answers");
    return inner_->describe_topic(name);
  }
  Status delete_topic(const std::string& name) override { return inner_->delete_topic(name); }
  Status truncate_before(const TopicPartition& partition, std::int64_t offset) override {
    return inner_->truncate_before(partition, offset);
  }
  Result<Bounds> bounds(const TopicPartition& partition, bool committed) override {
    return inner_->bounds(partition, committed);
  }
  Result<std::unique_ptr<Writer>> writer(const std::string& id, Membership* membership) override {
    return inner_->writer(id, membership);
  }
  Result<std::unique_ptr<Membership>> membership(const std::string& group, const std::string& slots_topic,
                                                 const std::string& advertised) override {
    return inner_->membership(group, slots_topic, advertised);
  }
  Result<std::int64_t> append_now(const TopicPartition& partition, std::optional<std::string_view> key,
                                  std::optional<std::string_view> value, RecordTime timestamp,
                                  std::span<const HeaderView> headers) override {
    return inner_->append_now(partition, key, value, timestamp, headers);
  }
  Result<std::string> cluster_id() override { return inner_->cluster_id(); }
  Result<std::unique_ptr<Reader>> reader(const std::string& client_id) override {
    auto made = inner_->reader(client_id);
    if (!made) return made.error();
    return std::unique_ptr<Reader>(new HoldingReader(*this, std::move(*made)));
  }

 private:
  class HoldingReader final : public Reader {
   public:
    HoldingReader(FaultyLog& log, std::unique_ptr<Reader> inner) : log_(log), inner_(std::move(inner)) {}
    Result<ReadHandle> add(const TopicPartition& partition, std::int64_t offset, const LogBounds* known) override {
      auto source = inner_->add(partition, offset, known);
      if (source && partition.topic == log_.held_topic) held_sources_.push_back(*source);
      return source;
    }
    void remove(ReadHandle source) override { inner_->remove(source); }
    void pause(ReadHandle source) override { inner_->pause(source); }
    void resume(ReadHandle source) override { inner_->resume(source); }
    Result<std::optional<Fetch>> poll(std::size_t max_records, std::chrono::milliseconds wait) override {
      if (!log_.held && !behind_.empty()) {
        Fetch fetch = std::move(behind_.front());
        behind_.pop_front();
        return std::optional<Fetch>(std::move(fetch));
      }
      auto fetch = inner_->poll(max_records, std::min(wait, std::chrono::milliseconds{10}));
      if (!fetch || !*fetch || !log_.held || !of_held_topic((*fetch)->source)) return fetch;
      behind_.push_back(std::move(**fetch));
      return std::optional<Fetch>{};
    }
    std::int64_t known_end(ReadHandle source) override { return inner_->known_end(source); }
    bool ended(ReadHandle source, Clock::time_point since) override {
      const bool behind =
          std::any_of(behind_.begin(), behind_.end(), [&](const Fetch& fetch) { return fetch.source == source; });
      return !behind && inner_->ended(source, since);
    }
    void ask_end(ReadHandle source) override { inner_->ask_end(source); }
    void wake() override { inner_->wake(); }
    ReadHandle at_fault() const override { return inner_->at_fault(); }
    std::int64_t skipped(ReadHandle source) const override { return inner_->skipped(source); }
    void report_removed() override { inner_->report_removed(); }

   private:
    bool of_held_topic(ReadHandle source) const {
      return std::find(held_sources_.begin(), held_sources_.end(), source) != held_sources_.end();
    }
    FaultyLog& log_;
    std::unique_ptr<Reader> inner_;
    std::vector<ReadHandle> held_sources_;
    std::deque<Fetch> behind_;
  };

  std::unique_ptr<Log> inner_;
};

}  // namespace millrace::runtime_test
