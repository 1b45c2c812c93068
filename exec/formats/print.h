#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "exec/schemas/schema_cache.h"

namespace millrace::inline exec {

/// What PRINT knows of one record.
struct PrintedRecord {
  std::int64_t timestamp_ms = 0;
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;
  std::int32_t partition = 0;
};

/// The schema with an id; null where there is none, or none that can be had now. May wait.
using SchemaFinder = std::function<ParsedSchemaPtr(std::int32_t)>;

/// How a text might be written: `base` alone or, for keys, followed by a window's bounds.
enum class GuessedBase : std::uint8_t {
  avro,
  protobuf,
  json,
  json_sr,
  kafka_int,
  kafka_bigint,
  kafka_double,
  kafka_string,
  bytes,
};
enum class GuessedWindow : std::uint8_t { none, session, hopping, tumbling };
struct GuessedFormat {
  GuessedBase base = GuessedBase::bytes;
  GuessedWindow window = GuessedWindow::none;
  friend bool operator==(const GuessedFormat&, const GuessedFormat&) = default;
};

/// The formats that all texts seen so far could be in, likeliest first. Starts with all of them.
class FormatGuess {
 public:
  FormatGuess(bool is_key, SchemaFinder schemas);
  /// Drops the formats that `text` is not in. True when that changed name(). A null text says nothing.
  bool narrow(const std::optional<std::string_view>& text);
  /// `JSON or KAFKA_STRING`; a shrug while nothing was seen.
  std::string name() const;
  /// The text as its likeliest format shows it, `<null>` for null. Precondition: narrow() saw it.
  std::string show(const std::optional<std::string_view>& text) const;
  /// The id of the schema that the text is shown by. Precondition: as for show().
  std::optional<std::int32_t> schema_id(const std::optional<std::string_view>& text) const;

 private:
  std::vector<GuessedFormat> candidates_;
  SchemaFinder schemas_;
  bool seen_ = false;
};

/// Turns the records of one topic into the lines that PRINT shows: the guessed formats whenever they change, then the
/// record, with the ids of its schemas where it has any. One thread.
class RecordPrinter {
 public:
  explicit RecordPrinter(const SchemaFinder& schemas) : key_(true, schemas), value_(false, schemas) {}
  void print(const PrintedRecord& record, std::vector<std::string>& lines);

 private:
  FormatGuess key_;
  FormatGuess value_;
  bool started_ = false;
};

}  // namespace millrace::inline exec
