#include "server/http/http_text.h"

#include <boost/url/pct_string_view.hpp>

namespace millrace::inline server {

std::string percent_decode(std::string_view text, bool plus_is_blank) {
  const auto encoded = boost::urls::make_pct_string_view(boost::core::string_view(text.data(), text.size()));
  if (!encoded) return std::string(text);
  boost::urls::encoding_opts options;
  options.space_as_plus = plus_is_blank;
  return encoded->decode(options);
}

}  // namespace millrace::inline server
