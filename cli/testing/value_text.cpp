#include "cli/testing/value_text.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "planner/types/decimal.h"
#include "planner/types/value.h"

namespace millrace::inline cli::harness {

std::string scalar_text(const Json& spec) {
  switch (spec.kind) {
    case Json::Kind::number:
      return plain_text(*parse_number(spec.text));
    case Json::Kind::string:
      return spec.text;
    case Json::Kind::boolean:
      return spec.truth ? "true" : "false";
    default:
      throw std::runtime_error("not a scalar: " + print_json(spec));
  }
}

std::int64_t whole_number(const Json& spec) {
  const std::string text = scalar_text(spec);
  std::size_t used = 0;
  const std::int64_t value = std::stoll(text, &used);
  if (used != text.size()) throw std::runtime_error("not a whole number: " + text);
  return value;
}

double real_number(const Json& spec) {
  return std::stod(scalar_text(spec));
}

bool truth(const Json& spec) {
  const std::string text = scalar_text(spec);
  if (text != "true" && text != "false") throw std::runtime_error("not a boolean: " + text);
  return text == "true";
}

std::string binary(const Json& spec) {
  std::string bytes;
  if (!base64_decode(scalar_text(spec), bytes)) throw std::runtime_error("not base64: " + print_json(spec));
  return bytes;
}

std::string decimal_bytes(const Json& spec, int scale) {
  const auto value = parse_decimal(scalar_text(spec));
  const auto scaled = value ? rescale(value->unscaled, value->scale, scale, Rounding::exact) : std::nullopt;
  if (!scaled) throw std::runtime_error("not a decimal of that scale: " + print_json(spec));
  std::string bytes;
  for (int i = 15; i >= 0; --i) bytes.push_back(static_cast<char>(*scaled >> (i * 8)));
  while (bytes.size() > 1 &&
         ((bytes[0] == '\0' && (bytes[1] & 0x80) == 0) || (bytes[0] == '\xFF' && (bytes[1] & 0x80))))
    bytes.erase(0, 1);
  return bytes;
}

Json decimal_json(std::string_view bytes, int scale) {
  Int128 value = !bytes.empty() && (bytes[0] & 0x80) ? -1 : 0;
  for (const char c : bytes)
    value = static_cast<Int128>(static_cast<unsigned __int128>(value) << 8 | static_cast<unsigned char>(c));
  return Json::number(decimal_text({value, scale}));
}

Json double_json(double value) {
  return std::isfinite(value) ? Json::number(double_text(value)) : Json::string(double_text(value));
}

const Json* find_any_case(const Json& object, std::string_view name) {
  if (const Json* exact = object.find(name)) return exact;
  const auto lower = [](char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); };
  for (const auto& [known, value] : object.members)
    if (std::ranges::equal(known, name, [&](char a, char b) { return lower(a) == lower(b); })) return &value;
  return nullptr;
}

}  // namespace millrace::inline cli::harness
