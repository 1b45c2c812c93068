#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace millrace::inline server {

/// Metrics in Prometheus' text format (version 0.0.4), written as they are asked for; every name begins with
/// `millrace_`. prometheus-cpp would want each family as objects first, and brings no more than these lines do.
class MetricsText {
 public:
  using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

  /// Begins a family; its samples follow. `type`: counter or gauge.
  void family(std::string_view name, std::string_view type, std::string_view help);
  void sample(double value, Labels labels = {});
  std::string text() && { return std::move(text_); }

 private:
  std::string name_;
  std::string text_;
};

}  // namespace millrace::inline server
