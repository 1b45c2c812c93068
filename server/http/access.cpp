#include "server/http/access.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <fstream>

#include "parser/syntax/parse.h"
#include "server/http/http_errors.h"
#include "server/http/http_text.h"

namespace millrace::inline server {
namespace {

template <class T, class... Ts>
concept OneOf = (std::same_as<T, Ts> || ...);

constexpr int kForbidden = 40300, kTopicForbidden = 40301;
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

/// What one statement needs, gathered from its tree.
class Needs {
 public:
  struct Need {
    Privilege privilege;
    std::string name;
  };
  explicit Needs(const Catalog& catalog) : catalog_(catalog) {}

  void statement(const ast::Statement& statement) {
    std::visit([this](const auto& node) { visit(node); }, statement.node);
  }
  const std::vector<Need>& needs() const { return needs_; }
  const std::vector<std::string>& shown() const { return shown_; }

 private:
  void need(Privilege privilege, std::string name) { needs_.push_back({privilege, std::move(name)}); }
  void query(const ast::QueryPtr& query) {
    need(Privilege::read, query->from.first.name.text);
    for (const auto& join : query->from.joins) need(Privilege::read, join.source.name.text);
  }
  void changed(const std::string& table) {
    need(Privilege::read, table);
    need(Privilege::write, table);
  }
  static std::optional<std::string> topic_of(const ast::Properties& properties) {
    for (const auto& property : properties)
      if (upper(property.name) == "KAFKA_TOPIC")
        if (const auto* text = property.value->as<ast::StringLiteral>()) return text->value;
    return std::nullopt;
  }

  void visit(const ast::CreateSource& node) {
    need(Privilege::create, node.name.text);
    // Who may declare a source over a topic may read and fill it.
    const std::string topic = topic_of(node.properties).value_or(node.name.text);
    need(Privilege::read, topic);
    if (!node.read_only) need(Privilege::write, topic);
  }
  void visit(const ast::CreateAs& node) {
    need(Privilege::create, node.name.text);
    if (auto topic = topic_of(node.properties)) need(Privilege::write, *topic);
    query(node.query);
  }
  void visit(const ast::InsertSelect& node) {
    need(Privilege::write, node.target.text);
    query(node.query);
  }
  void visit(const ast::InsertValues& node) { need(Privilege::write, node.target.text); }
  void visit(const ast::InsertOnce& node) {
    need(Privilege::write, node.target.text);
    query(node.query);
  }
  // These answer with how many rows there were, and so tell what is in the table.
  void visit(const ast::UpsertValues& node) { changed(node.target.text); }
  void visit(const ast::UpdateRows& node) { changed(node.target.text); }
  void visit(const ast::DeleteRows& node) { changed(node.target.text); }
  void visit(const ast::AlterSource& node) { need(Privilege::create, node.name.text); }
  void visit(const ast::DropSource& node) {
    need(Privilege::drop, node.name.text);
    const SourceDef* source = catalog_.find(node.name.text);
    if (node.delete_topic && source != nullptr) need(Privilege::drop, source->topic);
  }
  void visit(const ast::CreateType& node) { need(Privilege::create, node.name.text); }
  void visit(const ast::DropType& node) { need(Privilege::drop, node.name.text); }
  void visit(const ast::CreateConnector&) { need(Privilege::configure, ""); }
  void visit(const ast::DropConnector&) { need(Privilege::configure, ""); }
  void visit(const ast::AlterSystem&) { need(Privilege::configure, ""); }
  void visit(const ast::ControlQuery&) { need(Privilege::terminate, ""); }
  void visit(const ast::Select& node) { query(node.query); }
  void visit(const ast::Print& node) { need(Privilege::read, node.topic.text); }
  void visit(const ast::DescribeSource& node) { shown_.push_back(node.name.text); }
  void visit(const ast::AssertTopic& node) { shown_.push_back(node.topic.text); }
  void visit(const ast::Explain& node) {
    if (node.statement)
      statement(*node.statement);
    else
      need(Privilege::terminate, "");
  }
  // Lists, which are filtered; what belongs to the session alone; what a server does not run.
  template <class Node>
  requires OneOf<Node, ast::ShowSources, ast::ShowTopics, ast::ShowQueries, ast::ShowFunctions, ast::ShowProperties,
                 ast::ShowTypes, ast::ShowVariables, ast::ShowConnectors, ast::ShowConnectorPlugins,
                 ast::DescribeStreams, ast::DescribeFunction, ast::DescribeConnector, ast::SetProperty,
                 ast::UnsetProperty, ast::DefineVariable, ast::UndefineVariable, ast::AssertSchema, ast::AssertValues,
                 ast::AssertSource, ast::RunScript>
  void visit(const Node&) {}

  const Catalog& catalog_;
  std::vector<Need> needs_;
  std::vector<std::string> shown_;
};

ServiceError denied(Privilege privilege, const std::string& name) {
  if (name.empty()) return http_error(kForbidden, "You are forbidden from using this cluster.");
  std::string verb(kPrivileges[static_cast<std::size_t>(privilege)]);
  std::transform(verb.begin() + 1, verb.end(), verb.begin() + 1, [](unsigned char c) { return std::tolower(c); });
  return http_error(kTopicForbidden, fmt::format("Authorization denied to {} on topic(s): [{}]", verb, name));
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
  if (upper(words.front()) != "GRANT") return user_error("expected GRANT, got '{}'", words.front());
  for (std::size_t i = 1; i < words.size(); ++i) {
    const std::string word = upper(words[i]);
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
  const std::string wanted = upper(name);
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
  Needs needs(catalog);
  try {
    const std::string text = request.sql.find("${") == std::string::npos
                                 ? request.sql
                                 : substitute_variables(request.sql, request.variables);
    for (const auto& statement : parse(text)) needs.statement(*statement);
  } catch (const SqlError&) {
    return std::nullopt;
  }
  for (const auto& [privilege, name] : needs.needs())
    if (!allows(user, privilege, name)) return denied(privilege, name);
  for (const std::string& name : needs.shown())
    if (!sees(user, name)) return denied(Privilege::read, name);
  return std::nullopt;
}

std::optional<ServiceError> Access::check_insert(const Principal& user, const std::string& target,
                                                 const Catalog&) const {
  const bool quoted = target.size() >= 2 && target.front() == '`' && target.back() == '`';
  const std::string name = quoted ? target.substr(1, target.size() - 2) : upper(target);
  if (is_unlimited(user) || allows(user, Privilege::write, name)) return std::nullopt;
  return denied(Privilege::write, name);
}

std::optional<std::vector<std::string>> Access::names_in(std::string_view text, const Catalog& catalog) {
  Needs needs(catalog);
  try {
    for (const auto& statement : parse(std::string(text))) needs.statement(*statement);
  } catch (const SqlError&) {
    return std::nullopt;
  }
  std::vector<std::string> names = needs.shown();
  for (const auto& need : needs.needs())
    if (!need.name.empty()) names.push_back(need.name);
  return names;
}

}  // namespace millrace::inline server
