#pragma once

#include <cstring>
#include <memory>
#include <new>

#include "exec/functions/aggregate.h"
#include "exec/functions/codec.h"
#include "exec/functions/declare.h"
#include "exec/functions/heap_size.h"

/// The two ways to build an Aggregate: plain bytes as state, or a pointer to an object.
namespace millrace::inline exec {

inline Error malformed_state() {
  return Error{Fault::bug, "a broken aggregate state"};
}

/// Reads one argument column of a fixed-width type.
template <class T>
struct FlatInput {
  const T* values = nullptr;
  const Bitmap* nulls = nullptr;

  explicit FlatInput(const Column& column)
      : values(column.data.as<T>()), nulls(column.nulls.empty() ? nullptr : &column.nulls) {}
  bool is_null(std::size_t row) const { return nulls != nullptr && nulls->test(row); }
};

/// `Ops` gives: State (trivially copyable, value-initialised when new), Input (made from the argument columns, and the
/// number of rows if it wants that), `bool add(State&, const Input&, row)` (false: `overflow()` ends the query), `bool
/// remove(...)` when kUndo, `bool merge(State&, const State&)`, `encode(state, out)`, `decode(in, state)`, and
/// `write(state, Column&, row)` into a fixed-width result.
template <class Ops>
class FixedAggregate final : public Aggregate {
 public:
  using State = typename Ops::State;
  static_assert(std::is_trivially_copyable_v<State>);

  FixedAggregate(Ops ops, Type type) : ops_(std::move(ops)), type_(std::move(type)) {}

  Layout layout() const override { return {sizeof(State), alignof(State), true}; }
  const Type& type() const override { return type_; }
  void init(std::byte* state) const override { new (state) State{}; }
  void destroy(std::byte*) const override {}
  void copy(const std::byte* from, std::byte* to) const override { std::memcpy(to, from, sizeof(State)); }

  Status update(std::span<std::byte* const> states, std::size_t offset, std::span<const ColumnPtr> arguments,
                std::span<const std::uint32_t> rows) const override {
    const auto input = make_input(arguments, rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i)
      if (!ops_.add(*at(states[i], offset), input, rows[i])) return ops_.overflow();
    return {};
  }

  Status update_all(std::byte* state, std::span<const ColumnPtr> arguments, std::size_t rows) const override {
    const auto input = make_input(arguments, rows);
    State now = *at(state, 0);  // of its own: in registers
    for (std::size_t row = 0; row < rows; ++row)
      if (!ops_.add(now, input, row)) return ops_.overflow();
    *at(state, 0) = now;
    return {};
  }

  Status undo(std::span<std::byte* const> states, std::size_t offset, std::span<const ColumnPtr> arguments,
              std::span<const std::uint32_t> rows) const override {
    if constexpr (Ops::kUndo) {
      const auto input = make_input(arguments, rows.size());
      for (std::size_t i = 0; i < rows.size(); ++i)
        if (!ops_.remove(*at(states[i], offset), input, rows[i])) return ops_.overflow();
    }
    return {};
  }
  bool supports_undo() const override { return Ops::kUndo; }

  Status merge(std::byte* into, const std::byte* from) const override {
    if (!ops_.merge(*at(into, 0), *at(from, 0))) return ops_.overflow();
    return {};
  }
  Status merge_encoded(std::span<std::byte* const> states, std::size_t offset,
                       std::span<std::string_view> encoded) const override {
    for (std::size_t i = 0; i < states.size(); ++i) {
      State from{};
      if (!ops_.decode(encoded[i], from)) return malformed_state();
      if (!ops_.merge(*at(states[i], offset), from)) return ops_.overflow();
    }
    return {};
  }
  void encode(const std::byte* state, std::string& out) const override { ops_.encode(*at(state, 0), out); }
  bool decode(std::string_view& in, std::byte* state) const override { return ops_.decode(in, *new (state) State{}); }

  ColumnPtr result(std::span<const std::byte* const> states, std::size_t offset) const override {
    auto column = make_column(type_, states.size());
    for (std::size_t i = 0; i < states.size(); ++i) ops_.write(*at(states[i], offset), *column, i);
    return column;
  }

 private:
  static typename Ops::Input make_input(std::span<const ColumnPtr> arguments, std::size_t rows) {
    if constexpr (std::is_constructible_v<typename Ops::Input, std::span<const ColumnPtr>, std::size_t>)
      return typename Ops::Input(arguments, rows);
    else
      return typename Ops::Input(arguments);
  }
  static State* at(std::byte* state, std::size_t offset) { return reinterpret_cast<State*>(state + offset); }
  static const State* at(const std::byte* state, std::size_t offset) {
    return reinterpret_cast<const State*>(state + offset);
  }
  Ops ops_;
  Type type_;
};

/// `Ops` gives: Object (copyable, default: nothing seen), `add(Object&, arguments, row)`, `remove(...)` when kUndo,
/// `merge(Object&, const Object&)`, `encode`, `decode`, `heap_size(const Object&)` (heap_size.h), and
/// `Value result(const Object&)`. No object is made before the first row.
template <class Ops>
class HeapAggregate final : public Aggregate {
 public:
  using Object = typename Ops::Object;

  HeapAggregate(Ops ops, Type type) : ops_(std::move(ops)), type_(std::move(type)) {}

  Layout layout() const override { return {sizeof(Object*), alignof(Object*), false}; }
  const Type& type() const override { return type_; }
  void init(std::byte* state) const override { slot(state) = nullptr; }
  void destroy(std::byte* state) const override { delete slot(state); }
  void copy(const std::byte* from, std::byte* to) const override {
    const Object* object = slot(from);
    slot(to) = object == nullptr ? nullptr : new Object(*object);
  }

  Status update(std::span<std::byte* const> states, std::size_t offset, std::span<const ColumnPtr> arguments,
                std::span<const std::uint32_t> rows) const override {
    for (std::size_t i = 0; i < rows.size(); ++i) ops_.add(object(states[i] + offset), arguments, rows[i]);
    return {};
  }
  Status undo(std::span<std::byte* const> states, std::size_t offset, std::span<const ColumnPtr> arguments,
              std::span<const std::uint32_t> rows) const override {
    if constexpr (Ops::kUndo)
      for (std::size_t i = 0; i < rows.size(); ++i) ops_.remove(object(states[i] + offset), arguments, rows[i]);
    return {};
  }
  bool supports_undo() const override { return Ops::kUndo; }

  Status merge(std::byte* into, const std::byte* from) const override {
    if (slot(from) != nullptr) ops_.merge(object(into), *slot(from));
    return {};
  }
  Status merge_encoded(std::span<std::byte* const> states, std::size_t offset,
                       std::span<std::string_view> encoded) const override {
    for (std::size_t i = 0; i < states.size(); ++i) {
      bool present = false;
      Object from{};
      if (!codec::get(encoded[i], present) || (present && !ops_.decode(encoded[i], from))) return malformed_state();
      if (present) ops_.merge(object(states[i] + offset), from);
    }
    return {};
  }
  std::size_t heap_bytes(const std::byte* state) const override {
    const Object* object = slot(state);
    return object == nullptr ? 0 : sizeof(Object) + heap::kPiece + ops_.heap_size(*object);
  }
  void encode(const std::byte* state, std::string& out) const override {
    codec::put(slot(state) != nullptr, out);
    if (slot(state) != nullptr) ops_.encode(*slot(state), out);
  }
  bool decode(std::string_view& in, std::byte* state) const override {
    bool present = false;
    if (!codec::get(in, present)) return false;
    std::unique_ptr<Object> made;
    if (present) {
      made = std::make_unique<Object>();
      if (!ops_.decode(in, *made)) return false;
    }
    slot(state) = made.release();
    return true;
  }

  ColumnPtr result(std::span<const std::byte* const> states, std::size_t offset) const override {
    static const Object kNothing{};
    ColumnBuilder builder(type_);
    for (const std::byte* state : states) {
      const Object* object = slot(state + offset);
      builder.append(ops_.result(object == nullptr ? kNothing : *object));
    }
    return builder.finish();
  }

 private:
  static Object*& slot(std::byte* state) { return *reinterpret_cast<Object**>(state); }
  static Object* slot(const std::byte* state) { return *reinterpret_cast<Object* const*>(state); }
  static Object& object(std::byte* state) {
    if (slot(state) == nullptr) slot(state) = new Object();
    return *slot(state);
  }
  Ops ops_;
  Type type_;
};

template <class Ops>
AggregateMaker fixed_aggregate() {
  return [](const AggregateSpec& spec) -> std::unique_ptr<Aggregate> {
    return std::make_unique<FixedAggregate<Ops>>(Ops(spec), spec.result);
  };
}
template <class Ops>
AggregateMaker heap_aggregate() {
  return [](const AggregateSpec& spec) -> std::unique_ptr<Aggregate> {
    return std::make_unique<HeapAggregate<Ops>>(Ops(spec), spec.result);
  };
}

}  // namespace millrace::inline exec
