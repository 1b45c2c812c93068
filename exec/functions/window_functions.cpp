#include <algorithm>

#include "exec/functions/declare.h"
#include "exec/functions/families.h"
#include "exec/functions/window_function.h"

namespace millrace::inline exec {
namespace {

struct WindowImplementation : FunctionImplementation {
  using Maker = std::unique_ptr<WindowFunction> (*)(const OverCall& call);
  explicit WindowImplementation(Maker maker) : make(maker) {}
  Maker make;
};

FunctionVariant window(std::string_view signature, WindowImplementation::Maker make) {
  FunctionVariant variant = parse_signature(signature);
  variant.implementation = std::make_shared<const WindowImplementation>(make);
  return variant;
}

std::int64_t constant_or(const OverCall& call, std::int64_t fallback) {
  return call.call.constants.empty() ? fallback : call.call.constants.front().as<std::int32_t>();
}

/// Numbers, by row.
template <class T, class Of>
ColumnPtr numbers(const Type& type, const WindowRows& rows, Of of) {
  auto made = make_column(type, rows.asked());
  T* out = made->template values_mut<T>();
  std::size_t at = 0;
  for (const auto& part : rows.parts)
    for (std::uint32_t row = part.from; row < part.to; ++row) out[at++] = of(part, row);
  return made;
}

/// How many different places in the order there are up to a row.
std::int64_t dense_rank(const WindowRows& rows, const WindowRows::Part& part, std::uint32_t row) {
  std::int64_t rank = 1;
  for (std::uint32_t at = rows.peers[row]; at > part.first; at = rows.peers[at - 1]) ++rank;
  return rank;
}

std::uint32_t peers_end(const WindowRows& rows, const WindowRows::Part& part, std::uint32_t row) {
  std::uint32_t end = row + 1;
  while (end < part.end && rows.peers[end] == rows.peers[row]) ++end;
  return end;
}

enum class Rank : std::uint8_t { row_number, rank, dense_rank, percent_rank, cume_dist, ntile };

template <Rank kind>
class RankWindow final : public WindowFunction {
 public:
  explicit RankWindow(std::int64_t buckets) : buckets_(buckets) {}

  ColumnPtr evaluate(const WindowRows& rows, std::span<const ColumnPtr>) const override {
    using Part = WindowRows::Part;
    if constexpr (kind == Rank::dense_rank) return dense_ranks(rows);
    if constexpr (kind == Rank::row_number)
      return numbers<std::int64_t>(Type::bigint(), rows,
                                   [](const Part& part, std::uint32_t row) { return row - part.first + 1; });
    if constexpr (kind == Rank::rank)
      return numbers<std::int64_t>(
          Type::bigint(), rows, [&](const Part& part, std::uint32_t row) { return rows.peers[row] - part.first + 1; });
    if constexpr (kind == Rank::percent_rank)
      return numbers<double>(Type::double_(), rows, [&](const Part& part, std::uint32_t row) {
        const std::uint32_t others = part.end - part.first - 1;
        return others == 0 ? 0.0 : static_cast<double>(rows.peers[row] - part.first) / others;
      });
    if constexpr (kind == Rank::cume_dist)
      return numbers<double>(Type::double_(), rows, [&](const Part& part, std::uint32_t row) {
        return static_cast<double>(peers_end(rows, part, row) - part.first) / (part.end - part.first);
      });
    return numbers<std::int64_t>(Type::bigint(), rows,
                                 [&](const Part& part, std::uint32_t row) { return bucket(part, row); });
  }

 private:
  static ColumnPtr dense_ranks(const WindowRows& rows) {
    std::int64_t rank = 0;
    return numbers<std::int64_t>(Type::bigint(), rows, [&](const WindowRows::Part& part, std::uint32_t row) {
      if (row == part.from)
        rank = dense_rank(rows, part, row);
      else if (rows.peers[row] == row)
        ++rank;
      return rank;
    });
  }
  /// The first buckets have one row more where it does not come out even.
  std::int64_t bucket(const WindowRows::Part& part, std::uint32_t row) const {
    const std::int64_t all = part.end - part.first, at = row - part.first;
    const std::int64_t small = all / buckets_, larger = all % buckets_;
    const std::int64_t in_larger = larger * (small + 1);
    if (at < in_larger) return at / (small + 1) + 1;
    return larger + (at - in_larger) / small + 1;
  }

  const std::int64_t buckets_;
};

template <Rank kind>
std::unique_ptr<WindowFunction> make_rank(const OverCall& call) {
  return std::make_unique<RankWindow<kind>>(constant_or(call, 1));
}

/// LAG and LEAD: the row so many places away, else the default.
template <bool Back>
class NeighbourWindow final : public WindowFunction {
 public:
  NeighbourWindow(std::int64_t distance, bool ignore_nulls) : distance_(distance), ignore_nulls_(ignore_nulls) {}

  ColumnPtr evaluate(const WindowRows& rows, std::span<const ColumnPtr> arguments) const override {
    std::vector<Pick> picks;
    picks.reserve(rows.asked());
    for (const auto& part : rows.parts)
      for (std::uint32_t row = part.from; row < part.to; ++row) picks.push_back(pick(part, row, arguments));
    std::vector<const Column*> sources;
    for (const ColumnPtr& argument : arguments) sources.push_back(argument.get());
    return interleave(arguments[0]->type, sources, picks);
  }
  std::size_t rows_before() const override { return !Back ? 0 : reach(); }
  std::size_t rows_behind() const override { return Back ? 0 : reach(); }

 private:
  std::size_t reach() const { return ignore_nulls_ ? SIZE_MAX : static_cast<std::size_t>(distance_); }
  Pick pick(const WindowRows::Part& part, std::uint32_t row, std::span<const ColumnPtr> arguments) const {
    std::int64_t at = row, left = distance_;
    const std::int64_t first = part.first, end = part.end;
    if (!ignore_nulls_) {
      at += Back ? -left : left;
      left = 0;
    }
    while (left > 0) {
      at += Back ? -1 : 1;
      if (at < first || at >= end) break;
      if (!arguments[0]->is_null(static_cast<std::size_t>(at))) --left;
    }
    if (at >= first && at < end) return {0, static_cast<std::uint32_t>(at)};
    return arguments.size() > 1 ? Pick{1, row} : Pick{};
  }

  const std::int64_t distance_;
  const bool ignore_nulls_;
};

template <bool Back>
std::unique_ptr<WindowFunction> make_neighbour(const OverCall& call) {
  return std::make_unique<NeighbourWindow<Back>>(constant_or(call, 1), call.ignore_nulls);
}

/// The nth row of the frame, or the last.
class PlaceWindow final : public WindowFunction {
 public:
  /// `place`: counts from 1; 0: the last.
  PlaceWindow(std::int64_t place, bool ignore_nulls) : place_(place), ignore_nulls_(ignore_nulls) {}

  ColumnPtr evaluate(const WindowRows& rows, std::span<const ColumnPtr> arguments) const override {
    std::vector<Pick> picks;
    picks.reserve(rows.asked());
    for (const auto& frame : rows.frames) picks.push_back(pick(frame, *arguments[0]));
    const Column* const source = arguments[0].get();
    return interleave(source->type, {&source, 1}, picks);
  }
  bool looks_at_frame() const override { return true; }

 private:
  Pick pick(const WindowRows::Frame& frame, const Column& values) const {
    if (frame.start >= frame.end) return {};
    const auto counts = [&](std::uint32_t row) { return !ignore_nulls_ || !values.is_null(row); };
    if (place_ == 0) {
      for (std::uint32_t row = frame.end; row-- > frame.start;)
        if (counts(row)) return {0, row};
      return {};
    }
    if (!ignore_nulls_) {
      if (place_ > frame.end - frame.start) return {};
      return {0, static_cast<std::uint32_t>(frame.start + place_ - 1)};
    }
    std::int64_t left = place_;
    for (std::uint32_t row = frame.start; row < frame.end; ++row)
      if (counts(row) && --left == 0) return {0, row};
    return {};
  }

  const std::int64_t place_;
  const bool ignore_nulls_;
};

std::unique_ptr<WindowFunction> make_first(const OverCall& call) {
  return std::make_unique<PlaceWindow>(1, call.ignore_nulls);
}
std::unique_ptr<WindowFunction> make_last(const OverCall& call) {
  return std::make_unique<PlaceWindow>(0, call.ignore_nulls);
}
std::unique_ptr<WindowFunction> make_nth(const OverCall& call) {
  return std::make_unique<PlaceWindow>(constant_or(call, 1), call.ignore_nulls);
}

FunctionDef window_def(DefinitionSpec spec) {
  return define(FunctionKind::window, "WINDOW", std::move(spec));
}

FunctionFamily rank_functions() {
  return {window_def({.name = "ROW_NUMBER",
                      .doc = "The place of the row in the order of its partition, from 1.",
                      .variants = {window("-> BIGINT", make_rank<Rank::row_number>)},
                      .examples = {{"ROW_NUMBER()", "ARRAY[1, 2, 3]", {"ARRAY[5, 7, 7]"}}}}),
          window_def({.name = "RANK",
                      .doc = "The place of the first row that is equal to the row in the order.",
                      .variants = {window("-> BIGINT", make_rank<Rank::rank>)},
                      .examples = {{"RANK()", "ARRAY[1, 2, 2, 4]", {"ARRAY[5, 7, 7, 8]"}}}}),
          window_def({.name = "DENSE_RANK",
                      .doc = "How many different places in the order there are up to the row.",
                      .variants = {window("-> BIGINT", make_rank<Rank::dense_rank>)},
                      .examples = {{"DENSE_RANK()", "ARRAY[1, 2, 2, 3]", {"ARRAY[5, 7, 7, 8]"}}}}),
          window_def({.name = "PERCENT_RANK",
                      .doc = "(RANK - 1) / (rows - 1); 0 of a single row.",
                      .variants = {window("-> DOUBLE", make_rank<Rank::percent_rank>)},
                      .examples = {{"PERCENT_RANK()", "ARRAY[0E0, 0.5E0, 0.5E0]", {"ARRAY[5, 7, 7]"}}}}),
          window_def({.name = "CUME_DIST",
                      .doc = "Which part of the rows of the partition stands before the row or is equal to it.",
                      .variants = {window("-> DOUBLE", make_rank<Rank::cume_dist>)},
                      .examples = {{"CUME_DIST()", "ARRAY[0.25E0, 0.75E0, 0.75E0, 1E0]", {"ARRAY[5, 7, 7, 8]"}}}}),
          window_def({.name = "NTILE",
                      .doc = "The number, from 1, of the row's part when the partition is cut into n parts of the same "
                             "size; the first ones have a row more where it does not come out even.",
                      .variants = {window("literal INT n >= 1 -> BIGINT", make_rank<Rank::ntile>)},
                      .examples = {{"NTILE(2)", "ARRAY[1, 1, 2]", {"ARRAY[5, 7, 7]"}}}})};
}

}  // namespace

FunctionFamily window_functions() {
  FunctionFamily all = rank_functions();
  const auto add = [&](DefinitionSpec spec) { all.push_back(window_def(std::move(spec))); };
  add({.name = "LAG",
       .doc = "The value at the row that stands n places before, 1 if not given; else the default, or NULL.",
       .variants = {window("T value -> T", make_neighbour<true>),
                    window("T value, literal INT n >= 0 -> T", make_neighbour<true>),
                    window("T value, literal INT n >= 0, T default_value -> T", make_neighbour<true>)},
       .examples = {{"LAG(x)", "ARRAY[NULL, 5, 7]", {"ARRAY[5, 7, 8]"}},
                    {"LAG(x, 2, 0)", "ARRAY[0, 0, 5]", {"ARRAY[5, 7, 8]"}}}});
  add({.name = "LEAD",
       .doc = "The value at the row that stands n places behind, 1 if not given; else the default, or NULL.",
       .variants = {window("T value -> T", make_neighbour<false>),
                    window("T value, literal INT n >= 0 -> T", make_neighbour<false>),
                    window("T value, literal INT n >= 0, T default_value -> T", make_neighbour<false>)},
       .examples = {{"LEAD(x)", "ARRAY[7, 8, NULL]", {"ARRAY[5, 7, 8]"}}}});
  add({.name = "FIRST_VALUE",
       .doc = "The value at the first row of the frame.",
       .variants = {window("T value -> T", make_first)},
       .examples = {{"FIRST_VALUE(x)", "ARRAY[5, 5, 5]", {"ARRAY[5, 7, 8]"}}}});
  add({.name = "LAST_VALUE",
       .doc = "The value at the last row of the frame, which ends at the row itself where nothing else is said.",
       .variants = {window("T value -> T", make_last)},
       .examples = {{"LAST_VALUE(x)", "ARRAY[5, 7, 8]", {"ARRAY[5, 7, 8]"}}}});
  add({.name = "NTH_VALUE",
       .doc = "The value at the nth row of the frame; NULL where it has fewer.",
       .variants = {window("T value, literal INT n >= 1 -> T", make_nth)},
       .examples = {{"NTH_VALUE(x, 2)", "ARRAY[NULL, 7, 7]", {"ARRAY[5, 7, 8]"}}}});
  return all;
}

std::unique_ptr<WindowFunction> make_window_function(const OverCall& call) {
  const FunctionVariant& variant = call.call.function->variants[call.call.variant];
  return static_cast<const WindowImplementation&>(*variant.implementation).make(call);
}

}  // namespace millrace::inline exec
