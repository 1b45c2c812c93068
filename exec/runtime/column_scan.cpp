#include "exec/runtime/column_scan.h"

#include <algorithm>

#include "exec/data/footprint.h"
#include "exec/operators/batch_ops.h"

namespace millrace::inline exec {
namespace {

constexpr std::size_t kRowsPerBatch = 4096;

/// Where the columns `wanted` are among `columns`; nothing: one of them is not there.
std::optional<std::vector<std::size_t>> places_of(std::span<const ColumnDef> wanted,
                                                  std::span<const ColumnDef> columns) {
  std::vector<std::size_t> places;
  for (const ColumnDef& column : wanted) {
    const auto found = std::ranges::find(columns, column.name, &ColumnDef::name);
    if (found == columns.end()) return std::nullopt;
    places.push_back(static_cast<std::size_t>(found - columns.begin()));
  }
  return places;
}

}  // namespace

Result<std::unique_ptr<ColumnScan>> ColumnScan::begin(TableReader& reader, const Schema& rows, Task& task,
                                                      TableImages& images, int partition) {
  std::unique_ptr<ColumnScan> scan(new ColumnScan(images, {reader.keeper().query_id, partition}));
  const std::uint64_t version = reader.version(task);
  scan->image_ = version != 0 ? images.find(scan->place_, version) : nullptr;
  if (scan->image_ != nullptr) {
    if (auto places = places_of(rows.columns, scan->image_->columns)) {
      scan->given_ = std::move(*places);
      return scan;
    }
    if (Status made = scan->widen(reader, rows); !made) return made.error();
  }
  auto taken = (scan->wider_ != nullptr ? *scan->wider_ : reader).take(task);
  if (!taken) return taken.error();
  scan->taken_ = std::move(*taken);
  if (version != 0 && images.most_bytes() != 0) {
    if (scan->made_ == nullptr) scan->made_ = std::make_shared<TableImage>();
    if (scan->made_->columns.empty()) scan->made_->columns = rows.columns;
    scan->made_->version = version;
  }
  return scan;
}

/// The next image is to have what this one has, too.
Status ColumnScan::widen(const TableReader& reader, const Schema& rows) {
  Schema all;
  for (const ColumnDef& column : reader.keeper().result.columns) {
    const auto is_it = [&](const ColumnDef& other) { return other.name == column.name; };
    if (std::ranges::any_of(rows.columns, is_it) || std::ranges::any_of(image_->columns, is_it))
      all.columns.push_back(column);
  }
  auto wider = TableReader::make(reader.keeper_plan(), &all);
  if (!wider) return wider.error();
  wider_ = std::move(*wider);
  given_ = *places_of(rows.columns, all.columns);
  made_ = std::make_shared<TableImage>();
  made_->columns = std::move(all.columns);
  image_ = nullptr;
  return {};
}

Result<std::optional<Batch>> ColumnScan::next(TableReader& reader, const WindowRange& windows) {
  auto rows = image_ != nullptr ? next_of_image() : next_read(wider_ != nullptr ? *wider_ : reader);
  if (rows && *rows) keep_windows(**rows, windows);
  return rows;
}

Result<std::optional<Batch>> ColumnScan::next_of_image() {
  if (at_ == image_->rows.size()) return std::optional<Batch>();
  return std::optional(chosen(image_->rows[at_++]));
}

Result<std::optional<Batch>> ColumnScan::next_read(TableReader& reader) {
  Result<Batch> rows = Batch{};
  if (at_ < taken_.rows.size()) {
    rows = reader.result(std::move(taken_.rows[at_++]));
  } else if (taken_.rest != nullptr) {
    TableReader::Entries entries;
    auto more = taken_.rest->next(kRowsPerBatch, entries);
    if (!more) return more.error();
    if (!*more) taken_.rest.reset();
    if (!entries.empty()) rows = reader.rows(entries, {});
  } else {
    if (made_ != nullptr) images_.put(place_, std::exchange(made_, nullptr));
    return std::optional<Batch>();
  }
  if (!rows) return rows.error();
  keep(*rows);
  return std::optional(given_.empty() ? std::move(*rows) : chosen(*rows));
}

void ColumnScan::keep(const Batch& rows) {
  if (made_ == nullptr || rows.rows == 0) return;
  made_->bytes += footprint(rows);
  if (made_->bytes > images_.most_bytes())
    made_.reset();
  else
    made_->rows.push_back(share(rows));
}

Batch ColumnScan::chosen(const Batch& rows) const {
  Batch made = share_frame(rows);
  if (rows.rows == 0) return made;
  for (const std::size_t column : given_) made.columns.push_back(rows.columns[column]);
  return made;
}

}  // namespace millrace::inline exec
