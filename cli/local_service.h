#pragma once

#include <memory>
#include <string>

#include "cli/data_directory.h"
#include "exec/log/log.h"
#include "server/session/service.h"

namespace millrace::inline cli {

struct LocalOptions {
  Config config;
  std::string kafka;                     // HOST:PORT list; empty: embedded log
  std::string advertised;                // host:port
  std::shared_ptr<ServicePeers> remote;  // the way to the other processes of the service; null: none is asked
  int workers = 0;                       // 0: one per core
  bool memory = false;                   // the log keeps everything in memory
};

/// A log and the service on it, in this process: what `millrace server` and `millrace run` stand on. Closed in the
/// right order.
class LocalService {
 public:
  static Result<std::unique_ptr<LocalService>> open(std::unique_ptr<DataDirectory> directory, LocalOptions options);
  /// The log alone, for who has to look into it or fill it first.
  static Result<std::unique_ptr<Log>> open_log(const DataDirectory& directory, const LocalOptions& options);
  /// On a log that is open already.
  static Result<std::unique_ptr<LocalService>> open(std::unique_ptr<DataDirectory> directory, LocalOptions options,
                                                    std::unique_ptr<Log> log);
  Service& service() { return *service_; }
  /// Ends the service; the log stays open.
  void stop() { service_.reset(); }
  Log& log() { return *log_; }
  const DataDirectory& directory() const { return *directory_; }

 private:
  std::unique_ptr<DataDirectory> directory_;
  std::unique_ptr<Log> log_;
  std::unique_ptr<Service> service_;
};

}  // namespace millrace::inline cli
