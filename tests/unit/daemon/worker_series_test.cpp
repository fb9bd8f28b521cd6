#include "worker_series.hpp"

#include <catch2/catch.hpp>

#include <map>
#include <random>
#include <string>
#include <vector>

namespace {

using namespace stratumproxyd;
using stratumproxy::metrics::worker_row;

worker_row worker(const std::string& address, const std::string& rig, std::uint64_t sent, const std::string& account = "a") {
  worker_row row;
  row.address = address;
  row.session = address;
  row.account = account;
  row.rig = rig;
  row.algorithm = "scrypt";
  row.pool = "p:1";
  row.up = true;
  row.hashrate = 100;
  row.shares.sent = sent;
  row.shares.accepted = sent / 2;
  row.shares.rejected[0] = sent - sent / 2;
  row.shares.sent_one = 0.5 * static_cast<double>(sent);
  row.shares.accepted_one = 0.25 * static_cast<double>(sent);
  return row;
}

class house {
 public:
  explicit house(worker_label label, std::size_t max = 10'000) : series_({.tag = {}, .label = label, .max_workers = max}) {}

  void look() { shown_ = series_.update(rows); }
  void set(worker_label label, std::size_t max) { series_.set({.tag = {}, .label = label, .max_workers = max}); }
  [[nodiscard]] const shown_worker* find(const std::string& name, const std::string& account = "a") const {
    const auto found = shown_.series.find({name, account, "scrypt", "p:1"});
    return found == shown_.series.end() ? nullptr : &found->second;
  }
  [[nodiscard]] std::uint64_t sent(const std::string& name, const std::string& account = "a") const {
    const auto* found = find(name, account);
    REQUIRE(found);
    return found->sent;
  }
  [[nodiscard]] const shown_workers& shown() const { return shown_; }

  std::vector<worker_row> rows;

 private:
  worker_series series_;
  shown_workers shown_;
};

}  // namespace

TEST_CASE("by address, a worker's counters are those of its session") {
  house house(worker_label::address);
  house.rows = {worker("10.0.0.1:5", "rack", 10), worker("10.0.0.2:6", "rack", 20)};
  house.look();
  CHECK(house.sent("10.0.0.1:5") == 10);
  CHECK(house.sent("10.0.0.2:6") == 20);
  house.rows = {worker("10.0.0.1:5", "rack", 3)};  // another session from the same port
  house.look();
  CHECK(house.sent("10.0.0.1:5") == 3);
  CHECK_FALSE(house.find("10.0.0.2:6"));
  CHECK(house.shown().unnamed == 0);
}

TEST_CASE("by rig, the workers of an account with one rig are one series") {
  house house(worker_label::rig);
  house.rows = {worker("10.0.0.1:5", "rack", 10), worker("10.0.0.2:6", "rack", 20), worker("10.0.0.3:7", "rack", 40, "b"),
                worker("10.0.0.4:8", "", 80)};
  house.rows[1].up = false;
  house.rows[1].difficulty = 9;
  house.rows[0].difficulty = 4;
  house.look();
  const auto* rack = house.find("rack");
  REQUIRE(rack);
  CHECK(rack->sent == 30);
  CHECK(rack->accepted == 15);
  CHECK(rack->rejected == 15);
  CHECK(rack->sent_one == 15);
  CHECK(rack->accepted_one == 7.5);
  CHECK(rack->hashrate == 200);
  CHECK(rack->difficulty == 4);
  CHECK(house.sent("rack", "b") == 40);
  CHECK(house.sent("-") == 80);
  CHECK(house.shown().up.at({"rack", "a"}));
  CHECK(house.shown().mining.at({"a", "scrypt", "p:1"}) == 2);
}

TEST_CASE("by rig, a worker that returns from another port goes on where it was") {
  house house(worker_label::rig);
  house.rows = {worker("10.0.0.1:5", "rack", 10)};
  house.look();
  house.rows[0].up = false;  // its session is kept
  house.look();
  CHECK(house.sent("rack") == 10);
  CHECK_FALSE(house.shown().up.at({"rack", "a"}));
  house.rows = {worker("10.0.0.1:9", "rack", 2)};
  house.look();
  CHECK(house.sent("rack") == 12);
  house.rows[0] = worker("10.0.0.1:9", "rack", 5);
  house.look();
  house.look();
  CHECK(house.sent("rack") == 15);
  CHECK(house.shown().up.at({"rack", "a"}));
}

TEST_CASE("by rig, a series does not fall while one of its workers is there, and begins anew when it was gone") {
  house house(worker_label::rig);
  house.rows = {worker("10.0.0.1:5", "rack", 1'000), worker("10.0.0.2:6", "rack", 2'000)};
  house.look();
  CHECK(house.sent("rack") == 3'000);
  house.rows.erase(house.rows.begin());
  house.look();
  CHECK(house.sent("rack") == 3'000);
  house.rows.clear();
  house.look();
  CHECK_FALSE(house.find("rack"));
  house.rows = {worker("10.0.0.3:7", "rack", 1)};
  house.look();
  CHECK(house.sent("rack") == 1);
}

TEST_CASE("by rig, shares stay where they were when a worker gets another rig") {
  house house(worker_label::rig);
  house.rows = {worker("10.0.0.1:5", "", 100), worker("10.0.0.2:6", "", 7)};
  house.look();
  house.rows[0] = worker("10.0.0.1:5", "rack", 103);
  house.look();
  CHECK(house.sent("-") == 107);
  CHECK(house.sent("rack") == 3);
}

TEST_CASE("two rows of one session are one worker, whichever is first") {
  house house(worker_label::rig);
  house.rows = {worker("10.0.0.1:5", "rack", 10), worker("10.0.0.1:5", "rack", 30)};
  house.look();
  std::swap(house.rows[0], house.rows[1]);
  house.look();
  CHECK(house.sent("rack") == 40);
}

TEST_CASE("a rig's name is cleaned, cut, and cannot be that of the rest") {
  house house(worker_label::rig);
  house.rows = {worker("10.0.0.1:5", "a \"b\"\n\xff{}=c", 1), worker("10.0.0.2:6", std::string(500, 'x'), 2),
                worker("10.0.0.3:7", "\x01", 3), worker("10.0.0.4:8", "other", 4)};
  house.look();
  CHECK(house.sent("abc") == 1);
  CHECK(house.sent(std::string(32, 'x')) == 2);
  CHECK(house.sent("-") == 3);
  CHECK(house.sent("other") == 4);
  CHECK(house.shown().unnamed == 1);
}

TEST_CASE("above the cap, those who came last are together, by account, and stay so") {
  house house(worker_label::address, 2);
  house.rows = {worker("10.0.0.1:1", "r", 1), worker("10.0.0.1:2", "r", 2)};
  house.look();
  house.rows.insert(house.rows.begin(), {worker("10.0.0.1:3", "r", 30), worker("10.0.0.1:4", "r", 40), worker("10.0.0.1:5", "r", 50, "b")});
  house.look();
  CHECK(house.sent("10.0.0.1:1") == 1);
  CHECK(house.sent("10.0.0.1:2") == 2);
  CHECK(house.sent("other") == 70);
  CHECK(house.sent("other", "b") == 50);
  CHECK(house.shown().unnamed == 3);
  CHECK(house.shown().up.size() == 4);
  CHECK(house.shown().mining.at({"a", "scrypt", "p:1"}) == 4);

  // A place is free again: for the next who comes, not for those whose shares are in `other`, which keeps those of one that left.
  house.rows = {worker("10.0.0.1:2", "r", 3), worker("10.0.0.1:4", "r", 41), worker("10.0.0.1:6", "r", 600)};
  house.look();
  CHECK_FALSE(house.find("10.0.0.1:1"));
  CHECK(house.sent("10.0.0.1:2") == 3);
  CHECK(house.sent("10.0.0.1:6") == 600);
  CHECK(house.sent("other") == 71);
  CHECK(house.shown().unnamed == 1);
}

TEST_CASE("a cap of nothing leaves only the rest") {
  house house(worker_label::address, 0);
  house.rows = {worker("10.0.0.1:1", "r", 1), worker("10.0.0.1:2", "r", 2)};
  house.look();
  CHECK(house.shown().series.size() == 1);
  CHECK(house.sent("other") == 3);
}

TEST_CASE("another cap is for newcomers, another label begins anew") {
  house house(worker_label::address, 2);
  house.rows = {worker("10.0.0.1:1", "r", 1), worker("10.0.0.1:2", "r", 2), worker("10.0.0.1:3", "r", 4)};
  house.look();
  house.set(worker_label::address, 1);
  house.rows.push_back(worker("10.0.0.1:4", "r", 8));
  house.look();
  CHECK(house.sent("10.0.0.1:2") == 2);
  CHECK(house.sent("other") == 12);
  house.set(worker_label::address, 3);
  house.rows.push_back(worker("10.0.0.1:5", "r", 16));
  house.look();
  CHECK(house.sent("10.0.0.1:5") == 16);
  CHECK(house.sent("other") == 12);
  house.set(worker_label::rig, 3);
  house.look();
  CHECK(house.sent("r") == 31);
  CHECK(house.shown().series.size() == 1);
}

TEST_CASE("whatever comes and goes, no series falls while it is there, and none counts a share twice") {
  const auto label = GENERATE(worker_label::rig, worker_label::address);
  const auto seed = GENERATE(range(1u, 9u));
  CAPTURE(seed);
  std::mt19937 random(seed);
  const auto pick = [&](std::size_t below) { return std::uniform_int_distribution<std::size_t>(0, below - 1)(random); };
  house house(label, 4);
  std::map<std::string, std::uint64_t> before;
  std::uint64_t made = 0, seen = 0, port = 1;
  for (int step = 0; step < 400; ++step) {
    for (auto& row : house.rows) {
      const auto more = pick(5);
      row = worker(row.address, row.rig, row.shares.sent + more);
      made += more;
    }
    if (house.rows.size() < 12 && pick(2) == 0)
      house.rows.insert(house.rows.begin() + static_cast<std::ptrdiff_t>(pick(house.rows.size() + 1)),
                        worker(std::string("10.0.0.1:").append(std::to_string(port++)), std::string(1, static_cast<char>(0x61 + pick(8))), 0));
    if (!house.rows.empty() && pick(3) == 0) house.rows.erase(house.rows.begin() + static_cast<std::ptrdiff_t>(pick(house.rows.size())));
    house.look();
    std::map<std::string, std::uint64_t> now;
    for (const auto& [place, row] : house.shown().series) now[std::string(std::get<0>(place))] = row.sent;
    CHECK(now.size() <= 5);
    for (const auto& [name, sent] : now) {
      const auto was = before.contains(name) ? before[name] : 0;
      REQUIRE(sent >= was);
      seen += sent - was;
    }
    before = std::move(now);
  }
  CHECK(seen <= made);
  CHECK(seen > made / 2);
}
