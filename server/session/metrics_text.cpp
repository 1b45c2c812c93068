#include "server/session/metrics_text.h"

#include <fmt/format.h>

#include <cmath>
#include <iterator>

namespace millrace::inline server {
namespace {

void write_label(std::string_view value, std::string& out) {
  for (const char c : value) {
    if (c == '\\' || c == '"') out.push_back('\\');
    if (c == '\n') {
      out += "\\n";
    } else {
      out.push_back(c);
    }
  }
}

}  // namespace

void MetricsText::family(std::string_view name, std::string_view type, std::string_view help) {
  name_ = fmt::format("millrace_{}", name);
  fmt::format_to(std::back_inserter(text_), "# HELP {0} {1}\n# TYPE {0} {2}\n", name_, help, type);
}

void MetricsText::sample(double value, Labels labels) {
  text_ += name_;
  char separator = '{';
  for (const auto& [name, content] : labels) {
    text_ += separator;
    text_ += name;
    text_ += "=\"";
    write_label(content, text_);
    text_ += '"';
    separator = ',';
  }
  if (labels.size() > 0) text_ += '}';
  if (std::isnan(value)) {
    text_ += " NaN\n";
  } else {
    fmt::format_to(std::back_inserter(text_), " {:.17g}\n", value);
  }
}

}  // namespace millrace::inline server
