#pragma once

#include "parser/syntax/builder.h"

namespace millrace::inline parser {

class Builder::Level {
 public:
  Level(Builder& builder, antlr4::ParserRuleContext* context) : builder_(builder) {
    if (++builder_.depth_ <= kMaxDepth) return;
    --builder_.depth_;
    throw SqlError(Code::syntax, builder_.span(context), "The expression is nested too deeply", ErrorClass::parse);
  }
  ~Level() { --builder_.depth_; }
  Level(const Level&) = delete;
  Level& operator=(const Level&) = delete;

 private:
  static constexpr int kMaxDepth = 1000;
  Builder& builder_;
};

}  // namespace millrace::inline parser
