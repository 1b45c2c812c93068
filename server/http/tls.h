#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "exec/data/result.h"

typedef struct ssl_ctx_st SSL_CTX;
typedef struct ssl_st SSL;

namespace millrace::inline server {

/// Keys and certificates, under ksqlDB's names of settings. Stores are PKCS#12 or PEM, told by their content.
struct TlsOptions {
  std::string key_store, key_store_password;  // ssl.keystore.location: certificate chain and private key
  std::string key_password;                   // ssl.key.password, of a PEM key
  std::string trust_store, trust_store_password;
  enum class ClientCertificate { none, requested, required } client = ClientCertificate::none;
  std::vector<std::string> protocols;      // TLSv1.2, TLSv1.3; empty: both
  std::vector<std::string> cipher_suites;  // by IANA's names or OpenSSL's; empty: OpenSSL's choice
};

/// Made once, shared by the connections that began with it. Immutable, thread-safe.
using TlsContextPtr = std::shared_ptr<SSL_CTX>;
Result<TlsContextPtr> make_tls_server(const TlsOptions& options);
/// For calls to others: trusts the trust store, or the system's certificates without one; shows its key where it has
/// one.
Result<TlsContextPtr> make_tls_client(const TlsOptions& options);

/// TLS over bytes that others move. One thread at a time.
class TlsSession {
 public:
  explicit TlsSession(const TlsContextPtr& context);
  ~TlsSession();
  /// Takes what has come: what it says is appended to `text`, what must be sent in return to `out`. False: the session
  /// is over.
  bool receive(std::string_view bytes, std::string& text, std::string& out);
  void send(std::string_view text, std::string& out);
  void end(std::string& out);
  bool ended() const { return ended_; }
  /// Chosen by ALPN; empty: none.
  std::string_view protocol() const;

 private:
  void collect(std::string& out);
  TlsContextPtr context_;
  SSL* ssl_ = nullptr;
  bool ended_ = false;
};

}  // namespace millrace::inline server
