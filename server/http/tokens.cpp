#include "server/http/tokens.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cstring>
#include <fstream>
#include <memory>
#include <sstream>

#include "parser/error/freed_by.h"
#include "planner/types/value.h"

namespace millrace::inline server {
namespace json = boost::json;
namespace {

constexpr std::chrono::seconds kClockSkew{60};

using PublicKey = std::unique_ptr<EVP_PKEY, FreedBy<EVP_PKEY_free>>;
using KeyMaker = std::unique_ptr<EVP_PKEY_CTX, FreedBy<EVP_PKEY_CTX_free>>;
using Digest = std::unique_ptr<EVP_MD_CTX, FreedBy<EVP_MD_CTX_free>>;
using Builder = std::unique_ptr<OSSL_PARAM_BLD, FreedBy<OSSL_PARAM_BLD_free>>;
using Parameters = std::unique_ptr<OSSL_PARAM, FreedBy<OSSL_PARAM_free>>;
using Big = std::unique_ptr<BIGNUM, FreedBy<BN_free>>;

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

/// Base64 for URLs, without padding.
bool decode(std::string_view text, std::string& out) {
  std::string plain(text);
  std::replace(plain.begin(), plain.end(), '-', '+');
  std::replace(plain.begin(), plain.end(), '_', '/');
  if (text.find_first_of("+/=") != std::string_view::npos) return false;
  plain.append((4 - plain.size() % 4) % 4, '=');
  return base64_decode(plain, out);
}

std::optional<json::object> decode_object(std::string_view text) {
  std::string plain;
  boost::system::error_code bad;
  if (!decode(text, plain)) return std::nullopt;
  json::value value = json::parse(plain, bad);
  if (bad || !value.is_object()) return std::nullopt;
  return std::move(value.get_object());
}

std::string text_of(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

PublicKey make_key(const char* kind, OSSL_PARAM_BLD* builder) {
  const Parameters parameters(OSSL_PARAM_BLD_to_param(builder));
  const KeyMaker maker(EVP_PKEY_CTX_new_from_name(nullptr, kind, nullptr));
  EVP_PKEY* made = nullptr;
  if (!parameters || !maker || EVP_PKEY_fromdata_init(maker.get()) != 1 ||
      EVP_PKEY_fromdata(maker.get(), &made, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1)
    return nullptr;
  return PublicKey(made);
}

PublicKey rsa_key(const json::object& jwk) {
  std::string modulus, exponent;
  if (!decode(text_of(jwk, "n"), modulus) || !decode(text_of(jwk, "e"), exponent) || modulus.empty()) return nullptr;
  const Big n(BN_bin2bn(bytes_of(modulus), static_cast<int>(modulus.size()), nullptr));
  const Big e(BN_bin2bn(bytes_of(exponent), static_cast<int>(exponent.size()), nullptr));
  const Builder builder(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get());
  return make_key("RSA", builder.get());
}

PublicKey curve_key(const json::object& jwk) {
  std::string x, y;
  if (!decode(text_of(jwk, "x"), x) || !decode(text_of(jwk, "y"), y)) return nullptr;
  const std::string point = '\4' + x + y, curve = text_of(jwk, "crv");
  const Builder builder(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, curve.c_str(), 0);
  OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size());
  return make_key("EC", builder.get());
}

PublicKey edwards_key(const json::object& jwk) {
  std::string x;
  if (text_of(jwk, "crv") != "Ed25519" || !decode(text_of(jwk, "x"), x)) return nullptr;
  return PublicKey(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes_of(x), x.size()));
}

/// Two numbers side by side, as ES signatures have them, in DER.
std::string curve_signature(const std::string& raw) {
  const std::size_t half = raw.size() / 2;
  std::unique_ptr<ECDSA_SIG, FreedBy<ECDSA_SIG_free>> signature(ECDSA_SIG_new());
  BIGNUM* r = BN_bin2bn(bytes_of(raw), static_cast<int>(half), nullptr);
  BIGNUM* s = BN_bin2bn(bytes_of(raw) + half, static_cast<int>(half), nullptr);
  ECDSA_SIG_set0(signature.get(), r, s);
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(signature.get(), &der);
  std::string out =
      size > 0 ? std::string(reinterpret_cast<char*>(der), static_cast<std::size_t>(size)) : std::string();
  OPENSSL_free(der);
  return out;
}

struct Algorithm {
  std::string_view name, kind;
  const EVP_MD* (*digest)();
  bool pss = false;
};
constexpr Algorithm kAlgorithms[] = {
    {"RS256", "RSA", EVP_sha256},       {"RS384", "RSA", EVP_sha384},       {"RS512", "RSA", EVP_sha512},
    {"PS256", "RSA", EVP_sha256, true}, {"PS384", "RSA", EVP_sha384, true}, {"PS512", "RSA", EVP_sha512, true},
    {"ES256", "EC", EVP_sha256},        {"ES384", "EC", EVP_sha384},        {"EdDSA", "OKP", nullptr},
};

bool verifies(EVP_PKEY* key, const Algorithm& algorithm, std::string_view text, const std::string& signature) {
  const Digest digest(EVP_MD_CTX_new());
  EVP_PKEY_CTX* context = nullptr;  // the digest's own
  const EVP_MD* hash = algorithm.digest != nullptr ? algorithm.digest() : nullptr;
  if (EVP_DigestVerifyInit(digest.get(), &context, hash, nullptr, key) != 1) return false;
  if (algorithm.pss && (EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) != 1 ||
                        EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) != 1))
    return false;
  const std::string form = algorithm.kind == "EC" ? curve_signature(signature) : signature;
  return EVP_DigestVerify(digest.get(), bytes_of(form), form.size(), bytes_of(text), text.size()) == 1;
}

/// The value at `path`, whose dots lead into objects; null: there is none.
const json::value* find_claim(const json::object& claims, std::string_view path) {
  if (const json::value* whole = claims.if_contains(path)) return whole;
  const std::size_t dot = path.find('.');
  if (dot == std::string_view::npos) return nullptr;
  const json::value* outer = claims.if_contains(path.substr(0, dot));
  return outer != nullptr && outer->is_object() ? find_claim(outer->get_object(), path.substr(dot + 1)) : nullptr;
}

/// The words of a text, or the texts of a list.
std::vector<std::string> words(const json::value* value) {
  std::vector<std::string> out;
  if (value == nullptr) return out;
  if (value->is_string()) {
    std::istringstream text{std::string(value->get_string())};
    for (std::string word; text >> word;) out.push_back(word);
  } else if (value->is_array()) {
    for (const json::value& item : value->get_array())
      if (item.is_string()) out.emplace_back(item.get_string());
  }
  return out;
}

bool is_valid_at(const json::object& claims, std::chrono::system_clock::time_point now) {
  const auto at = [&](std::string_view name) -> std::optional<double> {
    const json::value* value = claims.if_contains(name);
    return value != nullptr && value->is_number() ? std::optional(value->to_number<double>()) : std::nullopt;
  };
  const double seconds = std::chrono::duration<double>(now.time_since_epoch()).count();
  const double skew = std::chrono::duration<double>(kClockSkew).count();
  const auto until = at("exp"), from = at("nbf");
  return until && seconds < *until + skew && (!from || seconds > *from - skew);
}

}  // namespace

struct BearerTokens::Key {
  std::string id, kind, algorithm;  // algorithm empty: any of the kind
  std::shared_ptr<EVP_PKEY> key;
};

BearerTokens::BearerTokens(Options options) : options_(std::move(options)) {}
BearerTokens::~BearerTokens() = default;

Result<std::unique_ptr<BearerTokens>> BearerTokens::read(Options options) {
  std::ifstream file(options.key_file);
  if (!file) return user_error("cannot read the key set {}: {}", options.key_file, std::strerror(errno));
  std::stringstream text;
  text << file.rdbuf();
  boost::system::error_code bad;
  const json::value value = json::parse(text.str(), bad);
  const json::value* list = !bad && value.is_object() ? value.get_object().if_contains("keys") : nullptr;
  if (list == nullptr || !list->is_array()) return user_error("{} is no JSON Web Key Set", options.key_file);
  std::unique_ptr<BearerTokens> tokens(new BearerTokens(std::move(options)));
  for (const json::value& item : list->get_array()) {
    if (!item.is_object()) continue;
    const json::object& jwk = item.get_object();
    if (text_of(jwk, "use") == "enc") continue;
    Key key{text_of(jwk, "kid"), text_of(jwk, "kty"), text_of(jwk, "alg"), nullptr};
    key.key = key.kind == "RSA" ? rsa_key(jwk) : key.kind == "EC" ? curve_key(jwk) : edwards_key(jwk);
    if (!key.key)
      return user_error("{}: key '{}' of type '{}' cannot be used", tokens->options_.key_file, key.id, key.kind);
    tokens->keys_.push_back(std::move(key));
  }
  if (tokens->keys_.empty()) return user_error("there is no key in {}", tokens->options_.key_file);
  return tokens;
}

bool BearerTokens::is_signed(std::string_view name, std::string_view key_id, std::string_view text,
                             const std::string& signature) const {
  const auto algorithm = std::ranges::find(kAlgorithms, name, &Algorithm::name);
  if (algorithm == std::end(kAlgorithms)) return false;
  return std::ranges::any_of(keys_, [&](const Key& key) {
    if (key.kind != algorithm->kind || (!key.algorithm.empty() && key.algorithm != name)) return false;
    if (!key_id.empty() && !key.id.empty() && key.id != key_id) return false;
    return verifies(key.key.get(), *algorithm, text, signature);
  });
}

std::optional<Principal> BearerTokens::check(std::string_view token, std::chrono::system_clock::time_point now) const {
  const std::size_t first = token.find('.'), second = token.find('.', first + 1);
  if (first == std::string_view::npos || second == std::string_view::npos) return std::nullopt;
  const auto header = decode_object(token.substr(0, first));
  std::string signature;
  if (!header || header->contains("crit") || !decode(token.substr(second + 1), signature)) return std::nullopt;
  if (!is_signed(text_of(*header, "alg"), text_of(*header, "kid"), token.substr(0, second), signature))
    return std::nullopt;
  const auto claims = decode_object(token.substr(first + 1, second - first - 1));
  if (!claims || !is_valid_at(*claims, now)) return std::nullopt;
  if (!options_.issuer.empty() && text_of(*claims, "iss") != options_.issuer) return std::nullopt;
  if (!options_.audience.empty()) {
    const std::vector<std::string> audience = words(claims->if_contains("aud"));
    if (std::ranges::find(audience, options_.audience) == audience.end()) return std::nullopt;
  }
  Principal user{.name = text_of(*claims, "sub"), .roles = words(find_claim(*claims, options_.roles_claim))};
  if (user.name.empty()) return std::nullopt;
  return user;
}

}  // namespace millrace::inline server
