#include <openssl/evp.h>

#include <bit>
#include <random>

#include "exec/formats/utf8_text.h"
#include "exec/functions/families.h"
#include "exec/functions/scalar.h"
#include "exec/functions/utf16.h"
#include "parser/error/letter_case.h"

namespace millrace::inline exec {
namespace {

using Text = std::string_view;

std::string hex(Text bytes, bool upper) {
  const char* digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
  std::string out;
  for (const char c : bytes) {
    out += digits[static_cast<unsigned char>(c) >> 4];
    out += digits[static_cast<unsigned char>(c) & 15];
  }
  return out;
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char low = static_cast<char>(c | 0x20);
  return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

/// Plain digits, 0x... or X'...'. Only after 0x may a leading zero be missing.
bool from_hex(Text text, std::string& bytes) {
  std::string padded;
  if (text.starts_with("0x")) {
    text.remove_prefix(2);
    if (text.size() % 2 != 0) text = padded = "0" + std::string(text);
  } else if (text.size() >= 3 && (text.starts_with("X'") || text.starts_with("x'")) && text.ends_with("'")) {
    text = text.substr(2, text.size() - 3);
  }
  if (text.size() % 2 != 0) return false;
  bytes.clear();
  for (std::size_t i = 0; i < text.size(); i += 2) {
    const int high = hex_digit(text[i]);
    const int low = hex_digit(text[i + 1]);
    if (high < 0 || low < 0) return false;
    bytes += static_cast<char>(high << 4 | low);
  }
  return true;
}

enum class Encoding : std::uint8_t { hex, utf8, ascii, base64, unknown };
Encoding encoding_of(Text name) {
  const std::string known = lower_case(name);
  if (known == "hex") return Encoding::hex;
  if (known == "utf8") return Encoding::utf8;
  if (known == "ascii") return Encoding::ascii;
  if (known == "base64") return Encoding::base64;
  return Encoding::unknown;
}

Result<std::string> decode(Text text, Text name) {
  std::string bytes;
  switch (encoding_of(name)) {
    case Encoding::hex:
      if (!from_hex(text, bytes)) return user_error("not hexadecimal: {}", text);
      return bytes;
    case Encoding::base64:
      if (!base64_decode(text, bytes)) return user_error("not base64: {}", text);
      return bytes;
    case Encoding::utf8:
      return std::string(text);
    case Encoding::ascii:
      while (!text.empty()) {
        const char32_t point = utf16::next(text);
        bytes += point < 0x80 ? static_cast<char>(point) : '?';
      }
      return bytes;
    case Encoding::unknown:
      break;
  }
  return user_error("unknown encoding '{}': use hex, utf8, ascii or base64", name);
}

Result<std::string> encode(Text bytes, Text name, bool upper_hex) {
  switch (encoding_of(name)) {
    case Encoding::hex:
      return hex(bytes, upper_hex);
    case Encoding::base64:
      return base64_encode(bytes);
    case Encoding::utf8:
      return to_utf8(std::string(bytes));
    case Encoding::ascii: {
      std::string out;
      for (const char c : bytes)
        utf16::append(static_cast<unsigned char>(c) < 0x80 ? static_cast<char32_t>(c) : 0xFFFD, out);
      return out;
    }
    case Encoding::unknown:
      break;
  }
  return user_error("unknown encoding '{}': use hex, utf8, ascii or base64", name);
}

Result<BytesView> to_bytes(Arena& arena, Text text, Text name) {
  const auto bytes = decode(text, name);
  if (!bytes) return bytes.error();
  return BytesView{arena.copy(*bytes)};
}
Result<Text> from_bytes(Arena& arena, BytesView bytes, Text name) {
  const auto text = encode(bytes.data, name, true);
  if (!text) return text.error();
  return arena.copy(*text);
}
Result<Text> reencode(Arena& arena, Text text, Text from, Text to) {
  if (encoding_of(from) == encoding_of(to)) return user_error("ENCODE needs two different encodings");
  const auto bytes = decode(text, from);
  if (!bytes) return bytes.error();
  const auto out = encode(*bytes, to, false);
  if (!out) return out.error();
  return arena.copy(*out);
}

template <class T>
Result<T> number_in_order(BytesView bytes, Text order) {
  const std::string name = lower_case(order);
  if (name != "big_endian" && name != "little_endian")
    return user_error("the byte order must be BIG_ENDIAN or LITTLE_ENDIAN, got {}", order);
  if (bytes.data.size() != sizeof(T)) return user_error("{} bytes needed, got {}", sizeof(T), bytes.data.size());
  std::uint64_t raw = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    const std::size_t at = name == "big_endian" ? i : sizeof(T) - 1 - i;
    raw = raw << 8 | static_cast<unsigned char>(bytes.data[at]);
  }
  if constexpr (std::is_same_v<T, double>)
    return std::bit_cast<double>(raw);
  else
    return static_cast<T>(raw);
}
template <class T>
Result<T> number_of(BytesView bytes) {
  return number_in_order<T>(bytes, "BIG_ENDIAN");
}

Text md5(Arena& arena, Text text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_Digest(text.data(), text.size(), digest, &size, EVP_md5(), nullptr);
  return arena.copy(hex({reinterpret_cast<const char*>(digest), size}, false));
}

Text uuid_text(Arena& arena, Text bytes) {
  const std::string digits = hex(bytes, false);
  std::string out;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i == 8 || i == 12 || i == 16 || i == 20) out += '-';
    out += digits[i];
  }
  return arena.copy(out);
}
Text random_uuid(Arena& arena) {
  thread_local std::mt19937_64 generator{std::random_device{}()};
  const std::uint64_t parts[2] = {generator(), generator()};
  std::string bytes(reinterpret_cast<const char*>(parts), 16);
  bytes[6] = static_cast<char>((bytes[6] & 0x0F) | 0x40);
  bytes[8] = static_cast<char>((bytes[8] & 0x3F) | 0x80);
  return uuid_text(arena, bytes);
}
std::optional<Text> uuid_of(Arena& arena, std::optional<BytesView> bytes) {
  if (!bytes || bytes->data.size() != 16) return std::nullopt;
  return uuid_text(arena, bytes->data);
}

std::optional<Text> chr(Arena& arena, std::int32_t point) {
  if (point < 0 || point > 0x10FFFF) return std::nullopt;
  std::string out;
  utf16::append(point >= 0xD800 && point < 0xE000 ? U'?' : static_cast<char32_t>(point), out);
  return arena.copy(out);
}

/// One or more \uXXXX; text after an escape is kept.
std::optional<Text> chr_escaped(Arena& arena, Text text) {
  if (!text.starts_with("\\u")) return std::nullopt;
  std::u16string units;
  while (!text.empty()) {
    if (!text.starts_with("\\u") || text.size() < 6) {
      units += utf16::widen(text);
      break;
    }
    char16_t unit = 0;
    for (const char c : text.substr(2, 4)) {
      if (hex_digit(c) < 0) return std::nullopt;
      unit = static_cast<char16_t>(unit << 4 | hex_digit(c));
    }
    units += unit;
    text.remove_prefix(6);
  }
  return arena.copy(utf16::narrow(units));
}

template <class T>
FunctionDef number_def(std::string_view name, std::string_view five, std::string_view result) {
  return define(FunctionKind::scalar, "CONVERSIONS",
                {name,
                 "The number that the bytes spell, big-endian unless said otherwise.",
                 {scalar<number_of<T>>({"bytes"}), scalar<number_in_order<T>>({"bytes", "order"})},
                 {{fmt::format("{}(TO_BYTES('{}', 'hex'))", name, five), std::string(result)},
                  {fmt::format("{}(TO_BYTES('00', 'hex'))", name), "error"},
                  {fmt::format("{}(TO_BYTES('{}', 'hex'), 'BIG')", name, five), "error"}}});
}
FunctionDef string(DefinitionSpec spec) {
  return define(FunctionKind::scalar, "STRING", std::move(spec));
}

}  // namespace

FunctionFamily bytes_functions() {
  return {
      number_def<std::int64_t>("BIGINT_FROM_BYTES", "0000000000000005", "CAST(5 AS BIGINT)"),
      number_def<double>("DOUBLE_FROM_BYTES", "4014000000000000", "5E0"),
      number_def<std::int32_t>("INT_FROM_BYTES", "00000005", "5"),
      string({"CHR",
              "The character of a code point, or of a \\uXXXX escape.",
              {scalar<chr>({"code_point"}), scalar<chr_escaped>({"escape"})},
              {{"CHR(75)", "'K'"}}}),
      string({"ENCODE",
              "The text taken from one encoding to another: hex, utf8, ascii, base64.",
              {scalar<reencode>({"text", "from", "to"})},
              {{"ENCODE('4578', 'hex', 'utf8')", "'Ex'"}}}),
      string({"FROM_BYTES",
              "The bytes as text: hex, utf8, ascii or base64.",
              {scalar<from_bytes>({"bytes", "encoding"})},
              {{"FROM_BYTES(TO_BYTES('ab', 'utf8'), 'hex')", "'6162'"}}}),
      string({"TO_BYTES",
              "The bytes that a text spells: hex, utf8, ascii or base64.",
              {scalar<to_bytes>({"text", "encoding"})},
              {{"FROM_BYTES(TO_BYTES('6162', 'hex'), 'utf8')", "'ab'"}, {"TO_BYTES('6162', 'rot13')", "error"}}}),
      string({"MD5",
              "The MD5 digest of the text in hexadecimal.",
              {scalar<md5>({"text"})},
              {{"MD5('a')", "'0cc175b9c0f1b6a831c399e269772661'"}}}),
      string({"UUID",
              "A random UUID, or the text of the 16 bytes of one.",
              {not_deterministic(scalar<random_uuid>({})), scalar<uuid_of>({"bytes"})},
              {{"UUID(TO_BYTES('00000000000000000000000000000001', 'hex'))", "'00000000-0000-0000-0000-000000000001'"},
               {"UUID(TO_BYTES('00', 'hex'))", "NULL"}}})};
}

}  // namespace millrace::inline exec
