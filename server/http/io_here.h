#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <vector>

namespace millrace::inline server {

/// The thread of a server's connections that calls. What a request needs from elsewhere is best fetched on it: nothing
/// has to be woken then, and what several requests want goes together.
struct IoHere {
  boost::asio::io_context& io;
  std::vector<std::function<void()>> ends = {};  // called on the thread before it ends

  /// Null on a thread that has no connections.
  static IoHere* get();
  /// Runs `io` until it is stopped, then what is left in it after the ends.
  static void run(boost::asio::io_context& io);
};

}  // namespace millrace::inline server
