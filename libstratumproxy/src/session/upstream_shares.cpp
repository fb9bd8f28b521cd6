// The way of shares up a link: checked, sent or parked.
#include <algorithm>
#include <utility>

#include "session/upstream_session.hpp"

namespace stratumproxy::session {
namespace {

using outcome_of = metrics::share_record::verdict;

constexpr std::size_t max_parked = 64;  // shares of one link; of a shared one,
constexpr std::size_t max_parked_each = 4;  // so many for each of its workers if that is more

}  // namespace

upstream_session::kept_share::kept_share(const ready_share& from)
    : ready{std::string(from.pool_job), std::string(from.prefix), std::string(from.extranonce2), from.login,
            from.ntime, from.nonce, from.version_bits, from.share} {}

upstream_session::ready_share upstream_session::kept_share::view() const noexcept {
  return {pool_job, prefix, extranonce2, login, ntime, nonce, version_bits, share};
}

bool upstream_session::submit(job_table::entry job, const outgoing_share& share, time_point now) {
  if (!is_live() && parked_.size() >= std::max(max_parked, max_parked_each * workers_.size())) return false;
  const ready_share ready{job.job->pool_id, share.prefix, share.extranonce2, share.login, share.ntime, share.nonce, share.version_bits,
                          {share.worker, share.sequence, share.difficulty, job.form->difficulty, now}};
  const auto to_check = job.job->work ? share_to_check(job, share) : std::nullopt;
  if (!to_check) {
    pass_on(ready, now);
  } else if (rules_.how->cost == algorithm::hash_cost::fast) {
    judge(ready, algorithm::check(*rules_.how, *job.job->work, *to_check), now);
  } else {
    checking_.push_back({kept_share(ready), {rules_.how, job.job->work, *to_check}, {}, {}});
    hand_on_checks(now);
    settle_checks(now);
  }
  return true;
}

// Nothing when the coinbase cannot be rebuilt: the pool's extranonce is longer than any known.
std::optional<algorithm::share> upstream_session::share_to_check(const job_table::entry& job, const outgoing_share& share) const {
  algorithm::share made;
  const bool fits = made.append_extranonce(job.job->extranonce1) && made.append_extranonce(share.prefix) &&
                    made.append_extranonce(share.extranonce2);
  if (!fits) return std::nullopt;
  made.ntime = share.ntime;
  made.nonce = share.nonce;
  made.version_bits = share.version_bits;
  made.version_mask = job.form->version_mask;
  return made;
}

void upstream_session::judge(const ready_share& share, const result<algorithm::proof>& outcome, time_point now) {
  if (!outcome) {
    listener_.link_unchecked(*this);
    return pass_on(share, now);
  }
  const double divider = route().pool.divider;
  const bool is_good = outcome->is_block || outcome->meets(algorithm::target_of(share.share.difficulty, divider));
  if (!is_good) {
    return listener_.link_verdict(*this, share.share,
                                  {.outcome = outcome_of::rejected, .reason = metrics::reject_reason::low_difficulty, .code = 23,
                                   .text = "low difficulty share", .is_local = true},
                                  now);
  }
  listener_.link_proof(*this, share.share, *outcome);
  // A block is worth more than a share of whatever difficulty: it always goes up. What is good here anyway gets no benefit of the doubt at
  // the pool's own target: an exact pool would refuse it.
  const bool is_for_pool = outcome->is_block || share.share.difficulty >= share.share.pool_difficulty ||
                           outcome->hash <= algorithm::target_of(share.share.pool_difficulty, divider);
  if (is_for_pool) return pass_on(share, now);
  listener_.link_verdict(*this, share.share, {.outcome = outcome_of::accepted, .is_local = true}, now);
}

// Where the checks are too slow for all that comes, the pool judges, as it would without them. But below its own difficulty it would
// refuse what is good here: such a share waits for a while, and its worker is not read further once enough of them do.
void upstream_session::hand_on_checks(time_point now) {
  while (handed_on_ < checking_.size()) {
    auto& next = checking_[handed_on_];
    if (const auto asked = listener_.link_check(*this, next.request)) {
      next.asked = *asked;
    } else if (next.share.share.difficulty >= next.share.share.pool_difficulty ||
               now - next.share.share.received >= shard_.config.upstream.share_wait) {
      next.outcome = std::make_error_code(std::errc::resource_unavailable_try_again);
    } else {
      return;
    }
    next.request = {};
    ++handed_on_;
  }
}

void upstream_session::share_checked(check_id check, const result<algorithm::proof>& outcome, time_point now) {
  const auto asked = std::find_if(checking_.begin(), checking_.end(), [&](const checked_share& share) { return share.asked == check; });
  if (asked != checking_.end()) asked->outcome = outcome;
  settle_checks(now);
  hand_on_checks(now);
  settle_checks(now);
}

void upstream_session::settle_checks(time_point now) {
  while (!checking_.empty() && checking_.front().outcome) {
    const auto first = std::move(checking_.front());
    checking_.pop_front();
    --handed_on_;
    judge(first.share.view(), *first.outcome, now);
  }
}

void upstream_session::pass_on(const ready_share& share, time_point now) {
  if (is_live()) {
    send(share, now);
    return shard_.flush(*channel_);
  }
  parked_.emplace_back(share);
}

void upstream_session::send(const ready_share& share, time_point now) {
  const bool has_login = share.login != 0 && rig_logins_[share.login - 1].is_good;
  const auto id = ask(request::share, now);
  pending_[pending_.size() - 1].share = share.share;
  ++unanswered_;
  protocol::encode_submit_request(shard_.out, id,
                                  {.user = has_login ? rig_logins_[share.login - 1].login : login_, .job = share.pool_job,
                                   .extranonce2_prefix = share.prefix, .extranonce2 = share.extranonce2,
                                   .ntime = share.ntime, .nonce = share.nonce, .version_bits = share.version_bits});
}

void upstream_session::send_parked(time_point now) {
  for (const auto& parked : std::exchange(parked_, {})) send(parked.view(), now);
}

void upstream_session::reject_parked(std::string_view text, time_point now) {
  for (const auto& parked : std::exchange(parked_, {})) reject(parked.view(), text, now);
}

void upstream_session::reject_checking(std::string_view text, time_point now) {
  handed_on_ = 0;
  for (const auto& checked : std::exchange(checking_, {})) reject(checked.share.view(), text, now);
}

void upstream_session::reject(const ready_share& share, std::string_view text, time_point now) {
  listener_.link_verdict(*this, share.share,
                         {.outcome = outcome_of::rejected, .reason = metrics::reject_reason::no_pool, .code = 21, .text = text,
                          .is_local = true},
                         now);
}

}  // namespace stratumproxy::session
