#include "upkeep.hpp"

#include <exception>
#include <utility>
#include <vector>

#include <fmt/format.h>

namespace stratumproxyd {
namespace {

namespace metrics = stratumproxy::metrics;
using stratumproxy::log_level;

constexpr std::chrono::seconds seen_every{300};
constexpr std::chrono::seconds history_every{600};
constexpr std::size_t removed_at_once = 1'000;

}  // namespace

upkeep::upkeep(store& database, options wanted, snapshot_source source, std::function<void(const std::string&)> on_removed,
               stratumproxy::log_sink& log)
    : database_(database), source_(std::move(source)), on_removed_(std::move(on_removed)), log_(log), options_(wanted) {}

void upkeep::set(const options& wanted) {
  const std::lock_guard lock(mutex_);
  options_ = wanted;
}

void upkeep::tend(moment now) {
  const auto wanted = [this] {
    const std::lock_guard lock(mutex_);
    return options_;
  }();
  if (seen_.is_due(now, seen_every)) attempt(seen_failing_, "last_seen_not_written", [&] { note_seen(now); });
  if (tended_.is_due(now, history_every))
    attempt(history_failing_, "history_not_tended", [&] { database_.tend_history(now, wanted.keep_history); });
  if (wanted.delete_after.count() == 0) return;
  removed_.begin(now);
  if (removed_.is_due(now, wanted.delete_every))
    attempt(removal_failing_, "accounts_not_removed", [&] { remove_unseen(now, wanted.delete_after); });
}

void upkeep::finish(moment now) {
  attempt(seen_failing_, "last_seen_not_written", [&] { note_seen(now); });
}

// Those that came and went between two looks have left their traces in the totals.
void upkeep::note_seen(moment now) {
  const auto taken = source_(metrics::scope::everything);
  for (const auto& row : taken.workers)
    if (row.up) unwritten_.insert(row.account);
  std::map<std::string, double> worked;
  for (const auto& row : taken.totals) worked[row.account] += row.worker_seconds + static_cast<double>(row.shares.sent);
  for (const auto& [account, value] : worked) {
    const auto before = worked_.find(account);
    if (value > (before == worked_.end() ? 0 : before->second)) unwritten_.insert(account);
  }
  worked_ = std::move(worked);
  if (unwritten_.empty()) return;
  database_.note_seen(std::vector<std::string>(unwritten_.begin(), unwritten_.end()), now);
  unwritten_.clear();
}

void upkeep::remove_unseen(moment now, std::chrono::hours after) {
  names live = unwritten_;
  for (const auto& row : source_(metrics::scope::everything).workers) live.insert(row.account);
  for (const auto& name : database_.remove_unseen(automatic_author, now - after, live, removed_at_once)) {
    log_.write({.level = log_level::warning, .event = "account_removed", .session = {}, .worker = {}, .account = name, .pool = {},
                .detail = fmt::format("not seen for {} days", after / std::chrono::days(1))});
    on_removed_(name);
  }
}

// Told once, not at every attempt.
void upkeep::attempt(bool& failing, const char* event, const std::function<void()>& what) try {
  what();
  failing = false;
} catch (const std::exception& error) {
  if (std::exchange(failing, true)) return;
  log_.write({.level = log_level::warning, .event = event, .session = {}, .worker = {}, .account = {}, .pool = {},
              .detail = error.what()});
}

}  // namespace stratumproxyd
