#include "server/queries/schema_topic.h"

#include <fmt/format.h>

#include <array>
#include <boost/json.hpp>
#include <chrono>

#include "exec/data/wall_clock.h"
#include "exec/log/ensure_topic.h"
#include "exec/schemas/schema_json.h"

namespace millrace::inline server {
namespace json = boost::json;
namespace {

constexpr std::int64_t kSchemaTopicFormat = 1;
constexpr std::array<std::string_view, 7> kChangeKinds = {"add",      "remove_subject", "remove_version", "set_level",
                                                          "set_mode", "hide",           "erase"};
constexpr std::chrono::milliseconds kSchemaPoll{200};
constexpr std::size_t kMaxSchemas = 1000;

json::object to_json(const SchemaSource& schema) {
  return {{"type", schema_kind_name(schema.kind)}, {"schema", schema.text}, {"references", references_json(schema)}};
}

SchemaSource schema_from(const json::object& from) {
  SchemaSource schema;
  schema.kind = find_schema_kind(std::string_view(from.at("type").as_string())).value();
  schema.text = std::string(from.at("schema").as_string());
  for (const json::value& item : from.at("references").as_array())
    schema.references.push_back({std::string(item.at("name").as_string()), std::string(item.at("subject").as_string()),
                                 item.at("version").to_number<int>()});
  return schema;
}

std::string change_to_json(const RegistryChange& change) {
  json::object out{{"format", kSchemaTopicFormat},
                   {"kind", kChangeKinds[static_cast<std::size_t>(change.kind)]},
                   {"subject", change.subject},
                   {"version", change.version},
                   {"id", change.id}};
  if (change.kind == RegistryChange::Kind::add) out["schema"] = to_json(change.schema);
  if (change.config.level) out["level"] = compatibility_name(*change.config.level);
  if (change.config.policy) out["policy"] = content_policy_name(*change.config.policy);
  if (change.config.normalize) out["normalize"] = *change.config.normalize;
  if (change.mode) out["mode"] = registry_mode_name(*change.mode);
  return json::serialize(out);
}

/// Throws std::exception on other texts.
RegistryChange change_from_json(std::string_view text) {
  const json::value value = json::parse(text);
  const json::object& from = value.as_object();
  if (from.at("format").as_int64() != kSchemaTopicFormat)
    throw std::runtime_error("a schema of another version of the program");
  RegistryChange change;
  const std::string_view kind = from.at("kind").as_string();
  const auto found = std::ranges::find(kChangeKinds, kind);
  if (found == kChangeKinds.end()) throw std::runtime_error(fmt::format("a change of unknown kind {}", kind));
  change.kind = static_cast<RegistryChange::Kind>(found - kChangeKinds.begin());
  change.subject = std::string(from.at("subject").as_string());
  change.version = from.at("version").to_number<int>();
  change.id = from.at("id").to_number<std::int32_t>();
  if (const auto* schema = from.if_contains("schema")) change.schema = schema_from(schema->as_object());
  if (const auto* level = from.if_contains("level"))
    change.config.level = find_compatibility(std::string_view(level->as_string()));
  if (const auto* policy = from.if_contains("policy"))
    change.config.policy = find_content_policy(std::string_view(policy->as_string()));
  if (const auto* normalize = from.if_contains("normalize")) change.config.normalize = normalize->as_bool();
  if (const auto* mode = from.if_contains("mode"))
    change.mode = find_registry_mode(std::string_view(mode->as_string()));
  return change;
}

class SchemaTopic final : public RegistryKeeper {
 public:
  SchemaTopic(Log& log, std::string topic, const TopicConfig& shape)
      : log_(log), topic_(std::move(topic)), shape_(shape) {}

  Status keep(const RegistryChange& change, LocalRegistry& registry) override {
    if (Status made = make_topic(); !made) return made;
    auto appended = log_.append_now({topic_, 0}, std::string_view(change.subject),
                                    std::string_view(change_to_json(change)), RecordTime{wall_clock_ms()});
    if (!appended) return appended.error();
    return read_to(*appended + 1, registry);
  }

  Status refresh(LocalRegistry& registry) override {
    if (!reader_) {
      auto described = log_.describe_topic(topic_);
      if (!described) return described.error();
      if (!*described) return {};
    }
    auto bounds = log_.bounds({topic_, 0});
    return bounds ? read_to(bounds->end, registry) : bounds.error();
  }

 private:
  Status make_topic() {
    if (reader_) return {};
    const auto found = ensure_topic(log_, topic_, shape_);
    return found ? Status() : found.error();
  }

  Status read_to(std::int64_t end, LocalRegistry& registry) {
    if (next_ >= end) return {};
    if (!reader_) {
      auto reader = log_.reader("schemas");
      if (!reader) return reader.error();
      if (auto added = (*reader)->add({topic_, 0}, next_ == 0 ? kOffsetBeginning : next_); !added) return added.error();
      reader_ = std::move(*reader);
    }
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (next_ < end) {
      auto fetch = reader_->poll(kMaxSchemas, kSchemaPoll);
      if (!fetch) return fetch.error();
      if (!*fetch) {
        if (std::chrono::steady_clock::now() > deadline) return external_error("topic {} cannot be read", topic_);
        continue;
      }
      for (const RecordView& record : (*fetch)->records) {
        try {
          if (record.value) registry.replay(change_from_json(*record.value));
        } catch (const std::exception& error) {
          return user_error("topic {}, offset {}: {}", topic_, record.offset, error.what());
        }
      }
      next_ = (*fetch)->next_offset;
    }
    return {};
  }

  Log& log_;
  const std::string topic_;
  const TopicConfig shape_;
  std::unique_ptr<Reader> reader_;
  std::int64_t next_ = 0;
};

}  // namespace

Result<std::shared_ptr<LocalRegistry>> open_schema_topic(Log& log, const std::string& topic, const TopicConfig& shape) {
  auto registry = std::make_shared<LocalRegistry>(std::make_unique<SchemaTopic>(log, topic, shape));
  if (auto read = registry->subjects(); !read) return read.error();
  return registry;
}

}  // namespace millrace::inline server
