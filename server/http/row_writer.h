#pragma once

#include <memory>
#include <optional>
#include <string>

#include "server/http/media_type.h"
#include "server/session/service.h"

namespace millrace::inline server {

/// The text of a query's answer in one of the three layouts of http-api.md. `out` is appended to. One thread.
class RowWriter {
 public:
  virtual ~RowWriter() = default;
  virtual void header(const QueryHeader& header, std::string& out) = 0;
  /// Row `row` of the batch; may write nothing (deletions in the delimited layout).
  virtual void row(const Batch& batch, std::size_t row, std::string& out) = 0;
  virtual void end(const std::optional<std::string>& message, const std::optional<ServiceError>& error,
                   std::string& out) = 0;
};

/// `buffered`: pull queries, whose last element has no separator after it.
std::unique_ptr<RowWriter> make_row_writer(MediaType type, bool buffered);

}  // namespace millrace::inline server
