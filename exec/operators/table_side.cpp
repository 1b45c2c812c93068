#include "exec/operators/table_side.h"

#include "exec/operators/batch_ops.h"
#include "planner/types/civil.h"

namespace millrace::inline exec {
namespace {

std::vector<ColumnDef> value_columns(const Schema& schema) {
  std::vector<ColumnDef> out(schema.columns.begin() + static_cast<std::ptrdiff_t>(schema.key_count()),
                             schema.columns.end());
  for (ColumnDef& column : out) column.role = ColumnRole::value;
  return out;
}

std::vector<std::size_t> chosen_columns(std::size_t keys, std::size_t count, const std::vector<bool>* wanted) {
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < count; ++i)
    if (wanted == nullptr || (*wanted)[keys + i]) out.push_back(i);
  return out;
}

}  // namespace

RowCodec::RowCodec(const Schema& schema, const std::vector<bool>* wanted) : keys_(schema.key_count()) {
  const FormatInfo row{.name = "ROW"};
  const std::vector<ColumnDef> columns = value_columns(schema);
  encoder_ = make_encoder(row, columns, false);
  decoder_ = make_decoder(row, columns, chosen_columns(keys_, columns.size(), wanted), false);
}

Status RowCodec::encode(const Batch& in, Encoded& out) {
  out.clear();
  return encoder_->encode({in.columns.data() + keys_, in.columns.size() - keys_}, in.rows, out);
}

Result<std::vector<ColumnPtr>> RowCodec::decode(std::span<const std::optional<std::string_view>> rows) {
  std::size_t total = 0;
  for (const auto& row : rows) total += row ? row->size() : 0;
  auto bytes = std::make_shared<std::string>();
  bytes->reserve(total);
  std::vector<std::optional<std::string_view>> inputs;
  inputs.reserve(rows.size());
  for (const auto& row : rows) {
    const std::size_t at = bytes->size();
    if (row) bytes->append(*row);
    inputs.push_back(row ? std::optional(std::string_view(bytes->data() + at, row->size())) : std::nullopt);
  }
  std::vector<ColumnPtr> out;
  Bitmap bad;
  RowErrors errors;
  decoder_->decode(inputs, bytes, out, bad, errors);
  if (errors.count != 0) return Error{Fault::bug, "a stored row cannot be read: " + errors.entries.front().message};
  return out;
}

Result<MapStore*> open_rows(const Result<StoreSlot>& slot, MapStoreOptions options) {
  if (!slot) return slot.error();
  options.layout = shared_row_layout();
  Result<std::unique_ptr<MapStore>> store = MapStore::open(*slot, options);
  if (!store) return store.error();
  return static_cast<MapStore*>(slot->attach(std::move(*store)));
}

MapStoreOptions going_by_time(std::int64_t retention_ms) {
  return {.window_bytes = kWindowBytes,
          .advance_ms = segment_ms(retention_ms),
          .retention_ms = std::max<std::int64_t>(retention_ms, 1)};
}

Result<OrderedStore*> open_lists(const Result<StoreSlot>& slot, std::int64_t retention_ms) {
  if (!slot) return slot.error();
  auto store = OrderedStore::open(
      *slot, {.layout = shared_row_layout(), .advance_ms = segment_ms(retention_ms), .retention_ms = retention_ms});
  if (!store) return store.error();
  return static_cast<OrderedStore*>(slot->attach(std::move(*store)));
}

Result<std::unique_ptr<TableSide>> TableSide::make(const PlanNode& relation, const Result<StoreSlot>& slot) {
  if (!slot) return slot.error();
  MapStoreOptions options{.window_bytes = StoreKeys(relation).window_bytes()};
  if (options.window_bytes != 0) {
    options.advance_ms = relation.window->size_ms.value_or(60'000);
    options.retention_ms = slot->retention_ms.value_or(kMillisPerDay);
  }
  const Result<MapStore*> store = open_rows(slot, options);
  if (!store) return store.error();
  return std::unique_ptr<TableSide>(new TableSide(relation, **store));
}

std::vector<std::uint32_t> TableSide::news(const Batch& in) {
  std::vector<std::uint32_t> rows;
  rows.reserve(in.rows);
  for (std::uint32_t row = 0; row < in.rows; ++row)
    if (in.kind(row) != RowKind::update_before && !in.null_keys.test(row)) rows.push_back(row);
  return rows;
}

Status TableSide::prepare(const Batch& in, std::span<const std::uint32_t> rows) {
  keys_.encode(in, rows, key_bytes_);
  entries_.resize(rows.size());
  if (Status found = store_->find_or_create(key_bytes_, entries_); !found) return found;
  return codec_.encode(in, encoded_);
}

void TableSide::put(const Batch& in, std::uint32_t row, Entry& entry) {
  const std::int64_t timestamp = (*in.timestamps)[row];
  if (is_gone(in, row)) {
    store_->remove(entry);
    value_timestamp(entry.value()) = timestamp;  // of the removal, until it is given out
  } else {
    store_->put_row(entry, timestamp, encoded_.row(row));
  }
}

Status TableSide::find(const Batch& in, std::span<const std::uint32_t> rows, std::vector<Entry*>& out) {
  keys_.encode(in, rows, key_bytes_);
  out.resize(rows.size());
  return store_->find(key_bytes_, out);
}

}  // namespace millrace::inline exec
