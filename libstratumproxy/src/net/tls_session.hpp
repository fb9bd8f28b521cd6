#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "stratumproxy/tls_stream.hpp"

namespace stratumproxy {

namespace net {

template <auto Free>
struct freed_by {
  template <class T>
  void operator()(T* what) const noexcept {
    Free(what);
  }
};
using tls_context = std::unique_ptr<SSL_CTX, freed_by<SSL_CTX_free>>;

/// What both sides have in common.
[[nodiscard]] tls_context make_tls_context(const SSL_METHOD* side);
/// Its SHA-256, as 64 lower-case hex digits.
[[nodiscard]] std::string fingerprint_of(const X509& certificate);
/// The oldest error that OpenSSL has noted on this thread, in its words.
[[nodiscard]] std::string tls_words();

}  // namespace net

struct tls_stream::impl {
  impl(SSL_CTX& context, int on);
  impl(const impl&) = delete;

  [[nodiscard]] bool is_pinned_certificate();
  void fail(int ssl_error);

  const int socket;
  std::unique_ptr<SSL, net::freed_by<SSL_free>> ssl;
  std::string host;  // of a client
  std::string pin;   // likewise: the only fingerprint that will do; "" for none
  bool is_blocked = false;  // the kernel had no more
  bool has_ended = false;   // the peer sent a FIN
  bool has_unread = false;
  bool reading_waits_for_output = false;
  bool sending_waits_for_input = false;
  int broken = 0;  // an errno; nothing works any more
  std::string fault;
};

}  // namespace stratumproxy
