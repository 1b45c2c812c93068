#include "cli/line_editor.h"

#include <histedit.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstring>

namespace millrace::inline cli {
namespace {

constexpr int kHistorySize = 5000;

/// Abbreviations that TAB expands at the start of a line (README.md, Use).
constexpr std::pair<const char*, const char*> kTemplates[] = {
    {"cs", "CREATE STREAM s (field1 type1) WITH (KAFKA_TOPIC='topic-name', VALUE_FORMAT='JSON');"},
    {"ct", "CREATE TABLE t (field1 type1 PRIMARY KEY) WITH (KAFKA_TOPIC='topic-name', VALUE_FORMAT='JSON');"},
    {"csas", "CREATE STREAM s AS SELECT fields FROM stream EMIT CHANGES;"},
    {"ctas", "CREATE TABLE t AS SELECT fields FROM stream GROUP BY field EMIT CHANGES;"},
    {"ii", "INSERT INTO s SELECT fields FROM stream EMIT CHANGES;"},
};

volatile sig_atomic_t interrupted = 0;
void on_interrupt(int) {
  interrupted = 1;
}

class EditLine final : public LineEditor {
 public:
  EditLine(const std::string& history_file, std::function<std::vector<std::string>()> words)
      : history_file_(history_file), words_(std::move(words)) {
    editor_ = el_init("millrace", stdin, stdout, stderr);
    el_set(editor_, EL_CLIENTDATA, this);
    el_set(editor_, EL_PROMPT, &EditLine::show_prompt);
    el_set(editor_, EL_SIGNAL, 0);
    el_set(editor_, EL_EDITOR, "emacs");
    history_ = history_init();
    HistEvent event;
    ::history(history_, &event, H_SETSIZE, kHistorySize);
    ::history(history_, &event, H_SETUNIQUE, 1);
    ::history(history_, &event, H_LOAD, history_file_.c_str());
    el_set(editor_, EL_HIST, ::history, history_);
    el_set(editor_, EL_ADDFN, "complete", "complete a word", &EditLine::complete);
    el_set(editor_, EL_BIND, "^I", "complete", nullptr);
    el_set(editor_, EL_BIND, "^R", "em-inc-search-prev", nullptr);
    el_source(editor_, nullptr);
  }
  ~EditLine() override {
    HistEvent event;
    ::history(history_, &event, H_SAVE, history_file_.c_str());
    history_end(history_);
    el_end(editor_);
  }

  Line read(const std::string& prompt) override {
    prompt_ = prompt;
    struct sigaction action = {}, before;
    action.sa_handler = on_interrupt;  // no SA_RESTART: the read must end
    sigaction(SIGINT, &action, &before);
    interrupted = 0;
    int count = 0;
    const char* text = el_gets(editor_, &count);
    sigaction(SIGINT, &before, nullptr);
    if (interrupted) {
      el_reset(editor_);
      return {End::interrupted, {}};
    }
    if (text == nullptr || count <= 0) return {End::end_of_input, {}};
    std::string line(text, static_cast<std::size_t>(count));
    while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.pop_back();
    return {End::line, line};
  }

  void remember(const std::string& statement) override {
    HistEvent event;
    std::string one_line = statement;
    std::replace(one_line.begin(), one_line.end(), '\n', ' ');
    ::history(history_, &event, H_ENTER, one_line.c_str());
    ::history(history_, &event, H_SAVE, history_file_.c_str());
  }

  std::vector<std::string> history() const override {
    std::vector<std::string> lines;
    HistEvent event;
    for (int more = ::history(history_, &event, H_LAST); more != -1; more = ::history(history_, &event, H_PREV)) {
      std::string line = event.str;
      while (!line.empty() && line.back() == '\n') line.pop_back();
      lines.push_back(std::move(line));
    }
    return lines;
  }

  bool history_writable() const override {
    FILE* file = std::fopen(history_file_.c_str(), "a");
    if (file != nullptr) std::fclose(file);
    return file != nullptr;
  }

 private:
  static EditLine& self(::EditLine* editor) {
    void* data = nullptr;
    el_get(editor, EL_CLIENTDATA, &data);
    return *static_cast<EditLine*>(data);
  }
  static char* show_prompt(::EditLine* editor) { return self(editor).prompt_.data(); }

  static unsigned char complete(::EditLine* editor, int) { return self(editor).complete_word(); }

  unsigned char complete_word() {
    const LineInfo* line = el_line(editor_);
    const char* start = line->cursor;
    while (start > line->buffer && (std::isalnum(static_cast<unsigned char>(start[-1])) || start[-1] == '_')) --start;
    const std::string word(start, line->cursor);
    if (word.empty()) return CC_ERROR;
    if (start == line->buffer)
      for (const auto& [abbreviation, expansion] : kTemplates)
        if (word == abbreviation) {
          el_deletestr(editor_, static_cast<int>(word.size()));
          el_insertstr(editor_, expansion);
          return CC_REFRESH;
        }
    std::vector<std::string> matches;
    for (const std::string& candidate : words_()) {
      if (candidate.size() >= word.size() &&
          std::equal(word.begin(), word.end(), candidate.begin(), [](char a, char b) {
            return std::toupper(static_cast<unsigned char>(a)) == std::toupper(static_cast<unsigned char>(b));
          }))
        matches.push_back(candidate);
    }
    std::sort(matches.begin(), matches.end());
    matches.erase(std::unique(matches.begin(), matches.end()), matches.end());
    return insert_match(word, matches);
  }

  unsigned char insert_match(const std::string& word, const std::vector<std::string>& matches) {
    if (matches.empty()) return CC_REFRESH_BEEP;
    std::string common = matches.front();
    for (const std::string& match : matches) {
      std::size_t same = 0;
      while (same < common.size() && same < match.size() && common[same] == match[same]) ++same;
      common.resize(same);
    }
    if (common.size() > word.size() || matches.size() == 1) {
      el_deletestr(editor_, static_cast<int>(word.size()));
      el_insertstr(editor_, (common + (matches.size() == 1 ? " " : "")).c_str());
      return CC_REFRESH;
    }
    std::fputc('\n', stdout);
    for (const std::string& match : matches) std::printf("%s  ", match.c_str());
    std::fputc('\n', stdout);
    return CC_REDISPLAY;
  }

  const std::string history_file_;
  std::function<std::vector<std::string>()> words_;
  ::EditLine* editor_ = nullptr;
  History* history_ = nullptr;
  std::string prompt_;
};

}  // namespace

std::unique_ptr<LineEditor> LineEditor::open(const std::string& history_file,
                                             std::function<std::vector<std::string>()> words) {
  return std::make_unique<EditLine>(history_file, std::move(words));
}

}  // namespace millrace::inline cli
