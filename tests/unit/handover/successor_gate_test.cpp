#include "handover/successor_gate.hpp"

#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <future>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include "collecting_log.hpp"
#include "handover/predecessor.hpp"

using namespace stratumproxyd;

namespace {

/// A running daemon of which only what it is told is there. It does not leave before the successor knows that it retired.
struct old_daemon final : handover_host {
  std::vector<std::string> told;
  std::promise<void> successor_knows;
  std::promise<bool> left;  // whether the successor knew

  offered_place what_is_offered() override { return {{}, {"127.0.0.1:0", {}}, "farm"}; }
  bool release_tag() override { return true; }
  void keep_tag() override {}
  void retire() override { told.emplace_back("retire"); }
  void leave(bool has_released_tag) override {
    told.emplace_back(has_released_tag ? "leave, without its tag" : "leave");
    left.set_value(successor_knows.get_future().wait_for(std::chrono::seconds(60)) == std::future_status::ready);
  }
  void successor_ended() override {}
};

struct place {
  std::string directory = (std::filesystem::temp_directory_path() / "spx-gate-XXXXXX").string();
  place() { REQUIRE(::mkdtemp(directory.data())); }
  ~place() { std::filesystem::remove_all(directory); }
  [[nodiscard]] std::filesystem::path socket() const { return std::filesystem::path(directory) / "socket"; }
};

/// A gate that answers.
struct open_gate {
  open_gate() { gate.start(); }

  const place at;
  stratumproxy::test::collecting_log log;
  old_daemon host;
  successor_gate gate{at.socket(), false, host, log};
};

}  // namespace

TEST_CASE("a daemon leaves once its successor knows that it has retired, so that both cannot be gone") {
  const place at;
  stratumproxy::test::collecting_log log;
  old_daemon host;
  {
    successor_gate gate(at.socket(), false, host, log);
    gate.start();
    CHECK_THROWS(successor_gate(at.socket(), false, host, log));
    predecessor other(at.socket());
    other.release_tag("farm");
    const successor_gate own(at.socket(), true, host, log);
    other.retire();
    host.successor_knows.set_value();
    CHECK(host.left.get_future().get());
  }
  CHECK(host.told == std::vector<std::string>{"retire", "leave, without its tag"});
}

TEST_CASE("a successor that ends when it has its own socket, but does not serve yet, leaves the daemon where the next one asks") {
  open_gate old;
  old.host.successor_knows.set_value();
  {
    const predecessor failing(old.at.socket());
    const successor_gate own(old.at.socket(), true, old.host, old.log);
  }
  CHECK(old.host.told.empty());
  old_daemon next_host;
  predecessor next(old.at.socket());
  successor_gate own(old.at.socket(), true, next_host, old.log);
  next.retire();
  own.start();
  CHECK(old.host.left.get_future().get());
  const predecessor last(old.at.socket());  // asks the one that serves
}

TEST_CASE("of two that ask at once the second one learns that the first has the place") {
  open_gate old;
  old.host.successor_knows.set_value();
  predecessor first(old.at.socket());
  auto second = unix_channel::to(old.at.socket());
  REQUIRE(second);
  second->set_patience(std::chrono::seconds(30));
  REQUIRE(second->send(std::vector<std::string>{"take", predecessor::version}));
  first.retire();
  const auto answer = second->receive();
  REQUIRE(answer);
  CHECK(answer->words == std::vector<std::string>{"refused", "another one has taken its place just now"});
  CHECK_FALSE(unix_channel::to(old.at.socket()));
}
