#include <charconv>

#include "exec/formats/utf8_text.h"
#include "exec/functions/families.h"
#include "exec/functions/scalar.h"

namespace millrace::inline exec {
namespace {

using Text = std::string_view;

bool is_hex(char c) {
  return std::isxdigit(static_cast<unsigned char>(c)) != 0;
}
int hex_value(char c) {
  return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

/// %XX decoded; `plus` turns + into a blank. Absent: a broken escape.
std::optional<std::string> percent_decode(Text text, bool plus) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '+' && plus) {
      out += ' ';
    } else if (text[i] == '%') {
      if (i + 2 >= text.size() || !is_hex(text[i + 1]) || !is_hex(text[i + 2])) return std::nullopt;
      out += static_cast<char>(hex_value(text[i + 1]) << 4 | hex_value(text[i + 2]));
      i += 2;
    } else {
      out += text[i];
    }
  }
  return to_utf8(std::move(out));
}

/// The parts of a URI reference, still escaped.
struct Uri {
  std::optional<Text> scheme, host, query, fragment;
  std::optional<std::int32_t> port;
  Text path;
  bool opaque = false;

  /// False: not a URI.
  bool parse(Text text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
      const auto c = static_cast<unsigned char>(text[i]);
      if (c <= 0x20 || c == 0x7F || Text("\"<>\\^`{|}").find(text[i]) != Text::npos) return false;
      if (c == '%' && (i + 2 >= text.size() || !is_hex(text[i + 1]) || !is_hex(text[i + 2]))) return false;
    }
    if (const std::size_t hash = text.find('#'); hash != Text::npos) {
      fragment = text.substr(hash + 1);
      text = text.substr(0, hash);
    }
    if (!read_scheme(text)) return false;
    if (scheme && !text.starts_with("/")) {
      opaque = true;
      return !text.empty();
    }
    if (const std::size_t mark = text.find('?'); mark != Text::npos) {
      query = text.substr(mark + 1);
      text = text.substr(0, mark);
    }
    if (text.starts_with("//")) {
      text.remove_prefix(2);
      const std::size_t slash = std::min(text.find('/'), text.size());
      read_authority(text.substr(0, slash));
      text.remove_prefix(slash);
    }
    path = text;
    return true;
  }

 private:
  bool read_scheme(Text& text) {
    const std::size_t colon = text.find_first_of(":/?");
    if (colon == Text::npos || text[colon] != ':') return true;
    if (colon == 0 || std::isalpha(static_cast<unsigned char>(text[0])) == 0) return false;
    for (const char c : text.substr(0, colon))
      if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '+' && c != '-' && c != '.') return false;
    scheme = text.substr(0, colon);
    text.remove_prefix(colon + 1);
    return true;
  }

  /// An authority that is not [user@]host[:port] leaves both absent, as Java does.
  void read_authority(Text authority) {
    if (const std::size_t at = authority.rfind('@'); at != Text::npos) authority.remove_prefix(at + 1);
    Text name = authority;
    const std::size_t colon = authority.rfind(':');
    if (colon != Text::npos && authority.find(']', colon) == Text::npos) {
      const Text digits = authority.substr(colon + 1);
      std::int32_t number = 0;
      const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
      if (!digits.empty() && (error != std::errc() || end != digits.data() + digits.size())) return;
      if (!digits.empty()) port = number;
      name = authority.substr(0, colon);
    }
    if (name.find('_') == Text::npos && !name.empty()) host = name;
  }
};

Error bad_uri(Text text) {
  return user_error("not a URI: {}", text);
}

Result<std::optional<Text>> decoded(Arena& arena, std::optional<Text> part) {
  if (!part) return std::optional<Text>();
  const auto text = percent_decode(*part, false);
  if (!text) return bad_uri(*part);
  return std::optional(arena.copy(*text));
}

Result<std::optional<Text>> fragment(Arena& arena, Text text) {
  Uri uri;
  if (!uri.parse(text)) return bad_uri(text);
  return decoded(arena, uri.fragment);
}
Result<std::optional<Text>> host(Text text) {
  Uri uri;
  if (!uri.parse(text)) return bad_uri(text);
  return uri.host;
}
Result<std::optional<Text>> path(Arena& arena, Text text) {
  Uri uri;
  if (!uri.parse(text)) return bad_uri(text);
  if (uri.opaque) return std::optional<Text>();
  return decoded(arena, uri.path);
}
Result<std::optional<std::int32_t>> port(Text text) {
  Uri uri;
  if (!uri.parse(text)) return bad_uri(text);
  return uri.port;
}
Result<std::optional<Text>> protocol(Text text) {
  Uri uri;
  if (!uri.parse(text)) return bad_uri(text);
  return uri.scheme;
}
Result<std::optional<Text>> query(Arena& arena, Text text) {
  Uri uri;
  if (!uri.parse(text)) return bad_uri(text);
  return decoded(arena, uri.query);
}

Result<std::optional<Text>> parameter(Arena& arena, Text text, Text name) {
  Uri uri;
  if (!uri.parse(text)) return bad_uri(text);
  Text rest = uri.query.value_or(Text());
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('&'), rest.size());
    const Text pair = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const std::size_t equals = std::min(pair.find('='), pair.size());
    if (percent_decode(pair.substr(0, equals), false) != std::string(name)) continue;
    return decoded(arena, equals < pair.size() ? pair.substr(equals + 1) : Text());
  }
  return std::optional<Text>();
}

Result<Text> decode_param(Arena& arena, Text text) {
  const auto out = percent_decode(text, true);
  if (!out) return bad_uri(text);
  return arena.copy(*out);
}

Text encode_param(Arena& arena, Text text) {
  constexpr Text kDigits = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || c == '-' || c == '_' || c == '.' || c == '*') {
      out += c;
    } else if (c == ' ') {
      out += '+';
    } else {
      out += '%';
      out += kDigits[byte >> 4];
      out += kDigits[byte & 15];
    }
  }
  return arena.copy(out);
}

FunctionDef url(DefinitionSpec spec) {
  return define(FunctionKind::scalar, "URL", std::move(spec));
}

}  // namespace

FunctionFamily url_functions() {
  return {url({"URL_DECODE_PARAM",
               "A form-encoded text decoded.",
               {scalar<decode_param>({"text"})},
               {{"URL_DECODE_PARAM('a%20b')", "'a b'"}}}),
          url({"URL_ENCODE_PARAM",
               "The text form-encoded.",
               {scalar<encode_param>({"text"})},
               {{"URL_ENCODE_PARAM('a/b')", "'a%2Fb'"}}}),
          url({"URL_EXTRACT_FRAGMENT",
               "What follows the # of a URL.",
               {scalar<fragment>({"url"})},
               {{"URL_EXTRACT_FRAGMENT('http://h/p#f')", "'f'"}}}),
          url({"URL_EXTRACT_HOST",
               "The host of a URL.",
               {scalar<host>({"url"})},
               {{"URL_EXTRACT_HOST('http://h:80/p')", "'h'"}}}),
          url({"URL_EXTRACT_PARAMETER",
               "A parameter of the query of a URL.",
               {scalar<parameter>({"url", "name"})},
               {{"URL_EXTRACT_PARAMETER('http://h/?a=1', 'a')", "'1'"}}}),
          url({"URL_EXTRACT_PATH",
               "The path of a URL.",
               {scalar<path>({"url"})},
               {{"URL_EXTRACT_PATH('http://h/p')", "'/p'"}}}),
          url({"URL_EXTRACT_PORT",
               "The port of a URL; NULL when it names none.",
               {scalar<port>({"url"})},
               {{"URL_EXTRACT_PORT('http://h:80/p')", "80"}}}),
          url({"URL_EXTRACT_PROTOCOL",
               "The scheme of a URL.",
               {scalar<protocol>({"url"})},
               {{"URL_EXTRACT_PROTOCOL('http://h')", "'http'"}}}),
          url({"URL_EXTRACT_QUERY",
               "The query of a URL.",
               {scalar<query>({"url"})},
               {{"URL_EXTRACT_QUERY('http://h/?a=1')", "'a=1'"}}})};
}

}  // namespace millrace::inline exec
