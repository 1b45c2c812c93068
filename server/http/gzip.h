#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "server/http/exchange.h"

namespace millrace::inline server {

std::string gzip(std::string_view text);
/// Nothing: it is no gzip, or more than `limit` bytes when unpacked.
std::optional<std::string> gunzip(std::string_view bytes, std::size_t limit);

/// Whether the client takes gzip (Accept-Encoding).
bool takes_gzip(const HttpRequest& request);
/// Answers as `inner` does, whole answers of some size compressed. Streams stay as they are: each row is to arrive when
/// it is there.
std::shared_ptr<Responder> gzip_responder(std::shared_ptr<Responder> inner);

}  // namespace millrace::inline server
