#include "tests/conformance/proto_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <stdexcept>

#include "cli/testing/proto_wire.h"
#include "cli/testing/wire.h"
#include "planner/types/value.h"
#include "tests/conformance/rest_compare.h"

namespace millrace::conformance {
namespace {

/// Protobuf's text format, as far as printers of messages write it.
class TextFormat {
 public:
  explicit TextFormat(std::string_view text) : rest_(text) {}

  Json message(const proto::Message& type) {
    Json out;
    out.kind = Json::Kind::object;
    for (skip(); !rest_.empty() && rest_.front() != '}'; skip()) {
      const std::string name(word());
      const proto::Field* field = type.find(name);
      if (field == nullptr) throw std::runtime_error("no field " + name);
      add(out, *field, value(*field));
    }
    return out;
  }

 private:
  void skip() {
    while (!rest_.empty() && std::isspace(static_cast<unsigned char>(rest_.front())) != 0) rest_.remove_prefix(1);
  }
  void take(char wanted) {
    skip();
    if (rest_.empty() || rest_.front() != wanted) throw std::runtime_error(fmt::format("no {} in {}", wanted, rest_));
    rest_.remove_prefix(1);
  }
  std::string_view word() {
    skip();
    const auto end = std::find_if(rest_.begin(), rest_.end(), [](char c) {
      return std::isspace(static_cast<unsigned char>(c)) != 0 || c == ':' || c == '{';
    });
    const auto out = rest_.substr(0, static_cast<std::size_t>(end - rest_.begin()));
    rest_.remove_prefix(out.size());
    return out;
  }

  Json value(const proto::Field& field) {
    if (field.kind == proto::FieldKind::message) {
      take('{');
      Json inner = message(*field.message);
      take('}');
      return inner;
    }
    take(':');
    skip();
    const bool text = !rest_.empty() && rest_.front() == '"';
    if (text) return Json::string(field.kind == proto::FieldKind::bytes ? base64_encode(quoted()) : quoted());
    const std::string bare(word());
    if (bare != "true" && bare != "false") return Json::number(bare);
    Json truth;
    truth.kind = Json::Kind::boolean;
    truth.truth = bare == "true";
    return truth;
  }

  std::string quoted() {
    std::string out;
    for (rest_.remove_prefix(1); !rest_.empty() && rest_.front() != '"'; rest_.remove_prefix(1)) {
      if (rest_.front() == '\\') rest_.remove_prefix(1);
      if (!rest_.empty()) out += rest_.front();
    }
    take('"');
    return out;
  }

  static void add(Json& out, const proto::Field& field, Json&& value) {
    if (!field.repeated) {
      out.members.emplace_back(field.name, std::move(value));
      return;
    }
    auto at = std::ranges::find(out.members, field.name, &JsonMember::first);
    if (at == out.members.end()) {
      out.members.emplace_back(field.name, Json());
      at = std::prev(out.members.end());
    }
    const bool map = field.message != nullptr && field.message->map_entry;
    at->second.kind = map ? Json::Kind::object : Json::Kind::array;
    if (map) {
      const Json* key = value.find("key");
      const Json* item = value.find("value");
      at->second.members.emplace_back(key ? key->text : "", item ? *item : Json());
    } else {
      at->second.items.push_back(std::move(value));
    }
  }

  std::string_view rest_;
};

/// Entries of maps have no order.
void sort_entries(Json& message, const proto::Message& type) {
  for (auto& [name, value] : message.members) {
    const proto::Field* field = type.find(name);
    if (field == nullptr || field->message == nullptr) continue;
    for (Json& item : value.items) sort_entries(item, *field->message);
    if (field->repeated && field->message->full_name.ends_with("Entry"))
      std::ranges::sort(value.items, {}, [](const Json& entry) { return print_json(entry); });
  }
}

Json decoded(const std::string& bytes, const proto::Message& type) {
  Json message = decode_proto(bytes, type);
  sort_entries(message, type);
  return message;
}

std::string bytes_of(const Json& row) {
  std::string bytes;
  if (!base64_decode(row.text_of("protobufBytes"), bytes)) throw std::runtime_error("no base64: " + print_json(row));
  return bytes;
}

}  // namespace

std::string proto_rows_difference(const Json& expected, const std::vector<Json>& actual) {
  if (expected.items.size() != actual.size())
    return fmt::format("{} elements instead of {}", actual.size(), expected.items.size());
  const Json* header = actual.empty() ? nullptr : actual.front().find("header");
  const std::string schema = header ? header->text_of("protoSchema") : "";
  auto file = proto::parse({schema, {}});
  if (!file) return "the schema is no Protobuf: " + schema;
  const proto::Message& type = *(*file)->roots.at(0);
  std::vector<Json> bag;
  for (const Json& element : actual)
    if (const Json* row = element.find("row")) bag.push_back(decoded(bytes_of(*row), type));
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const Json* row = expected.items[i].find("row");
    if (row == nullptr) {
      if (std::string problem = subset_difference(expected.items[i], actual[i]); !problem.empty())
        return fmt::format("element {}: {}", i, problem);
      continue;
    }
    const Json wanted = decoded(encode_proto(TextFormat(row->text).message(type), type), type);
    const auto found = std::ranges::find_if(bag, [&](const Json& other) { return same_json(wanted, other); });
    if (found == bag.end()) return fmt::format("no row {} in {}", print_json(wanted), print_json(actual[i]));
    bag.erase(found);
  }
  return {};
}

}  // namespace millrace::conformance
