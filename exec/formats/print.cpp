#include "exec/formats/print.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <bit>
#include <chrono>
#include <cstring>

#include "exec/formats/framing.h"
#include "exec/formats/json_scanner.h"
#include "exec/formats/schema_text.h"
#include "planner/types/value.h"

namespace millrace::inline exec {

namespace {

using Window = GuessedWindow;
using Base = GuessedBase;

constexpr std::string_view kNothingSeen = "¯\\_(ツ)_/¯ - no data processed";
// Window bounds are times; other bytes in their place are hardly ever between 1970 and the year 5000.
constexpr std::int64_t kLatestBound = 95'617'584'000'000;

std::string_view base_name(Base base) {
  switch (base) {
    case Base::avro:
      return "AVRO";
    case Base::protobuf:
      return "PROTOBUF";
    case Base::json:
      return "JSON";
    case Base::json_sr:
      return "JSON_SR";
    case Base::kafka_int:
      return "KAFKA_INT";
    case Base::kafka_bigint:
      return "KAFKA_BIGINT";
    case Base::kafka_double:
      return "KAFKA_DOUBLE";
    case Base::kafka_string:
      return "KAFKA_STRING";
    case Base::bytes:
      break;
  }
  return "UNRECOGNISED_BYTES";
}

std::string format_name(GuessedFormat format) {
  switch (format.window) {
    case Window::none:
      break;
    case Window::session:
      return fmt::format("SESSION({})", base_name(format.base));
    case Window::hopping:
      return fmt::format("HOPPING({})", base_name(format.base));
    case Window::tumbling:
      return fmt::format("TUMBLING({})", base_name(format.base));
  }
  return std::string(base_name(format.base));
}

std::uint64_t big_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

std::size_t bounds_size(Window window) {
  return window == Window::none ? 0 : window == Window::session ? 16 : 8;
}

/// The bounds behind a windowed key; sessions have their end in front.
struct Bounds {
  std::int64_t start = 0;
  std::int64_t end = 0;
};

Bounds bounds_of(std::string_view text, Window window) {
  Bounds bounds;
  bounds.start = static_cast<std::int64_t>(big_endian(text.substr(text.size() - 8)));
  bounds.end = bounds.start;
  if (window == Window::session) bounds.end = static_cast<std::int64_t>(big_endian(text.substr(text.size() - 16, 8)));
  return bounds;
}

bool is_json(std::string_view text) {
  const char* const end = text.data() + text.size();
  const char* at = json::skip_space(text.data(), end);
  at = json::skip_value(at, end);
  return at != nullptr && json::skip_space(at, end) == end && simdjson::validate_utf8(text);
}

/// JSON as it was written, but for space outside of strings.
std::string without_space(std::string_view text) {
  std::string shown;
  const char* const end = text.data() + text.size();
  for (const char* at = text.data(); at != end;) {
    const char* const begin = at;
    at = *at == '"' ? json::scan_string(at + 1, end).close + 1 : at + 1;
    if (!json::is_space(*begin)) shown.append(begin, at);
  }
  return shown;
}

constexpr bool has_schema(Base base) {
  return base == Base::avro || base == Base::protobuf || base == Base::json_sr;
}

/// What a text behind the id of a schema says, as JSON; nothing where it is not in this format.
std::optional<std::string> decoded(std::string_view text, Base base, const SchemaFinder& schemas) {
  std::int32_t id;
  if (!take_schema_id(text, id)) return std::nullopt;
  const ParsedSchemaPtr schema = schemas(id);
  if (!schema) return std::nullopt;
  if (base == Base::avro && schema->avro) return avro_text(text, *schema->avro->root);
  if (base == Base::protobuf && schema->proto) {
    const proto::Message* message = proto::take_message(*schema->proto, text);
    return message ? protobuf_text(text, *message) : std::nullopt;
  }
  if (base == Base::json_sr && schema->kind == SchemaKind::json && is_json(text)) return without_space(text);
  return std::nullopt;
}

bool is_base(std::string_view text, Base base, const SchemaFinder& schemas) {
  switch (base) {
    case Base::avro:
    case Base::protobuf:
    case Base::json_sr:
      return decoded(text, base, schemas).has_value();
    case Base::json:
      return is_json(text);
    case Base::kafka_int:
      return text.size() == 4;
    case Base::kafka_bigint:
    case Base::kafka_double:
      return text.size() == 8;
    case Base::kafka_string:
      return simdjson::validate_utf8(text);
    case Base::bytes:
      break;
  }
  return true;
}

bool is_in(std::string_view text, GuessedFormat format, const SchemaFinder& schemas) {
  const std::size_t tail = bounds_size(format.window);
  if (tail == 0) return is_base(text, format.base, schemas);
  if (text.size() <= tail || !is_base(text.substr(0, text.size() - tail), format.base, schemas)) return false;
  const Bounds bounds = bounds_of(text, format.window);
  return bounds.start >= 0 && bounds.start <= bounds.end && bounds.end <= kLatestBound;
}

std::string show_bytes(std::string_view text) {
  std::string shown;
  for (const char c : text) {
    if (c >= ' ' && c < 0x7f && c != '\\') {
      shown += c;
    } else {
      shown += fmt::format("\\x{:02X}", static_cast<unsigned char>(c));
    }
  }
  return shown;
}

std::string show_base(std::string_view text, Base base, const SchemaFinder& schemas) {
  switch (base) {
    case Base::avro:
    case Base::protobuf:
    case Base::json_sr:
      return decoded(text, base, schemas).value_or(show_bytes(text));
    case Base::json:
      return without_space(text);
    case Base::kafka_int:
      return std::to_string(static_cast<std::int32_t>(big_endian(text)));
    case Base::kafka_bigint:
      return std::to_string(static_cast<std::int64_t>(big_endian(text)));
    case Base::kafka_double:
      return double_text(std::bit_cast<double>(big_endian(text)));
    case Base::kafka_string:
      return std::string(text);
    case Base::bytes:
      break;
  }
  return show_bytes(text);
}

std::string time_of(std::int64_t timestamp_ms) {
  using namespace std::chrono;
  const sys_time<milliseconds> time{milliseconds(timestamp_ms)};
  const auto day = floor<days>(time);
  const year_month_day date(day);
  const hh_mm_ss clock(time - day);
  return fmt::format("{:04}/{:02}/{:02} {:02}:{:02}:{:02}.{:03} Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), clock.hours().count(),
                     clock.minutes().count(), clock.seconds().count(), clock.subseconds().count());
}

}  // namespace

FormatGuess::FormatGuess(bool is_key, SchemaFinder schemas) : schemas_(std::move(schemas)) {
  constexpr Base kBases[] = {Base::avro,      Base::protobuf,     Base::json,         Base::json_sr,
                             Base::kafka_int, Base::kafka_bigint, Base::kafka_double, Base::kafka_string};
  for (const Base base : kBases) {
    if (base == Base::kafka_string && is_key)
      for (const Window window : {Window::session, Window::hopping, Window::tumbling})
        for (const Base inner : kBases)
          if (inner != Base::json) candidates_.push_back({inner, window});
    candidates_.push_back({base, Window::none});
  }
  candidates_.push_back({Base::bytes, Window::none});
}

bool FormatGuess::narrow(const std::optional<std::string_view>& text) {
  if (!text) return false;
  const std::size_t dropped =
      std::erase_if(candidates_, [&](GuessedFormat format) { return !is_in(*text, format, schemas_); });
  const bool first = !seen_;
  seen_ = true;
  return first || dropped != 0;
}

std::string FormatGuess::name() const {
  if (!seen_) return std::string(kNothingSeen);
  std::string name;
  for (const GuessedFormat format : candidates_) {
    // Anything is bytes: only said when nothing else fits.
    if (format.base == Base::bytes && !name.empty()) break;
    if (!name.empty()) name += " or ";
    name += format_name(format);
  }
  return name;
}

std::string FormatGuess::show(const std::optional<std::string_view>& text) const {
  if (!text) return "<null>";
  const GuessedFormat format = candidates_.front();
  if (format.window == Window::none) return show_base(*text, format.base, schemas_);
  const Bounds bounds = bounds_of(*text, format.window);
  const std::string key = show_base(text->substr(0, text->size() - bounds_size(format.window)), format.base, schemas_);
  // How long a time window is, its key does not say.
  return format.window == Window::session ? fmt::format("[{}@{}/{}]", key, bounds.start, bounds.end)
                                          : fmt::format("[{}@{}/-]", key, bounds.start);
}

std::optional<std::int32_t> FormatGuess::schema_id(const std::optional<std::string_view>& text) const {
  std::int32_t id;
  if (!text || !has_schema(candidates_.front().base) || !peek_schema_id(*text, id)) return std::nullopt;
  return id;
}

void RecordPrinter::print(const PrintedRecord& record, std::vector<std::string>& lines) {
  if (key_.narrow(record.key) || !started_) lines.push_back("Key format: " + key_.name());
  if (value_.narrow(record.value) || !started_) lines.push_back("Value format: " + value_.name());
  started_ = true;
  std::string line = fmt::format("rowtime: {}, key: {}, value: {}, partition: {}", time_of(record.timestamp_ms),
                                 key_.show(record.key), value_.show(record.value), record.partition);
  if (const auto id = key_.schema_id(record.key)) line += fmt::format(", key schema id: {}", *id);
  if (const auto id = value_.schema_id(record.value)) line += fmt::format(", value schema id: {}", *id);
  lines.push_back(std::move(line));
}

}  // namespace millrace::inline exec
