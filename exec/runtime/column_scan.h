#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "exec/runtime/table_images.h"
#include "exec/runtime/table_reader.h"

namespace millrace::inline exec {

/// The committed rows of one partition of a table at one moment, in any order, as columns: from the image that an
/// earlier scan left, or read from the store; then they are left as an image, where they fit.
class ColumnScan {
 public:
  /// `rows`: the columns that `reader` gives. Task and thread as for TableReader::look_up.
  static Result<std::unique_ptr<ColumnScan>> begin(TableReader& reader, const Schema& rows, Task& task,
                                                   TableImages& images, int partition);
  /// The next rows of windows that are wanted, perhaps none; absent: there are no more. Any thread.
  Result<std::optional<Batch>> next(TableReader& reader, const WindowRange& windows);

 private:
  ColumnScan(TableImages& images, TableImages::Place place) : images_(images), place_(std::move(place)) {}
  Status widen(const TableReader& reader, const Schema& rows);
  Result<std::optional<Batch>> next_of_image();
  Result<std::optional<Batch>> next_read(TableReader& reader);
  void keep(const Batch& rows);
  Batch chosen(const Batch& rows) const;

  TableImages& images_;
  const TableImages::Place place_;
  TableImagePtr image_;  // null: the rows are read
  TableReader::Taken taken_;
  std::unique_ptr<TableReader> wider_;  // reads what the image had, too; null: the reader will do
  std::vector<std::size_t> given_;      // columns of the image, or of the wider reader; empty: as they are
  std::shared_ptr<TableImage> made_;    // of what is read; null: it is too large
  std::size_t at_ = 0;
};

}  // namespace millrace::inline exec
