#include "net/socket.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <catch2/catch.hpp>

using namespace stratumproxy;
using namespace stratumproxy::net;

namespace {

endpoint loopback(std::uint16_t port) { return *endpoint::literal("127.0.0.1", port); }

int option(int socket, int level, int name) {
  int value = -1;
  socklen_t size = sizeof(value);
  REQUIRE(::getsockopt(socket, level, name, &value, &size) == 0);
  return value;
}

void await(int socket, short events) {
  pollfd wait{socket, events, 0};
  REQUIRE(::poll(&wait, 1, 10'000) == 1);
}

}  // namespace

TEST_CASE("all listening sockets of a proxy share the one port that the kernel picked") {
  const auto sockets = listen_on(loopback(0), 3);
  REQUIRE(sockets);
  REQUIRE(sockets->size() == 3);
  const auto first = *endpoint::local_of(sockets->front().get());
  CHECK(first.port() != 0);
  for (const auto& socket : *sockets) CHECK(*endpoint::local_of(socket.get()) == first);
}

TEST_CASE("miners are spread over the listening sockets") {
  const auto sockets = listen_on(loopback(0), 2);
  REQUIRE(sockets);
  const auto address = *endpoint::local_of(sockets->front().get());
  int accepted[2] = {};
  std::vector<unique_fd> miners;
  for (int i = 0; i < 64; ++i) {
    auto miner = start_connect(address);
    REQUIRE(miner);
    await(miner->get(), POLLOUT);
    REQUIRE_FALSE(connect_result(miner->get()));
    miners.push_back(std::move(*miner));
  }
  for (int i = 0; i < 2; ++i) {
    while (unique_fd(::accept((*sockets)[static_cast<std::size_t>(i)].get(), nullptr, nullptr))) ++accepted[i];
  }
  CHECK(accepted[0] > 0);
  CHECK(accepted[1] > 0);
  CHECK(accepted[0] + accepted[1] == 64);
}

TEST_CASE("a second proxy on a taken address fails, also when both would share the port") {
  for (const unsigned shards : {1u, 4u}) {
    const auto first = listen_on(loopback(0), shards);
    REQUIRE(first);
    const auto taken = *endpoint::local_of(first->front().get());
    CHECK(listen_on(taken, 1).error() == errc::address_in_use);
    CHECK(listen_on(taken, 4).error() == errc::address_in_use);
    CHECK(listen_on(*endpoint::literal("0.0.0.0", taken.port()), 4).error() == errc::address_in_use);
  }
}

TEST_CASE("a port is free again as soon as the proxy that had it is gone") {
  endpoint address;
  {
    const auto first = listen_on(loopback(0), 2);
    REQUIRE(first);
    address = *endpoint::local_of(first->front().get());
    auto miner = start_connect(address);
    REQUIRE(miner);
  }
  CHECK(listen_on(address, 2));
}

TEST_CASE("connections of both directions have no delay, keep-alive and a limit for unacknowledged bytes") {
  const auto listening = listen_on(loopback(0), 1);
  REQUIRE(listening);
  auto outgoing = start_connect(*endpoint::local_of(listening->front().get()));
  REQUIRE(outgoing);
  await(listening->front().get(), POLLIN);
  const unique_fd accepted(::accept(listening->front().get(), nullptr, nullptr));
  REQUIRE(accepted);
  for (const int socket : {outgoing->get(), accepted.get()}) {
    CHECK(option(socket, IPPROTO_TCP, TCP_NODELAY) == 1);
    CHECK(option(socket, SOL_SOCKET, SO_KEEPALIVE) == 1);
    CHECK(option(socket, IPPROTO_TCP, TCP_KEEPIDLE) == 60);
    CHECK(option(socket, IPPROTO_TCP, TCP_KEEPINTVL) == 15);
    CHECK(option(socket, IPPROTO_TCP, TCP_KEEPCNT) == 4);
    CHECK(option(socket, IPPROTO_TCP, TCP_USER_TIMEOUT) == 20'000);
  }
}

TEST_CASE("a refused connect says so") {
  endpoint nobody;
  {
    const auto gone = listen_on(loopback(0), 1);
    REQUIRE(gone);
    nobody = *endpoint::local_of(gone->front().get());
  }
  auto attempt = start_connect(nobody);
  std::error_code failed = attempt.error();
  if (attempt) {
    await(attempt->get(), POLLOUT);
    failed = connect_result(attempt->get());
  }
  CHECK(failed == std::errc::connection_refused);
}
