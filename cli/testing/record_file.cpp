#include "cli/testing/record_file.h"

#include <charconv>

#include "parser/error/letter_case.h"
#include "planner/types/value.h"

namespace millrace::inline cli::harness {
namespace {

std::int64_t to_int(const std::string& text) {
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

RecordSpec read_record(const Json& from) {
  RecordSpec record;
  record.topic = from.text_of("topic");
  if (const Json* key = from.find("key")) record.key = *key;
  if (const Json* value = from.find("value")) record.value = *value;
  if (const Json* timestamp = from.find("timestamp"); timestamp && timestamp->is_number()) {
    record.timestamp = to_int(timestamp->text);
    record.has_timestamp = true;
  }
  if (const Json* window = from.find("window"); window && window->is_object()) {
    const std::string type = lower_case(window->text_of("type"));
    record.window = RecordSpec::Window{.start = to_int(window->text_of("start", "0")),
                                       .end = to_int(window->text_of("end", "0")),
                                       .session = type == "session"};
  }
  if (const Json* headers = from.find("headers"); headers && headers->kind == Json::Kind::array) {
    for (const auto& header : headers->items) {
      std::optional<std::string> value;
      if (const Json* encoded = header.find("VALUE"); encoded && encoded->is_string()) {
        value.emplace();
        base64_decode(encoded->text, *value);
      }
      record.headers.emplace_back(header.text_of("KEY"), std::move(value));
    }
  }
  return record;
}

}  // namespace millrace::inline cli::harness
