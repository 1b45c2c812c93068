#include "tests/sql/script.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "parser/error/letter_case.h"

namespace millrace::sql_test {
namespace {

using harness::Json;

std::string trim(std::string_view text) {
  const std::size_t from = text.find_first_not_of(" \t\r");
  if (from == std::string_view::npos) return {};
  return std::string(text.substr(from, text.find_last_not_of(" \t\r") - from + 1));
}

std::vector<std::string> words(const std::string& line) {
  std::istringstream stream(line);
  std::vector<std::string> out;
  for (std::string word; stream >> word && word != "#";) out.push_back(word);
  return out;
}

// Cells between bars; bars inside JSON text do not count.
std::vector<std::string> cells(const std::string& line) {
  std::vector<std::string> out(1);
  bool text = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '"' && (i == 0 || line[i - 1] != '\\')) text = !text;
    if (line[i] == '|' && !text)
      out.emplace_back();
    else
      out.back() += line[i];
  }
  for (auto& cell : out) cell = trim(cell);
  return out;
}

bool starts_step(const std::string& line) {
  static constexpr std::string_view kSteps[] = {"statement ", "schema ", "feed ", "expect ", "metric ", "fails ",
                                                "query",      "pull ",   "bag ",  "final ",  "clock "};
  return std::any_of(std::begin(kSteps), std::end(kSteps),
                     [&](std::string_view step) { return line.starts_with(step); });
}

class Reader {
 public:
  explicit Reader(const std::filesystem::path& path) : name_(path.filename()) {
    std::ifstream file(path);
    if (!file) throw std::runtime_error("cannot read " + path.string());
    for (std::string line; std::getline(file, line);) lines_.push_back(line);
  }

  std::vector<Step> read() {
    std::vector<Step> steps;
    while (at_ < lines_.size()) {
      const std::string line = trim(lines_[at_]);
      if (line.empty() || line.starts_with('#')) {
        ++at_;
        continue;
      }
      const int number = static_cast<int>(at_) + 1;
      ++at_;
      steps.push_back(Step{number, step(line)});
    }
    return steps;
  }

 private:
  [[noreturn]] void fail(const std::string& problem) const {
    throw std::runtime_error(fmt::format("{}:{}: {}", name_, at_, problem));
  }

  decltype(Step::what) step(const std::string& line) {
    const auto parts = words(line);
    if (parts[0] == "statement" && parts.size() >= 2) return statement(parts, line);
    if (parts[0] == "schema" && parts.size() == 3) return SchemaStep{parts[1], parts[2], block()};
    if (parts[0] == "feed" && parts.size() == 2) return FeedStep{upper_case(parts[1]), rows()};
    if (parts[0] == "expect" && parts.size() == 2)
      return ExpectStep{upper_case(parts[1]), ExpectStep::Compare::all, rows()};
    if (parts[0] == "bag" && parts.size() == 2)
      return ExpectStep{upper_case(parts[1]), ExpectStep::Compare::bag, rows()};
    if (parts[0] == "final" && parts.size() == 2)
      return ExpectStep{upper_case(parts[1]), ExpectStep::Compare::last, rows()};
    if (parts[0] == "clock" && parts.size() == 2) return ClockStep{std::stoll(parts[1])};
    if (parts[0] == "clock" && parts[1] == "at" && parts.size() == 3) return ClockStep{std::stoll(parts[2]), true};
    if (parts[0] == "metric" && parts.size() == 4)
      return MetricStep{upper_case(parts[1]), parts[2], std::stoull(parts[3])};
    if (parts[0] == "fails" && parts.size() >= 3)
      return FailsStep{upper_case(parts[1]), trim(line.substr(line.find(parts[1]) + parts[1].size()))};
    if (line == "query" || line == "query zeros alike") {
      QueryStep step{sql(), {}, {}, line != "query"};
      if (at_ < lines_.size() && lines_[at_].starts_with("error ")) step.failure = trim(lines_[at_++].substr(6));
      step.rows = result_rows();
      return step;
    }
    if (parts[0] == "pull" && parts.size() == 2) return PullStep{upper_case(parts[1]), result_rows()};
    fail("not a step: " + line);
  }

  StatementStep statement(const std::vector<std::string>& parts, const std::string& line) {
    StatementStep out;
    if (parts[1] == "error" && parts.size() >= 3) {
      out.error = parts[2];
      if (parts.size() == 5 && parts[3] == "at") out.position = parts[4];
      if (const auto text = line.find(" saying "); text != std::string::npos) out.message = line.substr(text + 8);
      for (std::size_t at = 0; (at = out.message.find("\\n", at)) != std::string::npos;)
        out.message.replace(at, 2, "\n");
    } else if (parts[1] != "ok") {
      fail("statement ok or statement error CODE");
    }
    out.text = sql();
    return out;
  }

  std::string sql() {
    std::string text;
    for (bool ended = false; !ended && at_ < lines_.size(); ++at_) {
      text += (text.empty() ? "" : "\n") + lines_[at_];
      ended = trim(lines_[at_]).ends_with(';');
    }
    return text;
  }

  std::vector<std::string> result_rows() {
    std::vector<std::string> out;
    for (; at_ < lines_.size(); ++at_) {
      const std::string line = trim(lines_[at_]);
      if (line.starts_with('#')) continue;
      if (line.empty() || starts_step(line)) break;
      const bool tombstone = line.starts_with("tombstone ");
      out.push_back((tombstone ? "tombstone " : "") + print_json(json(tombstone ? line.substr(10) : line)));
    }
    return out;
  }

  std::string block() {
    std::string out;
    for (; at_ < lines_.size() && !trim(lines_[at_]).empty(); ++at_) out += lines_[at_] + "\n";
    return out;
  }

  std::vector<RecordSpec> rows() {
    std::vector<RecordSpec> out;
    for (; at_ < lines_.size(); ++at_) {
      const std::string line = trim(lines_[at_]);
      if (line.starts_with('#')) continue;
      if (line.empty() || starts_step(line)) break;
      out.push_back(row(cells(line)));
    }
    return out;
  }

  RecordSpec row(const std::vector<std::string>& parts) {
    RecordSpec record;
    std::size_t at = 0;
    record.key = json(parts.at(at++));
    if (at < parts.size() && parts[at].find("..") != std::string::npos && !parts[at].starts_with('{'))
      record.window = window(parts[at++]);
    if (at >= parts.size()) fail("a row has a key and a value");
    record.value = json(parts[at++]);
    if (at < parts.size()) {
      record.timestamp = std::stoll(parts[at++]);
      record.has_timestamp = true;
    }
    if (at != parts.size()) fail("too many cells");
    return record;
  }

  RecordSpec::Window window(std::string text) const {
    RecordSpec::Window out;
    if (text.starts_with("session ")) {
      out.session = true;
      text = text.substr(8);
    }
    const std::size_t dots = text.find("..");
    out.start = std::stoll(text.substr(0, dots));
    out.end = std::stoll(text.substr(dots + 2));
    return out;
  }

  Json json(const std::string& text) const {
    if (text.starts_with("raw ")) {
      Json raw = Json::string(text.substr(4));
      raw.kind = Json::Kind::raw;
      return raw;
    }
    auto parsed = harness::parse_json(text);
    if (!parsed) fail("not JSON: " + text);
    return *parsed;
  }

  const std::string name_;
  std::vector<std::string> lines_;
  std::size_t at_ = 0;
};

}  // namespace

std::vector<Step> read_script(const std::filesystem::path& path) {
  return Reader(path).read();
}

}  // namespace millrace::sql_test
