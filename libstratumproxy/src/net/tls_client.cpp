#include "stratumproxy/tls_client.hpp"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <new>
#include <utility>

#include "net/endpoint.hpp"
#include "net/tls_session.hpp"

namespace stratumproxy {
namespace {

// Certificates for addresses name them in a place of their own, and there is no SNI for them.
bool ask_for(SSL& ssl, const std::string& host) {
  if (net::endpoint::literal(host, 0)) return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(&ssl), host.c_str()) == 1;
  SSL_set_hostflags(&ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  return SSL_set_tlsext_host_name(&ssl, host.c_str()) == 1 && SSL_set1_host(&ssl, host.c_str()) == 1;
}

}  // namespace

struct tls_client::impl {
  net::tls_context context = net::make_tls_context(TLS_client_method());
};

tls_client::tls_client() : impl_(std::make_unique<impl>()) {
  // Without any root a pool's certificate is not trusted, which is said when it is asked for.
  if (SSL_CTX_set_default_verify_paths(impl_->context.get()) != 1) ERR_clear_error();
}

tls_client::~tls_client() = default;

tls_stream tls_client::connect(int socket, const std::string& host, const pool_tls& trust) const {
  auto made = std::make_unique<tls_stream::impl>(*impl_->context, socket);
  SSL& ssl = *made->ssl;
  SSL_set_connect_state(&ssl);
  made->host = host;
  if (!ask_for(ssl, host)) throw std::bad_alloc();
  SSL_set_verify(&ssl, trust.mode == tls_mode::verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  // What is no fingerprint fits no certificate.
  if (trust.mode == tls_mode::pin) made->pin = canonical_fingerprint(trust.fingerprint).value_or("none");
  return tls_stream(std::move(made));
}

std::optional<std::string> canonical_fingerprint(std::string_view text) {
  constexpr std::size_t bytes = 32;
  const bool has_colons = text.size() == 3 * bytes - 1;
  if (!has_colons && text.size() != 2 * bytes) return std::nullopt;
  std::string digits;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (has_colons && i % 3 == 2) {
      if (c != ':') return std::nullopt;
    } else if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')) {
      digits += c;
    } else if (c >= 'A' && c <= 'F') {
      digits += static_cast<char>(c - 'A' + 'a');
    } else {
      return std::nullopt;
    }
  }
  return digits;
}

}  // namespace stratumproxy
