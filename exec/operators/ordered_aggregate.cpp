#include "exec/operators/ordered_aggregate.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "exec/functions/aggregate_state.h"
#include "exec/functions/codec.h"
#include "exec/operators/batch_ops.h"
#include "exec/operators/ranked_rows.h"
#include "exec/state/key_codec.h"

namespace millrace::inline exec {
namespace {

/// Rows by their place in the order, then as they came: arguments as bytes.
struct OrderedArguments {
  std::map<std::pair<std::string, std::uint64_t>, std::string> rows;
  std::uint64_t next = 0;
};

/// A state is a pointer to its rows; what they come to is computed when it is asked for.
class OrderedAggregate final : public Aggregate {
 public:
  OrderedAggregate(std::unique_ptr<Aggregate> inner, const AggregateCall& call)
      : inner_(std::move(inner)), order_(call.order), most_(call.first) {
    for (const ExprPtr& argument : call.arguments) types_.push_back(argument->type);
  }

  Layout layout() const override { return {sizeof(OrderedArguments*), alignof(OrderedArguments*), false}; }
  const Type& type() const override { return inner_->type(); }
  void init(std::byte* state) const override { slot(state) = nullptr; }
  void destroy(std::byte* state) const override { delete slot(state); }
  void copy(const std::byte* from, std::byte* to) const override {
    const OrderedArguments* rows = slot(from);
    slot(to) = rows == nullptr ? nullptr : new OrderedArguments(*rows);
  }

  Status update(std::span<std::byte* const> states, std::size_t offset, std::span<const ColumnPtr> arguments,
                std::span<const std::uint32_t> rows) const override {
    KeyBuffer places, values;
    encode(arguments, rows, places, values);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      OrderedArguments& kept = make(states[i] + offset);
      kept.rows.emplace(std::pair(std::string(places[i]), kept.next++), std::string(values[i]));
    }
    return {};
  }
  Status undo(std::span<std::byte* const> states, std::size_t offset, std::span<const ColumnPtr> arguments,
              std::span<const std::uint32_t> rows) const override {
    KeyBuffer places, values;
    encode(arguments, rows, places, values);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      OrderedArguments* kept = slot(states[i] + offset);
      if (kept == nullptr) continue;
      auto at = kept->rows.lower_bound(std::pair(std::string(places[i]), std::uint64_t{0}));
      while (at != kept->rows.end() && at->first.first == places[i] && at->second != values[i]) ++at;
      if (at != kept->rows.end() && at->first.first == places[i]) kept->rows.erase(at);
    }
    return {};
  }
  bool supports_undo() const override { return true; }

  Status merge(std::byte* into, const std::byte* from) const override {
    if (const OrderedArguments* rows = slot(from)) add_all(into, *rows);
    return {};
  }
  Status merge_encoded(std::span<std::byte* const> states, std::size_t offset,
                       std::span<std::string_view> encoded) const override {
    for (std::size_t i = 0; i < states.size(); ++i) {
      OrderedArguments* from = nullptr;
      if (!decode(encoded[i], reinterpret_cast<std::byte*>(&from))) return malformed_state();
      const std::unique_ptr<OrderedArguments> owned(from);
      if (from != nullptr) add_all(states[i] + offset, *from);
    }
    return {};
  }

  std::size_t heap_bytes(const std::byte* state) const override {
    const OrderedArguments* kept = slot(state);
    return kept == nullptr ? 0 : sizeof(OrderedArguments) + heap::bytes(kept->rows);
  }
  void encode(const std::byte* state, std::string& out) const override {
    const OrderedArguments* kept = slot(state);
    codec::put_unsigned(kept == nullptr ? 0 : kept->rows.size(), out);
    if (kept == nullptr) return;
    for (const auto& [place, values] : kept->rows) {
      codec::put_text(place.first, out);
      codec::put_text(values, out);
    }
  }
  bool decode(std::string_view& in, std::byte* state) const override {
    std::uint64_t count = 0;
    if (!codec::get_unsigned(in, count)) return false;
    auto kept = count == 0 ? nullptr : std::make_unique<OrderedArguments>();
    for (std::uint64_t i = 0; i < count; ++i) {
      std::string_view place, values;
      if (!codec::get_text(in, place) || !codec::get_text(in, values)) return false;
      kept->rows.emplace(std::pair(std::string(place), kept->next++), std::string(values));
    }
    slot(state) = kept.release();
    return true;
  }

  ColumnPtr result(std::span<const std::byte* const> states, std::size_t offset) const override {
    const Layout below = inner_->layout();
    const std::size_t size =
        (std::max<std::size_t>(below.size, 1) + sizeof(std::max_align_t) - 1) / sizeof(std::max_align_t);
    const auto memory = std::make_unique<std::max_align_t[]>(size * states.size());
    std::vector<std::byte*> made;
    std::vector<const std::byte*> results;
    for (std::size_t i = 0; i < states.size(); ++i) {
      made.push_back(reinterpret_cast<std::byte*>(memory.get() + i * size));
      inner_->init(made.back());
      results.push_back(made.back());
      feed(made.back(), slot(states[i] + offset));
    }
    ColumnPtr column = inner_->result(results, 0);
    for (std::byte* state : made) inner_->destroy(state);
    return column;
  }

 private:
  void encode(std::span<const ColumnPtr> arguments, std::span<const std::uint32_t> rows, KeyBuffer& places,
              KeyBuffer& values) const {
    encode_keys(arguments.first(types_.size()), rows, {}, values);
    encode_sorted(arguments.subspan(types_.size()), order_, rows, places);
  }
  void add_all(std::byte* into, const OrderedArguments& from) const {
    OrderedArguments& kept = make(into);
    for (const auto& [place, values] : from.rows) kept.rows.emplace(std::pair(place.first, kept.next++), values);
  }
  /// What does not fit the aggregate (a sum that is too large) leaves it as of no rows.
  void feed(std::byte* state, const OrderedArguments* kept) const {
    if (kept == nullptr) return;
    std::vector<std::string_view> rows;
    for (const auto& [place, values] : kept->rows) {
      if (most_ >= 0 && rows.size() >= static_cast<std::size_t>(most_)) break;
      rows.push_back(values);
    }
    const std::vector<ColumnPtr> arguments = decode_keys(types_, rows, 0);
    const std::vector<std::byte*> into(rows.size(), state);
    if (inner_->update(into, 0, arguments, all_rows(rows.size()))) return;
    inner_->destroy(state);
    inner_->init(state);
  }

  static OrderedArguments& make(std::byte* state) {
    OrderedArguments*& kept = slot(state);
    if (kept == nullptr) kept = new OrderedArguments();
    return *kept;
  }
  static OrderedArguments*& slot(std::byte* state) { return *reinterpret_cast<OrderedArguments**>(state); }
  static const OrderedArguments* slot(const std::byte* state) {
    return *reinterpret_cast<OrderedArguments* const*>(state);
  }

  std::unique_ptr<Aggregate> inner_;
  const std::vector<SortKey> order_;
  const std::int64_t most_;
  std::vector<Type> types_;
};

}  // namespace

std::unique_ptr<Aggregate> make_ordered(std::unique_ptr<Aggregate> inner, const AggregateCall& call) {
  return std::make_unique<OrderedAggregate>(std::move(inner), call);
}

}  // namespace millrace::inline exec
