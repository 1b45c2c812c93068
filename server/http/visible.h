#pragma once

#include <boost/json.hpp>
#include <string_view>

#include "server/http/access.h"

namespace millrace::inline server {

/// What one user may see of answers that are made for everybody.
class Visible {
 public:
  Visible(const Access& access, const Principal& user, Catalog catalog)
      : access_(access), user_(user), catalog_(std::move(catalog)) {}

  /// Leaves out of the entities of an answer what the user does not see.
  void filter(boost::json::array& entities) const;
  /// Takes names that the user does not see, and hints at names, out of an error.
  void cleanse(ServiceError& error) const;
  /// Whether the user may know of a command: `stream/`S`/create` and the like.
  bool command(std::string_view id) const;

 private:
  bool source(std::string_view name) const;
  bool source(const boost::json::value& name) const;
  bool all_of(const boost::json::object& item, std::string_view list) const;
  /// Whether the text deals with a source that the user does not see, or is none that can be read.
  bool tells(std::string_view text) const;
  bool hides(const boost::json::value& item) const;
  bool hides_word(std::string_view word) const;
  void filter(boost::json::object& entity) const;

  const Access& access_;
  const Principal& user_;
  const Catalog catalog_;
};

}  // namespace millrace::inline server
