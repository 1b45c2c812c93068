#include "server/http/access.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>

#include "parser/error/letter_case.h"
#include "parser/syntax/parse.h"
#include "server/http/http_text.h"
#include "server/session/errors.h"

namespace millrace::inline server {
namespace {

constexpr std::array<std::string_view, 6> kPrivileges = {"READ", "WRITE", "CREATE", "DROP", "TERMINATE", "CONFIGURE"};

bool matches(std::string_view pattern, std::string_view name) {
  while (!pattern.empty() && pattern.front() != '*') {
    if (name.empty() || name.front() != pattern.front()) return false;
    pattern.remove_prefix(1);
    name.remove_prefix(1);
  }
  if (pattern.empty()) return name.empty();
  pattern.remove_prefix(1);
  for (std::size_t skip = 0; skip <= name.size(); ++skip)
    if (matches(pattern, name.substr(skip))) return true;
  return false;
}

std::vector<std::string> words_of(std::string_view line) {
  std::vector<std::string> words;
  std::string word;
  const auto flush = [&] {
    if (!word.empty()) words.push_back(std::exchange(word, {}));
  };
  for (const char c : line) {
    if (c == '#') break;
    if (std::isspace(static_cast<unsigned char>(c)) != 0 || c == ',' || c == ';')
      flush();
    else
      word += c;
  }
  flush();
  return words;
}

ServiceError denied(Privilege privilege, const std::string& name) {
  if (name.empty()) return service_error(kForbidden, "You are forbidden from using this cluster.");
  std::string verb(kPrivileges[static_cast<std::size_t>(privilege)]);
  std::transform(verb.begin() + 1, verb.end(), verb.begin() + 1, [](unsigned char c) { return std::tolower(c); });
  return service_error(kTopicForbidden, fmt::format("Authorization denied to {} on topic(s): [{}]", verb, name));
}

}  // namespace

Result<std::unique_ptr<Access>> Access::read(const std::string& path) {
  std::ifstream file(path);
  if (!file) return user_error("cannot read the grants in {}: {}", path, std::strerror(errno));
  auto out = std::make_unique<Access>();
  std::string line;
  for (int number = 1; std::getline(file, line); ++number)
    if (Status added = out->add_line(line); !added) return user_error("{}:{}: {}", path, number, added.error().message);
  return out;
}

Status Access::add_line(std::string_view line) {
  const std::vector<std::string> words = words_of(line);
  if (words.empty()) return {};
  std::vector<std::optional<Privilege>> privileges;
  std::vector<std::string> patterns, roles;
  enum { kWhat, kOn, kTo } part = kWhat;
  if (upper_case(words.front()) != "GRANT") return user_error("expected GRANT, got '{}'", words.front());
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::string word = upper_case(words[i]);
    if (part == kWhat && word == "ON") {
      part = kOn;
    } else if (part != kTo && word == "TO") {
      part = kTo;
    } else if (part == kTo) {
      roles.push_back(words[i]);
    } else if (part == kOn) {
      patterns.push_back(word);
    } else if (word == "ALL") {
      privileges.emplace_back(std::nullopt);
    } else {
      const auto found = std::find(kPrivileges.begin(), kPrivileges.end(), word);
      if (found == kPrivileges.end())
        return user_error("there is no privilege '{}': READ, WRITE, CREATE, DROP, TERMINATE, CONFIGURE or ALL",
                          words[i]);
      privileges.emplace_back(static_cast<Privilege>(found - kPrivileges.begin()));
    }
  }
  if (privileges.empty() || roles.empty())
    return user_error("expected GRANT privilege, ... [ON name, ...] TO role, ...");
  if (patterns.empty()) patterns.emplace_back("*");
  for (const std::string& role : roles)
    for (const auto& privilege : privileges)
      for (const std::string& pattern : patterns) grants_.push_back({role, privilege, pattern});
  return {};
}

bool Access::is_unlimited(const Principal& user) const {
  return std::any_of(grants_.begin(), grants_.end(), [&](const Grant& grant) {
    return !grant.privilege && grant.pattern == "*" &&
           std::find(user.roles.begin(), user.roles.end(), grant.role) != user.roles.end();
  });
}

bool Access::allows(const Principal& user, Privilege privilege, std::string_view name) const {
  const std::string wanted = upper_case(name);
  return std::any_of(grants_.begin(), grants_.end(), [&](const Grant& grant) {
    return (!grant.privilege || grant.privilege == privilege) && (name.empty() || matches(grant.pattern, wanted)) &&
           std::find(user.roles.begin(), user.roles.end(), grant.role) != user.roles.end();
  });
}

bool Access::sees(const Principal& user, std::string_view name) const {
  return allows(user, Privilege::read, name) || allows(user, Privilege::write, name) ||
         allows(user, Privilege::create, name) || allows(user, Privilege::drop, name);
}

std::optional<ServiceError> Access::check(const Principal& user, const Request& request, const Catalog& catalog) const {
  if (is_unlimited(user)) return std::nullopt;
  Needs needs{.catalog = catalog};
  try {
    const std::string text = request.sql.find("${") == std::string::npos
                                 ? request.sql
                                 : substitute_variables(request.sql, request.variables);
    for (const auto& statement : parse(text)) add_needs(*statement, needs);
  } catch (const SqlError&) {
    return std::nullopt;
  }
  for (const auto& [privilege, name] : needs.privileges)
    if (!allows(user, privilege, name)) return denied(privilege, name);
  for (const std::string& name : needs.shown)
    if (!sees(user, name)) return denied(Privilege::read, name);
  return std::nullopt;
}

std::optional<ServiceError> Access::check_insert(const Principal& user, const std::string& target,
                                                 const Catalog&) const {
  const bool quoted = target.size() >= 2 && target.front() == '`' && target.back() == '`';
  const std::string name = quoted ? target.substr(1, target.size() - 2) : upper_case(target);
  if (is_unlimited(user) || allows(user, Privilege::write, name)) return std::nullopt;
  return denied(Privilege::write, name);
}

std::optional<std::vector<std::string>> Access::names_in(std::string_view text, const Catalog& catalog) {
  Needs needs{.catalog = catalog};
  try {
    for (const auto& statement : parse(std::string(text))) add_needs(*statement, needs);
  } catch (const SqlError&) {
    return std::nullopt;
  }
  std::vector<std::string> names = needs.shown;
  for (const auto& need : needs.privileges)
    if (!need.name.empty()) names.push_back(need.name);
  return names;
}

}  // namespace millrace::inline server
