#include "exec/operators/store_reader.h"

#include <algorithm>

#include "exec/operators/group_values.h"
#include "exec/operators/ranked_rows.h"
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
  std::vector<Type> types;  // of all columns
  std::vector<bool> wanted;
  bool wants_keys = true;
  std::optional<GroupLayout> groups;
  std::optional<RowCodec> rows;
  bool ranked = false;  // a value is the rows of a group, of which the first is the result

  Impl(const PlanNode& owner, std::vector<bool> columns)
      : keys(owner), key_columns(owner.schema.keys()), wanted(std::move(columns)) {
    for (const ColumnDef& column : owner.schema.columns) types.push_back(column.type);
    if (wanted.empty()) wanted.assign(types.size(), true);
    const auto end = wanted.begin() + static_cast<std::ptrdiff_t>(key_columns.size());
    wants_keys = std::find(wanted.begin(), end, true) != end;
    if (const auto* aggregate = owner.as<AggregateNode>()) {
      groups.emplace(*aggregate);
    } else {
      rows.emplace(owner.schema, &wanted);
      ranked = owner.as<TopRowsNode>() != nullptr;
    }
  }

  /// Rows with everything but their value columns.
  Batch frame(std::span<const std::string_view> key_bytes, std::shared_ptr<std::vector<std::int64_t>> timestamps) {
    Batch out;
    out.rows = key_bytes.size();
    out.timestamps = std::move(timestamps);
    if (wants_keys) {
      keys.decode(key_bytes, out);
    } else {
      for (const ColumnDef& key : key_columns) out.columns.push_back(make_null_column(key.type, out.rows));
      keys.decode_window(key_bytes, out);
    }
    return out;
  }

  Batch read_groups(std::span<const std::string_view> key_bytes, std::span<const std::byte* const> values) {
    auto timestamps = std::make_shared<std::vector<std::int64_t>>();
    timestamps->reserve(values.size());
    for (const std::byte* value : values) timestamps->push_back(value_timestamp(value));
    Batch out = frame(key_bytes, std::move(timestamps));
    for (std::size_t c = 0; c < groups->calls(); ++c) {
      const std::size_t column = key_columns.size() + c;
      out.columns.push_back(wanted[column] ? groups->aggregate(c).result(values, groups->offset(c))
                                           : make_null_column(types[column], out.rows));
    }
    return out;
  }

  Result<Batch> decode_groups(std::span<const std::string_view> key_bytes, std::span<const std::string_view> values) {
    Groups memory(*groups, values.size());
    std::vector<const std::byte*> pointers;
    pointers.reserve(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (!memory.add(values[i])) return malformed();
      pointers.push_back(memory.at(i));
    }
    return read_groups(key_bytes, pointers);
  }

  Result<Batch> read_rows(std::span<const std::string_view> key_bytes,
                          std::vector<std::optional<std::string_view>> bytes,
                          std::shared_ptr<std::vector<std::int64_t>> timestamps) {
    for (std::size_t i = 0; ranked && i < bytes.size(); ++i) {
      const auto first = first_row(*bytes[i]);
      if (!first) return malformed();
      bytes[i] = first->row;
      (*timestamps)[i] = std::max((*timestamps)[i], first->timestamp);
    }
    Batch out = frame(key_bytes, std::move(timestamps));
    if (std::find(wanted.begin() + static_cast<std::ptrdiff_t>(key_columns.size()), wanted.end(), true) ==
        wanted.end()) {
      add_values({}, out);
      return out;
    }
    auto columns = rows->decode(bytes);
    if (!columns) return columns.error();
    add_values(*columns, out);
    return out;
  }
  void add_values(std::span<const ColumnPtr> columns, Batch& out) const {
    std::size_t next = 0;
    for (std::size_t column = key_columns.size(); column < types.size(); ++column)
      out.columns.push_back(wanted[column] ? columns[next++] : make_null_column(types[column], out.rows));
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
    return read_rows(key_bytes, std::move(bytes), std::move(timestamps));
  }
};

StoreReader::StoreReader(const PlanNode& owner, std::vector<bool> wanted)
    : impl_(std::make_unique<Impl>(owner, std::move(wanted))) {}
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

Result<Batch> StoreReader::read(std::span<const std::string_view> keys, std::span<const std::byte* const> values) {
  if (impl_->groups) return impl_->read_groups(keys, values);
  std::vector<std::optional<std::string_view>> bytes;
  auto timestamps = std::make_shared<std::vector<std::int64_t>>();
  for (const std::byte* value : values) {
    timestamps->push_back(value_timestamp(value));
    bytes.emplace_back(row_value(value).bytes());
  }
  return impl_->read_rows(keys, std::move(bytes), std::move(timestamps));
}

}  // namespace millrace::inline exec
