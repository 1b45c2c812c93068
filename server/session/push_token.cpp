#include "server/session/push_token.h"

#include <boost/json.hpp>

namespace millrace::inline server {
namespace json = boost::json;

std::string to_token(const PushPosition& position) {
  return base64_encode(
      json::serialize(json::object{{"topic", position.topic}, {"offsets", json::value_from(position.offsets)}}));
}

std::optional<PushPosition> parse_token(std::string_view token) {
  std::string text;
  if (!base64_decode(token, text)) return std::nullopt;
  boost::system::error_code bad;
  const json::value value = json::parse(text, bad);
  if (bad || !value.is_object()) return std::nullopt;
  const json::value* topic = value.get_object().if_contains("topic");
  const json::value* offsets = value.get_object().if_contains("offsets");
  if (topic == nullptr || !topic->is_string() || offsets == nullptr || !offsets->is_array()) return std::nullopt;
  PushPosition position{.topic = std::string(topic->get_string()), .offsets = {}};
  for (const json::value& offset : offsets->get_array()) {
    if (!offset.is_int64() || offset.get_int64() < 0) return std::nullopt;
    position.offsets.push_back(offset.get_int64());
  }
  return position;
}

std::optional<std::string> resumable_topic(const PhysicalPlan& plan) {
  if (plan.subtopologies.size() != 1 || !plan.subtopologies.front().stores.empty()) return std::nullopt;
  const auto sources = sources_of(*plan.subtopologies.front().root);
  if (sources.size() != 1) return std::nullopt;
  return sources.front()->as<SourceNode>()->topic;
}

}  // namespace millrace::inline server
