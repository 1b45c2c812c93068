#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "planner/bind/scope.h"

namespace millrace::inline planner {

/// Which names of a subquery are of the query around. Its own come first. Both scopes are borrowed.
class Correlation {
 public:
  Correlation(const Scope& inner, const Scope& outer);

  struct Reads {
    bool inner = false, outer = false;
  };
  Reads reads(const ast::ExprPtr& expr) const;
  /// Every column with the alias of its source; those of the subquery have names that the query around has not.
  ast::ExprPtr rewrite(const ast::ExprPtr& expr) const;
  /// What names mean where both meet: columns of the subquery stand behind `width` others.
  Scope both(std::size_t width, bool with_outer) const;

 private:
  ast::ExprPtr walk(const ast::ExprPtr& expr, const std::set<std::string>& parameters, Reads& found) const;

  const Scope& inner_;
  const Scope& outer_;
  std::map<std::string, std::string> names_;  // of the subquery's sources
};

}  // namespace millrace::inline planner
