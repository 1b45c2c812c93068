#include "exec/log/kafka/presence.h"

#include <spdlog/spdlog.h>

namespace millrace::inline exec::kafka {
namespace {

using namespace std::chrono_literals;

constexpr auto kPresenceWait = 1000ms;
constexpr auto kPresenceEvery = 1000ms, kPresenceSoon = 100ms;
constexpr int kPresenceMissed = 2;       // answers in a row, of one that was there
constexpr auto kPresenceFirst = 2500ms;  // for the first answer of all

}  // namespace

Presence::Presence(std::string cluster, Admin& admin) : cluster_(std::move(cluster)), admin_(admin) {
  thread_ = std::thread([this] { run(); });
}

Presence::~Presence() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Presence::run() {
  MutexLock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    const Status answer = admin_.connect_once(kPresenceWait);
    note(answer);
    lock.lock();
    changed_.wait_for(lock, answer ? kPresenceEvery : kPresenceSoon, [&]() REQUIRES(mutex_) { return stopping_; });
  }
}

void Presence::note(const Status& answer) {
  const MutexLock lock(mutex_);
  const bool was_away = away_.has_value();
  missed_ = answer ? 0 : missed_ + 1;
  if (answer) {
    away_.reset();
    if (was_away) spdlog::info("Kafka cluster '{}' answers", cluster_);
  } else if (!was_away && (missed_ >= kPresenceMissed || !known_)) {
    away_ = unavailable_error("Kafka cluster '{}' does not answer: {}", cluster_, answer.error().message);
    spdlog::warn("{}", away_->message);
  }
  known_ = true;
  admin_.set_away(away_.has_value());
  changed_.notify_all();
}

Status Presence::check() {
  MutexLock lock(mutex_);
  changed_.wait_for(lock, kPresenceFirst, [&]() REQUIRES(mutex_) { return known_ || stopping_; });
  if (away_) return *away_;
  if (!known_) return unavailable_error("Kafka cluster '{}' has not answered yet", cluster_);
  return {};
}

}  // namespace millrace::inline exec::kafka
