#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "stratumproxy/account.hpp"
#include "stratumproxy/tls_stream.hpp"

namespace stratumproxy {

/// What all TLS connections to pools have in common: the system's root certificates, where OpenSSL looks for them (SSL_CERT_FILE and
/// SSL_CERT_DIR lead elsewhere). Any number of threads may share one.
class tls_client {
 public:
  tls_client();
  ~tls_client();
  tls_client(const tls_client&) = delete;
  tls_client& operator=(const tls_client&) = delete;

  /// The client's side of a connection to `host`, a name or an address, which must not be of mode off. Its handshake fails when the certificate is not one that
  /// `trust` asks for; until it is done nothing is sent.
  [[nodiscard]] tls_stream connect(int socket, const std::string& host, const pool_tls& trust) const;

 private:
  struct impl;
  std::unique_ptr<impl> impl_;
};

/// 64 lower-case hex digits of a SHA-256 fingerprint that is written in either case, with or without a colon between the bytes;
/// nothing when it is none.
[[nodiscard]] std::optional<std::string> canonical_fingerprint(std::string_view text);

}  // namespace stratumproxy
