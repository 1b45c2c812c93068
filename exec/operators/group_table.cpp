#include "exec/operators/group_table.h"

#include <algorithm>
#include <bit>
#include <string_view>

#include "exec/state/key_codec.h"
#include "exec/state/key_table.h"

namespace millrace::inline exec {
namespace {

constexpr std::size_t kBlock = 64;  // rows whose places in memory are fetched together

/// Groups as entries of a table of keys.
class EntryGroups : public GroupTable {
 public:
  std::size_t size() const override { return order_.size(); }
  std::byte* value(std::size_t group) const override { return order_[group]->value(); }
  std::size_t memory() const override { return table_.memory() + order_.capacity() * sizeof(Entry*); }

 protected:
  explicit EntryGroups(std::size_t value_size) : value_size_(value_size), table_(value_size) {}

  /// Calls `take(i, hash)` for each of the keys `key(i)`, whose places in memory are fetched a block at a time.
  template <class KeyOf, class Take>
  void each_hashed(std::size_t count, const KeyOf& key, const Take& take) {
    std::uint64_t hashes[kBlock];
    for (std::size_t from = 0; from < count; from += kBlock) {
      const std::size_t size = std::min(kBlock, count - from);
      for (std::size_t i = 0; i < size; ++i) {
        hashes[i] = hash_key(key(from + i));
        table_.prefetch_slot(hashes[i]);
      }
      for (std::size_t i = 0; i < size; ++i) table_.prefetch_entry(hashes[i]);
      for (std::size_t i = 0; i < size; ++i) take(from + i, hashes[i]);
    }
  }
  std::byte* group_of(std::uint64_t hash, std::string_view key) {
    Entry* group = table_.find(hash, key);
    if (group == nullptr) add(group = table_.insert(hash, key, 0));
    return group->value();
  }
  void add(Entry* group) { order_.push_back(group); }
  std::string_view key(std::size_t group) const { return order_[group]->key(value_size_); }

  const std::size_t value_size_;

 private:
  KeyTable table_;
  std::vector<Entry*> order_;
};

/// Keys of any types, as bytes.
class EncodedGroups final : public EntryGroups {
 public:
  EncodedGroups(std::span<const Type> types, std::size_t value_size)
      : EntryGroups(value_size), types_(types.begin(), types.end()) {}

  void find(std::span<const ColumnPtr> keys, std::span<const std::uint32_t> rows,
            std::vector<std::byte*>& values) override {
    encode_keys(keys, rows, {}, encoded_);
    values.resize(rows.size());
    each_hashed(
        rows.size(), [&](std::size_t i) { return encoded_[i]; },
        [&](std::size_t i, std::uint64_t hash) { values[i] = group_of(hash, encoded_[i]); });
  }
  std::vector<ColumnPtr> keys(std::size_t from, std::size_t to) const override {
    std::vector<std::string_view> bytes;
    bytes.reserve(to - from);
    for (std::size_t group = from; group < to; ++group) bytes.push_back(key(group));
    return decode_keys(types_, bytes, 0);
  }

 private:
  const std::vector<Type> types_;
  KeyBuffer encoded_;
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
class TextGroups final : public EntryGroups {
 public:
  TextGroups(Type type, std::size_t value_size) : EntryGroups(value_size), type_(std::move(type)) {}

  void find(std::span<const ColumnPtr> keys, std::span<const std::uint32_t> rows,
            std::vector<std::byte*>& values) override {
    const Column& column = *keys.front();
    const auto* texts = column.data.as<std::string_view>();
    const bool nulls = !column.nulls.empty();
    values.resize(rows.size());
    each_hashed(
        rows.size(), [&](std::size_t i) { return texts[rows[i]]; },
        [&](std::size_t i, std::uint64_t hash) {
          values[i] = nulls && column.is_null(rows[i]) ? null_group() : group_of(hash, texts[rows[i]]);
        });
  }
  std::vector<ColumnPtr> keys(std::size_t from, std::size_t to) const override {
    auto column = make_column(type_, to - from);
    auto arena = std::make_shared<Arena>();
    auto* texts = column->values_mut<std::string_view>();
    for (std::size_t group = from; group < to; ++group)
      if (group != null_)
        texts[group - from] = arena->copy(key(group));
      else
        column->nulls.set(group - from, to - from);
    column->keep.push_back(std::move(arena));
    return {std::move(column)};
  }

 private:
  static constexpr std::size_t kNone = SIZE_MAX;

  /// NULL is beside the table: each text, the empty one too, is another key.
  std::byte* null_group() {
    if (null_ == kNone) {
      null_ = size();
      add(nulls_.insert(0, {}, 0));
    }
    return value(null_);
  }

  const Type type_;
  KeyTable nulls_{value_size_};
  std::size_t null_ = kNone;
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
