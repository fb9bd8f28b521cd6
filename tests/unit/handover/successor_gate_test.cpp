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

}  // namespace

TEST_CASE("a daemon leaves once its successor knows that it has retired, so that both cannot be gone") {
  std::string directory = (std::filesystem::temp_directory_path() / "spx-gate-XXXXXX").string();
  REQUIRE(::mkdtemp(directory.data()));
  const auto socket = std::filesystem::path(directory) / "socket";
  stratumproxy::test::collecting_log log;
  old_daemon host;
  {
    successor_gate gate(socket, false, host, log);
    gate.start();
    CHECK_THROWS(successor_gate(socket, false, host, log));
    predecessor other(socket);
    other.release_tag("farm");
    const successor_gate own(socket, true, host, log);
    other.retire();
    host.successor_knows.set_value();
    CHECK(host.left.get_future().get());
  }
  CHECK(host.told == std::vector<std::string>{"retire", "leave, without its tag"});
  std::filesystem::remove_all(directory);
}
