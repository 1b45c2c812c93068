#include "exec/operators/store_keys.h"

namespace millrace::inline exec {
namespace {

std::vector<Type> key_types(const Schema& schema) {
  std::vector<Type> out;
  for (const ColumnDef& column : schema.keys()) out.push_back(column.type);
  return out;
}

}  // namespace

StoreKeys::StoreKeys(std::vector<Type> types, std::optional<WindowInfo> window)
    : types_(std::move(types)), window_(window) {
  if (window_) window_bytes_ = window_->type == WindowType::session ? 2 * kWindowBytes : kWindowBytes;
}

StoreKeys::StoreKeys(const PlanNode& node) : StoreKeys(key_types(node.schema), node.window) {
  // Groups are found by when they close.
  if (const auto* aggregate = node.as<AggregateNode>(); aggregate != nullptr && aggregate->closing_key)
    window_bytes_ = kWindowBytes;
}

void StoreKeys::encode(const Batch& in, std::span<const std::uint32_t> rows, KeyBuffer& out) const {
  const std::span<const ColumnPtr> columns(in.columns.data(), types_.size());
  std::vector<std::int64_t> start, end;
  std::vector<std::span<const std::int64_t>> suffixes;
  if (window_) {
    for (const std::uint32_t row : rows) start.push_back((*in.window_start)[row]);
    if (window_->type == WindowType::session) {
      for (const std::uint32_t row : rows) end.push_back((*in.window_end)[row]);
      suffixes.push_back(end);
    }
    suffixes.push_back(start);
  }
  encode_keys(columns, rows, suffixes, out);
}

void StoreKeys::decode(std::span<const std::string_view> keys, Batch& out) const {
  std::vector<ColumnPtr> columns = decode_keys(types_, keys, window_bytes_);
  out.columns.insert(out.columns.begin(), columns.begin(), columns.end());
  decode_window(keys, out);
}

void StoreKeys::decode_window(std::span<const std::string_view> keys, Batch& out) const {
  if (!window_) return;
  auto start = std::make_shared<std::vector<std::int64_t>>(keys.size());
  auto end = std::make_shared<std::vector<std::int64_t>>(keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const char* tail = keys[i].data() + keys[i].size();
    (*start)[i] = read_window(tail - kWindowBytes);
    (*end)[i] = window_->type == WindowType::session ? read_window(tail - 2 * kWindowBytes)
                                                     : (*start)[i] + window_->size_ms.value_or(0);
  }
  out.window_start = std::move(start);
  out.window_end = std::move(end);
}

}  // namespace millrace::inline exec
