#include <gtest/gtest.h>

#include "parser/ast/format.h"
#include "parser/syntax/parse.h"

namespace millrace {
namespace {

TEST(Words, TheFormatterQuotesExactlyTheReservedOnes) {
  for (const std::string& word : keywords()) {
    const auto& reserved = reserved_words();
    const bool quoted = ast::format_name(word) != word;
    EXPECT_EQ(quoted, std::find(reserved.begin(), reserved.end(), word) != reserved.end()) << word;
  }
}

}  // namespace
}  // namespace millrace
