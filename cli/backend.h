#pragma once

#include <boost/json.hpp>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/testing/json_text.h"
#include "exec/data/result.h"
#include "parser/syntax/parse.h"
#include "planner/bind/binder.h"

namespace millrace::inline server {
class Service;
}

namespace millrace::inline cli {

struct ConnectionOptions;

/// An answer to statements: entities, and the error that ended them, as the API words them.
struct StatementAnswer {
  std::vector<boost::json::object> entities;
  std::optional<boost::json::object> error;  // {"error_code","message",...}
};

/// Takes the rows of a query. Calls come on the thread that asked.
class RowReceiver {
 public:
  virtual ~RowReceiver() = default;
  virtual void header(const std::string& query_id, std::vector<std::string> columns,
                      const boost::json::object& raw) = 0;
  /// False ends the query.
  /// `values`: an array.
  virtual bool row(const harness::Json& values, bool tombstone) = 0;
  virtual bool line(std::string_view text) = 0;
  virtual void end(const std::optional<std::string>& message, const std::optional<boost::json::object>& error) = 0;
};

/// Where a session's statements go: a server, or a service in this process. One thread, but for interrupt().
class Backend {
 public:
  virtual ~Backend() = default;
  /// Errors: the backend cannot be reached.
  virtual Result<StatementAnswer> execute(const std::string& sql, const PropertyMap& properties,
                                          const Variables& variables, std::optional<std::int64_t> after_command) = 0;
  /// Runs a query to its end, to `interrupt`, or until `limit` passes. A refused query ends with its error and no
  /// header.
  virtual Status query(const std::string& sql, const PropertyMap& properties, const Variables& variables,
                       RowReceiver& receiver, std::optional<std::chrono::milliseconds> limit) = 0;
  /// Ends a query under way. Async-signal-safe.
  virtual void interrupt() = 0;
  virtual Result<boost::json::object> info() = 0;
  virtual Result<bool> is_valid_property(const std::string& name, std::string& why) = 0;
};

/// Null: the URL or a file of the connection's options is not one.
std::unique_ptr<Backend> make_http_backend(const std::string& url, const ConnectionOptions& connection);

/// Push queries without LIMIT end when the input that was there when they began is used up.
std::unique_ptr<Backend> make_local_backend(Service& service);

}  // namespace millrace::inline cli
