#pragma once

#include <antlr4-runtime.h>

#include <optional>
#include <vector>

#include "parser/syntax/parse.h"

/// What the dialects do to the tokens of a text before and while it is parsed. The grammar is that of both.
namespace millrace::inline parser {

/// Gives tokens the types that they have in a dialect: in `ksql` the words of the other one are names, in `millrace`
/// some old words begin something new.
void choose_tokens(const std::vector<antlr4::Token*>& tokens, Dialect dialect);

/// Whether nobody can write the token in a dialect: it is another's, or was made by choose_tokens.
bool is_new_token(std::size_t type, Dialect dialect);

struct MadeName {
  antlr4::WritableToken* token;
  std::size_t type;  // that it had
};
/// Makes a name of the keyword at which parsing stopped, or (`before`) of the one before that, if `millrace` takes it
/// for one where it makes no sense as a keyword. Absent: it stays.
std::optional<MadeName> make_name(const std::vector<antlr4::Token*>& tokens, std::size_t stopped_at, bool before);

}  // namespace millrace::inline parser
