#include "session/mining_rules.hpp"

#include "stratumproxy/algorithm/share_check.hpp"

namespace stratumproxy::session {

mining_rules rules_for(const account& owner, const account_route& route,
                       const std::shared_ptr<const algorithm::registry>& known) {
  const auto& pool = route.pool;
  mining_rules rules{.mode = owner.mode.value_or(pool.mode), .verify = pool.verify, .rig_logins = pool.rig_logins, .how = {}};
  if (rules.verify == verify_level::full) {
    const auto* const how = known->find(pool.algorithm);
    if (how && algorithm::can_check(*how)) rules.how = {known, how};
    else rules.verify = verify_level::basic;
  }
  const bool is_checked = rules.how != nullptr;
  if (!is_checked && !pool.fixed_difficulty) rules.mode = link_mode::dedicated;
  rules.has_vardiff = is_checked && !pool.fixed_difficulty && (pool.vardiff || rules.mode == link_mode::shared);
  return rules;
}

}  // namespace stratumproxy::session
