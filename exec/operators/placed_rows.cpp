#include "exec/operators/placed_rows.h"

#include "exec/functions/codec.h"
#include "exec/operators/batch_ops.h"

namespace millrace::inline exec {

std::string PlacedRow::written() const {
  std::string out;
  codec::put_unsigned(group_bytes, out);
  codec::put_text(order, out);
  codec::put(timestamp, out);
  codec::put_text(row, out);
  codec::put_text(values, out);
  return out;
}

bool PlacedRow::read(std::string_view bytes) {
  return codec::get_unsigned(bytes, group_bytes) && codec::get_text(bytes, order) && codec::get(bytes, timestamp) &&
         codec::get_text(bytes, row) && codec::get_text(bytes, values);
}

PlacedRows::PlacedRows(const PlanNode& input, const std::vector<SortKey>& order,
                       const std::vector<ProjectItem>& row_key, MapStore& store, PairStore& places)
    : groups_(input), codec_(input.schema), order_(order, input), store_(store), places_(places) {
  for (const ProjectItem& item : row_key) ids_.emplace_back(item.expr);
  places_.fill_by([this](bool all) { return find_places(all); });
  places_.keep_no_strays();
}

Result<std::unique_ptr<PlacedRows>> PlacedRows::open(StoreSlot slot, const PlanNode& input,
                                                     const std::vector<SortKey>& order,
                                                     const std::vector<ProjectItem>& row_key) {
  const auto rows = open_rows(slot);
  if (!rows) return rows.error();
  slot.prefix += "|places";
  Result<std::unique_ptr<PairStore>> index = PairStore::open(slot, *rows);
  if (!index) return index.error();
  auto* places = static_cast<PairStore*>(slot.attach_index(std::move(*index)));
  return std::unique_ptr<PlacedRows>(new PlacedRows(input, order, row_key, **rows, *places));
}

std::string PlacedRows::place_of(std::string_view order, std::string_view id) {
  std::string place = std::string(order).append(id);
  const auto size = static_cast<std::uint32_t>(order.size());
  return place.append(reinterpret_cast<const char*>(&size), sizeof(size));
}

Status PlacedRows::load_place(std::string_view key, std::string_view bytes) {
  PlacedRow row;
  if (!row.read(bytes)) return unreadable();
  return places_.load(key.substr(0, row.group_bytes), place_of(row.order, key.substr(row.group_bytes)));
}

Status PlacedRows::find_places(bool all) {
  Status loaded;
  if (!all) {
    store_.for_each([&](const Entry& entry) {
      if (loaded && entry.present()) loaded = load_place(store_.key(entry), bytes_of(entry));
    });
    return loaded;
  }
  Status scanned = store_.scan({}, {}, [&](std::string_view key, std::string_view value) {
    loaded = load_place(key, value.substr(sizeof(std::int64_t)));
    return loaded.has_value();
  });
  return scanned ? loaded : scanned;
}

std::vector<ColumnPtr> PlacedRows::row_keys(const Batch& batch) {
  RowErrors errors;
  std::vector<ColumnPtr> columns;
  for (Evaluator& id : ids_) columns.push_back(id.evaluate(batch, errors));
  return columns;
}

Status PlacedRows::read_batch(const Batch& in, OperatorContext& context) {
  if (Status found = places_.ready(); !found) return found;
  RowErrors errors;
  order_.encode(in, errors, sorted_);
  if (errors.count != 0) context.report(errors, in);
  rows_.clear();
  for (std::uint32_t row = 0; row < in.rows; ++row)
    if (!in.null_values.test(row)) rows_.push_back(row);
  if (rows_.empty()) return {};
  groups_.encode(in, rows_, group_bytes_);
  encode_keys(row_keys(in), all_rows(in.rows), {}, id_bytes_);
  return codec_.encode(in, encoded_);
}

Status PlacedRows::find(const PlacedChange& change, Entry*& entry, std::string& old) {
  keys_.clear();
  keys_.bytes.append(change.group).append(change.id);
  keys_.ends.push_back(static_cast<std::uint32_t>(keys_.bytes.size()));
  if (Status found = store_.find_or_create(keys_, {&entry, 1}); !found) return found;
  old = bytes_of(*entry);
  return {};
}

Status PlacedRows::apply(const PlacedChange& change, Entry& entry, std::string_view old, std::string_view values) {
  PlacedRow before;
  if (entry.present()) {
    if (!before.read(old)) return unreadable();
    places_.remove(change.group, place_of(before.order, change.id));
  }
  if (!change.added) {
    store_.remove(entry);
    value_timestamp(entry.value()) = change.timestamp;
    return {};
  }
  places_.add(change.group, place_of(change.order, change.id));
  const PlacedRow now{change.group.size(), change.order, change.timestamp, change.row, values};
  store_.put_row(entry, change.timestamp, now.written());
  return {};
}

Status PlacedRows::find_rows(std::string_view group, const std::vector<std::string>& places,
                             std::vector<Entry*>& entries) {
  keys_.clear();
  for (const std::string& place : places) {
    keys_.bytes.append(group).append(id_of(place));
    keys_.ends.push_back(static_cast<std::uint32_t>(keys_.bytes.size()));
  }
  entries.resize(places.size());
  if (Status found = store_.find(keys_, entries); !found) return found;
  for (const Entry* entry : entries)
    if (entry == nullptr) return unreadable();
  return {};
}

}  // namespace millrace::inline exec
