#include "exec/functions/packed_latest.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <optional>

#include "exec/functions/aggregate_state.h"
#include "exec/functions/sequence.h"

namespace millrace::inline exec {
namespace {

/// What a state points to; null: nothing was seen.
struct Held {
  std::uint32_t size, capacity;

  char* bytes() { return reinterpret_cast<char*>(this + 1); }
  std::string_view view() const { return {reinterpret_cast<const char*>(this + 1), size}; }
};

Held*& slot(std::byte* state) {
  return *reinterpret_cast<Held**>(state);
}
const Held* slot(const std::byte* state) {
  return *reinterpret_cast<const Held* const*>(state);
}

// As much as malloc gives anyway.
std::uint32_t capacity_for(std::size_t size) {
  constexpr std::size_t kStep = 16, kOfMalloc = sizeof(void*);
  const std::size_t piece = (sizeof(Held) + size + kOfMalloc + kStep - 1) / kStep * kStep;
  return static_cast<std::uint32_t>(piece - kOfMalloc - sizeof(Held));
}

void store(Held*& held, std::string_view bytes) {
  const auto size = static_cast<std::uint32_t>(bytes.size());
  if (held == nullptr || held->capacity < size || held->capacity / 4 > size + sizeof(Held)) {
    ::operator delete(held);
    held = nullptr;
    const std::uint32_t capacity = capacity_for(size);
    held = new (::operator new(sizeof(Held) + capacity)) Held{0, capacity};
  }
  held->size = size;
  std::memcpy(held->bytes(), bytes.data(), size);
}

bool is_text(const Type& type) {
  return type.kind() == TypeKind::string || type.kind() == TypeKind::bytes;
}

/// Calls `of` with a null pointer to what a column of the type is made of.
template <class Of>
auto with_width(TypeKind kind, Of of) {
  switch (kind) {
    case TypeKind::boolean:
      return of(static_cast<const std::uint8_t*>(nullptr));
    case TypeKind::integer:
    case TypeKind::date:
    case TypeKind::time:
      return of(static_cast<const std::int32_t*>(nullptr));
    case TypeKind::double_:
      return of(static_cast<const double*>(nullptr));
    case TypeKind::decimal:
      return of(static_cast<const Int128*>(nullptr));
    default:
      return of(static_cast<const std::int64_t*>(nullptr));
  }
}

bool is_flat(TypeKind kind) {
  constexpr TypeKind kFlat[] = {TypeKind::boolean, TypeKind::integer,   TypeKind::date,    TypeKind::time,
                                TypeKind::bigint,  TypeKind::timestamp, TypeKind::double_, TypeKind::decimal};
  return std::ranges::find(kFlat, kind) != std::end(kFlat);
}

bool is_latest(const AggregateCall& call) {
  const Type& type = call.column.type;
  return call.function->variants[call.variant].last_wins && !call.filter && !call.distinct && call.order.empty() &&
         (is_text(type) || is_flat(type.kind()));
}

/// What a call encodes of which nothing was seen.
constexpr char kUnseen = 0;

}  // namespace

/// One call's part of a state.
struct PackedLatest::Field {
  std::string_view bytes;  // all of it
  std::string_view value;  // a text itself, else what is encoded of the value; empty when it is null
  std::int64_t sequence = 0;
  bool seen = false, null = false;
};

std::size_t PackedLatest::count(std::span<const AggregateCall> calls) {
  const auto end = std::ranges::find_if_not(calls, is_latest);
  const std::span<const AggregateCall> found(calls.begin(), end);
  const bool texts = std::ranges::any_of(found, [](const AggregateCall& call) { return is_text(call.column.type); });
  return found.size() > 1 && texts ? found.size() : 0;
}

PackedLatest::PackedLatest(std::span<const AggregateCall> calls) {
  for (const AggregateCall& call : calls) types_.push_back(call.column.type);
}

void PackedLatest::init(std::byte* state) const {
  slot(state) = nullptr;
}
void PackedLatest::destroy(std::byte* state) const {
  ::operator delete(slot(state));
}
void PackedLatest::copy(const std::byte* from, std::byte* to) const {
  slot(to) = nullptr;
  if (const Held* held = slot(from)) store(slot(to), held->view());
}

bool PackedLatest::read(std::size_t call, std::string_view& in, Field& field) const {
  const char* const begin = in.data();
  field = {};
  std::uint8_t flags = 0;
  if (!codec::get(in, flags)) return false;
  if (is_text(types_[call])) {
    std::uint64_t values = flags != 0 ? 1 : 0;
    if (flags != 0 && (!codec::get_unsigned(in, values) || values > 1)) return false;
    field.seen = values == 1;
    bool text = false;
    if (field.seen && (!codec::get(in, field.sequence) || !codec::get(in, text))) return false;
    field.null = !text;
    if (text && !codec::get_text(in, field.value)) return false;
  } else {
    field.seen = (flags & 1) != 0;
    field.null = (flags & 2) != 0;
    if (field.seen && !codec::get(in, field.sequence)) return false;
    if (field.seen && !field.null) {
      const char* const value = in.data();
      const bool good = with_width(types_[call].kind(), [&]<class T>(const T*) {
        T skipped{};
        return codec::get(in, skipped);
      });
      if (!good) return false;
      field.value = {value, in.data()};
    }
  }
  field.bytes = {begin, in.data()};
  return true;
}

bool PackedLatest::read_all(std::string_view& in, std::vector<Field>& fields) const {
  fields.resize(calls());
  for (std::size_t call = 0; call < calls(); ++call)
    if (!read(call, in, fields[call])) return false;
  return true;
}

void PackedLatest::put(std::size_t call, const Column& column, std::uint32_t row, std::int64_t sequence,
                       std::string& out) const {
  codec::put(std::uint8_t{1}, out);
  if (is_text(types_[call])) {
    codec::put_unsigned(1, out);
    codec::put(sequence, out);
    codec::put(true, out);
    codec::put_text(column.data.as<std::string_view>()[row], out);
    return;
  }
  codec::put(sequence, out);
  with_width(types_[call].kind(), [&]<class T>(const T*) { codec::put(column.data.as<T>()[row], out); });
}

Status PackedLatest::update(std::span<std::byte* const> states, std::size_t offset,
                            std::span<const ColumnPtr> arguments, std::span<const std::uint32_t> rows) const {
  const std::int64_t first = reserve_sequence(rows.size());
  std::vector<Field> before;
  std::string bytes;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    Held*& held = slot(states[i] + offset);
    const auto is_null = [&](const ColumnPtr& column) { return column->is_null(rows[i]); };
    const auto nulls = static_cast<std::size_t>(std::ranges::count_if(arguments, is_null));
    if (nulls == calls()) continue;
    std::string_view old = held != nullptr ? held->view() : std::string_view();
    if (nulls > 0 && held != nullptr && !read_all(old, before)) return malformed_state();
    bytes.clear();
    for (std::size_t call = 0; call < calls(); ++call) {
      if (!arguments[call]->is_null(rows[i])) {
        put(call, *arguments[call], rows[i], first + static_cast<std::int64_t>(i), bytes);
      } else if (held != nullptr) {
        bytes.append(before[call].bytes);
      } else {
        bytes.push_back(kUnseen);
      }
    }
    store(held, bytes);
  }
  return {};
}

struct PackedLatest::Scratch {
  std::vector<Field> own, other;
  std::string bytes;
};

/// Reads a state off the front of `from`. False: it is malformed.
bool PackedLatest::meet(std::byte* into, std::string_view& from, Scratch& scratch) const {
  const char* const begin = from.data();
  auto& [own, other, bytes] = scratch;
  if (!read_all(from, other)) return false;
  Held*& held = slot(into);
  if (std::ranges::none_of(other, &Field::seen)) return true;
  if (held == nullptr) {
    store(held, {begin, from.data()});
    return true;
  }
  std::string_view before = held->view();
  if (!read_all(before, own)) return false;
  bytes.clear();
  for (std::size_t call = 0; call < calls(); ++call) {
    const bool newer = other[call].seen && (!own[call].seen || own[call].sequence <= other[call].sequence);
    bytes.append((newer ? other : own)[call].bytes);
  }
  store(held, bytes);
  return true;
}

Status PackedLatest::merge(std::byte* into, const std::byte* from) const {
  const Held* held = slot(from);
  std::string_view bytes = held != nullptr ? held->view() : std::string_view();
  Scratch scratch;
  return held == nullptr || meet(into, bytes, scratch) ? Status{} : malformed_state();
}

Status PackedLatest::merge_encoded(std::span<std::byte* const> states, std::size_t offset,
                                   std::span<std::string_view> encoded) const {
  Scratch scratch;
  for (std::size_t i = 0; i < states.size(); ++i)
    if (!meet(states[i] + offset, encoded[i], scratch)) return malformed_state();
  return {};
}

std::size_t PackedLatest::heap_bytes(const std::byte* state) const {
  const Held* held = slot(state);
  return held == nullptr ? 0 : sizeof(Held) + held->size + heap::kPiece;
}

void PackedLatest::encode(const std::byte* state, std::string& out) const {
  if (const Held* held = slot(state))
    out.append(held->view());
  else
    out.append(calls(), kUnseen);
}

bool PackedLatest::decode(std::string_view& in, std::byte* state) const {
  const char* const begin = in.data();
  bool seen = false;
  for (std::size_t call = 0; call < calls(); ++call) {
    Field field;
    if (!read(call, in, field)) return false;
    seen = seen || field.seen;
  }
  slot(state) = nullptr;
  if (seen) store(slot(state), {begin, in.data()});
  return true;
}

ColumnPtr PackedLatest::result(std::span<const std::byte* const> states, std::size_t offset) const {
  return results(states, offset, 0, 1).front();
}

std::vector<ColumnPtr> PackedLatest::results(std::span<const std::byte* const> states, std::size_t offset,
                                             std::size_t from, std::size_t to) const {
  std::vector<std::shared_ptr<Column>> columns;
  const auto arena = std::make_shared<Arena>();
  for (std::size_t call = from; call < to; ++call) {
    columns.push_back(make_column(types_[call], states.size()));
    if (is_text(types_[call])) columns.back()->keep.push_back(arena);
  }
  Field field;
  for (std::size_t row = 0; row < states.size(); ++row) {
    const Held* held = slot(states[row] + offset);
    std::string_view in = held != nullptr ? held->view() : std::string_view();
    for (std::size_t call = 0; call < to; ++call) {
      const bool found = held != nullptr && read(call, in, field) && field.seen && !field.null;
      if (call < from) continue;
      Column& column = *columns[call - from];
      if (!found) {
        column.nulls.set(row, column.size);
      } else if (is_text(types_[call])) {
        column.values_mut<std::string_view>()[row] = arena->copy(field.value);
      } else {
        with_width(types_[call].kind(),
                   [&]<class T>(const T*) { codec::get(field.value, column.values_mut<T>()[row]); });
      }
    }
  }
  return {columns.begin(), columns.end()};
}

namespace {

class PackedCall final : public Aggregate {
 public:
  PackedCall(const PackedLatest& pack, std::size_t call, Type type)
      : pack_(pack), call_(call), type_(std::move(type)) {}

  Layout layout() const override { return {0, 1, false}; }
  const Type& type() const override { return type_; }
  void init(std::byte*) const override {}
  void destroy(std::byte*) const override {}
  void copy(const std::byte*, std::byte*) const override {}
  Status update(std::span<std::byte* const>, std::size_t, std::span<const ColumnPtr>,
                std::span<const std::uint32_t>) const override {
    return {};
  }
  Status undo(std::span<std::byte* const>, std::size_t, std::span<const ColumnPtr>,
              std::span<const std::uint32_t>) const override {
    return {};
  }
  bool supports_undo() const override { return false; }
  Status merge(std::byte*, const std::byte*) const override { return {}; }
  Status merge_encoded(std::span<std::byte* const>, std::size_t, std::span<std::string_view>) const override {
    return {};
  }
  void encode(const std::byte*, std::string&) const override {}
  bool decode(std::string_view&, std::byte*) const override { return true; }
  ColumnPtr result(std::span<const std::byte* const> states, std::size_t offset) const override {
    return pack_.results(states, offset, call_, call_ + 1).front();
  }

 private:
  const PackedLatest& pack_;
  const std::size_t call_;
  const Type type_;
};

}  // namespace

std::unique_ptr<Aggregate> make_packed_call(const PackedLatest& pack, std::size_t call, const Type& type) {
  return std::make_unique<PackedCall>(pack, call, type);
}

}  // namespace millrace::inline exec
