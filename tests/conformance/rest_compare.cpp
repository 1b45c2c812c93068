#include "tests/conformance/rest_compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "cli/testing/wire.h"

namespace millrace::conformance {
namespace {

constexpr std::string_view kStartsWith = "|starts_with";

bool same_columns(const Json& expected, const Json& actual);

/// Empty and null members of objects inside a row count as absent.
std::vector<JsonMember> kept_members(const Json& object) {
  std::vector<JsonMember> kept;
  for (const auto& member : object.members)
    if (!member.second.is_null()) kept.push_back(member);
  return kept;
}

bool same_number(const std::string& expected, const std::string& actual) {
  const auto wanted = parse_number(expected), got = parse_number(actual);
  if (!wanted || !got) return false;
  if (wanted->integer && got->integer) return same_value(*wanted, *got);
  // Doubles are the same when they read the same, whatever their digits.
  return std::strtod(expected.c_str(), nullptr) == std::strtod(actual.c_str(), nullptr);
}

bool same_value_of(const Json& expected, const Json& actual) {
  if (expected.is_number()) return actual.is_number() && same_number(expected.text, actual.text);
  if (expected.kind == Json::Kind::array) return same_columns(expected, actual);
  if (!expected.is_object()) return same_json(expected, actual);
  const auto wanted = kept_members(expected), got = kept_members(actual);
  if (!actual.is_object() || wanted.size() != got.size()) return false;
  return std::all_of(wanted.begin(), wanted.end(), [&](const auto& member) {
    const Json* found = actual.find(member.first);
    return found && same_value_of(member.second, *found);
  });
}

bool same_columns(const Json& expected, const Json& actual) {
  return actual.kind == Json::Kind::array && expected.items.size() == actual.items.size() &&
         std::equal(expected.items.begin(), expected.items.end(), actual.items.begin(), same_value_of);
}

const Json* columns_of(const Json& row) {
  const Json* inner = row.find("row");
  return inner ? inner->find("columns") : nullptr;
}

/// INSERT's literals come back masked.
bool contains_statement(const std::string& text, const std::string& statement) {
  const std::size_t values = statement.find("VALUES");
  return text.find(values == std::string::npos || !statement.starts_with("INSERT")
                       ? statement
                       : statement.substr(0, values)) != std::string::npos;
}

}  // namespace

std::string subset_difference(const Json& expected, const Json& actual) {
  if (!expected.is_object())
    return same_value_of(expected, actual) ? ""
                                           : fmt::format("{} instead of {}", print_json(actual), print_json(expected));
  for (const auto& [given, value] : expected.members) {
    const bool prefix = given.ends_with(kStartsWith);
    const std::string name = prefix ? given.substr(0, given.size() - kStartsWith.size()) : given;
    const Json* found = actual.find(name);
    if (!found) return fmt::format("no {} in {}", name, print_json(actual));
    if (prefix) {
      if (!found->text.starts_with(value.text))
        return fmt::format("{} is '{}', not '{}…'", name, found->text, value.text);
    } else if (std::string problem = subset_difference(value, *found); !problem.empty()) {
      return name + ": " + problem;
    }
  }
  return {};
}

std::string rows_difference(const Json& expected, const std::vector<Json>& actual) {
  std::vector<const Json*> bag;
  for (const Json& row : actual)
    if (const Json* columns = columns_of(row)) bag.push_back(columns);
  std::string all;
  for (const Json& row : actual) all += print_json(row) + " ";
  if (expected.items.size() != actual.size())
    return fmt::format("{} elements instead of {}: {}", actual.size(), expected.items.size(), all);
  for (std::size_t i = 0; i < actual.size(); ++i) {
    Json wanted = expected.items[i];
    if (const Json* columns = columns_of(wanted)) {
      const auto found =
          std::find_if(bag.begin(), bag.end(), [&](const Json* other) { return same_columns(*columns, *other); });
      if (found == bag.end()) return fmt::format("no row {} in {}", print_json(*columns), all);
      bag.erase(found);
      auto& members = wanted.members.front().second.members;
      std::erase_if(members, [](const auto& member) { return member.first == "columns"; });
    }
    if (std::string problem = subset_difference(wanted, actual[i]); !problem.empty())
      return fmt::format("element {}: {}", i, problem);
  }
  return {};
}

std::string error_difference(const Case& test, int status, const Json& body) {
  const Json& expected = *test.expected_error;
  const std::string& last = test.statements.back();
  const std::string text = print_json(body), wanted = expected.text_of("message"), got = body.text_of("message");
  if (std::to_string(status) != expected.text_of("status", std::to_string(status)))
    return fmt::format("status {} instead of {}: {}", status, expected.text_of("status"), text);
  // The wording of ANTLR's errors means nothing here (conformance/README.md).
  if (got.find(wanted) == std::string::npos && !test.has_tag("parser-message"))
    return fmt::format("message \"{}\" instead of \"{}\"", got, wanted);
  if (!expected.text_of("type").ends_with("KsqlStatementErrorMessage")) return {};
  if (!contains_statement(body.text_of("statementText"), last))
    return fmt::format("the error names no such statement: {}", text);
  return {};
}

}  // namespace millrace::conformance
