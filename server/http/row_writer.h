#pragma once

#include <memory>
#include <optional>
#include <string>

#include "server/http/media_type.h"
#include "server/session/service.h"

namespace millrace::inline server {

/// The text of a query's answer in one of the layouts of http-api.md. `out` is appended to. One thread.
class RowWriter {
 public:
  virtual ~RowWriter() = default;
  virtual void header(const QueryHeader& header, std::string& out) = 0;
  /// Row `row` of the batch, of which every row comes, from 0; may write nothing (deletions in the delimited layout).
  virtual void row(const Batch& batch, std::size_t row, std::string& out) = 0;
  /// Where the client may go on.
  virtual void token(const std::string& token, std::string& out) = 0;
  virtual void end(const std::optional<std::string>& message, const std::optional<ServiceError>& error,
                   std::string& out) = 0;
};

/// Why rows of these columns cannot be given in that layout; nothing when they can.
std::optional<ServiceError> layout_refusal(MediaType type, const QueryHeader& header);

/// `buffered`: pull queries, whose last element has no separator after it.
std::unique_ptr<RowWriter> make_row_writer(MediaType type, bool buffered);

}  // namespace millrace::inline server
