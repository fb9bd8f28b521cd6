#pragma once

#include <optional>
#include <string>
#include <unordered_map>

#include "session/ids.hpp"
#include "stratumproxy/clock.hpp"
#include "stratumproxy/options.hpp"

namespace stratumproxy::session {

/// Logins that a pool refused, by (pool, user, password). While a refusal is fresh no link tries that login; when it is over
/// one link does, and the others wait for what becomes of it.
class refusals {
 public:
  explicit refusals(const upstream_options& config) : config_(config) {}

  void refused(const std::string& credential, std::string text, time_point now) {
    auto& entry = entries_[credential];
    if (now < entry.until) return;  // others who were on their way when the first was refused
    entry.delay = entry.delay.count() == 0
                      ? duration(config_.refusal_min)
                      : std::min<duration>(entry.delay * 2, config_.refusal_max);
    entry.until = now + entry.delay;
    entry.text = std::move(text);
    entry.prober.reset();
  }
  [[nodiscard]] bool empty() const noexcept { return entries_.empty(); }
  void accepted(const std::string& credential) { entries_.erase(credential); }

  /// The pool's words while the refusal is fresh.
  [[nodiscard]] const std::string* fresh(const std::string& credential, time_point now) const {
    const auto found = entries_.find(credential);
    return found != entries_.end() && now < found->second.until ? &found->second.text : nullptr;
  }
  /// Whether this link may try the login now. The first to ask after the refusal is over becomes the prober.
  [[nodiscard]] bool may_try(const std::string& credential, link_id link, time_point now) {
    const auto found = entries_.find(credential);
    if (found == entries_.end()) return true;
    if (now < found->second.until) return false;
    if (!found->second.prober) found->second.prober = link;
    return found->second.prober == link;
  }
  /// The link is gone, or failed for another reason: somebody else may probe.
  void give_up(const std::string& credential, link_id link) {
    const auto found = entries_.find(credential);
    if (found != entries_.end() && found->second.prober == link) found->second.prober.reset();
  }
  void forget_old(time_point now) {
    std::erase_if(entries_, [&](const auto& entry) {
      return !entry.second.prober && now > entry.second.until + config_.refusal_max;
    });
  }

 private:
  struct entry {
    duration delay{0};
    time_point until{};
    std::string text;
    std::optional<link_id> prober;
  };
  const upstream_options& config_;
  std::unordered_map<std::string, entry> entries_;
};

}  // namespace stratumproxy::session
