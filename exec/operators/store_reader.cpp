#include "exec/operators/store_reader.h"

#include "exec/operators/group_values.h"
#include "exec/operators/table_side.h"
#include "exec/state/key_codec.h"

namespace millrace::inline exec {
namespace {

Error malformed() {
  return external_error("a stored value cannot be read");
}

// Group values in raw memory; gives back what was made.
class Groups {
 public:
  Groups(const GroupLayout& layout, std::size_t count)
      : layout_(layout), stride_((layout.size() + 7) / 8), memory_(stride_ * count) {}
  ~Groups() {
    if (layout_.trivial()) return;
    for (std::size_t i = 0; i < made_; ++i) layout_.destroy(at(i));
  }
  Groups(const Groups&) = delete;
  Groups& operator=(const Groups&) = delete;

  bool add(std::string_view bytes) {
    if (!layout_.decode(bytes, at(made_))) return false;
    ++made_;
    return true;
  }
  std::byte* at(std::size_t i) { return reinterpret_cast<std::byte*>(memory_.data() + i * stride_); }

 private:
  const GroupLayout& layout_;
  std::size_t stride_;
  std::vector<std::uint64_t> memory_;
  std::size_t made_ = 0;
};

}  // namespace

struct StoreReader::Impl {
  StoreKeys keys;
  std::vector<ColumnDef> key_columns;
  std::optional<GroupLayout> groups;
  std::optional<RowCodec> rows;

  explicit Impl(const PlanNode& owner) : keys(owner), key_columns(owner.schema.keys()) {
    if (const auto* aggregate = owner.as<AggregateNode>()) {
      groups.emplace(*aggregate);
    } else {
      rows.emplace(owner.schema);
    }
  }

  Result<Batch> decode_groups(std::span<const std::string_view> key_bytes, std::span<const std::string_view> values) {
    Groups memory(*groups, values.size());
    std::vector<const std::byte*> pointers;
    std::vector<std::int64_t> timestamps;
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (!memory.add(values[i])) return malformed();
      pointers.push_back(memory.at(i));
      timestamps.push_back(value_timestamp(memory.at(i)));
    }
    return group_batch(keys, *groups, key_bytes, pointers, std::move(timestamps), {});
  }

  Result<Batch> decode_rows(std::span<const std::string_view> key_bytes, std::span<const std::string_view> values) {
    std::vector<std::optional<std::string_view>> bytes;
    auto timestamps = std::make_shared<std::vector<std::int64_t>>();
    for (const std::string_view value : values) {
      std::int64_t timestamp = 0;
      if (value.size() < sizeof(timestamp)) return malformed();
      std::memcpy(&timestamp, value.data(), sizeof(timestamp));
      timestamps->push_back(timestamp);
      bytes.emplace_back(value.substr(sizeof(timestamp)));
    }
    auto columns = rows->decode(bytes);
    if (!columns) return columns.error();
    Batch out;
    out.rows = values.size();
    out.columns = std::move(*columns);
    keys.decode(key_bytes, out);
    out.timestamps = std::move(timestamps);
    out.kinds.assign(out.rows, RowKind::update_after);
    return out;
  }
};

StoreReader::StoreReader(const PlanNode& owner) : impl_(std::make_unique<Impl>(owner)) {}
StoreReader::~StoreReader() = default;

std::string StoreReader::key(std::span<const Value> values) const {
  return encode_key(values, impl_->key_columns);
}

Result<Batch> StoreReader::decode(std::span<const std::pair<std::string, std::string>> entries) {
  std::vector<std::string_view> keys, values;
  for (const auto& [key, value] : entries) {
    keys.push_back(key);
    values.push_back(value);
  }
  return impl_->groups ? impl_->decode_groups(keys, values) : impl_->decode_rows(keys, values);
}

}  // namespace millrace::inline exec
