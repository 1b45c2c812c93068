#include "exec/schemas/schema_cache.h"

#include <fmt/format.h>

#include <algorithm>

#include "parser/error/mutex.h"

namespace millrace::inline exec {
namespace {

// An id that nobody knows may be registered later.
constexpr std::chrono::seconds kForgetUnknown{10};
constexpr std::chrono::milliseconds kFirstWait{100}, kLongestWait{5000};

}  // namespace

Result<ParsedSchemaPtr> parse_schema(SchemaKind kind, const SchemaText& schema) {
  auto out = std::make_shared<ParsedSchema>();
  out->kind = kind;
  if (kind == SchemaKind::avro) {
    auto parsed = avro::parse(schema);
    if (!parsed) return parsed.error();
    out->avro = std::move(*parsed);
  } else if (kind == SchemaKind::protobuf) {
    auto parsed = proto::parse(schema);
    if (!parsed) return parsed.error();
    out->proto = std::move(*parsed);
  }
  return ParsedSchemaPtr(std::move(out));
}

SchemaCache::SchemaCache(std::shared_ptr<SchemaRegistry> registry, std::size_t limit)
    : registry_(std::move(registry)), limit_(limit) {
  if (!registry_->local()) thread_ = std::thread([this] { run(); });
}

SchemaCache::~SchemaCache() {
  if (!thread_.joinable()) return;
  {
    const MutexLock lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

SchemaCache::Found SchemaCache::find(std::int32_t id) {
  {
    const MutexLock lock(mutex_);
    const auto entry = entries_.find(id);
    const bool stale = entry != entries_.end() && entry->second.found.state == State::unknown &&
                       Clock::now() - entry->second.known_at > kForgetUnknown;
    if (entry != entries_.end() && !stale) {
      entry->second.used = ++clock_;
      return entry->second.found;
    }
    if (thread_.joinable()) {
      if (wanted_.size() >= limit_) return {};  // asked for again
      make_room(id);
      Entry& pending = entries_[id];
      pending.found = {};
      pending.used = ++clock_;
      wanted_.push_back(id);
      wake_.notify_one();
      return pending.found;
    }
  }
  Found found = fetch(id);
  put(id, found);
  return found;
}

SchemaCache::Found SchemaCache::fetch(std::int32_t id) {
  auto source = registry_->find(id);
  if (!source) return {State::pending, nullptr, source.error().message};
  if (!*source) return {State::unknown, nullptr, fmt::format("schema id {} is not in the registry", id)};
  auto text = resolve(*registry_, **source);
  if (!text) {
    const bool later = text.error().fault == Fault::external;
    return {later ? State::pending : State::unknown, nullptr, text.error().message};
  }
  auto parsed = parse_schema((*source)->kind, *text);
  if (!parsed) return {State::unknown, nullptr, fmt::format("schema id {}: {}", id, parsed.error().message)};
  return {State::ready, std::move(*parsed), {}};
}

void SchemaCache::make_room(std::int32_t id) {
  if (entries_.size() < limit_ || entries_.contains(id)) return;
  const auto oldest = std::ranges::min_element(entries_, {}, [](const auto& entry) { return entry.second.used; });
  entries_.erase(oldest);
}

void SchemaCache::put(std::int32_t id, Found found) {
  const MutexLock lock(mutex_);
  make_room(id);
  entries_[id] = {std::move(found), Clock::now(), ++clock_};
}

void SchemaCache::run() {
  auto wait = kFirstWait;
  MutexLock lock(mutex_);
  while (!stop_) {
    if (wanted_.empty()) {
      wake_.wait(lock);
      continue;
    }
    const std::int32_t id = wanted_.front();
    wanted_.pop_front();
    lock.unlock();
    Found found = fetch(id);
    const bool again = found.state == State::pending;
    put(id, std::move(found));
    lock.lock();
    if (!again) {
      wait = kFirstWait;
      continue;
    }
    wanted_.push_back(id);
    wake_.wait_for(lock, wait, [&]() REQUIRES(mutex_) { return stop_; });
    wait = std::min(wait * 2, kLongestWait);
  }
}

}  // namespace millrace::inline exec
