#include "server/http/io_here.h"

namespace millrace::inline server {
namespace {

thread_local IoHere* current = nullptr;

}  // namespace

IoHere* IoHere::get() {
  return current;
}

void IoHere::run(boost::asio::io_context& io) {
  IoHere here{io};
  current = &here;
  io.run();
  for (const auto& end : here.ends) end();
  io.restart();
  io.poll();
  current = nullptr;
}

}  // namespace millrace::inline server
