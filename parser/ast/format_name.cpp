#include <algorithm>
#include <array>

#include "parser/ast/format.h"

namespace millrace::inline parser::ast {
namespace {

/// The keywords that cannot be names, sorted. The grammar has the last word; a test compares the two.
constexpr auto kReserved = std::to_array<std::string_view>({
    "ADVANCE",    "ALL",       "AND",        "AS",        "AT",        "BEGINNING", "BETWEEN",  "BY",       "CASE",
    "CAST",       "CONNECTOR", "CONNECTORS", "CREATE",    "DEFINE",    "DELETE",    "DESCRIBE", "DISTINCT", "DROP",
    "ELSE",       "END",       "EXISTS",     "EXTENDED",  "FALSE",     "FROM",      "FULL",     "GROUP",    "HAVING",
    "HOPPING",    "IN",        "INNER",      "INSERT",    "INTO",      "IS",        "JOIN",     "LEFT",     "LIKE",
    "LIMIT",      "LIST",      "NOT",        "NULL",      "ON",        "OR",        "OUTER",    "PAUSE",    "PRINT",
    "PROPERTIES", "QUERIES",   "RESUME",     "RETENTION", "RIGHT",     "RUN",       "SAMPLE",   "SCRIPT",   "SELECT",
    "SIZE",       "STREAM",    "STREAMS",    "TABLE",     "TERMINATE", "THEN",      "TOPICS",   "TRUE",     "TUMBLING",
    "UNDEFINE",   "UNSET",     "VALUES",     "WHEN",      "WHERE",     "WINDOW",    "WITH",     "WITHIN",
});

bool is_plain(std::string_view name) {
  const auto letter = [](char c) { return (c >= 'A' && c <= 'Z') || c == '_'; };
  if (name.empty() || !letter(name.front())) return false;
  return std::all_of(name.begin(), name.end(), [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

}  // namespace

std::string format_name(std::string_view name) {
  const bool reserved = std::find(kReserved.begin(), kReserved.end(), name) != kReserved.end();
  if (is_plain(name) && !reserved) return std::string(name);
  std::string quoted = "`";
  for (const char c : name) {
    quoted += c;
    if (c == '`') quoted += c;
  }
  return quoted + "`";
}

}  // namespace millrace::inline parser::ast
