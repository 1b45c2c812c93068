#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <map>

#include "exec/functions/builtin.h"
#include "planner/bind/resolve_function.h"

/// docs/functions.md is written from the declarations: MILLRACE_WRITE_DOCS=1 writes it, else it must be up to date.
namespace millrace {
namespace {

constexpr const char* kPage = "docs/functions.md";

std::string kind_text(FunctionKind kind) {
  switch (kind) {
    case FunctionKind::aggregate:
      return " (aggregate)";
    case FunctionKind::table:
      return " (table function)";
    case FunctionKind::window:
      return " (needs OVER)";
    default:
      return "";
  }
}

std::string example_text(const FunctionExample& example) {
  std::string text = "- `" + example.sql + "`";
  constexpr std::string_view kColumns = "xyz";
  for (std::size_t i = 0; i < example.over.size(); ++i)
    text += fmt::format("{}{} of `{}`", i == 0 ? " over " : ", ", kColumns[i], example.over[i]);
  return text + (example.result == "error" ? " is an error of the row\n" : " → `" + example.result + "`\n");
}

std::string function_text(const FunctionDef& function) {
  std::string text = fmt::format("\n### {}{}\n\n{}\n\n```\n", function.name, kind_text(function.kind), function.doc);
  for (const FunctionVariant& variant : function.variants) {
    text += signature(function, variant);
    if (!variant.resolve_return) text += " -> " + to_string(variant.returns);
    text += variant.deterministic ? "\n" : "  -- differs from call to call\n";
  }
  text += "```\n\n";
  for (const FunctionExample& example : function.examples) text += example_text(example);
  return text;
}

std::string page() {
  std::map<std::string, std::string> categories;
  for (const FunctionDef& function : builtin_functions().all())
    categories[function.category] += function_text(function);
  std::string text =
      "# Functions\n\nWritten from the declarations in `exec/functions/`; the examples are run by the tests. An error "
      "of "
      "a row gives NULL and an entry in the\nprocessing log. A function that is given NULL gives NULL unless it says "
      "otherwise.\n\nFormats of dates and times are the patterns of java.time (`DateTimeFormatter`, in English); "
      "PARSE_DATE takes numbers as loosely as\n`SimpleDateFormat`. Time zones are the system's, by the names of the "
      "time "
      "zone database, or offsets such as `+02:00`; in texts they have the database's letters and CLDR's names, where "
      "Java has\na list of its own. A clock reading that comes\ntwice means the first, one that is left "
      "out is moved forward. JSON functions read the first value of their text.\nRegular expressions are those of ICU "
      "with "
      "Java's `\\d`, `\\w` and `\\s`; one that takes too long on a text is an error of the row.\n";
  for (const auto& [category, functions] : categories) text += "\n## " + category + "\n" + functions;
  while (text.ends_with("\n\n")) text.pop_back();
  return text;
}

TEST(FunctionsPage, IsUpToDate) {
  const std::string wanted = page();
  if (std::getenv("MILLRACE_WRITE_DOCS") != nullptr) std::ofstream(kPage) << wanted;
  std::ifstream in(kPage);
  const std::string found{std::istreambuf_iterator<char>(in), {}};
  EXPECT_TRUE(found == wanted) << kPage << " is old: run the test once with MILLRACE_WRITE_DOCS=1";
}

}  // namespace
}  // namespace millrace
