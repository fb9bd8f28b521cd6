#include "admin/access_upkeep.hpp"

#include <exception>
#include <utility>
#include <vector>

namespace stratumproxyd {
namespace {

constexpr std::chrono::minutes use_interval{1};
constexpr std::chrono::hours prune_interval{1};

}  // namespace

access_upkeep::access_upkeep(access_tables& tables, known_tokens& tokens, stratumproxy::log_sink& log)
    : tables_(tables), tokens_(tokens), log_(log) {
  read_tokens();
}

access_upkeep::~access_upkeep() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
  written_.clear();
  try {
    write_uses(std::chrono::steady_clock::now());
  } catch (const std::exception&) {  // NOLINT(bugprone-empty-catch): a minute of last_used_at, and nobody is left to tell
  }
}

void access_upkeep::start(std::chrono::milliseconds interval) {
  thread_ = std::thread([this, interval] { run(interval); });
}

void access_upkeep::run(std::chrono::milliseconds interval) {
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, interval, [this] { return stopping_; })) {
    lock.unlock();
    tick(std::chrono::steady_clock::now());
    lock.lock();
  }
}

void access_upkeep::tick(time_point now) try {
  read_tokens();
  write_uses(now);
  prune(now);
  failed_ = false;
} catch (const std::exception& error) {
  if (!std::exchange(failed_, true))
    log_.write({.level = stratumproxy::log_level::warning,
                .event = "tokens_not_read",
                .session = {},
                .worker = {},
                .account = {},
                .pool = {},
                .detail = error.what()});
}

void access_upkeep::read_tokens() {
  const auto generation = tokens_.generation();
  tokens_.replace(tables_.tokens(), generation);
}

void access_upkeep::write_uses(time_point now) {
  std::vector<std::string> due, later;
  for (auto& name : tokens_.take_used()) {
    const auto found = written_.find(name);
    (found != written_.end() && now - found->second < use_interval ? later : due).push_back(std::move(name));
  }
  tokens_.used_again(later);
  if (due.empty()) return;
  try {
    tables_.touch_tokens(due);
  } catch (...) {
    tokens_.used_again(due);
    throw;
  }
  std::erase_if(written_, [&](const auto& each) { return now - each.second >= use_interval; });
  for (const auto& name : due) written_[name] = now;
}

void access_upkeep::prune(time_point now) {
  const auto kept = audit_kept_.load();
  if (now < prune_at_ || kept == std::chrono::days::zero()) return;
  (void)tables_.prune_audit(kept);
  prune_at_ = now + prune_interval;
}

}  // namespace stratumproxyd
