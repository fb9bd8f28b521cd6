#include "session/lane_table.hpp"

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace {

using stratumproxy::session::lane_table;
using stratumproxy::session::worker_id;

constexpr worker_id id(std::uint64_t number) { return worker_id{number}; }

std::string hex(std::uint64_t value, unsigned bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string text(bytes * 2, '0');
  for (auto at = text.rbegin(); at != text.rend(); ++at, value >>= 4) *at = digits[value & 15];
  return text;
}

bool apart(const std::string& one, const std::string& other) { return !one.starts_with(other) && !other.starts_with(one); }

// What the table must do, written down the plain way: a list of all lanes that are searched for the current job.
struct plain_lanes {
  struct member {
    std::string mark;
    unsigned miner_bytes = 0;
    std::string own;  // pad
    std::string current;
  };
  std::map<std::uint64_t, member> members;
  std::vector<std::string> taken;

  bool is_free(const std::string& lane) const {
    return std::all_of(taken.begin(), taken.end(), [&](const auto& other) { return apart(lane, other); });
  }
  // Tries every pad, where there are not too many.
  std::optional<bool> has_room(const std::string& mark, unsigned pad_bytes) const {
    if (pad_bytes > 1) return std::nullopt;
    for (unsigned pad = 0; pad < 1U << (8 * pad_bytes); ++pad) {
      if (is_free(hex(pad, pad_bytes) + mark)) return true;
    }
    return false;
  }
  void new_job() {
    taken.clear();
    for (auto& [number, one] : members) taken.push_back((one.current = one.own) + one.mark);
  }
};

struct tried {
  std::size_t entered = 0;
  std::size_t refused = 0;
  std::size_t renewed = 0;
  std::size_t proved_full = 0;
};

void mine_at_random(unsigned extranonce2_bytes, unsigned mark_bytes, std::uint64_t seed, tried& sum) {
  constexpr std::size_t max_workers = 120;
  std::mt19937_64 random(seed);
  const auto below = [&random](std::uint64_t limit) { return random() % limit; };
  lane_table table(extranonce2_bytes, max_workers);
  plain_lanes plain;
  std::uint64_t next = 1;
  const auto any_member = [&] { return std::next(plain.members.begin(), static_cast<long>(below(plain.members.size()))); };

  for (int step = 0; step < 1'000; ++step) {
    const auto what = below(16);
    if (what < 8) {
      const auto mark = hex(below(below(2) ? 8 : 65'536), mark_bytes);
      const auto miner_bytes = static_cast<unsigned>(2 + below(7));
      const auto lanes = table.lanes();
      const auto pad = table.enter(id(next), mark, miner_bytes);
      if (!pad) {
        ++sum.refused;
        REQUIRE(table.lanes() == lanes);
        if (mark_bytes + miner_bytes > extranonce2_bytes || plain.members.size() == max_workers) continue;
        const auto room = plain.has_room(mark, extranonce2_bytes - mark_bytes - miner_bytes);
        REQUIRE(room == false);  // wide pads never run out here
        ++sum.proved_full;
        continue;
      }
      ++sum.entered;
      REQUIRE(pad->size() == 2 * (extranonce2_bytes - mark_bytes - miner_bytes));
      REQUIRE(plain.is_free(*pad + mark));
      plain.taken.push_back(*pad + mark);
      plain.members[next++] = {mark, miner_bytes, *pad, *pad};
    } else if (what == 8) {
      table.new_job();
      plain.new_job();
    } else if (plain.members.empty()) {
      continue;
    } else if (what < 12) {
      const auto leaver = any_member();
      table.leave(id(leaver->first));
      plain.members.erase(leaver);
    } else if (what < 14) {
      auto& [number, worker] = *any_member();
      const auto pad = table.fresh_pad(id(number));
      const auto pad_bytes = static_cast<unsigned>(worker.own.size() / 2);
      if (!pad) {
        REQUIRE(plain.has_room(worker.mark, pad_bytes) == false);
        continue;
      }
      ++sum.renewed;
      REQUIRE(pad->size() == worker.own.size());
      REQUIRE(plain.is_free(*pad + worker.mark));
      plain.taken.push_back(*pad + worker.mark);
      worker.current = *pad;
    } else {
      const auto before = any_member();
      const auto worker = before->second;
      REQUIRE(table.take_over(id(before->first), id(next)));
      plain.members.erase(before);
      plain.members[next] = worker;
      REQUIRE(table.enter(id(next), worker.mark, worker.miner_bytes) == worker.current);
      ++next;
    }
    REQUIRE(table.size() == plain.members.size());
    REQUIRE(table.lanes() == plain.taken.size());
  }
  for (const auto& [number, worker] : plain.members) REQUIRE(table.pad(id(number)) == worker.current);
}

struct filled {
  std::size_t links = 0;
  std::size_t most_pads = 0;       // on one link
  std::size_t most_of_a_mark = 0;  // over all
};

// Each worker goes to the first link that takes it.
filled fill(unsigned extranonce2_bytes, std::size_t workers, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<lane_table> links;
  std::vector<std::set<std::string>> pads;
  std::map<std::uint64_t, std::size_t> marks;
  for (std::size_t number = 0; number < workers; ++number) {
    const auto mark = random() % 256;
    ++marks[mark];
    std::optional<std::string> pad;
    std::size_t at = 0;
    for (; at < links.size() && !pad; ++at) pad = links[at].enter(id(number), hex(mark, 1), 3);
    if (!pad) {
      links.emplace_back(extranonce2_bytes);
      pads.emplace_back();
      pad = links.back().enter(id(number), hex(mark, 1), 3);
      at = links.size();
    }
    REQUIRE(pad);
    pads[at - 1].insert(*pad);
  }
  filled result{.links = links.size()};
  for (const auto& one : pads) result.most_pads = std::max(result.most_pads, one.size());
  for (const auto& [mark, count] : marks) result.most_of_a_mark = std::max(result.most_of_a_mark, count);
  return result;
}

}  // namespace

TEST_CASE("the first worker with a mark gets zeros, the next with it the next pad") {
  lane_table table(8);
  CHECK(table.enter(id(1), "00", 3) == "00000000");
  CHECK(table.enter(id(2), "01", 3) == "00000000");
  CHECK(table.enter(id(3), "00", 3) == "00000001");
  CHECK(table.enter(id(4), "01", 3) == "00000001");
  CHECK(table.enter(id(5), "00", 3) == "00000002");
  CHECK(table.enter(id(6), "01", 4) == "000001");  // 000000‖01 leads to 0000000001, the lane of worker 4
}

TEST_CASE("a worker without room for mark and own part is not let in") {
  lane_table table(4);
  CHECK_FALSE(table.enter(id(1), "00", 4));
  CHECK_FALSE(table.enter(id(1), "0000", 3));
  CHECK_FALSE(table.enter(id(1), "", 3));
  CHECK_FALSE(table.enter(id(1), "0g", 3));
  CHECK(table.enter(id(1), "00", 3) == "");
  CHECK_FALSE(table.enter(id(2), "00", 3));
  CHECK(table.enter(id(2), "01", 3) == "");
}

TEST_CASE("a short lane shuts out all longer ones below it, and they step around it") {
  lane_table table(16, 8);
  CHECK(table.enter(id(1), "00", 8) == "00000000000000");
  CHECK(table.enter(id(2), "00", 2) == "00000000000000010000000000");
  CHECK(table.enter(id(3), "01", 2) == "00000000000000010000000000");
  CHECK(table.enter(id(4), "01", 8) == "00000000000001");
}

TEST_CASE("a link takes no more workers than it may") {
  lane_table table(8);
  for (unsigned number = 0; number < 256; ++number) REQUIRE(table.enter(id(number), hex(number % 7, 1), 3));
  CHECK(table.is_full());
  CHECK_FALSE(table.enter(id(256), "09", 3));
  CHECK(table.enter(id(3), "03", 3) == table.pad(id(3)));  // it is in already
  table.leave(id(3));
  CHECK(table.enter(id(256), "09", 3) == "00000000");
}

TEST_CASE("with less room than workers those that are in stay, and have lanes enough") {
  lane_table table(8, 4);
  for (unsigned number = 0; number < 4; ++number) REQUIRE(table.enter(id(number), "00", 3));
  table.set_max_workers(1);
  CHECK_FALSE(table.enter(id(4), "00", 3));
  CHECK(table.enter(id(3), "01", 3));
  for (std::size_t pads = 0; pads < lane_table::lanes_per_worker; ++pads) CHECK(table.fresh_pad(id(0)));
  table.set_max_workers(5);
  CHECK(table.enter(id(4), "00", 3));
}

TEST_CASE("a lane rests until the next job after its worker left") {
  lane_table table(4);
  REQUIRE(table.enter(id(1), "2a", 3));
  table.leave(id(1));
  CHECK(table.size() == 0);
  CHECK_FALSE(table.enter(id(2), "2a", 3));
  table.new_job();
  CHECK(table.enter(id(2), "2a", 3) == "");
}

TEST_CASE("a restored worker keeps its lane under its new id, and searches the same job elsewhere") {
  lane_table table(8);
  REQUIRE(table.enter(id(1), "2a", 3) == "00000000");
  REQUIRE(table.enter(id(2), "2a", 3) == "00000001");
  CHECK(table.take_over(id(2), id(3)));
  CHECK_FALSE(table.take_over(id(2), id(4)));
  CHECK_FALSE(table.take_over(id(1), id(3)));
  CHECK(table.enter(id(3), "2a", 3) == "00000001");
  CHECK(table.fresh_pad(id(3)) == "00000002");
  CHECK(table.fresh_pad(id(3)) == "00000003");
  CHECK(table.pad(id(3)) == "00000003");
  CHECK_FALSE(table.fresh_pad(id(2)));
  CHECK(table.enter(id(5), "2a", 3) == "00000004");  // what worker 3 searched is not searched again
  table.new_job();
  CHECK(table.pad(id(3)) == "00000001");
  CHECK(table.fresh_pad(id(1)) == "00000002");
}

TEST_CASE("a worker that comes in with another mark or size moves to another lane") {
  lane_table table(8);
  REQUIRE(table.enter(id(1), "2a", 3) == "00000000");
  CHECK(table.enter(id(1), "2b", 3) == "00000000");
  CHECK(table.enter(id(1), "2b", 4) == "000000");
  CHECK(table.size() == 1);
  CHECK(table.lanes() == 3);
  table.new_job();
  CHECK(table.lanes() == 1);
}

TEST_CASE("a worker that asks for pads without end gets none at last") {
  lane_table table(8, 2);
  REQUIRE(table.enter(id(1), "00", 3));
  std::size_t pads = 0;
  while (pads < 1'000 && table.fresh_pad(id(1))) ++pads;
  CHECK(pads == 2 * lane_table::lanes_per_worker - 1);
  table.new_job();
  CHECK(table.fresh_pad(id(1)));
}

TEST_CASE("all lanes of a link are apart, whatever sizes, comings and goings") {
  tried sum;
  for (unsigned extranonce2_bytes = 4; extranonce2_bytes <= 16; ++extranonce2_bytes) {
    for (unsigned mark_bytes = 1; mark_bytes <= 2; ++mark_bytes) {
      for (std::uint64_t run = 0; run < 3; ++run) {
        const auto seed = run * 1'000 + extranonce2_bytes * 10 + mark_bytes;
        CAPTURE(extranonce2_bytes, mark_bytes, seed);
        mine_at_random(extranonce2_bytes, mark_bytes, seed, sum);
      }
    }
  }
  CAPTURE(sum.entered, sum.refused, sum.renewed, sum.proved_full);
  CHECK(sum.entered > 10'000);
  CHECK(sum.refused > 1'000);
  CHECK(sum.renewed > 3'000);
  CHECK(sum.proved_full > 100);
}

TEST_CASE("10,000 workers with random marks fill as few links as can be") {
  for (const std::uint64_t seed : {1, 2, 3, 4, 5}) {
    CAPTURE(seed);
    const auto wide = fill(8, 10'000, seed);
    CHECK(wide.links == 40);
    CHECK(wide.most_pads <= 10);
    // Without pads each link has room for a mark once.
    const auto narrow = fill(4, 10'000, seed);
    CHECK(narrow.links == narrow.most_of_a_mark);
    CHECK(narrow.most_pads == 1);
  }
}
