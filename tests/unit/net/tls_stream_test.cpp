#include "stratumproxy/tls_stream.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <random>
#include <string>
#include <string_view>

#include <catch2/catch.hpp>

#include <openssl/ssl.h>

#include "certificates.hpp"
#include "net/connection.hpp"
#include "net/poller.hpp"
#include "net/tls_session.hpp"
#include "net/unique_fd.hpp"
#include "stratumproxy/tls_certificate.hpp"
#include "stratumproxy/tls_client.hpp"

using namespace stratumproxy;
using net::unique_fd;
using test::certificate, test::make_certificate;
using step = tls_stream::step;

namespace {

std::array<unique_fd, 2> socket_pair() {
  std::array<int, 2> ends{};
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) == 0);
  return {unique_fd(ends[0]), unique_fd(ends[1])};
}

/// A client and a server, with a wire between them that carries at most so many bytes at a time in each direction.
struct conversation {
  explicit conversation(std::size_t at_a_time, const certificate& has = make_certificate(), const std::string& host = "pool.example",
                        const pool_tls& trust = {.mode = tls_mode::insecure})
      : width(at_a_time) {
    auto near = socket_pair(), far = socket_pair();
    client_socket = std::move(near[0]);
    client_end = std::move(near[1]);
    server_socket = std::move(far[0]);
    server_end = std::move(far[1]);
    const tls_client trusting;
    client = trusting.connect(client_socket.get(), host, trust);
    server = tls_certificate::from_pem(has.chain, has.key)->accept(server_socket.get());
  }

  // False when nothing was under way.
  bool carry() { return carry(client_end.get(), server_end.get()) + carry(server_end.get(), client_end.get()) > 0; }

  // Until the wire is quiet. How the client fares; whatever is said to it later is for receive().
  step shake_hands() {
    step how = step::wants_input;
    do {
      how = client.handshake();
      server_is = server.handshake();
    } while (carry());
    return how;
  }

  std::size_t width;
  unique_fd client_socket, client_end, server_end, server_socket;
  tls_stream client, server;
  step server_is = step::wants_input;

 private:
  std::size_t carry(int from, int to) const {
    std::array<char, 16'384> bytes;
    const auto got = ::recv(from, bytes.data(), std::min(width, bytes.size()), 0);
    if (got <= 0) return 0;
    REQUIRE(::send(to, bytes.data(), static_cast<std::size_t>(got), 0) == got);
    return static_cast<std::size_t>(got);
  }
};

// Everything from one to the other over the wire, as a loop that waits for readiness would do it.
std::string transfer(conversation& wire, tls_stream& from, tls_stream& to, std::string_view text) {
  const auto size = text.size();
  std::string received;
  std::array<char, 1'000> into;
  for (bool moves = true; moves && received.size() < size;) {
    moves = wire.carry();
    if (!text.empty()) {
      const auto sent = from.send(text);
      if (sent > 0) text.remove_prefix(static_cast<std::size_t>(sent));
      else REQUIRE(errno == EAGAIN);
      moves |= sent > 0;
    }
    do {
      const auto got = to.receive(into);
      if (got <= 0) break;
      received.append(into.data(), static_cast<std::size_t>(got));
      moves = true;
    } while (to.has_unread());
  }
  return received;
}

std::string pattern(std::size_t size) {
  std::string text;
  for (std::size_t i = 0; text.size() < size; ++i) text += std::to_string(i) + '\n';
  text.resize(size);
  return text;
}

/// OpenSSL finds its roots there as long as this lives.
class trusted_roots {
 public:
  explicit trusted_roots(const std::string& pem) {
    REQUIRE(::mkstemp(path_.data()) >= 0);
    std::ofstream(path_) << pem;
    ::setenv("SSL_CERT_FILE", path_.c_str(), 1);
  }
  ~trusted_roots() {
    ::unsetenv("SSL_CERT_FILE");
    ::unlink(path_.c_str());
  }

 private:
  std::string path_ = "/tmp/spx-roots-XXXXXX";
};

const pool_tls verify{.mode = tls_mode::verify};

}  // namespace

TEST_CASE("lines go through TLS unharmed, however the wire cuts them") {
  const auto width = GENERATE(std::size_t{1}, std::size_t{7}, std::size_t{16'384});
  conversation wire(width);
  REQUIRE(wire.shake_hands() == step::done);
  const auto text = pattern(width == 1 ? 5'000 : 300'000);
  CHECK(transfer(wire, wire.client, wire.server, text) == text);
  CHECK(transfer(wire, wire.server, wire.client, text) == text);
  CHECK(wire.client.fault().empty());
}

TEST_CASE("a server may leave the handshake to receive") {
  conversation wire(3);
  const std::string line = "{\"id\":1}\n";
  std::array<char, 100> into;
  std::ptrdiff_t got = -1;
  for (bool is_said = false; got < 0;) {
    if (wire.client.handshake() == step::done && !is_said) is_said = wire.client.send(line) > 0;
    wire.carry();
    got = wire.server.receive(into);
    if (got < 0) REQUIRE(errno == EAGAIN);
  }
  CHECK(std::string(into.data(), static_cast<std::size_t>(got)) == line);
}

TEST_CASE("what TLS has read ahead is not forgotten") {
  conversation wire(16'384);
  REQUIRE(wire.shake_hands() == step::done);
  for (const char* text : {"one ", "two ", "three "}) REQUIRE(wire.client.send(text) > 0);
  while (wire.carry()) {
  }
  std::array<char, 6> into;
  std::string all;
  do {
    const auto got = wire.server.receive(into);
    REQUIRE(got > 0);
    all.append(into.data(), static_cast<std::size_t>(got));
  } while (wire.server.has_unread());
  CHECK(all == "one two three ");
  CHECK(wire.server.receive(into) == -1);
  CHECK(errno == EAGAIN);
}

TEST_CASE("an orderly end, and one without a word, are the end of the input, after what came before") {
  const bool is_orderly = GENERATE(true, false);
  conversation wire(16'384);
  REQUIRE(wire.shake_hands() == step::done);
  REQUIRE(wire.client.send("last words") > 0);
  if (is_orderly) wire.client.end();
  while (wire.carry()) {
  }
  wire.server_end.reset();
  std::array<char, 100> into;
  CHECK(wire.server.receive(into) == 10);
  if (is_orderly) CHECK(wire.server.has_unread());
  CHECK(wire.server.receive(into) == 0);
  CHECK(wire.server.receive(into) == 0);
}

TEST_CASE("a peer that left is an error of send, not a signal") {
  conversation wire(16'384);
  REQUIRE(wire.shake_hands() == step::done);
  wire.server_end.reset();
  std::ptrdiff_t sent = 0;
  for (int i = 0; i < 3 && sent >= 0; ++i) sent = wire.server.send("hello");
  CHECK(sent == -1);
  CHECK(errno == EPIPE);
}

TEST_CASE("what a peer said before it left is still there when sending fails") {
  conversation wire(16'384);
  REQUIRE(wire.shake_hands() == step::done);
  REQUIRE(wire.server.send("last words") > 0);
  while (wire.carry()) {
  }
  wire.client_end.reset();
  CHECK(wire.client.send("hello") == -1);
  CHECK(errno == EPIPE);
  std::array<char, 100> into;
  CHECK(wire.client.receive(into) == 10);
  CHECK(wire.client.receive(into) == 0);
}

TEST_CASE("bytes that are no TLS end in one fault, whatever they are") {
  std::mt19937 random(20'261'126);
  const auto has = make_certificate();
  const auto identity = tls_certificate::from_pem(has.chain, has.key);
  int faults = 0;
  for (int round = 0; round < 300; ++round) {
    auto ends = socket_pair();
    auto server = identity->accept(ends[0].get());
    std::string bytes = "\x16\x03\x01";
    for (auto size = random() % 600; size > 0; --size) bytes += static_cast<char>(random());
    REQUIRE(::send(ends[1].get(), bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
    if (round % 2 == 0) ends[1].reset();
    std::array<char, 100> into;
    auto got = server.receive(into);
    for (int i = 0; i < 20 && got < 0 && errno == EAGAIN && server.has_unread(); ++i) got = server.receive(into);
    REQUIRE(got <= 0);
    if (got == 0 || errno == EAGAIN) continue;  // a long record has not come to its end
    ++faults;
    CHECK_FALSE(server.fault().empty());
    CHECK(server.receive(into) == -1);
    CHECK(errno != EAGAIN);
    CHECK(server.send("x") == -1);
    server.end();
  }
  CHECK(faults > 20);
}

namespace {

/// A server on a socket whose other end only speaks TLS as far as it is told to.
struct unruly_peer {
  unruly_peer() {
    const int small = 4'096;
    auto ends = socket_pair();
    here = std::move(ends[0]);
    there = std::move(ends[1]);
    REQUIRE(::setsockopt(here.get(), SOL_SOCKET, SO_SNDBUF, &small, sizeof small) == 0);
    const auto has = make_certificate();
    server = tls_certificate::from_pem(has.chain, has.key)->accept(here.get());
    SSL_set_fd(client.get(), there.get());
    step server_is = step::wants_input;
    for (int i = 0; i < 20 && server_is != step::done; ++i) {
      (void)SSL_connect(client.get());
      server_is = server.handshake();
    }
    REQUIRE(server_is == step::done);
  }
  /// The kernel takes no more from the server.
  void fill() const {
    const std::string bytes(512, '\0');
    while (::send(here.get(), bytes.data(), bytes.size(), MSG_DONTWAIT) > 0) {
    }
  }
  void read_all() const {
    std::array<char, 16'384> bytes;
    while (::recv(there.get(), bytes.data(), bytes.size(), 0) > 0) {
    }
  }
  void send_bad_record() const {
    std::array<char, 37> record{0x17, 3, 3, 0, 32};
    REQUIRE(::send(there.get(), record.data(), record.size(), 0) == static_cast<ssize_t>(record.size()));
  }

  unique_fd here, there;
  tls_stream server;
  net::tls_context context{SSL_CTX_new(TLS_client_method())};
  std::unique_ptr<SSL, net::freed_by<SSL_free>> client{SSL_new(context.get())};
};

}  // namespace

TEST_CASE("a fault is told, though the kernel does not take the alert about it") {
  unruly_peer peer;
  peer.fill();
  peer.send_bad_record();
  std::array<char, 100> into;
  CHECK(peer.server.receive(into) == -1);
  CHECK(errno == EPROTO);
  CHECK_FALSE(peer.server.fault().empty());
  peer.read_all();
  CHECK(peer.server.receive(into) == -1);
  CHECK(errno == EPROTO);
}

// The answer to each is due before anything more is read.
TEST_CASE("a peer that asks for new keys and reads nothing is not told of until it reads") {
  unruly_peer peer;
  net::poller watcher;
  const auto here = net::connection::make(watcher, net::side::miner, std::move(peer.here), {}, {});
  REQUIRE(here);
  here->secure(std::move(peer.server));
  std::array<char, 100> into;
  bool waits = false;
  for (int i = 0; i < 10'000 && !waits; ++i) {
    REQUIRE(SSL_key_update(peer.client.get(), SSL_KEY_UPDATE_REQUESTED) == 1);
    REQUIRE(SSL_do_handshake(peer.client.get()) == 1);
    CHECK(here->receive(into) == -1);
    CHECK(errno == EAGAIN);
    waits = here->reading_waits_for_output();
  }
  REQUIRE(waits);
  REQUIRE(SSL_key_update(peer.client.get(), SSL_KEY_UPDATE_REQUESTED) == 1);
  REQUIRE(SSL_do_handshake(peer.client.get()) == 1);
  CHECK(here->needs_output());
  here->want_output(true);
  watcher.poll();
  CHECK_FALSE(watcher.next().who);
  here->want_input(false);
  CHECK_FALSE(here->needs_output());
  here->want_input(true);
  watcher.poll();
  CHECK_FALSE(watcher.next().who);

  peer.read_all();
  watcher.poll();
  CHECK((watcher.next().events & EPOLLOUT) != 0);
  CHECK(here->receive(into) == -1);
  CHECK_FALSE(here->reading_waits_for_output());
  here->want_output(false);
  peer.send_bad_record();
  watcher.poll();
  CHECK((watcher.next().events & EPOLLIN) != 0);
}

TEST_CASE("a plain peer is told apart from a broken TLS") {
  conversation wire(100);
  REQUIRE(::send(wire.server_end.get(), "{\"id\":1}\n", 9, 0) == 9);
  std::array<char, 10> into;
  CHECK(wire.server.receive(into) == -1);
  CHECK(errno == EPROTO);
  CHECK(wire.server.fault() == "the peer does not speak TLS");
}

TEST_CASE("a certificate is trusted when a root of the system signed it, for the host, in its time") {
  const auto good = make_certificate();
  const trusted_roots roots(good.chain);
  conversation by_name(16'384, good, "pool.example", verify);
  CHECK(by_name.shake_hands() == step::done);
  conversation by_address(16'384, good, "127.0.0.1", verify);
  CHECK(by_address.shake_hands() == step::done);

  conversation elsewhere(16'384, good, "other.example", verify);
  CHECK(elsewhere.shake_hands() == step::failed);
  CHECK(elsewhere.client.fault() == "the certificate is not for other.example");
  CHECK(elsewhere.server.handshake() == step::failed);
  conversation other_address(16'384, good, "127.0.0.2", verify);
  CHECK(other_address.shake_hands() == step::failed);
  CHECK(other_address.client.fault() == "the certificate is not for the address 127.0.0.2");

  conversation stranger(16'384, make_certificate(), "pool.example", verify);
  CHECK(stranger.shake_hands() == step::failed);
  CHECK_THAT(stranger.client.fault(), Catch::StartsWith("the certificate is not trusted: self-signed certificate"));
}

TEST_CASE("an expired certificate, and one that is not valid yet, are refused by name") {
  const auto [from, until, words] = GENERATE(table<int, int, std::string>({{-48, -24, "certificate has expired"},
                                                                           {24, 48, "certificate is not yet valid"}}));
  const auto bad = make_certificate({.from = std::chrono::hours(from), .until = std::chrono::hours(until)});
  const trusted_roots roots(bad.chain);
  conversation wire(16'384, bad, "pool.example", verify);
  CHECK(wire.shake_hands() == step::failed);
  CHECK(wire.client.fault() == "the certificate is not trusted: " + words);
}

TEST_CASE("a pinned certificate is that one, whatever else it says") {
  const auto expired = make_certificate({.names = "DNS:elsewhere", .from = std::chrono::hours(-48), .until = std::chrono::hours(-24)});
  conversation pinned(16'384, expired, "pool.example", {.mode = tls_mode::pin, .fingerprint = expired.fingerprint});
  CHECK(pinned.shake_hands() == step::done);
  const auto other = make_certificate();
  conversation swapped(16'384, other, "pool.example", {.mode = tls_mode::pin, .fingerprint = expired.fingerprint});
  CHECK(swapped.shake_hands() == step::failed);
  CHECK(swapped.client.fault() == "the certificate has the fingerprint " + other.fingerprint + ", which is not the pinned one");
  CHECK(swapped.client.send("a password") == -1);
  conversation unusable(16'384, expired, "pool.example", {.mode = tls_mode::pin, .fingerprint = ""});
  CHECK(unusable.shake_hands() == step::failed);
}

TEST_CASE("a fault after the handshake is no word about a certificate that nobody wants checked") {
  const auto has = make_certificate({.names = "DNS:elsewhere"});
  const trusted_roots trusted(has.chain);
  const auto mode = GENERATE(tls_mode::pin, tls_mode::insecure);
  conversation wire(16'384, has, "pool.example", {.mode = mode, .fingerprint = mode == tls_mode::pin ? has.fingerprint : ""});
  REQUIRE(wire.shake_hands() == step::done);
  std::array<char, 1'000> into{0x17, 3, 3, 0, 32};
  REQUIRE(::send(wire.client_end.get(), into.data(), 37, 0) == 37);
  for (int i = 0; i < 5 && wire.client.fault().empty(); ++i) CHECK(wire.client.receive(into) == -1);
  CHECK(wire.client.fault().starts_with("TLS: "));
}

TEST_CASE("insecure takes any certificate") {
  conversation wire(16'384, make_certificate({.names = "DNS:elsewhere", .until = std::chrono::hours(0)}));
  CHECK(wire.shake_hands() == step::done);
}

TEST_CASE("a fingerprint may be written in either case, with colons or without") {
  const auto digits = make_certificate().fingerprint;
  std::string upper;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && i % 2 == 0) upper += ':';
    upper += static_cast<char>(std::toupper(digits[i]));
  }
  CHECK(canonical_fingerprint(digits) == digits);
  CHECK(canonical_fingerprint(upper) == digits);
  for (const auto& bad : {std::string(), digits.substr(1), digits + "0", digits.substr(1) + "g", upper.substr(1) + ":"})
    CHECK_FALSE(canonical_fingerprint(bad));
}

TEST_CASE("a certificate and a key that do not go together are refused with the reason") {
  const auto one = make_certificate(), other = make_certificate();
  const auto why = [](const std::string& chain, const std::string& key) {
    try {
      (void)tls_certificate::from_pem(chain, key);
    } catch (const certificate_error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  CHECK(why(one.chain, one.key).empty());
  CHECK(why(one.chain + other.chain, one.key).empty());
  CHECK(why(one.chain, other.key) == "the key does not belong to the certificate");
  CHECK_THAT(why("", one.key), Catch::StartsWith("the certificate is not PEM"));
  CHECK_THAT(why(one.chain, ""), Catch::StartsWith("the key is not PEM"));
  CHECK_THAT(why(one.key, one.chain), Catch::StartsWith("the certificate is not PEM"));
  CHECK_THAT(why(one.chain + "-----BEGIN CERTIFICATE-----\nbroken\n-----END CERTIFICATE-----\n", one.key),
             Catch::StartsWith("a certificate of the chain is damaged"));
  CHECK_THAT(why(one.chain, "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n"),
             Catch::StartsWith("the key has a passphrase"));
}

TEST_CASE("a certificate says how long it is valid") {
  const auto has = make_certificate({.from = std::chrono::hours(-10), .until = std::chrono::hours(20)});
  const auto made = tls_certificate::from_pem(has.chain, has.key);
  CHECK(made->valid_until() - made->valid_from() == std::chrono::hours(30));
  CHECK(made->fingerprint() == has.fingerprint);
}
