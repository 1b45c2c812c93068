#pragma once

#include <boost/url/url.hpp>
#include <chrono>
#include <memory>
#include <string>

#include "exec/data/result.h"

namespace boost::asio::ssl {
class context;
}

namespace millrace::inline exec {

struct HttpQuestion {
  std::string method;  // GET, POST, DELETE
  boost::urls::url url;
  std::string authorization;  // header; empty: none
  std::string body;           // JSON; empty: none
};
struct HttpAnswer {
  unsigned status = 0;
  std::string body;
};

/// One request on a connection of its own. `tls` is used for https. An external error says what went wrong on the way.
Result<HttpAnswer> exchange(const HttpQuestion& question, boost::asio::ssl::context& tls, bool verify,
                            std::chrono::milliseconds timeout);

}  // namespace millrace::inline exec
