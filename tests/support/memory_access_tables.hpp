#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "store/access_tables.hpp"
#include "store/change_notes.hpp"
#include "store/store.hpp"
#include "tester.hpp"

namespace stratumproxy::test {

/// Tokens and the audit log in memory. `check` stands before everything, and throws where the database is away.
class memory_access_tables final : public stratumproxyd::access_tables {
 public:
  std::atomic<bool> refuse_audit{false};  ///< as when an entry cannot be written

  explicit memory_access_tables(std::function<void()> check = [] {}) : check_(std::move(check)) {}

  std::vector<stratumproxyd::token_row> tokens() override {
    check_();
    const std::lock_guard lock(mutex_);
    return tokens_;
  }

  bool add_token(const stratumproxyd::author& by, const stratumproxyd::token_row& token) override {
    check_();
    const std::lock_guard lock(mutex_);
    if (std::ranges::count(tokens_, token.name, &stratumproxyd::token_row::name) > 0) return false;
    append(by, stratumproxyd::token_added(token));
    tokens_.push_back(token);
    tokens_.back().created_at = "2026-01-02T03:04:05Z";
    return true;
  }

  stratumproxyd::token_removal remove_token(const stratumproxyd::author& by, std::string_view name, bool keep_an_admin) override {
    using stratumproxyd::token_removal;
    check_();
    const std::lock_guard lock(mutex_);
    const auto found = std::ranges::find(tokens_, name, &stratumproxyd::token_row::name);
    if (found == tokens_.end()) return token_removal::unknown;
    constexpr auto admin = stratumproxyd::token_role::admin;
    if (keep_an_admin && found->role == admin && std::ranges::count(tokens_, admin, &stratumproxyd::token_row::role) == 1)
      return token_removal::last_admin;
    append(by, {"token.remove", std::string(name)});
    tokens_.erase(found);
    return token_removal::removed;
  }

  void touch_tokens(std::span<const std::string> names) override {
    check_();
    const std::lock_guard lock(mutex_);
    for (auto& row : tokens_)
      if (std::ranges::count(names, row.name) > 0) row.last_used_at = "use " + std::to_string(++touches_);
  }

  void add_audit(const stratumproxyd::author& by, const stratumproxyd::change_note& what) override {
    check_();
    const std::lock_guard lock(mutex_);
    append(by, what);
  }

  std::vector<stratumproxyd::audit_entry> audit(const stratumproxyd::audit_query& wanted) override {
    check_();
    const std::lock_guard lock(mutex_);
    std::vector<stratumproxyd::audit_entry> out;
    for (auto each = entries_.rbegin(); each != entries_.rend() && out.size() < wanted.limit; ++each) {
      if (wanted.before && each->id >= *wanted.before) continue;
      if (wanted.user && (each->change.subject != *wanted.user || !each->change.action.starts_with("user."))) continue;
      out.push_back(*each);
    }
    return out;
  }

  std::size_t prune_audit(std::chrono::days kept) override {
    check_();
    const std::lock_guard lock(mutex_);
    pruned_.push_back(kept);
    return 0;
  }

  void forget_audit() {
    const std::lock_guard lock(mutex_);
    entries_.clear();
  }

  [[nodiscard]] std::vector<std::chrono::days> pruned() {
    const std::lock_guard lock(mutex_);
    return pruned_;
  }

 private:
  void append(const stratumproxyd::author& by, const stratumproxyd::change_note& what) {
    if (refuse_audit) throw stratumproxyd::store_unavailable("the database does not answer");
    entries_.push_back({static_cast<std::int64_t>(entries_.size() + 1), {}, by, what});
  }

  const std::function<void()> check_;
  std::mutex mutex_;
  std::vector<stratumproxyd::token_row> tokens_;
  std::vector<stratumproxyd::audit_entry> entries_;
  std::vector<std::chrono::days> pruned_;
  int touches_ = 0;
};

}  // namespace stratumproxy::test
