#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace millrace::inline server {

enum class MediaType : std::uint8_t {
  json,
  v1,
  delimited,
  protobuf,
  frames  // of a WebSocket; never negotiated
};
std::string_view media_type_name(MediaType type);

/// The type to answer in: `offered` in the server's order of preference, `fallback` when there is no Accept header;
/// absent: none will do (406).
std::optional<MediaType> negotiate(const std::optional<std::string>& accept, std::span<const MediaType> offered,
                                   MediaType fallback);

}  // namespace millrace::inline server
