#include <algorithm>

#include "parser/error/letter_case.h"
#include "parser/syntax/parse.h"

namespace millrace::inline parser {
namespace {

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/// The name in `${name}` at the start of `text`; empty when something else stands there.
std::string_view reference(std::string_view text) {
  if (!text.starts_with("${")) return {};
  const std::size_t close = text.find('}');
  if (close == std::string_view::npos) return {};
  const std::string_view name = text.substr(2, close - 2);
  return std::all_of(name.begin(), name.end(), is_name_character) ? name : std::string_view();
}

/// Takes over what the statement, when it is one, defines.
void define(const ast::Statement& statement, Variables& variables) {
  if (const auto* defined = statement.as<ast::DefineVariable>()) variables[defined->name.text] = defined->value;
  if (const auto* gone = statement.as<ast::UndefineVariable>()) variables.erase(gone->name.text);
}

}  // namespace

std::string substitute_variables(std::string_view text, const Variables& variables) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const std::string_view rest = text.substr(at);
    const bool escaped = rest.starts_with("$${");
    const std::string_view name = reference(escaped ? rest.substr(1) : rest);
    if (name.empty()) {
      out += text[at++];
      continue;
    }
    const std::size_t length = name.size() + 3;  // with `${` and `}`
    const auto known = escaped ? variables.end() : variables.find(upper_case(name));
    if (escaped) ++at;
    out += known != variables.end() ? std::string_view(known->second) : text.substr(at, length);
    at += length;
  }
  return out;
}

std::string substitute_script(std::string_view text, Variables variables, Dialect dialect) {
  std::string out;
  std::size_t at = 0;
  for (const std::string_view piece : statement_pieces(text)) {
    const auto end = static_cast<std::size_t>(piece.data() - text.data()) + piece.size();
    const std::string replaced = substitute_variables(text.substr(at, end - at), variables);
    at = end;
    out += replaced;
    try {
      for (const auto& statement : parse(replaced, dialect)) define(*statement, variables);
    } catch (const SqlError&) {
      // Whoever parses the whole shows the mistake in its place.
    }
  }
  return out.append(text.substr(at));
}

std::string escape_variables(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (!reference(text.substr(at)).empty()) out += '$';
    out += text[at];
  }
  return out;
}

}  // namespace millrace::inline parser
