#include "exec/log/failpoint.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <map>
#include <thread>

#include "parser/error/mutex.h"

namespace millrace::inline exec::failpoint {

namespace detail {
std::atomic<int> armed{0};
}

namespace {

struct Armed {
  std::optional<Action> action;  // empty: disarmed, still counting
  int hits = 0;
};

struct Registry {
  Mutex mutex;
  std::map<std::string, Armed, std::less<>> points GUARDED_BY(mutex);
};

Registry& registry() {
  static Registry instance;
  return instance;
}

constexpr int kCrashStatus = 42;
constexpr std::chrono::seconds kWait{8};

std::string_view cut(std::string_view& text, char separator) {
  const std::size_t at = text.find(separator);
  const std::string_view head = text.substr(0, at);
  text = at == std::string_view::npos ? std::string_view{} : text.substr(at + 1);
  return head;
}

}  // namespace

void arm(std::string_view name, Action action) {
  const MutexLock lock(registry().mutex);
  registry().points[std::string(name)].action = std::move(action);
  detail::armed.store(1, std::memory_order_relaxed);
}

void disarm_all() {
  const MutexLock lock(registry().mutex);
  registry().points.clear();
  detail::armed.store(0, std::memory_order_relaxed);
}

int hits(std::string_view name) {
  const MutexLock lock(registry().mutex);
  const auto found = registry().points.find(name);
  return found == registry().points.end() ? 0 : found->second.hits;
}

Status arm_from_text(std::string_view text) {
  while (!text.empty()) {
    std::string_view entry = cut(text, ';');
    if (entry.empty()) continue;
    const std::string_view whole = entry;
    const std::string_view name = cut(entry, '=');
    const std::string_view kind = cut(entry, '@');
    Action action;
    if (kind == "crash") {
      action.kind = Action::Kind::crash;
    } else if (kind == "hang") {
      action.kind = Action::Kind::hang;
    } else if (kind == "wait") {
      action.kind = Action::Kind::wait;
    } else if (kind != "error") {
      return user_error("failpoint '{}': expected NAME=KIND@AFTER, the kind being crash, error, hang or wait", whole);
    }
    const auto parsed = std::from_chars(entry.data(), entry.data() + entry.size(), action.after);
    if (!entry.empty() && (parsed.ec != std::errc() || action.after < 0))
      return user_error("failpoint '{}': '{}' is not a number of hits", whole, entry);
    action.error.message = fmt::format("failpoint {}", name);
    arm(name, std::move(action));
  }
  return {};
}

Status detail::hit_armed(std::string_view name) {
  std::function<void()> callback;
  {
    const MutexLock lock(registry().mutex);
    const auto found = registry().points.find(name);
    if (found == registry().points.end()) return {};
    Armed& point = found->second;
    ++point.hits;
    if (!point.action) return {};
    if (point.action->after > 0) {
      --point.action->after;
      return {};
    }
    if (point.action->kind == Action::Kind::crash) _exit(kCrashStatus);
    const Action action = *point.action;
    if (point.action->times > 0 && --point.action->times == 0) point.action.reset();
    if (action.kind == Action::Kind::error) return action.error;
    callback = action.callback;
    if (action.kind == Action::Kind::hang)
      callback = [] {
        while (true) pause();
      };
    if (action.kind == Action::Kind::wait)
      callback = [where = std::string(name)] {
        spdlog::info("failpoint {} waits", where);
        std::this_thread::sleep_for(kWait);
      };
  }
  if (callback) callback();
  return {};
}

}  // namespace millrace::inline exec::failpoint
