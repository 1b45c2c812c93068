#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "exec/operators/group_values.h"
#include "exec/operators/over_values.h"

namespace millrace::inline exec {

/// Aggregates over all rows of a partition from the first one on.
struct RunningCalls {
  /// `with_peers`: those alone whose frames end with the rows that are equal to the last one in the order, or those
  /// that end before.
  explicit RunningCalls(const OverNode& node, std::optional<bool> with_peers = {})
      : calls(calls_of(node, with_peers)), layout(calls, true), arguments(calls, *node.input) {}

  const std::vector<AggregateCall> calls;
  GroupLayout layout;
  GroupArguments arguments;

 private:
  static std::vector<AggregateCall> calls_of(const OverNode& node, std::optional<bool> with_peers) {
    std::vector<AggregateCall> calls;
    for (const OverCall& call : node.calls)
      if (is_running(call, node) && call.frame.range == with_peers.value_or(call.frame.range))
        calls.push_back(call.call);
    return calls;
  }
};

/// What running aggregates of one partition have seen, as values of a GroupLayout.
class RunningState {
 public:
  RunningState(const GroupLayout& layout, std::string_view encoded) : layout_(&layout), bytes_(make_bytes(layout)) {
    made_ = !encoded.empty() && layout.decode(encoded, value());
    good_ = made_ || encoded.empty();
    if (made_) return;
    layout.init(value());
    made_ = true;
  }
  /// The same again.
  RunningState(const RunningState& other) : layout_(other.layout_), bytes_(make_bytes(*layout_)), made_(true) {
    layout_->copy(other.value(), value());
  }
  RunningState(RunningState&& other) noexcept
      : layout_(other.layout_),
        bytes_(std::move(other.bytes_)),
        made_(std::exchange(other.made_, false)),
        good_(other.good_) {}
  RunningState& operator=(const RunningState&) = delete;
  ~RunningState() {
    if (made_) layout_->destroy(value());
  }
  bool good() const { return good_; }
  std::byte* value() const { return reinterpret_cast<std::byte*>(bytes_.get()); }

 private:
  static std::unique_ptr<std::max_align_t[]> make_bytes(const GroupLayout& layout) {
    return std::make_unique<std::max_align_t[]>((layout.size() + sizeof(std::max_align_t) - 1) /
                                                sizeof(std::max_align_t));
  }
  const GroupLayout* layout_;
  std::unique_ptr<std::max_align_t[]> bytes_;
  bool made_ = false, good_ = true;
};

}  // namespace millrace::inline exec
