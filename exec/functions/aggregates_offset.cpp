#include <algorithm>
#include <optional>

#include "exec/functions/aggregate_state.h"
#include "exec/functions/families.h"
#include "exec/functions/sequence.h"
#include "parser/error/sql_error.h"

namespace millrace::inline exec {
namespace {

bool keeps_nulls(const AggregateSpec& spec) {
  return !spec.constants.empty() && spec.constants.back().get_if<bool>() != nullptr &&
         !spec.constants.back().as<bool>();
}

/// One value of a fixed-width type.
template <class T, bool Latest>
struct OffsetOps {
  struct State {
    T value;
    std::int64_t sequence;
    bool set;
    bool null;
  };
  struct Input : FlatInput<T> {
    Input(std::span<const ColumnPtr> arguments, std::size_t rows)
        : FlatInput<T>(*arguments[0]), next(reserve_sequence(rows)) {}
    mutable std::int64_t next;
  };
  static constexpr bool kUndo = false;
  explicit OffsetOps(const AggregateSpec& spec) : keep_nulls(keeps_nulls(spec)) {}
  bool keep_nulls;

  bool add(State& s, const Input& in, std::size_t row) const {
    const bool null = in.is_null(row);
    if ((null && !keep_nulls) || (!Latest && s.set)) return true;
    s = {null ? T{} : in.values[row], in.next++, true, null};
    return true;
  }
  bool remove(State&, const Input&, std::size_t) const { return true; }
  bool merge(State& into, const State& from) const {
    if (from.set && (!into.set || (Latest ? into.sequence < from.sequence : from.sequence < into.sequence)))
      into = from;
    return true;
  }
  Error overflow() const { return Error{}; }
  void encode(const State& s, std::string& out) const {
    codec::put(static_cast<std::uint8_t>((s.set ? 1 : 0) | (s.null ? 2 : 0)), out);
    if (!s.set) return;
    codec::put(s.sequence, out);
    if (!s.null) codec::put(s.value, out);
  }
  bool decode(std::string_view& in, State& s) const {
    std::uint8_t flags = 0;
    if (!codec::get(in, flags)) return false;
    s.set = (flags & 1) != 0;
    s.null = (flags & 2) != 0;
    return !s.set || (codec::get(in, s.sequence) && (s.null || codec::get(in, s.value)));
  }
  void write(const State& s, Column& column, std::size_t row) const {
    column.values_mut<T>()[row] = s.value;
    if (!s.set || s.null) column.nulls.set(row, column.size);
  }
};

/// One text, or bytes. A state points to what is held, in one piece; null: nothing was seen. What it encodes is what
/// OffsetListOps reads and writes.
template <bool Latest>
class TextAtOffset final : public Aggregate {
 public:
  explicit TextAtOffset(const AggregateSpec& spec) : type_(spec.result), keep_nulls_(keeps_nulls(spec)) {}

  Layout layout() const override { return {sizeof(Held*), alignof(Held*), false}; }
  const Type& type() const override { return type_; }
  void init(std::byte* state) const override { slot(state) = nullptr; }
  void destroy(std::byte* state) const override { ::operator delete(slot(state)); }
  void copy(const std::byte* from, std::byte* to) const override {
    slot(to) = nullptr;
    if (const Held* held = slot(from)) put(slot(to), held->sequence, held->text());
  }

  Status update(std::span<std::byte* const> states, std::size_t offset, std::span<const ColumnPtr> arguments,
                std::span<const std::uint32_t> rows) const override {
    const Column& column = *arguments[0];
    const auto* texts = column.data.as<std::string_view>();
    const std::int64_t first = reserve_sequence(rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      Held*& held = slot(states[i] + offset);
      const bool null = column.is_null(rows[i]);
      if ((null && !keep_nulls_) || (!Latest && held != nullptr)) continue;
      put(held, first + static_cast<std::int64_t>(i), null ? std::nullopt : std::optional(texts[rows[i]]));
    }
    return {};
  }
  Status undo(std::span<std::byte* const>, std::size_t, std::span<const ColumnPtr>,
              std::span<const std::uint32_t>) const override {
    return {};
  }
  bool supports_undo() const override { return false; }

  Status merge(std::byte* into, const std::byte* from) const override {
    if (const Held* held = slot(from)) meet(slot(into), held->sequence, held->text());
    return {};
  }
  Status merge_encoded(std::span<std::byte* const> states, std::size_t offset,
                       std::span<std::string_view> encoded) const override {
    for (std::size_t i = 0; i < states.size(); ++i) {
      Read from;
      if (!read(encoded[i], from)) return malformed_state();
      if (from.seen) meet(slot(states[i] + offset), from.sequence, from.text);
    }
    return {};
  }
  std::size_t heap_bytes(const std::byte* state) const override {
    const Held* held = slot(state);
    return held == nullptr ? 0 : sizeof(Held) + held->size + heap::kPiece;
  }
  void encode(const std::byte* state, std::string& out) const override {
    const Held* held = slot(state);
    codec::put(held != nullptr, out);
    if (held == nullptr) return;
    codec::put_unsigned(1, out);
    codec::put(held->sequence, out);
    const auto text = held->text();
    codec::put(text.has_value(), out);
    if (text) codec::put_text(*text, out);
  }
  bool decode(std::string_view& in, std::byte* state) const override {
    Read from;
    if (!read(in, from)) return false;
    slot(state) = nullptr;
    if (from.seen) put(slot(state), from.sequence, from.text);
    return true;
  }

  ColumnPtr result(std::span<const std::byte* const> states, std::size_t offset) const override {
    auto column = make_column(type_, states.size());
    auto arena = std::make_shared<Arena>();
    auto* texts = column->values_mut<std::string_view>();
    for (std::size_t row = 0; row < states.size(); ++row) {
      const Held* held = slot(states[row] + offset);
      const auto text = held == nullptr ? std::nullopt : held->text();
      if (text) {
        texts[row] = arena->copy(*text);
      } else {
        column->nulls.set(row, column->size);
      }
    }
    column->keep.push_back(std::move(arena));
    return column;
  }

 private:
  struct Held {
    std::int64_t sequence;
    std::uint32_t size, capacity;
    bool null;

    char* bytes() { return reinterpret_cast<char*>(this + 1); }
    const char* bytes() const { return reinterpret_cast<const char*>(this + 1); }
    std::optional<std::string_view> text() const {
      if (null) return std::nullopt;
      return std::string_view(bytes(), size);
    }
  };
  struct Read {
    bool seen = false;
    std::int64_t sequence = 0;
    std::optional<std::string_view> text;
  };

  static Held*& slot(std::byte* state) { return *reinterpret_cast<Held**>(state); }
  static const Held* slot(const std::byte* state) { return *reinterpret_cast<Held* const*>(state); }

  static void put(Held*& held, std::int64_t sequence, std::optional<std::string_view> text) {
    const auto size = static_cast<std::uint32_t>(text ? text->size() : 0);
    if (held == nullptr || held->capacity < size || held->capacity / 4 > size + sizeof(Held)) {
      ::operator delete(held);
      held = nullptr;
      held = new (::operator new(sizeof(Held) + size)) Held{0, 0, size, false};
    }
    held->sequence = sequence;
    held->size = size;
    held->null = !text;
    if (size > 0) std::memcpy(held->bytes(), text->data(), size);
  }
  static void meet(Held*& into, std::int64_t sequence, std::optional<std::string_view> text) {
    if (into == nullptr || (Latest ? into->sequence <= sequence : sequence < into->sequence)) put(into, sequence, text);
  }
  static bool read(std::string_view& in, Read& from) {
    bool present = false;
    std::uint64_t count = 0;
    if (!codec::get(in, present)) return false;
    if (!present) return true;
    if (!codec::get_unsigned(in, count) || count > 1) return false;
    if (count == 0) return true;
    bool text = false;
    from.seen = true;
    if (!codec::get(in, from.sequence) || !codec::get(in, text)) return false;
    return !text || codec::get_text(in, from.text.emplace());
  }

  const Type type_;
  const bool keep_nulls_;
};

/// The first or last `limit` values of any type; without a number, one value and no array.
template <bool Latest>
struct OffsetListOps {
  struct Entry {
    std::int64_t sequence;
    Value value;
  };
  struct Object {
    std::vector<Entry> entries;  // by sequence
  };
  static constexpr bool kUndo = false;
  explicit OffsetListOps(const AggregateSpec& spec) : type(spec.arguments[0]), keep_nulls(keeps_nulls(spec)) {
    if (spec.constants.empty() || spec.constants[0].get_if<std::int32_t>() == nullptr) return;
    single = false;
    limit = static_cast<std::size_t>(std::max(spec.constants[0].as<std::int32_t>(), 0));
    if (limit == 0)
      throw SqlError(Code::invalid_aggregate, {},
                     Latest ? "latestN must be 1 or greater" : "earliestN must be 1 or greater");
  }
  Type type;
  bool keep_nulls;
  bool single = true;
  std::size_t limit = 1;

  void add(Object& o, std::span<const ColumnPtr> arguments, std::size_t row) const {
    if (arguments[0]->is_null(row) && !keep_nulls) return;
    if (!Latest && o.entries.size() >= limit) return;
    o.entries.push_back({reserve_sequence(1), millrace::get_value(*arguments[0], row)});
    cut(o);
  }
  void remove(Object&, std::span<const ColumnPtr>, std::size_t) const {}
  void merge(Object& into, const Object& from) const {
    into.entries.insert(into.entries.end(), from.entries.begin(), from.entries.end());
    std::ranges::stable_sort(into.entries, {}, &Entry::sequence);
    cut(into);
  }
  void cut(Object& o) const {
    if (o.entries.size() <= limit) return;
    if (Latest)
      o.entries.erase(o.entries.begin(), o.entries.end() - static_cast<std::ptrdiff_t>(limit));
    else
      o.entries.resize(limit);
  }
  std::size_t heap_size(const Object& o) const {
    std::size_t bytes = o.entries.size() * sizeof(Entry);
    for (const Entry& entry : o.entries) bytes += heap::bytes(entry.value);
    return bytes;
  }
  void encode(const Object& o, std::string& out) const {
    codec::put_unsigned(o.entries.size(), out);
    for (const Entry& entry : o.entries) {
      codec::put(entry.sequence, out);
      codec::put_value(entry.value, type, out);
    }
  }
  bool decode(std::string_view& in, Object& o) const {
    std::uint64_t count = 0;
    if (!codec::get_unsigned(in, count) || count > in.size()) return false;
    o.entries.resize(count);
    for (Entry& entry : o.entries)
      if (!codec::get(in, entry.sequence) || !codec::get_value(in, type, entry.value)) return false;
    return true;
  }
  Value result(const Object& o) const {
    if (single) return o.entries.empty() ? Value() : o.entries[0].value;
    Value::List items;
    for (const Entry& entry : o.entries) items.push_back(entry.value);
    return Value::list(std::move(items));
  }
};

template <bool Latest, class T>
std::unique_ptr<Aggregate> make_fixed(const AggregateSpec& spec) {
  return fixed_aggregate<OffsetOps<T, Latest>>()(spec);
}

template <bool Latest>
std::unique_ptr<Aggregate> make_single(const AggregateSpec& spec) {
  switch (spec.result.kind()) {
    case TypeKind::boolean:
      return make_fixed<Latest, std::uint8_t>(spec);
    case TypeKind::integer:
    case TypeKind::date:
    case TypeKind::time:
      return make_fixed<Latest, std::int32_t>(spec);
    case TypeKind::bigint:
    case TypeKind::timestamp:
      return make_fixed<Latest, std::int64_t>(spec);
    case TypeKind::double_:
      return make_fixed<Latest, double>(spec);
    case TypeKind::decimal:
      return make_fixed<Latest, Int128>(spec);
    case TypeKind::string:
    case TypeKind::bytes:
      return std::make_unique<TextAtOffset<Latest>>(spec);
    default:
      return heap_aggregate<OffsetListOps<Latest>>()(spec);
  }
}

template <bool Latest>
std::vector<FunctionVariant> variants() {
  constexpr AggregateTraits kTraits{.structured = true};
  const std::string count = Latest ? "literal INT latestN >= 1" : "literal INT earliestN >= 1";
  return {aggregate("T value -> T", {.structured = true, .last_wins = Latest}, make_single<Latest>),
          aggregate("T value, literal BOOLEAN ignore_nulls -> T", kTraits, make_single<Latest>),
          aggregate("T value, " + count + " -> ARRAY<T>", kTraits, heap_aggregate<OffsetListOps<Latest>>()),
          aggregate("T value, " + count + ", literal BOOLEAN ignore_nulls -> ARRAY<T>", kTraits,
                    heap_aggregate<OffsetListOps<Latest>>())};
}

}  // namespace

FunctionFamily offset_aggregates() {
  return {define(FunctionKind::aggregate, "AGGREGATE",
                 {.name = "EARLIEST_BY_OFFSET",
                  .doc = "The first value of the group in the order of arrival, or the first so many of them.",
                  .variants = variants<false>(),
                  .examples = {{"EARLIEST_BY_OFFSET(x)", "1", {"ARRAY[NULL, 1, 2]"}},
                               {"EARLIEST_BY_OFFSET(x, false)", "NULL", {"ARRAY[NULL, 1, 2]"}},
                               {"EARLIEST_BY_OFFSET(x, 2)", "ARRAY[1, 2]", {"ARRAY[1, 2, 3]"}}}}),
          define(FunctionKind::aggregate, "AGGREGATE",
                 {.name = "LATEST_BY_OFFSET",
                  .doc = "The last value of the group in the order of arrival, or the last so many of them.",
                  .variants = variants<true>(),
                  .examples = {{"LATEST_BY_OFFSET(x)", "2", {"ARRAY[1, 2, NULL]"}},
                               {"LATEST_BY_OFFSET(x, 2, false)", "ARRAY[2, NULL]", {"ARRAY[1, 2, NULL]"}}}})};
}

}  // namespace millrace::inline exec
