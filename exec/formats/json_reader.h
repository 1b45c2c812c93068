#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "exec/data/column.h"
#include "exec/formats/column_writer.h"
#include "exec/formats/json_walk.h"
#include "exec/formats/names.h"

namespace millrace::inline exec::json {

/// The value of an object that counts for a column, so far.
struct MemberMatch {
  NameMatch match = NameMatch::none;
  const char* value = nullptr;
};

/// Finds the values that count for `name_of(0)`, `name_of(1)` and so on in the object at `at`: of the best match the
/// last one. Returns the position behind the object; nullptr: broken.
template <class NameOf>
const char* locate_members(const char* at, const char* end, std::vector<MemberMatch>& located, const NameOf& name_of) {
  return walk_object(at, end, [&](const Quoted& quoted, const char* value) {
    const std::string name = quoted.text();
    for (std::size_t i = 0; i < located.size(); ++i) {
      const NameMatch match = match_name(name_of(i), name);
      if (match != NameMatch::none && match >= located[i].match) located[i] = {match, value};
    }
    return skip_value(value, end);
  });
}

/// Reads JSON values into columns by the conversions of the dialect: numbers from digit strings, text from anything and
/// so on. Strings without escapes become views into the input; others go to the arena. One thread.
class ValueReader {
 public:
  /// Begins a batch: text that cannot be a view is kept alive by arena() from now on.
  void start() { arena_ = nullptr; }
  /// Begins a record.
  void start_record() { retries_ = 0; }
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
  const char* read_union(const char* at, const char* end, ColumnWriter& out, std::size_t row, int depth);
  const char* read_struct_located(const char* at, const char* end, ColumnWriter& out, std::size_t row, int depth);
  bool read_map_key(std::string_view text, ColumnWriter& out, std::size_t row);
  bool store_integer(std::int64_t value, ColumnWriter& out, std::size_t row);
  bool scalar_from_text(std::string_view text, ColumnWriter& out, std::size_t row);
  const char* text_of(const char* at, const char* end, std::string& out, int depth);
  /// The text of the string whose opening quote is at `at`, as a view; moves `at` behind it. False: broken.
  bool take_string(const char*& at, const char* end, std::string_view& text);
  const char* mismatch(const char* at, const ColumnWriter& out);
  /// A value that does not fit may be one that a later member of its name replaces: its object is looked at again, but
  /// not over and over where such objects nest.
  bool may_retry() { return ++retries_ <= kMaxRetries; }
  Arena& arena_for_copy();

  static constexpr int kMaxRetries = 16;
  std::shared_ptr<Arena> arena_;
  std::string reason_;
  std::vector<NameMatch> seen_;  // stacks of read_struct and read_map
  std::vector<std::string_view> keys_;
  int retries_ = 0;
};

}  // namespace millrace::inline exec::json
