// The metrics sink alone: shares and links as they end, and snapshots that add up.
#include <cstdio>
#include <map>
#include <string>

#include <stratumproxy/metrics.hpp>

namespace metrics = stratumproxy::metrics;

// Give it to a proxy or a session_manager. With several shards it is called concurrently and needs a lock.
class by_account final : public metrics::sink {
 public:
  void on_share(const metrics::share_record& share) noexcept override {
    using verdict = metrics::share_record::verdict;
    auto& counts = accounts[std::string(share.account)];
    ++counts.sent;
    counts.sent_one += share.difficulty / share.divider;
    switch (share.outcome) {
      case verdict::accepted: ++counts.accepted; break;
      case verdict::rejected: ++counts.rejected[static_cast<std::size_t>(share.reason)]; break;
      case verdict::unknown: ++counts.unknown; break;
    }
    round_trips.observe(std::chrono::duration<double>(share.round_trip).count());
  }
  void on_link(std::string_view pool, std::string_view, metrics::link_state state) noexcept override {
    std::printf("%s is %s\n", std::string(pool).c_str(), std::string(metrics::name(state)).c_str());
  }

  std::map<std::string, metrics::share_counts> accounts;
  metrics::latency_histogram round_trips;
};

int main() {
  by_account heard;
  metrics::share_record share;
  share.account = "farm";
  share.difficulty = 1024;
  share.round_trip = std::chrono::milliseconds(7);
  share.outcome = metrics::share_record::verdict::accepted;
  heard.on_link("pool.example.org:3333", "farm", metrics::link_state::live);
  heard.on_share(share);
  share.outcome = metrics::share_record::verdict::rejected;
  share.reason = metrics::reject_reason::stale;
  heard.on_share(share);

  // Snapshots of two proxies become one; rows of the same (account, pool, algorithm) are summed.
  metrics::snapshot one, other;
  one.totals.push_back({"farm", "pool.example.org:3333", "sha256d", heard.accounts["farm"]});
  other.totals = one.totals;
  one.merge(std::move(other));
  const auto& sum = one.totals.front().shares;
  std::printf("sent %ju = accepted %ju + rejected %ju\n", std::uintmax_t{sum.sent}, std::uintmax_t{sum.accepted},
              std::uintmax_t{sum.rejected_total()});
  return one.totals.size() == 1 && sum.sent == 4 && sum.accepted == 2 && sum.rejected_total() == 2 ? 0 : 1;
}
