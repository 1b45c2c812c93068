#include "server/http/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/ssl.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <vector>

#include "parser/error/freed_by.h"

namespace millrace::inline server {
namespace {

using Bio = std::unique_ptr<BIO, FreedBy<BIO_free_all>>;
using Key = std::unique_ptr<EVP_PKEY, FreedBy<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, FreedBy<X509_free>>;
using Store = std::unique_ptr<PKCS12, FreedBy<PKCS12_free>>;

std::string tls_reason() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  const char* text = ERR_reason_error_string(code);
  return text == nullptr ? "unknown reason" : text;
}

Result<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return user_error("cannot read {}: {}", path, std::strerror(errno));
  return std::string(std::istreambuf_iterator<char>(file), {});
}

/// What a store holds: the key with its certificate, and the other certificates.
struct StoreContent {
  Key key;
  std::vector<Certificate> certificates;
};

int give_password(char* buffer, int size, int, void* password) {
  const auto& text = *static_cast<const std::string*>(password);
  const int length = std::min(size, static_cast<int>(text.size()));
  std::memcpy(buffer, text.data(), static_cast<std::size_t>(length));
  return length;
}

Status read_pem(const std::string& path, const std::string& text, const std::string& password, StoreContent& out) {
  std::string secret = password;
  const Bio keys(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  out.key.reset(PEM_read_bio_PrivateKey(keys.get(), nullptr, give_password, &secret));
  if (!out.key && text.find("PRIVATE KEY") != std::string::npos)
    return user_error("{}: the private key cannot be read: {}", path, tls_reason());
  ERR_clear_error();
  const Bio all(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  while (X509* certificate = PEM_read_bio_X509(all.get(), nullptr, give_password, &secret))
    out.certificates.emplace_back(certificate);
  ERR_clear_error();
  if (out.certificates.empty()) return user_error("{}: there is no certificate in it", path);
  return {};
}

Status read_pkcs12(const std::string& path, const std::string& text, const std::string& password, StoreContent& out) {
  const Bio bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  const Store store(d2i_PKCS12_bio(bio.get(), nullptr));
  if (!store) {
    ERR_clear_error();
    return user_error("{}: neither PEM nor PKCS#12 (a JKS store must be converted by keytool)", path);
  }
  EVP_PKEY* key = nullptr;
  X509* certificate = nullptr;
  STACK_OF(X509)* chain = nullptr;
  if (PKCS12_parse(store.get(), password.c_str(), &key, &certificate, &chain) != 1)
    return user_error("{}: the store cannot be opened: {}", path, tls_reason());
  out.key.reset(key);
  if (certificate != nullptr) out.certificates.emplace_back(certificate);
  for (int i = 0; chain != nullptr && i < sk_X509_num(chain); ++i)
    out.certificates.emplace_back(sk_X509_value(chain, i));
  sk_X509_free(chain);
  if (out.certificates.empty()) return user_error("{}: there is no certificate in it", path);
  return {};
}

Status read_store(const std::string& path, const std::string& password, const std::string& key_password,
                  StoreContent& out) {
  auto text = read_file(path);
  if (!text) return text.error();
  if (text->find("-----BEGIN ") != std::string::npos)
    return read_pem(path, *text, key_password.empty() ? password : key_password, out);
  return read_pkcs12(path, *text, password, out);
}

Status use_keys(SSL_CTX& context, const TlsOptions& options) {
  StoreContent keys;
  if (Status read = read_store(options.key_store, options.key_store_password, options.key_password, keys); !read)
    return read;
  if (!keys.key) return user_error("{}: there is no private key in it", options.key_store);
  if (SSL_CTX_use_certificate(&context, keys.certificates.front().get()) != 1 ||
      SSL_CTX_use_PrivateKey(&context, keys.key.get()) != 1 || SSL_CTX_check_private_key(&context) != 1)
    return user_error("{}: key and certificate do not fit: {}", options.key_store, tls_reason());
  for (std::size_t i = 1; i < keys.certificates.size(); ++i)
    if (SSL_CTX_add1_chain_cert(&context, keys.certificates[i].get()) != 1)
      return user_error("{}: {}", options.key_store, tls_reason());
  return {};
}

Status use_trust(SSL_CTX& context, const TlsOptions& options) {
  StoreContent trusted;
  if (Status read = read_store(options.trust_store, options.trust_store_password, "", trusted); !read) return read;
  for (const Certificate& certificate : trusted.certificates) {
    X509_STORE_add_cert(SSL_CTX_get_cert_store(&context), certificate.get());
    SSL_CTX_add_client_CA(&context, certificate.get());
  }
  return {};
}

Status use_protocols(SSL_CTX& context, const std::vector<std::string>& wanted) {
  bool two = wanted.empty(), three = wanted.empty();
  for (const std::string& name : wanted) {
    two = two || name == "TLSv1.2";
    three = three || name == "TLSv1.3";
    if (name != "TLSv1.2" && name != "TLSv1.3")
      return user_error("ssl.enabled.protocols: '{}' is not one of TLSv1.2, TLSv1.3", name);
  }
  SSL_CTX_set_min_proto_version(&context, two ? TLS1_2_VERSION : TLS1_3_VERSION);
  SSL_CTX_set_max_proto_version(&context, three ? TLS1_3_VERSION : TLS1_2_VERSION);
  return {};
}

/// Suites of TLS 1.3 and those before are set apart, the latter by OpenSSL's names alone.
Status use_ciphers(SSL_CTX& context, const std::vector<std::string>& wanted) {
  if (wanted.empty()) return {};
  const TlsContextPtr all(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  SSL_CTX_set_cipher_list(all.get(), "ALL");
  const STACK_OF(SSL_CIPHER)* known = SSL_CTX_get_ciphers(all.get());
  std::string newer, older;
  for (const std::string& name : wanted) {
    const SSL_CIPHER* found = nullptr;
    for (int i = 0; i < sk_SSL_CIPHER_num(known) && found == nullptr; ++i) {
      const SSL_CIPHER* one = sk_SSL_CIPHER_value(known, i);
      const char* standard = SSL_CIPHER_standard_name(one);
      if (name == SSL_CIPHER_get_name(one) || (standard != nullptr && name == standard)) found = one;
    }
    if (found == nullptr) return user_error("ssl.cipher.suites: there is no cipher suite '{}'", name);
    std::string& list = std::string_view(SSL_CIPHER_get_version(found)) == "TLSv1.3" ? newer : older;
    list += (list.empty() ? "" : ":") + std::string(SSL_CIPHER_get_name(found));
  }
  // A version without a suite is not spoken: it would be chosen, and then fail.
  if (newer.empty()) SSL_CTX_set_max_proto_version(&context, TLS1_2_VERSION);
  if (older.empty()) SSL_CTX_set_min_proto_version(&context, TLS1_3_VERSION);
  if (SSL_CTX_get_min_proto_version(&context) > SSL_CTX_get_max_proto_version(&context))
    return user_error("ssl.cipher.suites: no suite is for a version of ssl.enabled.protocols");
  if ((!newer.empty() && SSL_CTX_set_ciphersuites(&context, newer.c_str()) != 1) ||
      (!older.empty() && SSL_CTX_set_cipher_list(&context, older.c_str()) != 1))
    return user_error("ssl.cipher.suites: {}", tls_reason());
  return {};
}

int choose_protocol(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* in, unsigned in_size,
                    void*) {
  static constexpr unsigned char kOffered[] = "\x02h2\x08http/1.1";
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, out_size, kOffered, sizeof kOffered - 1, in, in_size) != OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_NOACK;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace

Result<TlsContextPtr> make_tls_server(const TlsOptions& options) {
  if (options.key_store.empty())
    return user_error("an https listener needs ssl.keystore.location, a PEM or PKCS#12 file with key and certificate");
  TlsContextPtr context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (Status used = use_protocols(*context, options.protocols); !used) return used.error();
  if (Status used = use_ciphers(*context, options.cipher_suites); !used) return used.error();
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_CIPHER_SERVER_PREFERENCE);
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS);  // idle connections are small
  SSL_CTX_set_alpn_select_cb(context.get(), choose_protocol, nullptr);
  if (Status used = use_keys(*context, options); !used) return used.error();
  if (!options.trust_store.empty())
    if (Status used = use_trust(*context, options); !used) return used.error();
  using Client = TlsOptions::ClientCertificate;
  if (options.client != Client::none) {
    if (options.trust_store.empty())
      return user_error("ssl.client.authentication needs ssl.truststore.location, the certificates that sign clients'");
    SSL_CTX_set_verify(context.get(),
                       SSL_VERIFY_PEER | (options.client == Client::required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                       nullptr);
    static constexpr unsigned char kSessionContext[] = "millrace";
    SSL_CTX_set_session_id_context(context.get(), kSessionContext, sizeof kSessionContext - 1);
  }
  return context;
}

Result<TlsContextPtr> make_tls_client(const TlsOptions& options) {
  TlsContextPtr context(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  if (options.trust_store.empty())
    SSL_CTX_set_default_verify_paths(context.get());
  else if (Status used = use_trust(*context, options); !used)
    return used.error();
  if (!options.key_store.empty())
    if (Status used = use_keys(*context, options); !used) return used.error();
  return context;
}

TlsSession::TlsSession(const TlsContextPtr& context) : context_(context), ssl_(SSL_new(context.get())) {
  SSL_set_bio(ssl_, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  SSL_set_accept_state(ssl_);
}

TlsSession::~TlsSession() {
  SSL_free(ssl_);
}

bool TlsSession::receive(std::string_view bytes, std::string& text, std::string& out) {
  BIO_write(SSL_get_rbio(ssl_), bytes.data(), static_cast<int>(bytes.size()));
  char buffer[16384];
  while (true) {
    ERR_clear_error();
    const int got = SSL_read(ssl_, buffer, sizeof buffer);
    if (got > 0) {
      text.append(buffer, static_cast<std::size_t>(got));
      continue;
    }
    const int why = SSL_get_error(ssl_, got);
    collect(out);  // an alert may say what is wrong
    ended_ = why == SSL_ERROR_ZERO_RETURN;
    return why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE;
  }
}

void TlsSession::send(std::string_view text, std::string& out) {
  if (!text.empty()) SSL_write(ssl_, text.data(), static_cast<int>(text.size()));
  collect(out);
}

void TlsSession::end(std::string& out) {
  SSL_shutdown(ssl_);
  collect(out);
}

void TlsSession::collect(std::string& out) {
  char buffer[16384];
  for (int got = 0; (got = BIO_read(SSL_get_wbio(ssl_), buffer, sizeof buffer)) > 0;)
    out.append(buffer, static_cast<std::size_t>(got));
}

std::string_view TlsSession::protocol() const {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(ssl_, &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

}  // namespace millrace::inline server
