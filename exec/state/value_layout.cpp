#include "exec/state/value_layout.h"

#include <cstdlib>
#include <cstring>
#include <new>

namespace millrace::inline exec {
namespace {

class RowLayout final : public ValueLayout {
 public:
  std::size_t size() const override { return sizeof(RowValue); }
  bool trivial() const override { return false; }
  void copy(const std::byte* from, std::byte* to) const override {
    const RowValue& row = row_value(from);
    make_row_value(to, row.timestamp, row.bytes());
  }
  void destroy(std::byte* value) const override { std::free(row_value(value).data); }
  void encode(const std::byte* value, std::string& out) const override {
    const RowValue& row = row_value(value);
    out.append(reinterpret_cast<const char*>(&row.timestamp), sizeof(row.timestamp));
    out.append(row.bytes());
  }
  bool decode(std::string_view in, std::byte* value) const override {
    std::int64_t timestamp = 0;
    if (in.size() < sizeof(timestamp)) return false;
    std::memcpy(&timestamp, in.data(), sizeof(timestamp));
    make_row_value(value, timestamp, in.substr(sizeof(timestamp)));
    return true;
  }
  std::size_t heap_bytes(const std::byte* value) const override { return row_value(value).size + 16; }
};

}  // namespace

RowValue& row_value(std::byte* value) {
  return *reinterpret_cast<RowValue*>(value);
}
const RowValue& row_value(const std::byte* value) {
  return *reinterpret_cast<const RowValue*>(value);
}

void make_row_value(std::byte* value, std::int64_t timestamp, std::string_view bytes) {
  char* data = static_cast<char*>(std::malloc(bytes.empty() ? 1 : bytes.size()));
  if (data == nullptr) throw std::bad_alloc();
  if (!bytes.empty()) std::memcpy(data, bytes.data(), bytes.size());
  new (value) RowValue{timestamp, data, bytes.size()};
}

const ValueLayout& row_layout() {
  static const RowLayout layout;
  return layout;
}

std::shared_ptr<const ValueLayout> shared_row_layout() {
  return {&row_layout(), [](const ValueLayout*) {}};
}

}  // namespace millrace::inline exec
