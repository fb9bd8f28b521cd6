#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "link_rules.hpp"
#include "memory_access_tables.hpp"
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
  std::size_t most_bans = 10'000;

  memory_store() {
    for (const auto& each : stratumproxy::algorithm::builtin()) algorithms_.push_back(each);
  }

  std::shared_ptr<const stratumproxy::account> find_account(std::string_view) override {
    check();
    return nullptr;
  }

  stratumproxyd::registration register_user(std::span<const stratumproxyd::route_record> routes,
                                            std::optional<stratumproxy::link_mode> mode) override {
    using stratumproxyd::write_outcome;
    check();
    const std::lock_guard lock(mutex_);
    if (auto refused = fault_of(routes, mode)) return *refused;
    if (const auto* there = find_by_first(routes[0])) {
      if (mode && there->mode != mode) return {write_outcome::conflict, {}, "the account is there with another mode"};
      if ((routes.size() > 1 || routes[0].weight > 0) && !std::ranges::equal(routes, there->routes))
        return {write_outcome::conflict, {}, "the account is there with other pools"};
      return {write_outcome::exists, there->name, {}};
    }
    char name[17];
    std::snprintf(name, sizeof name, "%016zx", ++registered_);
    accounts_[name] = {.name = name, .revision = ++revision_, .created_at = "2026-01-02T03:04:05Z", .mode = mode,
                       .routes = {routes.begin(), routes.end()}};
    ++writes;
    return {write_outcome::created, name, {}};
  }

  std::optional<stratumproxyd::user_record> user(std::string_view name) override {
    check();
    const std::lock_guard lock(mutex_);
    const auto found = accounts_.find(name);
    return found == accounts_.end() ? std::nullopt : std::optional(found->second);
  }

  stratumproxyd::registration change_user(std::string_view name, const stratumproxyd::user_change& change) override {
    using stratumproxyd::write_outcome;
    check();
    const std::lock_guard lock(mutex_);
    const auto found = accounts_.find(name);
    if (found == accounts_.end()) return {write_outcome::unknown_user, {}, "unknown user"};
    auto& account = found->second;
    if (change.if_revision.value_or(account.revision) != account.revision)
      return {write_outcome::outdated, {}, "the account was changed by somebody else"};
    auto wanted = account;
    if (change.mode) wanted.mode = *change.mode;
    if (change.routes) {
      wanted.routes.clear();
      for (const auto& route : *change.routes) {
        const auto known = std::ranges::find_if(
            account.routes, [&](const auto& each) { return each.pool == route.pool && each.user == route.user; });
        if (!route.password && known == account.routes.end()) return {write_outcome::conflict, {}, "a password is missing"};
        wanted.routes.push_back({route.pool, route.user, route.password ? *route.password : known->password, route.weight});
      }
    }
    if (auto refused = fault_of(wanted.routes, wanted.mode)) return *refused;
    if (const auto* other = find_by_first(wanted.routes[0]); other && other != &account)
      return {write_outcome::conflict, {}, "another account has this first pool, user and password"};
    if (wanted.mode == account.mode && wanted.routes == account.routes)
      return {write_outcome::exists, account.name, {}};
    account = std::move(wanted);
    account.revision = ++revision_;
    ++writes;
    return {write_outcome::changed, account.name, {}};
  }

  bool remove_user(std::string_view name) override {
    check();
    const std::lock_guard lock(mutex_);
    const auto found = accounts_.find(name);
    if (found == accounts_.end()) return false;
    accounts_.erase(found);
    ++writes;
    return true;
  }

  std::map<std::string, std::uint64_t> revisions(std::span<const std::string> names) override {
    check();
    const std::lock_guard lock(mutex_);
    std::map<std::string, std::uint64_t> out;
    for (const auto& name : names)
      if (const auto found = accounts_.find(name); found != accounts_.end()) out[name] = found->second.revision;
    return out;
  }

  std::unique_ptr<stratumproxyd::change_feed> changes() override { return nullptr; }

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

  std::vector<stratumproxyd::ban_record> bans() override {
    check();
    const std::lock_guard lock(mutex_);
    std::vector<stratumproxyd::ban_record> out;
    for (const auto& [subject, one] : bans_) out.push_back(one);
    return out;
  }

  std::uint64_t bans_revision() override {
    check();
    const std::lock_guard lock(mutex_);
    return ban_changes_;
  }

  stratumproxyd::write_outcome add_ban(const stratumproxyd::ban_record& value) override {
    using stratumproxyd::write_outcome;
    check();
    const std::lock_guard lock(mutex_);
    const bool is_there = bans_.contains(value.subject);
    if (!is_there && bans_.size() >= most_bans) return write_outcome::full;
    bans_[value.subject] = value;
    bans_[value.subject].created_at = "2026-01-02T03:04:05Z";
    ++ban_changes_;
    ++writes;
    return is_there ? write_outcome::changed : write_outcome::created;
  }

  bool remove_ban(std::string_view subject) override {
    check();
    return remove_ban_while_down(subject);
  }

  /// As somebody else's program does.
  bool remove_ban_while_down(std::string_view subject) {
    const std::lock_guard lock(mutex_);
    const auto found = bans_.find(subject);
    if (found == bans_.end()) return false;
    bans_.erase(found);
    ++ban_changes_;
    ++writes;
    return true;
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

  stratumproxyd::access_tables& access() override { return access_; }
  memory_access_tables& access_in_memory() { return access_; }

  void ping() override { check(); }

 private:
  void check() const {
    if (down) throw stratumproxyd::store_unavailable("the database does not answer");
    if (broken) throw std::runtime_error("Key (password)=(canary-secret) already exists");
  }

  const stratumproxyd::user_record* find_by_first(const stratumproxyd::route_record& first) const {
    for (const auto& [name, account] : accounts_) {
      const auto& there = account.routes[0];
      if (there.pool == first.pool && there.user == first.user && there.password == first.password) return &account;
    }
    return nullptr;
  }

  std::optional<stratumproxyd::registration> fault_of(std::span<const stratumproxyd::route_record> routes,
                                                      std::optional<stratumproxy::link_mode> mode) const {
    using stratumproxyd::write_outcome;
    std::string algorithm;
    for (const auto& route : routes) {
      const auto row = std::ranges::find(pools_, route.pool, &stratumproxyd::pool_record::pool);
      if (row == pools_.end()) return stratumproxyd::registration{write_outcome::unknown_pool, {}, "unknown pool"};
      const auto kind = std::ranges::find(algorithms_, row->algorithm, &stratumproxy::algorithm::info::name);
      std::string fault;
      if (kind->speaks != stratumproxy::dialect::bitcoin) fault = "this dialect is not built";
      else if (!algorithm.empty() && row->algorithm != algorithm) fault = "the pools are of several algorithms";
      else if (mode == stratumproxy::link_mode::shared) fault = stratumproxyd::link_fault(*row, *mode);
      if (!fault.empty()) return stratumproxyd::registration{write_outcome::unsupported, {}, fault};
      algorithm = row->algorithm;
    }
    return std::nullopt;
  }

  memory_access_tables access_{[this] { check(); }};
  std::mutex mutex_;
  std::vector<stratumproxy::algorithm::info> algorithms_;
  std::vector<stratumproxyd::pool_record> pools_;
  std::map<std::string, stratumproxyd::user_record, std::less<>> accounts_;
  std::map<std::string, stratumproxyd::ban_record, std::less<>> bans_;
  std::uint64_t ban_changes_ = 0;
  std::size_t registered_ = 0;
  std::uint64_t revision_ = 0;
  std::map<std::tuple<std::string, std::string, std::string, std::string>, stratumproxy::metrics::share_counts> totals_;
};

}  // namespace stratumproxy::test
