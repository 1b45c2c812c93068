#include "cli/logging.h"

#include <fmt/format.h>
#include <spdlog/formatter.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <boost/json.hpp>
#include <chrono>
#include <ctime>

#include "cli/options.h"
#include "server/http/operate.h"

namespace millrace::inline cli {
namespace json = boost::json;
namespace {

class JsonLines final : public spdlog::formatter {
 public:
  void format(const spdlog::details::log_msg& message, spdlog::memory_buf_t& out) override {
    const auto since = message.time.time_since_epoch();
    const std::time_t seconds = std::chrono::duration_cast<std::chrono::seconds>(since).count();
    const auto millis = std::chrono::duration_cast<std::chrono::milliseconds>(since).count() % 1000;
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    char time[32];
    std::strftime(time, sizeof time, "%Y-%m-%dT%H:%M:%S", &parts);
    const auto text = [](const spdlog::string_view_t& view) { return json::string_view(view.data(), view.size()); };
    const std::string line = json::serialize(json::object{{"time", fmt::format("{}.{:03}Z", time, millis)},
                                                          {"level", text(spdlog::level::to_string_view(message.level))},
                                                          {"message", text(message.payload)}}) +
                             "\n";
    out.append(line.data(), line.data() + line.size());
  }
  std::unique_ptr<spdlog::formatter> clone() const override { return std::make_unique<JsonLines>(); }
};

}  // namespace

void set_up_logging(const std::string& format, const std::string& level) {
  if (format != "text" && format != "json")
    throw UsageError(fmt::format("the log's format is text or json, not '{}'", format));
  auto logger = std::make_shared<spdlog::logger>("millrace", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
  if (format == "json")
    logger->set_formatter(std::make_unique<JsonLines>());
  else
    logger->set_pattern("%Y-%m-%d %H:%M:%S.%e %^%l%$ %v");
  spdlog::set_default_logger(logger);
  if (!set_log_level(level)) throw UsageError(fmt::format("'{}' is no log level: debug, info, warn, error", level));
}

}  // namespace millrace::inline cli
