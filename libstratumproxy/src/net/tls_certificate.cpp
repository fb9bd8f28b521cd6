#include "stratumproxy/tls_certificate.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <ctime>
#include <limits>
#include <new>
#include <string>
#include <utility>

#include "net/tls_session.hpp"

namespace stratumproxy {
namespace {

using certificate_pointer = std::unique_ptr<X509, net::freed_by<X509_free>>;
using text_pointer = std::unique_ptr<BIO, net::freed_by<BIO_free>>;

constexpr long largest_record = 4'096;

// Nobody is there to be asked for a passphrase.
int no_passphrase(char*, int, int, void*) { return -1; }

text_pointer reader_of(std::string_view text) {
  constexpr std::size_t most = std::numeric_limits<int>::max();
  if (text.size() > most) throw certificate_error("the PEM text is too large");
  text_pointer reader(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  if (!reader) throw std::bad_alloc();
  return reader;
}

[[noreturn]] void refuse(const std::string& what) {
  const auto words = net::tls_words();
  ERR_clear_error();
  throw certificate_error(what + ": " + words);
}

void use_chain(SSL_CTX& context, std::string_view chain) {
  const auto reader = reader_of(chain);
  const certificate_pointer own(PEM_read_bio_X509_AUX(reader.get(), nullptr, no_passphrase, nullptr));
  if (!own) {
    ERR_clear_error();
    throw certificate_error("the certificate is not PEM: there is no whole -----BEGIN CERTIFICATE----- block");
  }
  if (SSL_CTX_use_certificate(&context, own.get()) != 1) refuse("the certificate cannot be used");
  while (const certificate_pointer next{PEM_read_bio_X509(reader.get(), nullptr, no_passphrase, nullptr)}) {
    if (SSL_CTX_add1_chain_cert(&context, next.get()) != 1) refuse("a certificate of the chain cannot be used");
  }
  if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) refuse("a certificate of the chain is damaged");
  ERR_clear_error();
}

void use_key(SSL_CTX& context, std::string_view key) {
  const auto reader = reader_of(key);
  const std::unique_ptr<EVP_PKEY, net::freed_by<EVP_PKEY_free>> own(
      PEM_read_bio_PrivateKey(reader.get(), nullptr, no_passphrase, nullptr));
  if (!own) {
    const bool has_passphrase = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_BAD_PASSWORD_READ || key.find("ENCRYPTED") != key.npos;
    ERR_clear_error();
    throw certificate_error(has_passphrase ? "the key has a passphrase: store it without one"
                                           : "the key is not PEM: there is no whole -----BEGIN PRIVATE KEY----- block");
  }
  if (X509_check_private_key(SSL_CTX_get0_certificate(&context), own.get()) != 1) {
    ERR_clear_error();
    throw certificate_error("the key does not belong to the certificate");
  }
  if (SSL_CTX_use_PrivateKey(&context, own.get()) != 1) refuse("the key cannot be used");
}

std::chrono::sys_seconds moment_of(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) throw certificate_error("the certificate has no valid dates");
  return std::chrono::sys_seconds(std::chrono::seconds(::timegm(&parts)));
}

}  // namespace

struct tls_certificate::impl {
  net::tls_context context;
  std::chrono::sys_seconds valid_from, valid_until;
  std::string fingerprint;
};

tls_certificate::tls_certificate(std::unique_ptr<impl> made) noexcept : impl_(std::move(made)) {}
tls_certificate::~tls_certificate() = default;

std::shared_ptr<const tls_certificate> tls_certificate::from_pem(std::string_view chain, std::string_view key) {
  ERR_clear_error();
  auto made = std::make_unique<impl>();
  made->context = net::make_tls_context(TLS_server_method());
  SSL_CTX_set_num_tickets(made->context.get(), 1);
  // A job fits, and so it does into the buffers of small miners.
  SSL_CTX_set_max_send_fragment(made->context.get(), largest_record);
  use_chain(*made->context, chain);
  use_key(*made->context, key);
  const auto* const own = SSL_CTX_get0_certificate(made->context.get());
  made->valid_from = moment_of(X509_get0_notBefore(own));
  made->valid_until = moment_of(X509_get0_notAfter(own));
  made->fingerprint = net::fingerprint_of(*own);
  return std::shared_ptr<const tls_certificate>(new tls_certificate(std::move(made)));
}

tls_stream tls_certificate::accept(int socket) const {
  auto made = std::make_unique<tls_stream::impl>(*impl_->context, socket);
  SSL_set_accept_state(made->ssl.get());
  return tls_stream(std::move(made));
}

std::chrono::sys_seconds tls_certificate::valid_from() const noexcept { return impl_->valid_from; }
std::chrono::sys_seconds tls_certificate::valid_until() const noexcept { return impl_->valid_until; }
const std::string& tls_certificate::fingerprint() const noexcept { return impl_->fingerprint; }

}  // namespace stratumproxy
