#pragma once

#include <memory>
#include <string>

#include "cli/data_directory.h"
#include "exec/log/log.h"
#include "server/session/service.h"

namespace millrace {

struct LocalOptions {
  Config config;
  std::string kafka;       // HOST:PORT list; empty: embedded log
  std::string advertised;  // host:port
  int workers = 0;         // 0: one per core
};

/// A log and the service on it, in this process: what `millrace server` and `millrace run` stand on. Closed in the
/// right order.
class LocalService {
 public:
  static Result<std::unique_ptr<LocalService>> open(std::unique_ptr<DataDirectory> directory, LocalOptions options);
  Service& service() { return *service_; }
  const DataDirectory& directory() const { return *directory_; }

 private:
  std::unique_ptr<DataDirectory> directory_;
  std::unique_ptr<Log> log_;
  std::unique_ptr<Service> service_;
};

}  // namespace millrace
