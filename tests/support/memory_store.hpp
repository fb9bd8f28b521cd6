#pragma once

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "link_rules.hpp"
#include "store/store.hpp"

namespace stratumproxy::test {

/// The tables in memory, for tests of what stands on a store. `down` makes every method fail as an unreachable database does;
/// `lose_answer` makes the next add_totals commit and fail all the same, as when the connection dies during the commit.
class memory_store final : public stratumproxyd::store {
 public:
  std::atomic<bool> down{false};
  std::atomic<bool> lose_answer{false};
  std::atomic<bool> taken{false};   ///< another process has the tag
  std::atomic<bool> broken{false};  ///< throws something that is not store_unavailable, with a secret in its text
  std::atomic<int> writes{0};

  memory_store() {
    for (const auto& each : stratumproxy::algorithm::builtin()) algorithms_.push_back(each);
  }

  std::shared_ptr<const stratumproxy::account> find_account(std::string_view) override {
    check();
    return nullptr;
  }

  stratumproxyd::registration register_user(std::string_view pool, std::string_view user, std::string_view password,
                                            std::optional<stratumproxy::link_mode> mode) override {
    using stratumproxyd::write_outcome;
    check();
    const std::lock_guard lock(mutex_);
    const auto row = std::ranges::find(pools_, pool, &stratumproxyd::pool_record::pool);
    if (row == pools_.end()) return {write_outcome::unknown_pool, {}, "unknown pool"};
    const auto kind = std::ranges::find(algorithms_, row->algorithm, &stratumproxy::algorithm::info::name);
    if (kind->speaks != stratumproxy::dialect::bitcoin) return {write_outcome::unsupported, {}, "this dialect is not built"};
    if (mode == stratumproxy::link_mode::shared)
      if (const auto fault = stratumproxyd::link_fault(*row, *mode); !fault.empty()) return {write_outcome::unsupported, {}, fault};
    const auto [found, fresh] = accounts_.try_emplace({std::string(pool), std::string(user), std::string(password)}, "", mode);
    if (fresh) {
      char name[17];
      std::snprintf(name, sizeof name, "%016zx", accounts_.size());
      found->second.first = name;
      ++writes;
    }
    if (mode && found->second.second != mode) return {write_outcome::conflict, {}, "the account is there with another mode"};
    return {fresh ? write_outcome::created : write_outcome::exists, found->second.first, {}};
  }

  std::vector<stratumproxy::algorithm::info> algorithms() override {
    check();
    const std::lock_guard lock(mutex_);
    return algorithms_;
  }

  stratumproxyd::write_outcome add_algorithm(const stratumproxy::algorithm::info& value) override {
    using stratumproxyd::write_outcome;
    check();
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find(algorithms_, value.name, &stratumproxy::algorithm::info::name);
    if (found != algorithms_.end()) {
      const bool same = found->divider == value.divider && found->speaks == value.speaks && found->coinb1_index == value.coinb1_index;
      return same ? write_outcome::exists : write_outcome::conflict;
    }
    algorithms_.push_back(value);
    ++writes;
    return write_outcome::created;
  }

  std::vector<stratumproxyd::pool_record> pools() override {
    check();
    const std::lock_guard lock(mutex_);
    return pools_;
  }

  stratumproxyd::write_outcome add_pool(const stratumproxyd::pool_record& value) override {
    using stratumproxyd::write_outcome;
    check();
    const std::lock_guard lock(mutex_);
    const auto kind = std::ranges::find(algorithms_, value.algorithm, &stratumproxy::algorithm::info::name);
    if (kind == algorithms_.end()) return write_outcome::unknown_algorithm;
    const auto found = std::ranges::find(pools_, value.pool, &stratumproxyd::pool_record::pool);
    if (found != pools_.end()) {
      const bool same = found->algorithm == value.algorithm &&
                        (!value.divider || found->divider.value_or(kind->divider) == *value.divider) &&
                        found->login_template == value.login_template && found->reconnect_hosts == value.reconnect_hosts &&
                        found->mode == value.mode && found->verify == value.verify && found->vardiff == value.vardiff &&
                        found->fixed_difficulty == value.fixed_difficulty && found->rig_logins == value.rig_logins;
      return same ? write_outcome::exists : write_outcome::conflict;
    }
    pools_.push_back(value);
    ++writes;
    return write_outcome::created;
  }

  void hold_tag(std::string_view) override {
    check();
    if (taken) throw stratumproxyd::tag_taken("another proxy has the tag");
  }

  void add_totals(std::string_view tag, std::span<const stratumproxyd::total_record> deltas) override {
    check();
    const std::lock_guard lock(mutex_);
    for (const auto& row : deltas) totals_[{std::string(tag), row.account, row.pool, row.algorithm}] += row.shares;
    ++writes;
    if (lose_answer.exchange(false)) throw stratumproxyd::store_unavailable("the connection was lost");
  }

  std::vector<stratumproxyd::total_record> totals(std::string_view tag) override {
    check();
    const std::lock_guard lock(mutex_);
    std::vector<stratumproxyd::total_record> out;
    for (const auto& [key, shares] : totals_) {
      const auto& [owner, account, pool, algorithm] = key;
      if (owner == tag) out.push_back({account, pool, algorithm, shares});
    }
    return out;
  }

  void ping() override { check(); }

 private:
  void check() const {
    if (down) throw stratumproxyd::store_unavailable("the database does not answer");
    if (broken) throw std::runtime_error("Key (password)=(canary-secret) already exists");
  }

  std::mutex mutex_;
  std::vector<stratumproxy::algorithm::info> algorithms_;
  std::vector<stratumproxyd::pool_record> pools_;
  std::map<std::tuple<std::string, std::string, std::string>, std::pair<std::string, std::optional<stratumproxy::link_mode>>> accounts_;
  std::map<std::tuple<std::string, std::string, std::string, std::string>, stratumproxy::metrics::share_counts> totals_;
};

}  // namespace stratumproxy::test
