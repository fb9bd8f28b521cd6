#include <catch2/catch.hpp>

#include <map>
#include <string>
#include <vector>

#include "simulation.hpp"
#include "stratumproxy/line_tap.hpp"

using namespace simulation;

namespace {

using kind = stratumproxy::tapped_event::kind;
using side = stratumproxy::tapped_event::side;

struct collector final : stratumproxy::line_tap {
  struct entry {
    kind what;
    side peer;
    std::uint64_t conversation, link, worker;
    std::string address, text, session, account, algorithm;
    bool by_peer;
  };
  void on_event(const stratumproxy::tapped_event& event) noexcept override {
    all.push_back({event.what, event.peer, event.conversation, event.link, event.worker, std::string(event.address),
                   std::string(event.text), std::string(event.session), std::string(event.account), std::string(event.algorithm),
                   event.by_peer});
  }
  [[nodiscard]] std::vector<entry> of(kind what, side peer) const {
    std::vector<entry> out;
    for (const auto& each : all)
      if (each.what == what && each.peer == peer) out.push_back(each);
    return out;
  }

  std::vector<entry> all;
};

struct tapped_farm {
  explicit tapped_farm(unsigned shards = 1) : all(11, shards, {}, &tap) { all.add_account("alice"); }
  std::shared_ptr<miner> mining(unsigned shard = 0, const std::string& session = {}) {
    auto made = all.connect(shard);
    made->login("alice.rig", session);
    REQUIRE(all.until([&] { return made->has_job(); }));
    return made;
  }

  collector tap;
  world all;
  pool& where = all.add_pool();
};

}  // namespace

TEST_CASE("a tap hears both sides of a share, in order, and whose link it went by") {
  tapped_farm here;
  auto worker = here.mining();
  here.tap.all.clear();
  const auto id = worker->submit();
  REQUIRE(here.all.until([&] { return worker->reply_to(id) != nullptr; }));
  REQUIRE(here.tap.all.size() == 4);
  const auto is = [&](std::size_t at, kind what, side peer) { return here.tap.all[at].what == what && here.tap.all[at].peer == peer; };
  CHECK(is(0, kind::received, side::miner));
  CHECK(is(1, kind::sent, side::pool));
  CHECK(is(2, kind::received, side::pool));
  CHECK(is(3, kind::sent, side::miner));
  CHECK(here.tap.all[0].text.find("mining.submit") != std::string::npos);
  CHECK(here.tap.all[3].text == worker->lines.back());
  CHECK(here.tap.all[0].conversation == here.tap.all[3].conversation);
}

TEST_CASE("a tap hears of connections: for whom they are, and who ends them") {
  tapped_farm here;
  auto worker = here.mining();
  const auto miners = here.tap.of(kind::opened, side::miner), links = here.tap.of(kind::opened, side::pool);
  REQUIRE(miners.size() == 1);
  REQUIRE(links.size() == 1);
  CHECK(links[0].worker == miners[0].conversation);
  CHECK(links[0].conversation != miners[0].conversation);
  CHECK(links[0].account == "alice");
  CHECK(links[0].address == "pool.example:3333");
  CHECK(links[0].session == worker->session.substr(0, 8));

  here.where.newest()->drop();
  REQUIRE(here.all.until([&] { return here.tap.of(kind::opened, side::pool).size() == 2; }, 60s));
  const auto ended = here.tap.of(kind::ended, side::pool);
  REQUIRE(ended.size() == 1);
  CHECK(ended[0].by_peer);
  CHECK(ended[0].conversation == links[0].conversation);
  CHECK(here.tap.of(kind::opened, side::pool)[1].link == links[0].link);

  worker->send("no message");
  REQUIRE(here.all.until([&] { return !worker->open; }));
  const auto left = here.tap.of(kind::ended, side::miner);
  REQUIRE(left.size() == 1);
  CHECK_FALSE(left[0].by_peer);
  CHECK(left[0].text == "parse_error");
}

TEST_CASE("every line that a miner hears was told to the tap, and no session that could be taken over") {
  tapped_farm here;
  auto worker = here.mining();
  worker->submit();
  here.where.newest()->job();
  here.all.run_for(1s);
  const auto sent = here.tap.of(kind::sent, side::miner);
  REQUIRE(sent.size() == worker->lines.size());
  for (std::size_t i = 0; i < sent.size(); ++i) {
    auto line = worker->lines[i];
    for (auto at = line.find(worker->session); at != std::string::npos; at = line.find(worker->session))
      line.replace(at, worker->session.size(), "session-" + worker->session.substr(0, 8));
    CHECK(sent[i].text == line);
    CHECK(sent[i].text.find(worker->session) == std::string::npos);
  }
  for (const auto& each : here.tap.all) CHECK(each.text.find("secret") == std::string::npos);
}

TEST_CASE("a miner that moves to another shard stays one conversation, and its line is told once") {
  tapped_farm here(2);
  auto before = here.mining(0);
  before->reset();
  here.all.run_for(10ms);
  here.tap.all.clear();
  auto after = here.mining(1, before->session);
  CHECK(after->shard_index == 0);
  std::size_t subscribes = 0;
  const auto opened = here.tap.of(kind::opened, side::miner);
  REQUIRE(opened.size() == 1);
  for (const auto& each : here.tap.all) {
    if (each.peer != side::miner) continue;
    CHECK(each.conversation == opened[0].conversation);
    subscribes += each.what == kind::received && each.text.find("mining.subscribe") != std::string::npos;
  }
  CHECK(subscribes == 1);
  CHECK(here.tap.of(kind::ended, side::miner).empty());
}
