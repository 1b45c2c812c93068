#include "server/http/media_type.h"

#include <cstdlib>

#include "server/http/http_text.h"

namespace millrace::inline server {
namespace {

bool matches(std::string_view range, MediaType type) {
  const std::string_view name = media_type_name(type);
  return range == "*/*" || range == name || (range == "application/*" && name.starts_with("application/"));
}

double quality(std::string_view parameters) {
  const std::size_t at = parameters.find("q=");
  return at == std::string_view::npos ? 1.0 : std::strtod(std::string(parameters.substr(at + 2)).c_str(), nullptr);
}

}  // namespace

std::string_view media_type_name(MediaType type) {
  switch (type) {
    case MediaType::v1:
      return "application/vnd.ksql.v1+json";
    case MediaType::delimited:
      return "application/vnd.ksqlapi.delimited.v1";
    case MediaType::protobuf:
      return "application/vnd.ksql.v1+protobuf";
    default:
      return "application/json";
  }
}

std::optional<MediaType> negotiate(const std::optional<std::string>& accept, std::span<const MediaType> offered,
                                   MediaType fallback) {
  if (!accept || trim(*accept).empty()) return fallback;
  std::optional<MediaType> best;
  double best_quality = 0;
  std::string_view rest = *accept;
  while (!rest.empty()) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    std::string_view entry = trim(rest.substr(0, comma));
    rest.remove_prefix(std::min(comma + 1, rest.size()));
    const std::size_t semicolon = std::min(entry.find(';'), entry.size());
    const double weight = quality(entry.substr(semicolon));
    const std::string_view range = trim(entry.substr(0, semicolon));
    for (MediaType type : offered) {
      if (!matches(range, type) || weight <= best_quality) continue;
      best = type;
      best_quality = weight;
      break;
    }
  }
  return best;
}

}  // namespace millrace::inline server
