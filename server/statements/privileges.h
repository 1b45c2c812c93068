#pragma once

#include <string>
#include <vector>

#include "parser/ast/statement.h"
#include "planner/bind/binder.h"

namespace millrace::inline server {

enum class Privilege : std::uint8_t { read, write, create, drop, terminate, configure };

/// What statements take of those who run them, gathered from their trees: they need not be good.
struct Needs {
  struct Need {
    Privilege privilege;
    std::string name;  // of a source or topic; empty: the server as a whole
  };
  const Catalog& catalog;
  std::vector<Need> privileges = {};
  std::vector<std::string> shown = {};  // names that one must have some privilege on

  void add(Privilege privilege, std::string name = {}) { privileges.push_back({privilege, std::move(name)}); }
  /// Reading all that a query is from.
  void add(const ast::Query& query);
};

/// Adds those of a statement.
void add_needs(const ast::Statement& statement, Needs& needs);

}  // namespace millrace::inline server
