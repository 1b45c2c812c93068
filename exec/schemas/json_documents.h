#pragma once

#include <boost/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "exec/data/result.h"
#include "planner/types/schema.h"

namespace millrace::inline exec::json_schema {

/// A JSON Schema with the documents that it refers to.
class Documents {
 public:
  static Result<Documents> parse(const SchemaText& schema);

  const boost::json::value& root() const { return documents_.front().second; }
  /// What a `$ref` inside a document means; moves `document` to where it stands. A user error where nothing is there.
  Result<const boost::json::value*> resolve(const std::string& reference, std::size_t& document) const;

 private:
  std::vector<std::pair<std::string, boost::json::value>> documents_;  // by name; the first is the schema itself
};

}  // namespace millrace::inline exec::json_schema
