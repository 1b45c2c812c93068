#pragma once

#include <string_view>

namespace millrace::inline exec {

struct CsvField {
  std::string_view text;        // without quotes around it
  bool doubled_quotes = false;  // "" stands for " inside
};

/// The fields of the first record of a text, as commons-csv's default format reads them: leading empty lines are passed
/// over, the record ends at a line break outside quotes, a field is quoted when it begins with a quote, and space
/// around is kept.
class CsvLine {
 public:
  CsvLine(std::string_view text, char delimiter);
  /// No record at all.
  bool blank() const { return at_ == end_; }
  /// False: the record is over, or broken().
  bool next(CsvField& field);
  bool broken() const { return broken_; }

 private:
  bool quoted(CsvField& field);
  /// Behind a field: moves over the delimiter, or ends the record.
  void finish_field();

  const char* at_;
  const char* end_;
  char delimiter_;
  bool done_ = false;
  bool broken_ = false;
};

/// Copies `text` to `out` with one quote for two.
std::string_view without_doubled_quotes(std::string_view text, char* out);

}  // namespace millrace::inline exec
