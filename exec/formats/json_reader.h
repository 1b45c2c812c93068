#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "exec/data/column.h"
#include "exec/formats/column_writer.h"
#include "exec/formats/names.h"

namespace millrace::inline exec::json {

/// Reads JSON values into columns by the conversions of the dialect: numbers from digit strings, text from anything and
/// so on. Strings without escapes become views into the input; others go to the arena. One thread.
class ValueReader {
 public:
  /// Begins a batch: text that cannot be a view is kept alive by arena() from now on.
  void start() { arena_ = nullptr; }
  /// Null while no text was copied.
  const std::shared_ptr<Arena>& arena() const { return arena_; }

  /// Reads the value that begins at `at` (no space before it) into row `row` of `out`, which has room for it. Returns
  /// the position behind it; nullptr when it is broken or does not fit the type: see reason().
  const char* read(const char* at, const char* end, ColumnWriter& out, std::size_t row, int depth = 0);

  /// Why read() failed last.
  const std::string& reason() const { return reason_; }
  const char* fail_malformed();

 private:
  const char* read_boolean(const char* at, const char* end, ColumnWriter& out, std::size_t row);
  const char* read_integer(const char* at, const char* end, ColumnWriter& out, std::size_t row);
  const char* read_double(const char* at, const char* end, ColumnWriter& out, std::size_t row);
  const char* read_decimal(const char* at, const char* end, ColumnWriter& out, std::size_t row);
  const char* read_string(const char* at, const char* end, ColumnWriter& out, std::size_t row, int depth);
  const char* read_bytes(const char* at, const char* end, ColumnWriter& out, std::size_t row);
  const char* read_array(const char* at, const char* end, ColumnWriter& out, std::size_t row, int depth);
  const char* read_map(const char* at, const char* end, ColumnWriter& out, std::size_t row, int depth);
  const char* read_map_unique(const char* at, const char* end, ColumnWriter& out, std::size_t row, int depth);
  const char* read_struct(const char* at, const char* end, ColumnWriter& out, std::size_t row, int depth);
  bool read_map_key(std::string_view text, ColumnWriter& out, std::size_t row);
  bool store_integer(std::int64_t value, ColumnWriter& out, std::size_t row);
  bool scalar_from_text(std::string_view text, ColumnWriter& out, std::size_t row);
  const char* text_of(const char* at, const char* end, std::string& out, int depth);
  /// The text of the string whose opening quote is at `at`, as a view; moves `at` behind it. False: broken.
  bool take_string(const char*& at, const char* end, std::string_view& text);
  const char* mismatch(const char* at, const ColumnWriter& out);
  Arena& arena_for_copy();

  std::shared_ptr<Arena> arena_;
  std::string reason_;
  std::vector<NameMatch> seen_;  // stacks of read_struct and read_map
  std::vector<std::string_view> keys_;
};

}  // namespace millrace::inline exec::json
