#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "exec/schemas/avro_schema.h"
#include "exec/schemas/proto_schema.h"
#include "exec/schemas/registry.h"
#include "parser/error/mutex.h"

namespace millrace::inline exec {

/// A schema in the form that codecs work with.
struct ParsedSchema {
  SchemaKind kind = SchemaKind::avro;
  avro::SchemaPtr avro;
  proto::FilePtr proto;
};
using ParsedSchemaPtr = std::shared_ptr<const ParsedSchema>;
Result<ParsedSchemaPtr> parse_schema(SchemaKind kind, const SchemaText& schema);

/// Schemas by id for decoders, which must not wait: what a remote registry has is fetched by a thread of its own, again
/// and again while it cannot be reached. Ids never change their meaning, so what is found stays, up to `limit` schemas.
/// Any thread.
class SchemaCache {
 public:
  explicit SchemaCache(std::shared_ptr<SchemaRegistry> registry, std::size_t limit = 1000);
  ~SchemaCache();
  SchemaCache(const SchemaCache&) = delete;
  SchemaCache& operator=(const SchemaCache&) = delete;

  enum class State : std::uint8_t { ready, pending, unknown };
  struct Found {
    State state = State::pending;
    ParsedSchemaPtr schema;  // ready
    std::string reason;      // unknown: why; pending: what went wrong last, if anything did
  };
  Found find(std::int32_t id);

  SchemaRegistry& registry() { return *registry_; }

 private:
  using Clock = std::chrono::steady_clock;
  struct Entry {
    Found found;
    Clock::time_point known_at;
    std::uint64_t used = 0;
  };
  Found fetch(std::int32_t id);
  void run();
  void put(std::int32_t id, Found found);
  /// Forgets what was asked for longest ago where there is no place for this one.
  void make_room(std::int32_t id) REQUIRES(mutex_);

  std::shared_ptr<SchemaRegistry> registry_;
  const std::size_t limit_;
  Mutex mutex_;
  std::condition_variable wake_;
  std::map<std::int32_t, Entry> entries_ GUARDED_BY(mutex_);
  std::deque<std::int32_t> wanted_ GUARDED_BY(mutex_);
  std::uint64_t clock_ GUARDED_BY(mutex_) = 0;
  bool stop_ GUARDED_BY(mutex_) = false;
  std::thread thread_;  // none for a local registry
};

}  // namespace millrace::inline exec
