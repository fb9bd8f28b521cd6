#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>

#include "net/connection.hpp"
#include "net/poller.hpp"

using namespace stratumproxy;
using namespace stratumproxy::net;

namespace {

/// A connection, and the other end of its socket.
struct pair {
  explicit pair(poller& watcher) {
    std::array<int, 2> ends{};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends.data()) == 0);
    peer.reset(ends[1]);
    here = connection::make(watcher, side::miner, unique_fd(ends[0]), {}, {});
    REQUIRE(here);
  }
  void write() const { REQUIRE(::write(peer.get(), "x", 1) == 1); }

  connection::pointer here;
  unique_fd peer;
};

}  // namespace

TEST_CASE("a connection is told of once for each poll, until its input is read") {
  poller all;
  pair one(all), other(all);
  one.write();
  for (int times = 0; times < 2; ++times) {
    all.poll();
    const auto ready = all.next();
    CHECK(ready.who == one.here);
    CHECK((ready.events & EPOLLIN) != 0);
    CHECK_FALSE(all.next().who);
  }
  char byte = 0;
  REQUIRE(::read(one.here->native(), &byte, 1) == 1);
  all.poll();
  CHECK_FALSE(all.next().who);
}

TEST_CASE("who wants nothing is not told of, not even of a hang-up, and is again once it wants something") {
  poller all;
  pair one(all);
  one.here->want_input(false);
  one.write();
  one.peer.reset();
  all.poll();
  CHECK_FALSE(all.next().who);

  one.here->want_input(true);
  all.poll();
  CHECK(all.next().who == one.here);
}

TEST_CASE("output that the kernel can take is told only to who wants to send") {
  poller all;
  pair one(all);
  all.poll();
  CHECK_FALSE(all.next().who);
  one.here->want_output(true);
  all.poll();
  const auto ready = all.next();
  CHECK(ready.who == one.here);
  CHECK((ready.events & EPOLLOUT) != 0);
}

TEST_CASE("an event for a connection that was closed meanwhile reaches nobody, not even who took its place") {
  poller all;
  pair first(all), second(all);
  first.write();
  second.write();
  all.poll();
  const auto ready = all.next();
  auto& gone = ready.who == first.here ? second : first;
  gone.here->close();
  pair heir(all);
  heir.write();
  CHECK_FALSE(all.next().who);
  CHECK_FALSE(gone.here->is_open());
  ready.who->close();
  all.poll();
  CHECK(all.next().who == heir.here);
}

TEST_CASE("the poller keeps an open connection, and lets go of a closed one") {
  poller all;
  std::weak_ptr<connection> watched;
  {
    pair one(all);
    watched = one.here;
  }
  REQUIRE_FALSE(watched.expired());
  all.poll();  // its peer has gone
  all.next().who->close();
  CHECK(watched.expired());
}
