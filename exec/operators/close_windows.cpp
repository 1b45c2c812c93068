#include <algorithm>
#include <set>

#include "exec/operators/held_rows.h"
#include "exec/operators/windows.h"

namespace millrace::inline exec {
namespace {

/// Keeps the newest row of each windowed key until the window is over.
class CloseWindows final : public Operator {
 public:
  CloseWindows(const CloseWindowsNode& node, const LowerContext& lower, std::unique_ptr<TableSide> side)
      : context_(lower.context),
        side_(std::move(side)),
        size_ms_(node.input->window->type == WindowType::session ? 0 : node.input->window->size_ms.value_or(0)) {}

  Status on_batch(int, const Batch& in, Emitter& out) override {
    const std::vector<std::uint32_t> news = TableSide::news(in);
    std::vector<std::uint32_t> rows;
    std::uint64_t late = 0;
    for (const std::uint32_t row : news) {
      stream_time_ = std::max(stream_time_, (*in.timestamps)[row]);
      if ((*in.window_end)[row] <= complete()) {
        ++late;
      } else {
        rows.push_back(row);
        ends_.insert((*in.window_end)[row]);
      }
      if (!any_closing()) continue;
      if (Status taken = take(in, rows); !taken) return taken;
      if (Status given = close(out); !given) return given;
    }
    if (late != 0) context_.late_rows(late);
    return take(in, rows);
  }
  Status on_time(int, std::int64_t time, Emitter& out) override {
    stream_time_ = std::max(stream_time_, time);
    return any_closing() ? close(out) : Status{};
  }
  Status on_commit(Emitter&) override {
    side_->store().expire_before(expired_before());
    return {};
  }
  void save(std::string& bytes) const override {
    for (const std::int64_t number : {stream_time_, closed_}) save_number(number, bytes);
    for (const std::int64_t end : ends_) save_number(end, bytes);
  }
  Status load(std::string_view bytes) override {
    stream_time_ = load_number(bytes, INT64_MIN);
    closed_ = load_number(bytes, 0);
    ends_.clear();
    while (!bytes.empty()) ends_.insert(load_number(bytes, 0));
    side_->store().expired_before(expired_before());
    return {};
  }

 private:
  /// Windows that end up to this are over. At a session's end a row may still come.
  std::int64_t complete() const {
    return stream_time_ == INT64_MIN ? INT64_MIN : stream_time_ - (size_ms_ == 0 ? 1 : 0);
  }
  bool any_closing() const { return !ends_.empty() && *ends_.begin() <= complete(); }
  /// Stores begin keys of windows with their start, of sessions with their end.
  std::int64_t expired_before() const { return closed_ + 1 - size_ms_; }

  Status take(const Batch& in, std::vector<std::uint32_t>& rows) {
    if (rows.empty()) return {};
    Status taken = side_->apply(in, rows, [](std::size_t, const Entry&) {});
    rows.clear();
    return taken;
  }

  /// By end, then by key.
  Status close(Emitter& out) {
    const std::int64_t from = expired_before();
    closed_ = complete();
    MapStore& store = side_->store();
    std::vector<Entry*> entries;
    if (Status found = store.collect_windows_in_order(from, expired_before(), entries); !found) return found;
    for (std::size_t at = 0; at < entries.size(); at += kMaxBatchRows) {
      const auto part = std::span(entries).subspan(at, std::min(kMaxBatchRows, entries.size() - at));
      if (Status given = give(part, out); !given) return given;
    }
    ends_.erase(ends_.begin(), ends_.upper_bound(closed_));
    return out.time(closed_);
  }

  Status give(std::span<Entry* const> entries, Emitter& out) {
    std::vector<std::string_view> keys;
    std::vector<std::optional<std::string_view>> rows;
    std::vector<std::int64_t> timestamps;
    for (const Entry* entry : entries) {
      keys.push_back(side_->store().key(*entry));
      rows.emplace_back(row_value(entry->value()).bytes());
      timestamps.push_back(value_timestamp(entry->value()));
    }
    Result<Batch> batch = stored_rows(side_->keys(), side_->codec(), keys, rows, std::move(timestamps));
    return batch ? out.batch(std::move(*batch)) : batch.error();
  }

  OperatorContext& context_;
  std::unique_ptr<TableSide> side_;
  const std::int64_t size_ms_;  // of fixed windows; 0: sessions
  std::int64_t stream_time_ = INT64_MIN;
  std::int64_t closed_ = 0;      // windows that end up to this have been given out
  std::set<std::int64_t> ends_;  // of the windows that are kept
};

}  // namespace

MadeOperator make_close_windows(const CloseWindowsNode& node, const LowerContext& lower) {
  Result<std::unique_ptr<TableSide>> side = TableSide::make(*node.input, lower.store("rows"));
  if (!side) return side.error();
  return std::make_unique<CloseWindows>(node, lower, std::move(*side));
}

}  // namespace millrace::inline exec
