#include <unistd.h>

#include <cstdio>
#include <iostream>

#include "cli/commands.h"
#include "cli/options.h"
#include "server/http/credentials.h"

namespace millrace::inline cli {
namespace {

constexpr const char* kPasswordHelp = R"(usage: millrace password USER [ROLE...]

Asks for a password (or reads a line of standard input) and prints the user's line for millrace.authentication.file.

examples:
  millrace password ann analyst >> /etc/millrace/users
  millrace password operator admin < secret.txt
)";
const std::vector<OptionDef> kPasswordOptions = {{"help", 'h', false}};

std::string ask() {
  if (isatty(STDIN_FILENO) == 0) {
    std::string line;
    std::getline(std::cin, line);
    return line;
  }
  const char* typed = getpass("Password: ");
  return typed == nullptr ? "" : typed;
}

}  // namespace

int password_command(const std::vector<std::string>& arguments) {
  const Options options(kPasswordOptions, arguments);
  if (options.has("help")) return std::fputs(kPasswordHelp, stdout) < 0;
  if (options.positional().empty()) throw UsageError("expected USER [ROLE...]");
  const std::string& user = options.positional().front();
  if (user.find_first_of(":,# \t") != std::string::npos)
    throw UsageError("a user's name has no blanks and none of : , #");
  const std::string password = ask();
  if (password.empty()) throw UsageError("the password is empty");
  std::printf("%s: %s", user.c_str(), hash_password(password).c_str());
  for (std::size_t i = 1; i < options.positional().size(); ++i) std::printf(", %s", options.positional()[i].c_str());
  std::printf("\n");
  return 0;
}

}  // namespace millrace::inline cli
