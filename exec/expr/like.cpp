#include <optional>
#include <string>

#include "exec/expr/node.h"

namespace millrace::inline exec {
namespace {

/// A compiled LIKE pattern: pieces of literal text and wildcards for one character, cut at the wildcards for any run.
class LikePattern {
 public:
  LikePattern() = default;
  LikePattern(std::string_view pattern, char escape) {
    for (std::size_t i = 0; i < pattern.size(); ++i) {
      const char c = pattern[i];
      if (escape != 0 && c == escape && i + 1 < pattern.size()) {
        segments_.back().push_back({pattern[++i], false});
      } else if (c == '%') {
        segments_.emplace_back();
      } else {
        segments_.back().push_back({c, c == '_'});
      }
    }
  }

  bool matches(std::string_view text) const {
    const auto first = match_at(segments_.front(), text, 0);
    if (!first) return false;
    if (segments_.size() == 1) return *first == text.size();
    std::size_t at = *first;
    for (std::size_t s = 1; s + 1 < segments_.size(); ++s) {
      const auto end = find(segments_[s], text, at);
      if (!end) return false;
      at = *end;
    }
    return match_end(segments_.back(), text, at);
  }

 private:
  struct Unit {
    char text;
    bool any;
  };
  using Segment = std::vector<Unit>;

  /// Bytes of the character at `at` that a wildcard may take; 0 at the end or at a line break.
  static std::size_t wildcard_width(std::string_view text, std::size_t at) {
    if (at >= text.size()) return 0;
    const auto lead = static_cast<unsigned char>(text[at]);
    if (lead == '\n' || lead == '\r') return 0;
    if (lead < 0x80) return 1;
    const std::string_view rest = text.substr(at, 3);
    if (rest.substr(0, 2) == "\xC2\x85" || rest == "\xE2\x80\xA8" || rest == "\xE2\x80\xA9") return 0;
    return lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  }

  static std::optional<std::size_t> match_at(const Segment& segment, std::string_view text, std::size_t at) {
    for (const Unit& unit : segment) {
      if (unit.any) {
        const std::size_t width = wildcard_width(text, at);
        if (width == 0) return std::nullopt;
        at += width;
      } else {
        if (at >= text.size() || text[at] != unit.text) return std::nullopt;
        ++at;
      }
    }
    return at;
  }

  /// First place at or after `from` where the segment matches; what is skipped must not hold a line break.
  static std::optional<std::size_t> find(const Segment& segment, std::string_view text, std::size_t from) {
    for (std::size_t at = from;;) {
      if (const auto end = match_at(segment, text, at)) return end;
      const std::size_t width = wildcard_width(text, at);
      if (width == 0) return std::nullopt;
      at += width;
    }
  }

  static bool match_end(const Segment& segment, std::string_view text, std::size_t from) {
    for (std::size_t at = from;;) {
      const auto end = match_at(segment, text, at);
      if (end && *end == text.size()) return true;
      const std::size_t width = wildcard_width(text, at);
      if (width == 0) return false;
      at += width;
    }
  }

  std::vector<Segment> segments_{1};
};

class LikeNode final : public Node {
 public:
  LikeNode(NodeBox value, NodeBox pattern, char escape, bool negated)
      : Node(Type::boolean()),
        value_(std::move(value)),
        pattern_(std::move(pattern)),
        escape_(escape),
        negated_(negated) {}

  ColumnPtr evaluate(Frame& frame) override {
    const Operand value = operand(*value_, frame);
    const Operand pattern = operand(*pattern_, frame);
    const std::size_t rows = frame.rows();
    auto column = make_column(type(), rows);
    merge_nulls(value, rows, column->nulls);
    merge_nulls(pattern, rows, column->nulls);
    fail_rows(column->nulls, rows, frame, "LIKE with a NULL operand");
    const auto* texts = value.column->data.as<std::string_view>();
    const auto* patterns = pattern.column->data.as<std::string_view>();
    auto* out = column->values_mut<std::uint8_t>();
    for (std::size_t i = 0; i < rows; ++i) {
      out[i] = 0;
      if (column->nulls.test(i)) continue;
      use(patterns[pattern.row(i)]);
      out[i] = compiled_.matches(texts[value.row(i)]) != negated_ ? 1 : 0;
    }
    return column;
  }

 private:
  void use(std::string_view pattern) {
    if (ready_ && pattern == source_) return;
    source_ = pattern;
    compiled_ = LikePattern(pattern, escape_);
    ready_ = true;
  }

  NodeBox value_, pattern_;
  char escape_;
  bool negated_;
  bool ready_ = false;
  std::string source_;
  LikePattern compiled_;
};

}  // namespace

NodeBox make_like_node(NodeBox value, NodeBox pattern, char escape, bool negated) {
  return std::make_unique<LikeNode>(std::move(value), std::move(pattern), escape, negated);
}

}  // namespace millrace::inline exec
