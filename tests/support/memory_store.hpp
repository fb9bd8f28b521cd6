#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "link_rules.hpp"
#include "memory_access_tables.hpp"
#include "memory_session_table.hpp"
#include "store/change_notes.hpp"
#include "store/text.hpp"
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

  stratumproxyd::registration register_user(const stratumproxyd::author& by, std::span<const stratumproxyd::route_record> routes,
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
    access_.add_audit(by, stratumproxyd::user_registered(name, routes, mode));
    accounts_[name] = {.name = name, .revision = ++revision_, .created_at = "2026-01-02T03:04:05Z", .mode = mode,
                       .routes = {routes.begin(), routes.end()}};
    ++writes;
    return {write_outcome::created, name, {}};
  }

  std::optional<stratumproxyd::user_record> user(std::string_view name) override {
    check();
    const std::lock_guard lock(mutex_);
    const auto found = accounts_.find(name);
    return found == accounts_.end() ? std::nullopt : std::optional(with_totals(found->second));
  }

  /// By name and pool only, for tests of what stands on it.
  std::vector<stratumproxyd::user_record> users(const stratumproxyd::user_filter& which) override {
    check();
    const std::lock_guard lock(mutex_);
    asked = which;
    std::vector<stratumproxyd::user_record> out;
    for (const auto& [name, account] : accounts_) {
      const bool there = !which.pool || std::ranges::any_of(account.routes, [&](const auto& each) { return each.pool == *which.pool; });
      if (name > which.after && there && out.size() < which.limit) out.push_back(with_totals(account));
    }
    return out;
  }

  void note_seen(std::span<const std::string> names, stratumproxyd::moment now) override {
    check();
    const std::lock_guard lock(mutex_);
    for (const auto& name : names)
      if (const auto found = accounts_.find(name); found != accounts_.end()) found->second.last_seen = now;
    ++writes;
  }

  /// `since` is compared with last_seen alone.
  std::vector<std::string> remove_unseen(const stratumproxyd::author& by, stratumproxyd::moment since, const std::set<std::string, std::less<>>& live,
                                         std::size_t most) override {
    check();
    const std::lock_guard lock(mutex_);
    std::vector<std::string> out;
    for (const auto& [name, account] : accounts_)
      if (account.last_seen < since && !live.contains(name) && out.size() < most) out.push_back(name);
    for (const auto& name : out) {
      access_.add_audit(by, {"user.remove", name});
      accounts_.erase(name);
    }
    return out;
  }

  stratumproxyd::registration change_user(const stratumproxyd::author& by, std::string_view name, const stratumproxyd::user_change& change) override {
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
    access_.add_audit(by, stratumproxyd::user_changed(name, change));
    account = std::move(wanted);
    account.revision = ++revision_;
    ++writes;
    return {write_outcome::changed, account.name, {}};
  }

  stratumproxyd::registration remove_user(const stratumproxyd::author& by, std::string_view name,
                                          std::optional<std::uint64_t> if_revision) override {
    using stratumproxyd::write_outcome;
    check();
    const std::lock_guard lock(mutex_);
    const auto found = accounts_.find(name);
    if (found == accounts_.end()) return {write_outcome::unknown_user, {}, "unknown user"};
    if (if_revision.value_or(found->second.revision) != found->second.revision)
      return {write_outcome::outdated, {}, "the account was changed by somebody else"};
    access_.add_audit(by, {"user.remove", std::string(name)});
    accounts_.erase(found);
    ++writes;
    return {write_outcome::changed, std::string(name), {}};
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

  stratumproxyd::write_outcome add_algorithm(const stratumproxyd::author& by, const stratumproxy::algorithm::info& value) override {
    using stratumproxyd::write_outcome;
    check();
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find(algorithms_, value.name, &stratumproxy::algorithm::info::name);
    if (found != algorithms_.end()) {
      const bool same = found->divider == value.divider && found->speaks == value.speaks && found->coinb1_index == value.coinb1_index;
      return same ? write_outcome::exists : write_outcome::conflict;
    }
    access_.add_audit(by, stratumproxyd::algorithm_added(value));
    algorithms_.push_back(value);
    ++writes;
    return write_outcome::created;
  }

  std::vector<stratumproxyd::pool_record> pools() override {
    check();
    const std::lock_guard lock(mutex_);
    return pools_;
  }

  stratumproxyd::write_outcome add_pool(const stratumproxyd::author& by, const stratumproxyd::pool_record& value) override {
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
                        found->fixed_difficulty == value.fixed_difficulty && found->rig_logins == value.rig_logins &&
                        found->tls == value.tls;
      return same ? write_outcome::exists : write_outcome::conflict;
    }
    access_.add_audit(by, stratumproxyd::pool_added(value));
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

  stratumproxyd::write_outcome add_ban(const stratumproxyd::author& by, const stratumproxyd::ban_record& value) override {
    using stratumproxyd::write_outcome;
    check();
    const std::lock_guard lock(mutex_);
    const bool is_there = bans_.contains(value.subject);
    if (!is_there && bans_.size() >= most_bans) return write_outcome::full;
    access_.add_audit(by, stratumproxyd::ban_added(value));
    bans_[value.subject] = value;
    bans_[value.subject].created_at = "2026-01-02T03:04:05Z";
    ++ban_changes_;
    ++writes;
    return is_there ? write_outcome::changed : write_outcome::created;
  }

  bool remove_ban(const stratumproxyd::author& by, std::string_view subject) override {
    check();
    if (!remove_ban_while_down(subject)) return false;
    access_.add_audit(by, {"ban.remove", std::string(subject)});
    return true;
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

  stratumproxyd::registration change_pool(const stratumproxyd::author& by, std::string_view pool, const stratumproxyd::pool_edit& edit) override {
    using stratumproxyd::write_outcome;
    check();
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find(pools_, pool, &stratumproxyd::pool_record::pool);
    if (found == pools_.end()) return {write_outcome::unknown_pool, {}, "unknown pool"};
    const auto before = *found;
    const auto result = put(*found, edit);
    if (result.outcome == write_outcome::changed) access_.add_audit(by, stratumproxyd::pool_changed(before, *found));
    return result;
  }

  stratumproxyd::registration remove_pool(const stratumproxyd::author& by, std::string_view pool,
                                          const std::function<void(const stratumproxyd::pool_record&)>& approve) override {
    using stratumproxyd::write_outcome;
    check();
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find(pools_, pool, &stratumproxyd::pool_record::pool);
    if (found == pools_.end()) return {write_outcome::unknown_pool, {}, "unknown pool"};
    approve(*found);
    for (const auto& [name, account] : accounts_)
      if (std::ranges::find(account.routes, pool, &stratumproxyd::route_record::pool) != account.routes.end())
        return {write_outcome::in_use, {}, "accounts have the pool: " + name};
    access_.add_audit(by, {"pool.remove", std::string(pool)});
    pools_.erase(found);
    ++writes;
    return {write_outcome::changed, std::string(pool), {}};
  }

  stratumproxyd::registration change_algorithm(const stratumproxyd::author& by, std::string_view name, const stratumproxyd::algorithm_edit& edit) override {
    using stratumproxyd::write_outcome;
    check();
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find(algorithms_, name, &stratumproxy::algorithm::info::name);
    if (found == algorithms_.end()) return {write_outcome::unknown_algorithm, {}, "unknown algorithm"};
    const auto before = *found;
    edit(*found);
    access_.add_audit(by, stratumproxyd::algorithm_changed(before, *found));
    ++writes;
    return {write_outcome::changed, std::string(name), {}};
  }

  stratumproxyd::registration remove_algorithm(const stratumproxyd::author& by, std::string_view name,
                                               const std::function<void(const stratumproxy::algorithm::info&)>& approve) override {
    using stratumproxyd::write_outcome;
    check();
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find(algorithms_, name, &stratumproxy::algorithm::info::name);
    if (found == algorithms_.end()) return {write_outcome::unknown_algorithm, {}, "unknown algorithm"};
    approve(*found);
    for (const auto& each : pools_)
      if (each.algorithm == name) return {write_outcome::in_use, {}, "pools have the algorithm: " + each.pool};
    access_.add_audit(by, {"algorithm.remove", std::string(name)});
    algorithms_.erase(found);
    ++writes;
    return {write_outcome::changed, std::string(name), {}};
  }

  stratumproxyd::import_result import_tables(const stratumproxyd::author& by, const stratumproxyd::table_import& rows) override {
    using stratumproxyd::write_outcome;
    check();
    const std::lock_guard lock(mutex_);
    const auto algorithms = algorithms_;
    const auto pools = pools_;
    stratumproxyd::import_result out;
    for (const auto& [name, edit] : rows.algorithms) {
      const auto found = std::ranges::find(algorithms_, name, &stratumproxy::algorithm::info::name);
      auto& row = found == algorithms_.end() ? algorithms_.emplace_back() : *found;
      ++(found == algorithms_.end() ? out.created : out.unchanged);
      row.name = name;
      edit(row);
    }
    for (const auto& [name, edit] : rows.pools) {
      const auto found = std::ranges::find(pools_, name, &stratumproxyd::pool_record::pool);
      const bool is_new = found == pools_.end();
      stratumproxyd::pool_record fresh;
      fresh.pool = name;
      const auto result = put(is_new ? fresh : *found, edit);
      if (result.outcome != write_outcome::changed && result.outcome != write_outcome::exists) {
        algorithms_ = algorithms;
        pools_ = pools;
        return {.outcome = result.outcome, .error = result.error};
      }
      if (is_new) pools_.push_back(fresh);
      ++(is_new ? out.created : result.outcome == write_outcome::changed ? out.changed : out.unchanged);
    }
    access_.add_audit(by, stratumproxyd::tables_imported({}));
    ++writes;
    return out;
  }

  void hold_tag(std::string_view) override {
    check();
    if (taken) throw stratumproxyd::tag_taken("another proxy has the tag");
  }
  void release_tag(std::string_view) override {}

  void add_totals(std::string_view tag, std::span<const stratumproxyd::total_record> deltas, stratumproxyd::moment now) override {
    check();
    const std::lock_guard lock(mutex_);
    for (const auto& row : deltas) {
      auto& point = history_[std::chrono::floor<period>(now)];
      point.sent += row.shares.sent;
      point.accepted += row.shares.accepted;
      point.rejected += row.shares.rejected_total();
      point.unknown += row.shares.unknown;
      point.accepted_one += row.shares.accepted_one;
    }
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
  stratumproxyd::session_table& sessions() override { return sessions_; }
  memory_access_tables& access_in_memory() { return access_; }

  /// Of everything: the accounts, pools and algorithms are not told apart.
  std::vector<stratumproxyd::history_point> history(const stratumproxyd::history_filter& which) override {
    check();
    const std::lock_guard lock(mutex_);
    asked_history = which;
    std::map<stratumproxyd::moment, stratumproxyd::history_point> sums;
    for (const auto& [start, each] : history_) {
      if (start < which.from || start >= which.to) continue;
      const auto at = start - start.time_since_epoch() % which.step;
      auto& sum = sums[at];
      sum.start = at;
      sum.sent += each.sent;
      sum.accepted += each.accepted;
      sum.rejected += each.rejected;
      sum.unknown += each.unknown;
      sum.accepted_one += each.accepted_one;
    }
    std::vector<stratumproxyd::history_point> out;
    for (const auto& [start, sum] : sums) out.push_back(sum);
    return out;
  }

  void tend_history(stratumproxyd::moment now, std::chrono::hours keep) override {
    check();
    const std::lock_guard lock(mutex_);
    std::erase_if(history_, [&](const auto& each) { return each.first < now - keep; });
    ++tended;
  }

  void ping() override { check(); }

  stratumproxyd::user_filter asked;             ///< of the last users()
  stratumproxyd::history_filter asked_history;  ///< of the last history()
  int tended = 0;                               ///< calls of tend_history()

 private:
  void check() const {
    if (down) throw stratumproxyd::store_unavailable("the database does not answer");
    if (broken) throw std::runtime_error("Key (password)=(canary-secret) already exists");
  }

  using period = std::chrono::duration<std::int64_t, std::ratio<300>>;

  stratumproxyd::user_record with_totals(stratumproxyd::user_record account) const {
    for (const auto& [key, shares] : totals_)
      if (std::get<1>(key) == account.name) account.totals += shares;
    return account;
  }

  stratumproxyd::registration put(stratumproxyd::pool_record& row, const stratumproxyd::pool_edit& edit) {
    using stratumproxyd::write_outcome;
    auto wanted = row;
    edit(wanted);
    const auto is_meant = [&](const auto& each) {
      return each.name == wanted.algorithm || std::ranges::find(each.aliases, wanted.algorithm) != each.aliases.end();
    };
    const auto kind = std::ranges::find_if(algorithms_, is_meant);
    if (kind == algorithms_.end()) return {write_outcome::unknown_algorithm, {}, "pool " + row.pool + ": unknown algorithm"};
    wanted.algorithm = kind->name;
    if (const auto fault = stratumproxyd::link_fault(wanted, wanted.mode); !fault.empty())
      return {write_outcome::unsupported, {}, "pool " + row.pool + ": " + fault};
    row = std::move(wanted);
    ++writes;
    return {write_outcome::changed, row.pool, {}};
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
  memory_session_table sessions_;
  std::mutex mutex_;
  std::vector<stratumproxy::algorithm::info> algorithms_;
  std::vector<stratumproxyd::pool_record> pools_;
  std::map<std::string, stratumproxyd::user_record, std::less<>> accounts_;
  std::map<std::string, stratumproxyd::ban_record, std::less<>> bans_;
  std::uint64_t ban_changes_ = 0;
  std::size_t registered_ = 0;
  std::uint64_t revision_ = 0;
  std::map<std::tuple<std::string, std::string, std::string, std::string>, stratumproxy::metrics::share_counts> totals_;
  std::map<stratumproxyd::moment, stratumproxyd::history_point> history_;  // one a period
};

}  // namespace stratumproxy::test
