#pragma once

#include <memory>
#include <utility>

#include "parser/ast/query.h"

namespace millrace::inline parser::ast {

/// SELECT * FROM (query)
inline Query within_from(Query query) {
  Query whole;
  whole.span = query.span;
  whole.items = {SelectStar{std::nullopt, query.span}};
  whole.from.first.name = {.text = {}, .quoted = false, .span = query.span};
  whole.from.first.query = std::make_shared<const Query>(std::move(query));
  return whole;
}

}  // namespace millrace::inline parser::ast
