#include "exec/functions/distinct_sketch.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "exec/functions/codec.h"

namespace millrace::inline exec {

DistinctSketch* DistinctSketch::make_table(std::uint32_t places) {
  void* memory = std::calloc(1, sizeof(DistinctSketch) + places * sizeof(std::uint64_t));
  if (memory == nullptr) throw std::bad_alloc();
  auto* sketch = static_cast<DistinctSketch*>(memory);
  sketch->places_ = places;
  return sketch;
}

DistinctSketch* DistinctSketch::make_registers() {
  void* memory = std::calloc(1, sizeof(DistinctSketch) + kRegisters);
  if (memory == nullptr) throw std::bad_alloc();
  return static_cast<DistinctSketch*>(memory);
}

std::size_t DistinctSketch::bytes() const {
  return sizeof(DistinctSketch) + (places_ == 0 ? kRegisters : places_ * sizeof(std::uint64_t));
}

void DistinctSketch::widen(DistinctSketch*& sketch) {
  DistinctSketch* wide = make_registers();
  sketch->for_each_hash([wide](std::uint64_t hash) { wide->rank(hash); });
  release(std::exchange(sketch, wide));
}

void DistinctSketch::grow(DistinctSketch*& sketch) {
  if (sketch->hashes_ > kMaxExact) return widen(sketch);
  DistinctSketch* larger = make_table(sketch->places_ * 2);
  larger->hashes_ = sketch->hashes_;
  sketch->for_each_hash([larger](std::uint64_t hash) { larger->table()[larger->place_of(hash)] = hash; });
  release(std::exchange(sketch, larger));
}

DistinctSketch* DistinctSketch::copy(const DistinctSketch* from) {
  if (from == nullptr) return nullptr;
  void* memory = std::malloc(from->bytes());
  if (memory == nullptr) throw std::bad_alloc();
  std::memcpy(memory, from, from->bytes());
  return static_cast<DistinctSketch*>(memory);
}

void DistinctSketch::release(DistinctSketch* sketch) {
  std::free(sketch);
}

void DistinctSketch::merge(DistinctSketch*& into, const DistinctSketch* from) {
  if (from == nullptr) return;
  if (into == nullptr) {
    into = copy(from);
    return;
  }
  if (from->places_ != 0) return from->for_each_hash([&into](std::uint64_t hash) { insert(into, hash); });
  if (into->places_ != 0) widen(into);
  for (std::size_t i = 0; i < kRegisters; ++i)
    into->registers()[i] = std::max(into->registers()[i], from->registers()[i]);
}

void DistinctSketch::encode(const DistinctSketch* sketch, std::string& out) {
  const bool wide = sketch != nullptr && sketch->places_ == 0;
  codec::put_text(wide ? std::string_view(reinterpret_cast<const char*>(sketch->registers()), kRegisters) : "", out);
  codec::put_unsigned(sketch == nullptr ? 0 : sketch->hashes_, out);
  if (sketch == nullptr || wide) return;
  const std::size_t from = out.size(), end = from + sketch->hashes_ * sizeof(std::uint64_t);
  out.resize(end + sizeof(std::uint64_t));  // every place is written, free ones are written over
  char* to = out.data() + from;
  for (std::uint32_t i = 0; i < sketch->places_; ++i) {
    const std::uint64_t hash = sketch->table()[i];
    std::memcpy(to, &hash, sizeof(hash));
    to += hash == 0 ? 0 : sizeof(hash);
  }
  out.resize(end);
}

bool DistinctSketch::merge_encoded(DistinctSketch*& into, std::string_view& in) {
  std::string_view registers;
  std::uint64_t hashes = 0;
  if (!codec::get_text(in, registers) || !codec::get_unsigned(in, hashes)) return false;
  if (hashes > kMaxExact || in.size() < hashes * sizeof(std::uint64_t)) return false;
  if (!registers.empty()) {
    if (registers.size() != kRegisters) return false;
    if (into == nullptr) into = make_registers();
    if (into->places_ != 0) widen(into);
    for (std::size_t i = 0; i < kRegisters; ++i)
      into->registers()[i] = std::max(into->registers()[i], static_cast<std::uint8_t>(registers[i]));
  }
  for (; hashes > 0; --hashes) {
    std::uint64_t hash = 0;
    if (!codec::get_raw(in, hash)) return false;
    insert(into, hash);
  }
  return true;
}

std::int64_t DistinctSketch::estimate(const DistinctSketch* sketch) {
  if (sketch == nullptr) return 0;
  if (sketch->places_ != 0) return sketch->hashes_;
  constexpr double kCount = kRegisters;
  std::array<std::uint32_t, 64> ranks{};
  for (std::size_t i = 0; i < kRegisters; ++i) ++ranks[sketch->registers()[i] % ranks.size()];
  double sum = 0;
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) sum += std::ldexp(ranks[rank], -static_cast<int>(rank));
  const double empty = ranks[0];
  const double raw = 0.7213 / (1 + 1.079 / kCount) * kCount * kCount / sum;
  return std::llround(raw <= 2.5 * kCount && empty > 0 ? kCount * std::log(kCount / empty) : raw);
}

}  // namespace millrace::inline exec
