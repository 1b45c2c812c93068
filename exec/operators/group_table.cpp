#include "exec/operators/group_table.h"

#include <algorithm>
#include <bit>
#include <string_view>

#include "exec/state/key_codec.h"
#include "exec/state/key_table.h"

namespace millrace::inline exec {
namespace {

constexpr std::size_t kBlock = 64;  // rows whose places in memory are fetched together

/// Keys of any types, as bytes.
class EncodedGroups final : public GroupTable {
 public:
  EncodedGroups(std::span<const Type> types, std::size_t value_size)
      : types_(types.begin(), types.end()), value_size_(value_size), table_(value_size) {}

  void find(std::span<const ColumnPtr> keys, std::span<const std::uint32_t> rows,
            std::vector<std::byte*>& values) override {
    encode_keys(keys, rows, {}, encoded_);
    hashes_.resize(rows.size());
    values.resize(rows.size());
    for (std::size_t from = 0; from < rows.size(); from += kBlock) {
      const std::size_t to = std::min(from + kBlock, rows.size());
      for (std::size_t i = from; i < to; ++i) {
        hashes_[i] = hash_key(encoded_[i]);
        table_.prefetch_slot(hashes_[i]);
      }
      for (std::size_t i = from; i < to; ++i) table_.prefetch_entry(hashes_[i]);
      for (std::size_t i = from; i < to; ++i) {
        Entry* group = table_.find(hashes_[i], encoded_[i]);
        if (group == nullptr) order_.push_back(group = table_.insert(hashes_[i], encoded_[i], 0));
        values[i] = group->value();
      }
    }
  }
  std::size_t size() const override { return order_.size(); }
  std::byte* value(std::size_t group) const override { return order_[group]->value(); }
  std::vector<ColumnPtr> keys(std::size_t from, std::size_t to) const override {
    std::vector<std::string_view> bytes;
    bytes.reserve(to - from);
    for (std::size_t group = from; group < to; ++group) bytes.push_back(order_[group]->key(value_size_));
    return decode_keys(types_, bytes, 0);
  }
  std::size_t memory() const override { return table_.memory() + order_.capacity() * sizeof(Entry*); }

 private:
  const std::vector<Type> types_;
  const std::size_t value_size_;
  KeyTable table_;
  std::vector<Entry*> order_;
  KeyBuffer encoded_;
  std::vector<std::uint64_t> hashes_;
};

/// Pieces of equal size, in chunks: they stay where they are.
class Pieces {
 public:
  explicit Pieces(std::size_t size) : stride_((size + 15) / 16 * 2) {}
  std::byte* add() {
    if (size_ % kPerChunk == 0) chunks_.push_back(std::make_unique<std::uint64_t[]>(kPerChunk * stride_));
    return at(size_++);
  }
  std::byte* at(std::size_t i) const {
    return reinterpret_cast<std::byte*>(chunks_[i / kPerChunk].get() + i % kPerChunk * stride_);
  }
  std::size_t memory() const { return chunks_.size() * kPerChunk * stride_ * 8; }

 private:
  static constexpr std::size_t kPerChunk = 512;
  const std::size_t stride_;
  std::size_t size_ = 0;
  std::vector<std::unique_ptr<std::uint64_t[]>> chunks_;
};

/// One key, a whole number.
template <class T>
class NumberGroups final : public GroupTable {
 public:
  NumberGroups(Type type, std::size_t value_size) : type_(std::move(type)), pieces_(value_size), slots_(kFirstSlots) {}

  void find(std::span<const ColumnPtr> keys, std::span<const std::uint32_t> rows,
            std::vector<std::byte*>& values) override {
    const Column& column = *keys.front();
    const T* numbers = column.data.as<T>();
    const bool nulls = !column.nulls.empty();
    values.resize(rows.size());
    for (std::size_t from = 0; from < rows.size(); from += kBlock) {
      const std::size_t to = std::min(from + kBlock, rows.size());
      make_room(to - from);
      for (std::size_t i = from; i < to; ++i) __builtin_prefetch(&slots_[place(numbers[rows[i]])]);
      for (std::size_t i = from; i < to; ++i)
        values[i] = nulls && column.is_null(rows[i]) ? null_group() : group_of(numbers[rows[i]]);
    }
  }
  std::size_t size() const override { return numbers_.size(); }
  std::byte* value(std::size_t group) const override { return pieces_.at(group); }
  std::vector<ColumnPtr> keys(std::size_t from, std::size_t to) const override {
    auto column = make_column(type_, to - from);
    std::copy(numbers_.begin() + static_cast<std::ptrdiff_t>(from), numbers_.begin() + static_cast<std::ptrdiff_t>(to),
              column->template values_mut<T>());
    if (null_ >= from && null_ < to) column->nulls.set(null_ - from, to - from);
    return {std::move(column)};
  }
  std::size_t memory() const override {
    return pieces_.memory() + slots_.capacity() * sizeof(Slot) + numbers_.capacity() * sizeof(T);
  }

 private:
  struct Slot {
    T number = 0;
    std::byte* value = nullptr;  // null: the slot is free
  };
  static constexpr std::size_t kFirstSlots = 1024;
  static constexpr std::size_t kNone = SIZE_MAX;

  std::size_t place(T number) const {
    const auto bits = static_cast<std::uint64_t>(number);
    return static_cast<std::size_t>(((bits ^ bits >> 32) * 0x9E3779B97F4A7C15ULL) >> shift_);
  }
  std::byte* group_of(T number) {
    for (std::size_t i = place(number);; i = (i + 1) & (slots_.size() - 1)) {
      Slot& slot = slots_[i];
      if (slot.value == nullptr) {
        slot = {number, pieces_.add()};
        numbers_.push_back(number);
        return slot.value;
      }
      if (slot.number == number) return slot.value;
    }
  }
  std::byte* null_group() {
    if (null_ == kNone) {
      null_ = numbers_.size();
      numbers_.push_back(0);
      return pieces_.add();
    }
    return pieces_.at(null_);
  }
  /// At most half of the slots are taken.
  void make_room(std::size_t more) {
    if ((numbers_.size() + more) * 2 <= slots_.size()) return;
    std::vector<Slot> old(slots_.size() * 2);
    old.swap(slots_);
    --shift_;
    for (const Slot& slot : old) {
      if (slot.value == nullptr) continue;
      std::size_t i = place(slot.number);
      while (slots_[i].value != nullptr) i = (i + 1) & (slots_.size() - 1);
      slots_[i] = slot;
    }
  }

  const Type type_;
  Pieces pieces_;
  std::vector<Slot> slots_;
  int shift_ = 64 - std::countr_zero(kFirstSlots);
  std::vector<T> numbers_;  // of the groups
  std::size_t null_ = kNone;
};

/// One key, a text or bytes.
class TextGroups final : public GroupTable {
 public:
  TextGroups(Type type, std::size_t value_size) : type_(std::move(type)), value_size_(value_size), table_(value_size) {}

  void find(std::span<const ColumnPtr> keys, std::span<const std::uint32_t> rows,
            std::vector<std::byte*>& values) override {
    const Column& column = *keys.front();
    const auto* texts = column.data.as<std::string_view>();
    const bool nulls = !column.nulls.empty();
    hashes_.resize(kBlock);
    values.resize(rows.size());
    for (std::size_t from = 0; from < rows.size(); from += kBlock) {
      const std::size_t count = std::min(kBlock, rows.size() - from);
      for (std::size_t i = 0; i < count; ++i) {
        hashes_[i] = hash_key(texts[rows[from + i]]);
        table_.prefetch_slot(hashes_[i]);
      }
      for (std::size_t i = 0; i < count; ++i) table_.prefetch_entry(hashes_[i]);
      for (std::size_t i = 0; i < count; ++i) {
        const std::uint32_t row = rows[from + i];
        values[from + i] = nulls && column.is_null(row) ? null_group() : group_of(hashes_[i], texts[row]);
      }
    }
  }
  std::size_t size() const override { return order_.size(); }
  std::byte* value(std::size_t group) const override { return order_[group]->value(); }
  std::vector<ColumnPtr> keys(std::size_t from, std::size_t to) const override {
    auto column = make_column(type_, to - from);
    auto arena = std::make_shared<Arena>();
    auto* texts = column->values_mut<std::string_view>();
    for (std::size_t group = from; group < to; ++group)
      if (group != null_)
        texts[group - from] = arena->copy(order_[group]->key(value_size_));
      else
        column->nulls.set(group - from, to - from);
    column->keep.push_back(std::move(arena));
    return {std::move(column)};
  }
  std::size_t memory() const override { return table_.memory() + order_.capacity() * sizeof(Entry*); }

 private:
  static constexpr std::size_t kNone = SIZE_MAX;

  std::byte* group_of(std::uint64_t hash, std::string_view text) {
    Entry* group = table_.find(hash, text);
    if (group == nullptr) order_.push_back(group = table_.insert(hash, text, 0));
    return group->value();
  }
  /// NULL is beside the table: each text, the empty one too, is another key.
  std::byte* null_group() {
    if (null_ == kNone) {
      null_ = order_.size();
      order_.push_back(nulls_.insert(0, {}, 0));
    }
    return order_[null_]->value();
  }

  const Type type_;
  const std::size_t value_size_;
  KeyTable table_;
  KeyTable nulls_{value_size_};
  std::vector<Entry*> order_;
  std::size_t null_ = kNone;
  std::vector<std::uint64_t> hashes_;
};

}  // namespace

std::unique_ptr<GroupTable> GroupTable::make(std::span<const Type> types, std::size_t value_size) {
  if (types.size() == 1) {
    switch (types.front().kind()) {
      case TypeKind::integer:
      case TypeKind::date:
      case TypeKind::time:
        return std::make_unique<NumberGroups<std::int32_t>>(types.front(), value_size);
      case TypeKind::bigint:
      case TypeKind::timestamp:
        return std::make_unique<NumberGroups<std::int64_t>>(types.front(), value_size);
      case TypeKind::string:
      case TypeKind::bytes:
        return std::make_unique<TextGroups>(types.front(), value_size);
      default:
        break;
    }
  }
  return std::make_unique<EncodedGroups>(types, value_size);
}

}  // namespace millrace::inline exec
