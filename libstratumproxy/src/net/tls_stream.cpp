#include "stratumproxy/tls_stream.hpp"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <cerrno>
#include <new>
#include <utility>

#include "net/tls_session.hpp"

namespace stratumproxy {
namespace {

// In one call, so that a peer that sends nothing but records without data does not keep a thread to itself.
constexpr int records_at_once = 16;

// OpenSSL's own sockets write without MSG_NOSIGNAL: a peer that left would end the process.
int read_socket(BIO* bio, char* to, int size) {
  auto& me = *static_cast<tls_stream::impl*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  ssize_t got = 0;
  do got = ::recv(me.socket, to, static_cast<std::size_t>(size), 0);
  while (got < 0 && errno == EINTR);
  me.has_ended = got == 0;
  me.is_blocked = got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
  if (me.is_blocked) BIO_set_retry_read(bio);
  return static_cast<int>(got);
}

int write_socket(BIO* bio, const char* from, int size) {
  auto& me = *static_cast<tls_stream::impl*>(BIO_get_data(bio));
  BIO_clear_retry_flags(bio);
  ssize_t sent = 0;
  do sent = ::send(me.socket, from, static_cast<std::size_t>(size), MSG_NOSIGNAL);
  while (sent < 0 && errno == EINTR);
  if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) BIO_set_retry_write(bio);
  return static_cast<int>(sent);
}

long control_socket(BIO* bio, int command, long, void*) {
  if (command == BIO_CTRL_EOF) return static_cast<tls_stream::impl*>(BIO_get_data(bio))->has_ended ? 1 : 0;
  return command == BIO_CTRL_FLUSH ? 1 : 0;
}

BIO_METHOD* socket_method() {
  static const std::unique_ptr<BIO_METHOD, net::freed_by<BIO_meth_free>> method = [] {
    std::unique_ptr<BIO_METHOD, net::freed_by<BIO_meth_free>> made(
        BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket without signals"));
    if (!made) throw std::bad_alloc();
    BIO_meth_set_read(made.get(), read_socket);
    BIO_meth_set_write(made.get(), write_socket);
    BIO_meth_set_ctrl(made.get(), control_socket);
    return made;
  }();
  return method.get();
}

}  // namespace

namespace net {

tls_context make_tls_context(const SSL_METHOD* side) {
  tls_context made(SSL_CTX_new(side));
  if (!made) throw std::bad_alloc();
  SSL_CTX* const context = made.get();
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_cipher_list(context, "ECDHE+AESGCM:ECDHE+CHACHA20");
  // Many end without a close_notify. What they cut short is no complete line, and counts for nothing.
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_IGNORE_UNEXPECTED_EOF |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_clear_mode(context, SSL_MODE_AUTO_RETRY);
  // One system call for a record, where it would be two.
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);  // tickets do the same, and cost nothing here
  return made;
}

std::string fingerprint_of(const X509& certificate) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (X509_digest(&certificate, EVP_sha256(), digest, &size) != 1) throw std::bad_alloc();
  std::string found;
  constexpr char digits[] = "0123456789abcdef";
  for (unsigned i = 0; i < size; ++i) found.append({digits[digest[i] >> 4], digits[digest[i] & 15]});
  return found;
}

std::string tls_words() {
  const auto code = ERR_peek_error();
  const char* const words = ERR_reason_error_string(code);
  return words ? words : "error " + std::to_string(ERR_GET_REASON(code));
}

}  // namespace net

tls_stream::impl::impl(SSL_CTX& context, int on) : socket(on), ssl(SSL_new(&context)) {
  BIO* const bio = BIO_new(socket_method());
  if (!ssl || !bio) throw std::bad_alloc();
  BIO_set_data(bio, this);
  SSL_set_bio(ssl.get(), bio, bio);
}

bool tls_stream::impl::is_pinned_certificate() {
  const std::unique_ptr<X509, net::freed_by<X509_free>> certificate(SSL_get1_peer_certificate(ssl.get()));
  if (!certificate) return false;
  const auto found = net::fingerprint_of(*certificate);
  if (found == pin) return true;
  fault = "the certificate has the fingerprint " + found + ", which is not the pinned one";
  return false;
}

void tls_stream::impl::fail(int ssl_error) {
  const int system_error = errno;
  const auto verified = SSL_get_verify_result(ssl.get());
  const int reason = ERR_GET_REASON(ERR_peek_error());
  broken = EPROTO;
  if (ssl_error == SSL_ERROR_SYSCALL && system_error != 0) {
    broken = system_error;
  } else if (ssl_error == SSL_ERROR_ZERO_RETURN || ssl_error == SSL_ERROR_SYSCALL) {
    fault = "the connection was closed during the TLS handshake";
  } else if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED && verified == X509_V_ERR_HOSTNAME_MISMATCH) {
    fault = "the certificate is not for " + host;
  } else if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED && verified == X509_V_ERR_IP_ADDRESS_MISMATCH) {
    fault = "the certificate is not for the address " + host;
  } else if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
    fault = std::string("the certificate is not trusted: ") + X509_verify_cert_error_string(verified);
  } else if (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_PACKET_LENGTH_TOO_LONG) {
    fault = "the peer does not speak TLS";
  } else {
    fault = "TLS: " + net::tls_words();
  }
  ERR_clear_error();
}

tls_stream::tls_stream() noexcept = default;
tls_stream::tls_stream(std::unique_ptr<impl> made) noexcept : impl_(std::move(made)) {}
tls_stream::tls_stream(tls_stream&& other) noexcept = default;
tls_stream& tls_stream::operator=(tls_stream&& other) noexcept = default;
tls_stream::~tls_stream() = default;

tls_stream::step tls_stream::handshake() {
  impl& me = *impl_;
  if (me.broken != 0) return step::failed;
  ERR_clear_error();
  errno = 0;
  int result = 0, error = SSL_ERROR_WANT_READ;
  // Without its automatic retries OpenSSL also stops between two messages that have arrived.
  do {
    me.is_blocked = false;
    result = SSL_do_handshake(me.ssl.get());
    if (result != 1) error = SSL_get_error(me.ssl.get(), result);
  } while (result != 1 && error == SSL_ERROR_WANT_READ && !me.is_blocked);
  me.has_unread = SSL_has_pending(me.ssl.get()) != 0;
  if (result == 1) {
    if (me.pin.empty() || me.is_pinned_certificate()) return step::done;
    me.broken = EPROTO;
    return step::failed;
  }
  if (error == SSL_ERROR_WANT_READ) return step::wants_input;
  if (error == SSL_ERROR_WANT_WRITE) return step::wants_output;
  me.fail(error);
  return step::failed;
}

std::ptrdiff_t tls_stream::receive(std::span<char> into) {
  impl& me = *impl_;
  me.has_unread = me.reading_waits_for_output = false;
  std::size_t total = 0;
  int stop = me.broken;
  for (int records = 0; stop == 0; ++records) {
    const bool is_enough = total == into.size() || records == records_at_once;
    if (is_enough || (total > 0 && SSL_has_pending(me.ssl.get()) == 0)) break;
    ERR_clear_error();
    errno = 0;
    me.is_blocked = false;
    std::size_t got = 0;
    const int result = SSL_read_ex(me.ssl.get(), into.data() + total, into.size() - total, &got);
    total += got;
    const int error = result == 1 ? SSL_ERROR_NONE : SSL_get_error(me.ssl.get(), result);
    if (error == SSL_ERROR_ZERO_RETURN) {
      me.has_unread = total > 0;
      return static_cast<std::ptrdiff_t>(total);
    }
    me.reading_waits_for_output = error == SSL_ERROR_WANT_WRITE;
    // Not so a fault whose alert the kernel did not take.
    if (me.reading_waits_for_output || (error == SSL_ERROR_WANT_READ && me.is_blocked)) {
      // A record of which a part has arrived is nothing that could be read.
      if (total > 0) return static_cast<std::ptrdiff_t>(total);
      errno = EAGAIN;
      return -1;
    }
    if (error == SSL_ERROR_NONE || error == SSL_ERROR_WANT_READ) continue;
    me.fail(error);
    stop = me.broken;
  }
  if (total > 0) {
    me.has_unread = stop != 0 || SSL_has_pending(me.ssl.get()) != 0;  // a fault is told the next time
    return static_cast<std::ptrdiff_t>(total);
  }
  me.has_unread = stop == 0;
  errno = stop != 0 ? stop : EAGAIN;
  return -1;
}

std::ptrdiff_t tls_stream::send(std::string_view bytes) {
  impl& me = *impl_;
  me.sending_waits_for_input = false;
  if (me.broken == 0) {
    ERR_clear_error();
    errno = 0;
    std::size_t sent = 0;
    const int result = SSL_write_ex(me.ssl.get(), bytes.data(), bytes.size(), &sent);
    if (result == 1) return static_cast<std::ptrdiff_t>(sent);
    const int error = SSL_get_error(me.ssl.get(), result);
    me.sending_waits_for_input = error == SSL_ERROR_WANT_READ;
    if (error == SSL_ERROR_WANT_WRITE || error == SSL_ERROR_WANT_READ) {
      errno = EAGAIN;
      return -1;
    }
    // What the peer said before it left can still be read.
    if (error == SSL_ERROR_SYSCALL && errno != 0) return -1;
    me.fail(error);
  }
  errno = me.broken;
  return -1;
}

void tls_stream::end() noexcept {
  if (impl_->broken != 0 || SSL_is_init_finished(impl_->ssl.get()) == 0) return;
  ERR_clear_error();
  (void)SSL_shutdown(impl_->ssl.get());
}

bool tls_stream::has_unread() const noexcept { return impl_->has_unread; }
bool tls_stream::reading_waits_for_output() const noexcept { return impl_->reading_waits_for_output; }
bool tls_stream::sending_waits_for_input() const noexcept { return impl_->sending_waits_for_input; }
const std::string& tls_stream::fault() const noexcept { return impl_->fault; }

}  // namespace stratumproxy
