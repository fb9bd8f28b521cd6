// The way of jobs to a worker, with the difficulty that it has of its own.
#include <algorithm>
#include <iterator>
#include <string>
#include <utility>

#include "session/downstream_session.hpp"

namespace stratumproxy::session {
namespace {

constexpr std::size_t max_terms = 16;            // as many as jobs are remembered
constexpr auto tune_interval = std::chrono::seconds(5);

}  // namespace

// ---- jobs ------------------------------------------------------------------------------------------------------------

bool downstream_session::fits(const upstream_session& link) const noexcept {
  return link.extranonce2_size() >= told_extranonce1.size() / 2 + told_extranonce2_size;
}

bool downstream_session::is_passed_through(const upstream_session& link) const noexcept {
  return told_extranonce1 == link.extranonce1() && told_extranonce2_size == link.extranonce2_size();
}

bool downstream_session::match_extranonce(upstream_session& link, time_point now) {
  if (is_passed_through(link) || fits(link)) return true;
  // Too small to be split: the worker gets the pool's own extranonce.
  if (extranonce_subscribed) {
    told_extranonce1 = link.extranonce1();
    told_extranonce2_size = link.extranonce2_size();
    protocol::encode_set_extranonce(shard_.out, told_extranonce1, told_extranonce2_size);
    return true;
  }
  listener_.worker_closes(*this, close_reason::extranonce, "must subscribe again to learn the pool's extranonce", now);
  return false;
}

void downstream_session::encode_mask(const upstream_session& link) {
  const auto mask = wanted_mask & link.version_mask();
  if (!version_rolling || mask == told_mask) return;
  told_mask = mask;
  protocol::encode_set_version_mask(shard_.out, mask);
}

double downstream_session::difficulty_for(const upstream_session& link) const noexcept {
  return tuner_ ? tuner_->difficulty() : link.difficulty_in_force();
}

void downstream_session::encode_difficulty(const upstream_session& link) {
  told_difficulty = difficulty_for(link);
  protocol::encode_set_difficulty(shard_.out, told_difficulty);
}

const job_terms* downstream_session::terms_of(const job_form& form) const noexcept {
  const auto after = std::upper_bound(terms_.begin(), terms_.end(), form.id, [](std::uint64_t id, const job_terms& terms) { return id < terms.from; });
  if (after == terms_.begin()) return nullptr;
  const auto& terms = *std::prev(after);
  const bool is_mine = form.only_for == worker_id{} ? form.pad == terms.pad() : form.only_for == id_;
  return is_mine ? &terms : nullptr;
}

// Terms begin with a job, and hold for all from it on: others cannot begin with one that is older than one it has.
bool downstream_session::note_terms(const upstream_session& link, const job_form& form) {
  job_terms now{.from = form.id, .difficulty = told_difficulty, .version_mask = wanted_mask & link.version_mask(),
                .extranonce2_bytes = static_cast<std::uint16_t>(told_extranonce2_size), .lane = {}};
  if (!is_passed_through(link)) {
    // One that it alone has is in a lane that is its own for this job only.
    const bool is_own = form.only_for != worker_id{} && !terms_.empty();
    now.lane = is_own ? terms_.back().pad() : std::string_view(form.pad);
    now.pad_digits = static_cast<std::uint16_t>(now.lane.size());
    now.lane += told_extranonce1;
  }
  if (!terms_.empty()) {
    if (form.id < terms_.back().from) return false;
    if (terms_.back().same_but_from(now)) return true;
    if (form.id < job) return false;
    for (const auto& other : others()) {
      if (form.id < other.job) return false;
    }
  }
  if (terms_.size() == max_terms) terms_.erase(terms_.begin());
  terms_.push_back(std::move(now));
  return true;
}

void downstream_session::give_job(upstream_session& link, job_cause cause, time_point now) {
  const auto* const work = link.current_job();
  if (!channel_ || !is_mining() || !work) return;
  const double before = told_difficulty;
  bool clean = work->clean || cause == job_cause::moved;
  if (congested_) {
    missed_job_ = missed_job_.value_or(false) || clean;
    return shard_.events.count(happening::jobs_coalesced);
  }
  if (!match_extranonce(link, now)) return;
  if (tuner_) (void)tuner_->link_difficulty(link.difficulty(), now);
  encode_mask(link);
  if (cause == job_cause::moved || told_difficulty != difficulty_for(link)) encode_difficulty(link);
  if (cause == job_cause::eased && told_difficulty < before) clean = true;

  // What it had of this job it has searched, or will: once more it is another search (4.4 of the design).
  const bool had = link.jobs().is_newest(job);
  const auto* form = &link.form_for(id_, had, now);
  if (!note_terms(link, *form)) {
    // Others had this job before. A form of its own is newer than all.
    form = &link.form_for(id_, true, now);
    (void)note_terms(link, *form);
  }
  job = form->id;
  is_served = true;
  send_job(link, *form, clean, now);
  first_job_at_ = std::min(first_job_at_, now);
  if (activity_) activity_->work.window.start(first_job_at_);
  if (!tuner_) return;
  if (!std::exchange(is_tuned_, true)) return tuner_->start(now);
  // It comes back to work, and may first send what it found before.
  if (cause == job_cause::moved) tuner_->resume(now);
}

void downstream_session::send_job(upstream_session& link, const job_form& form, bool clean, time_point now) {
  last_sent = now;
  const auto& work = *link.current_job();
  const auto write = [&](std::string& line) {
    std::string insert;
    if (!is_passed_through(link)) insert.append(link.extranonce1()).append(form.pad);
    protocol::encode_notify(line, work, form.id, insert, form.ntime, clean);
  };
  if (!link.is_shared()) {
    write(shard_.out);
    return shard_.flush(*channel_);
  }
  shard_.flush(*channel_);
  shard_.host.send(*channel_, shard_.lines.line(form.id, clean, write));
}

void downstream_session::give_job_again(upstream_session& link, bool clean, time_point now) {
  if (!channel_ || !is_mining() || !link.current_job() || congested_) return;
  const auto entry = link.jobs().is_newest(job) ? link.jobs().find(job) : job_table::entry{};
  if (!entry) return give_job(link, job_cause::pushed, now);
  // Under the same id it would be weighed by the difficulty that it had, while the miner takes the new one.
  const auto* const terms = terms_of(*entry.form);
  const bool is_as_before = terms && terms->difficulty == difficulty_for(link) && entry.form->difficulty == entry.job->difficulty;
  if (!is_as_before) return give_job(link, clean ? job_cause::moved : job_cause::pushed, now);
  send_job(link, *entry.form, clean, now);
}

void downstream_session::refresh(upstream_session& link, time_point now) {
  if (!channel_ || !is_mining() || congested_) return;
  if (told_difficulty == 0) told_difficulty = difficulty_for(link);
  // Without a pool there is no work to offer, and none is made up; but a word keeps cgminer from leaving.
  last_sent = now;
  protocol::encode_set_difficulty(shard_.out, told_difficulty);
  shard_.flush(*channel_);
  if (link.is_live()) give_job_again(link, false, now);
}

void downstream_session::give_difficulty(upstream_session& link, time_point now) {
  if (!channel_ || !is_mining() || congested_ || told_difficulty == difficulty_for(link)) return;
  last_sent = now;
  encode_difficulty(link);
  shard_.flush(*channel_);
}

void downstream_session::give_mask(upstream_session& link, time_point now) {
  if (!channel_ || !is_mining() || congested_) return;
  encode_mask(link);
  shard_.flush(*channel_);
  // In effect at once, but a share is judged by the mask of its job: the same work under the new one.
  const auto entry = link.jobs().find(job);
  const auto* const terms = entry ? terms_of(*entry.form) : nullptr;
  if (terms && terms->version_mask != (wanted_mask & link.version_mask())) give_job(link, job_cause::moved, now);
}

void downstream_session::show(std::string_view text) {
  if (!channel_ || congested_) return;
  protocol::encode_show_message(shard_.out, text);
  shard_.flush(*channel_);
}

std::optional<bool> downstream_session::take_missed_job() noexcept { return std::exchange(missed_job_, std::nullopt); }

// ---- a difficulty of its own -------------------------------------------------------------------------------------------

void downstream_session::recall_tuner() {
  if (wishes_ && wishes_->recalled != 0) tuner_->recall(std::exchange(wishes_->recalled, 0));
}

void downstream_session::take_rules(const upstream_session& link, time_point now) {
  if (!link.rules().has_vardiff) return tuner_.reset();
  if (!tuner_) {
    tuner_.emplace(shard_.config.vardiff);
    is_tuned_ = false;
    if (wishes_) wishes_->heard = 0;
    recall_tuner();
  }
  (void)retune(link, now);
}

bool downstream_session::retune(const upstream_session& link, time_point now) {
  if (!tuner_) return false;
  const double before = tuner_->difficulty();
  (void)tuner_->link_difficulty(link.difficulty(), now);
  if (wishes_) {
    if (std::exchange(wishes_->heard, wishes_->suggested) != wishes_->suggested) (void)tuner_->suggest(wishes_->suggested, now);
    (void)tuner_->wish_minimum(wishes_->minimum, now);
    (void)tuner_->wish_fixed(wishes_->fixed, now);
  }
  return tuner_->difficulty() != before;
}

bool downstream_session::tune(time_point now) {
  if (!tuner_ || now - tuned_at_ < tune_interval) return false;
  tuned_at_ = now;
  return tuner_->tick(now).has_value();
}

}  // namespace stratumproxy::session
