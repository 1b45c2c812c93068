#include "server/http/media_type.h"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <string>
#include <tuple>
#include <vector>

#include "parser/error/letter_case.h"
#include "parser/error/trim.h"
#include "server/http/http_text.h"

namespace millrace::inline server {
namespace {

/// One element of an Accept header.
struct Range {
  std::string name;
  double weight = 1;
};

Range parse_range(std::string_view entry) {
  std::size_t semicolon = std::min(entry.find(';'), entry.size());
  Range range{.name = lower_case(trim(entry.substr(0, semicolon)))};
  while (semicolon < entry.size()) {
    entry.remove_prefix(semicolon + 1);
    semicolon = std::min(entry.find(';'), entry.size());
    const std::string parameter = lower_case(trim(entry.substr(0, semicolon)));
    if (parameter.starts_with("q=")) range.weight = std::strtod(parameter.c_str() + 2, nullptr);
  }
  return range;
}

/// How closely a range names a type; 0: it does not.
int closeness(std::string_view range, std::string_view type) {
  if (range == type) return 3;
  if (range == "application/*" && type.starts_with("application/")) return 2;
  return range == "*/*" ? 1 : 0;
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
  std::vector<Range> ranges;
  for (std::string_view rest = *accept; !rest.empty();) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    if (const std::string_view entry = trim(rest.substr(0, comma)); !entry.empty())
      ranges.push_back(parse_range(entry));
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  // The closest range says how welcome a type is; among equally welcome ones a name counts more than a star, and then
  // the client's order.
  std::optional<MediaType> best;
  std::tuple<double, int, std::ptrdiff_t> best_rank{0, 0, 0};
  for (const MediaType type : offered) {
    std::size_t chosen = ranges.size();
    int closest = 0;
    for (std::size_t i = 0; i < ranges.size(); ++i)
      if (const int close = closeness(ranges[i].name, media_type_name(type)); close > closest) {
        closest = close;
        chosen = i;
      }
    if (closest == 0 || ranges[chosen].weight <= 0) continue;
    const std::tuple rank{ranges[chosen].weight, closest, -static_cast<std::ptrdiff_t>(chosen)};
    if (best && rank <= best_rank) continue;
    best = type;
    best_rank = rank;
  }
  return best;
}

}  // namespace millrace::inline server
