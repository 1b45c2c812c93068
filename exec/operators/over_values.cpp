#include "exec/operators/over_values.h"

#include <algorithm>
#include <cstring>

namespace millrace::inline exec {

bool is_running(const OverCall& call, const OverNode& node) {
  return node.input->kind == RelationKind::stream && call.call.function->kind == FunctionKind::aggregate &&
         call.frame.start == OverFrame::Edge::unbounded_preceding;
}

FrameFinder::FrameFinder(const OverFrame& frame, const SortKey* order, bool to_row)
    : frame_(frame),
      descending_(order != nullptr && order->descending),
      nulls_first_(order != nullptr && order->nulls_first),
      to_row_(to_row) {
  if (order == nullptr || !by_value()) return;
  order_.emplace(order->expr);
  real_ = order->expr->type.kind() == TypeKind::double_;
}

bool FrameFinder::by_value() const {
  const auto at_distance = [](OverFrame::Edge edge) {
    return edge == OverFrame::Edge::preceding || edge == OverFrame::Edge::following;
  };
  return frame_.range && (at_distance(frame_.start) || at_distance(frame_.end));
}

std::size_t FrameFinder::rows_before() const {
  if (frame_.range || frame_.start == OverFrame::Edge::unbounded_preceding) return SIZE_MAX;
  return frame_.start == OverFrame::Edge::preceding ? static_cast<std::size_t>(frame_.start_by) : 0;
}

std::size_t FrameFinder::rows_behind() const {
  if (frame_.range || frame_.end == OverFrame::Edge::unbounded_following) return SIZE_MAX;
  return frame_.end == OverFrame::Edge::following ? static_cast<std::size_t>(frame_.end_by) : 0;
}

void FrameFinder::find(const Batch& rows, std::span<const std::uint32_t> peers, std::span<const WindowRows::Part> parts,
                       RowErrors& errors, std::vector<WindowRows::Frame>& out) {
  if (order_) {
    const ColumnPtr values = order_->evaluate(rows, errors);
    nulls_.resize(rows.rows);
    (real_ ? real_values_.resize(rows.rows) : whole_values_.resize(rows.rows));
    const std::size_t width = value_width(values->type);
    for (std::size_t row = 0; row < rows.rows; ++row) {
      nulls_[row] = values->is_null(row) ? 1 : 0;
      if (nulls_[row] != 0) continue;
      if (real_)
        real_values_[row] = values->values<double>()[row];
      else
        whole_values_[row] = width == 4   ? Int128{values->values<std::int32_t>()[row]}
                             : width == 8 ? Int128{values->values<std::int64_t>()[row]}
                                          : values->values<Int128>()[row];
    }
  }
  out.clear();
  for (const WindowRows::Part& part : parts)
    for (std::uint32_t row = part.from; row < part.to; ++row)
      out.push_back({start_of(part, row, peers), end_of(part, row, peers)});
}

/// The first row of the part whose value is not before that of `row` moved by so much; `end`: the first behind those.
std::uint32_t FrameFinder::search(const WindowRows::Part& part, std::uint32_t row, bool following, std::int64_t by,
                                  double real, bool end) const {
  // Rows without a value stand together at one end.
  std::uint32_t first = part.first, last = part.end;
  if (nulls_first_)
    while (first < last && nulls_[first] != 0) ++first;
  else
    while (last > first && nulls_[last - 1] != 0) --last;
  const bool up = following != descending_;
  const auto find = [&](const auto& values, auto limit) {
    const auto before = [&](std::uint32_t at) {
      const auto& value = values[at];
      if (descending_) return end ? value >= limit : value > limit;
      return end ? value <= limit : value < limit;
    };
    std::uint32_t low = first, high = last;
    while (low < high) {
      const std::uint32_t middle = low + (high - low) / 2;
      before(middle) ? low = middle + 1 : high = middle;
    }
    return low;
  };
  if (real_) return find(real_values_, real_values_[row] + (up ? real : -real));
  return find(whole_values_, whole_values_[row] + (up ? Int128{by} : -Int128{by}));
}

std::uint32_t FrameFinder::start_of(const WindowRows::Part& part, std::uint32_t row,
                                    std::span<const std::uint32_t> peers) const {
  const auto size = static_cast<std::int64_t>(part.end);
  switch (frame_.start) {
    case OverFrame::Edge::unbounded_preceding:
      return part.first;
    case OverFrame::Edge::current_row:
      return frame_.range ? peers[row] : row;
    case OverFrame::Edge::preceding:
    case OverFrame::Edge::following: {
      const bool following = frame_.start == OverFrame::Edge::following;
      if (frame_.range && nulls_[row] != 0) return peers[row];
      if (frame_.range) return search(part, row, following, frame_.start_by, frame_.start_real, false);
      const std::int64_t at =
          following ? std::min(size, row + frame_.start_by) : std::max<std::int64_t>(part.first, row - frame_.start_by);
      return static_cast<std::uint32_t>(at);
    }
    case OverFrame::Edge::unbounded_following:
      break;
  }
  return part.end;
}

std::uint32_t FrameFinder::end_of(const WindowRows::Part& part, std::uint32_t row,
                                  std::span<const std::uint32_t> peers) const {
  const auto peers_end = [&] {
    std::uint32_t end = row + 1;
    while (end < part.end && peers[end] == peers[row]) ++end;
    return end;
  };
  switch (frame_.end) {
    case OverFrame::Edge::unbounded_following:
      return part.end;
    case OverFrame::Edge::current_row:
      return frame_.range && !to_row_ ? peers_end() : row + 1;
    case OverFrame::Edge::preceding:
    case OverFrame::Edge::following: {
      const bool following = frame_.end == OverFrame::Edge::following;
      if (frame_.range && nulls_[row] != 0) return to_row_ ? row + 1 : peers_end();
      if (frame_.range) return search(part, row, following, frame_.end_by, frame_.end_real, true);
      const std::int64_t at = following ? std::min<std::int64_t>(part.end, row + frame_.end_by + 1)
                                        : std::max<std::int64_t>(part.first, row - frame_.end_by + 1);
      return static_cast<std::uint32_t>(at);
    }
    case OverFrame::Edge::unbounded_preceding:
      break;
  }
  return part.first;
}

/// One call: its arguments and its frames.
class OverValues::Call {
 public:
  Call(const OverCall& call, const OverNode& node)
      : frames_(call.frame, node.order.empty() ? nullptr : &node.order.front(),
                node.input->kind == RelationKind::stream && !node.exact) {}
  virtual ~Call() = default;
  virtual Status evaluate(const Batch& rows, std::span<const std::uint32_t> peers,
                          std::span<const WindowRows::Part> parts, RowErrors& errors, ColumnPtr& out) = 0;
  virtual std::size_t rows_before() const { return frames_.rows_before(); }
  virtual std::size_t rows_behind() const { return frames_.rows_behind(); }

 protected:
  FrameFinder frames_;
  std::vector<WindowRows::Frame> found_;
};

class OverValues::FunctionCall final : public OverValues::Call {
 public:
  FunctionCall(const OverCall& call, const OverNode& node)
      : Call(call, node), function_(make_window_function(call)), arguments_(call.call.arguments, *node.input) {}

  Status evaluate(const Batch& rows, std::span<const std::uint32_t> peers, std::span<const WindowRows::Part> parts,
                  RowErrors& errors, ColumnPtr& out) override {
    if (function_->looks_at_frame()) {
      frames_.find(rows, peers, parts, errors, found_);
    } else {
      std::size_t asked = 0;
      for (const WindowRows::Part& part : parts) asked += part.to - part.from;
      found_.resize(asked);
    }
    const std::vector<ColumnPtr> arguments = arguments_.evaluate(rows, std::nullopt, errors);
    out = function_->evaluate({.parts = parts, .peers = peers, .frames = found_}, arguments);
    return {};
  }
  std::size_t rows_before() const override {
    return function_->looks_at_frame() ? Call::rows_before() : function_->rows_before();
  }
  std::size_t rows_behind() const override {
    return function_->looks_at_frame() ? Call::rows_behind() : function_->rows_behind();
  }

 private:
  std::unique_ptr<WindowFunction> function_;
  RowEvaluators arguments_;
};

/// An aggregate over the rows of each frame. What a frame has in common with the one before it is taken over where it
/// only grows; rows are never taken out again, since what is left of sums of DOUBLEs would depend on where they began.
class OverValues::FrameAggregate final : public OverValues::Call {
 public:
  FrameAggregate(const OverCall& call, const OverNode& node)
      : Call(call, node), layout_({&call.call, 1}, true), arguments_({&call.call, 1}, *node.input) {}
  ~FrameAggregate() override { clear(); }

  Status evaluate(const Batch& rows, std::span<const std::uint32_t> peers, std::span<const WindowRows::Part> parts,
                  RowErrors& errors, ColumnPtr& out) override {
    frames_.find(rows, peers, parts, errors, found_);
    arguments_.evaluate(rows, errors);
    clear();
    std::vector<const std::byte*> values;
    values.reserve(found_.size());
    WindowRows::Frame at{0, 0};
    for (const WindowRows::Frame& frame : found_) {
      const bool same = !states_.empty() && frame.start == at.start && frame.end == at.end;
      const bool grows = !states_.empty() && frame.start == at.start && frame.end > at.end;
      if (!same) {
        std::byte* state = make(grows ? states_.back() : nullptr);
        if (Status taken = take(state, grows ? at.end : frame.start, frame.end); !taken) return taken;
        at = frame;
      }
      values.push_back(states_.back());
    }
    out = layout_.results(values).front();
    return {};
  }

 private:
  std::byte* make(const std::byte* from) {
    const std::size_t size = (layout_.size() + alignof(std::max_align_t) - 1) & ~(alignof(std::max_align_t) - 1);
    if (left_ < size) {
      chunk_ = std::max<std::size_t>(size, std::min<std::size_t>(64 << 10, 8 * size + memory_.size() * 4096));
      memory_.push_back(
          std::make_unique<std::max_align_t[]>((chunk_ + sizeof(std::max_align_t) - 1) / sizeof(std::max_align_t)));
      left_ = chunk_;
    }
    std::byte* state = reinterpret_cast<std::byte*>(memory_.back().get()) + (chunk_ - left_);
    left_ -= size;
    from == nullptr ? layout_.init(state) : layout_.copy(from, state);
    states_.push_back(state);
    return state;
  }
  Status take(std::byte* state, std::uint32_t from, std::uint32_t to) {
    if (from >= to) return {};
    rows_.clear();
    for (std::uint32_t row = from; row < to; ++row) rows_.push_back(row);
    into_.assign(rows_.size(), state);
    return arguments_.apply(layout_, into_, rows_, false);
  }
  void clear() {
    for (std::byte* state : states_) layout_.destroy(state);
    states_.clear();
    memory_.clear();
    left_ = 0;
  }

  GroupLayout layout_;
  GroupArguments arguments_;
  std::vector<std::byte*> states_;
  std::vector<std::unique_ptr<std::max_align_t[]>> memory_;
  std::size_t chunk_ = 0, left_ = 0;
  std::vector<std::byte*> into_;
  std::vector<std::uint32_t> rows_;
};

OverValues::OverValues(const OverNode& node, bool running) {
  for (const OverCall& call : node.calls) {
    if (!running && is_running(call, node)) continue;
    schema_.columns.push_back(call.call.column);
    if (call.call.function->kind == FunctionKind::aggregate)
      calls_.push_back(std::make_unique<FrameAggregate>(call, node));
    else
      calls_.push_back(std::make_unique<FunctionCall>(call, node));
    const std::size_t before = calls_.back()->rows_before(), behind = calls_.back()->rows_behind();
    if (before == SIZE_MAX || behind == SIZE_MAX)
      reach_.reset();
    else if (reach_)
      reach_ = std::max(*reach_, std::max(before, behind));
  }
}

OverValues::~OverValues() = default;

Status OverValues::evaluate(const Batch& rows, std::span<const std::string_view> order,
                            std::span<const WindowRows::Part> parts, RowErrors& errors, std::vector<ColumnPtr>& out) {
  peers_.resize(rows.rows);
  for (const WindowRows::Part& part : parts)
    for (std::uint32_t row = part.first; row < part.end; ++row)
      peers_[row] = row > part.first && order[row] == order[row - 1] ? peers_[row - 1] : row;
  out.resize(calls_.size());
  for (std::size_t c = 0; c < calls_.size(); ++c)
    if (Status done = calls_[c]->evaluate(rows, peers_, parts, errors, out[c]); !done) return done;
  return {};
}

}  // namespace millrace::inline exec
