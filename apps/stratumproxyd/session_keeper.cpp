#include "session_keeper.hpp"

#include <algorithm>
#include <exception>
#include <utility>

#include <fmt/format.h>

namespace stratumproxyd {
namespace {

using stratumproxy::log_level;
using stratumproxy::session_record;

constexpr std::size_t rows_at_a_time = 2'000;  // between them, claims
constexpr std::size_t claims_at_a_time = 1'000;
constexpr std::chrono::minutes prune_every{10};

}  // namespace

session_keeper::session_keeper(session_table& table, stratumproxy::log_sink& log, session_keeper_options options)
    : table_(table), log_(log), options_(options), thread_([this] { run(); }) {}

session_keeper::~session_keeper() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
  for (auto& each : claims_) each.done(std::nullopt);
}

// ---- the proxy's side --------------------------------------------------------------------------------------------------

void session_keeper::save(session_record record) {
  auto id = record.id;
  note(id, std::move(record));
}

void session_keeper::remove(const std::string& id) { note(id, std::nullopt); }

// What gets lost here is found again with the next refresh, or expires.
void session_keeper::note(const std::string& id, std::optional<session_record> what) {
  const std::lock_guard lock(mutex_);
  const auto known = waiting_.find(id);
  if (known != waiting_.end()) known->second = std::move(what);
  else if (waiting_.size() < options_.most) waiting_.emplace(id, std::move(what));
  else ++lost_;
}

void session_keeper::claim(const std::string& id, std::function<void(std::optional<session_record>)> done) {
  {
    const std::lock_guard lock(mutex_);
    // A session of this proxy that the table does not know the end of: the id was used up here.
    if (!waiting_.contains(id) && claims_.size() < options_.most_claims && !stopping_) {
      claims_.push_back({id, std::move(done)});
      wake_.notify_all();
      return;
    }
  }
  done(std::nullopt);
}

// ---- the table's side --------------------------------------------------------------------------------------------------

void session_keeper::run() {
  auto next_write = clock::now() + options_.interval;
  auto next_prune = clock::now();
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait_until(lock, next_write, [this] { return stopping_ || !claims_.empty(); });
    if (stopping_) return;
    std::vector<claimant> some;
    if (!claims_.empty()) {
      const auto end = claims_.begin() + static_cast<std::ptrdiff_t>(std::min(claims_.size(), claims_at_a_time));
      some.assign(std::make_move_iterator(claims_.begin()), std::make_move_iterator(end));
      claims_.erase(claims_.begin(), end);
    }
    const bool has_rows = !waiting_.empty();
    lock.unlock();
    answer(std::move(some));
    if (clock::now() >= next_write) {
      const bool is_done = !has_rows || !write_some();
      if (is_done) next_write = clock::now() + options_.interval;
      if (is_done && clock::now() >= next_prune) {
        next_prune = clock::now() + prune_every;
        prune();
      }
    }
    lock.lock();
  }
}

void session_keeper::answer(std::vector<claimant> some) {
  if (some.empty()) return;
  std::unordered_map<std::string, session_record> found;
  try {
    std::vector<std::string> ids;
    for (const auto& each : some) ids.push_back(each.id);
    for (auto& record : table_.claim(ids)) {
      auto id = record.id;
      found.emplace(std::move(id), std::move(record));
    }
  } catch (const std::exception& error) {
    told(false, error.what());
  }
  for (auto& each : some) {
    auto node = found.extract(each.id);  // two may have named the same one
    each.done(node ? std::optional(std::move(node.mapped())) : std::nullopt);
  }
}

session_keeper::changes session_keeper::take_some() {
  changes taken;
  const std::lock_guard lock(mutex_);
  while (!waiting_.empty() && taken.size() < rows_at_a_time) taken.insert(waiting_.extract(waiting_.begin()));
  return taken;
}

// True while there is more to write.
bool session_keeper::write_some() {
  const std::lock_guard guard(writing_);
  auto taken = take_some();
  std::vector<session_record> changed;
  std::vector<std::string> removed;
  for (const auto& [id, what] : taken) what ? changed.push_back(*what) : removed.push_back(id);
  try {
    table_.write(changed, removed);
  } catch (const std::exception& error) {
    told(false, error.what());
    const std::lock_guard lock(mutex_);
    waiting_.merge(taken);  // but for what has changed since
    return false;
  }
  told(true, "");
  const std::lock_guard lock(mutex_);
  return !waiting_.empty();
}

bool session_keeper::flush() {
  while (write_some()) {}
  const std::lock_guard lock(mutex_);
  return waiting_.empty();
}

void session_keeper::prune() try {
  (void)table_.prune();
} catch (const std::exception& error) {
  told(false, error.what());
}

// Told once, not at every attempt.
void session_keeper::told(bool good, const char* why) {
  std::size_t lost = 0;
  {
    const std::lock_guard lock(mutex_);
    if (std::exchange(failing_, !good) == !good) return;
    if (good) lost = std::exchange(lost_, 0);
  }
  const auto detail = good ? fmt::format("{} changes were lost", lost) : std::string(why);
  log_.write({.level = good ? log_level::info : log_level::warning, .event = good ? "sessions_written" : "sessions_not_written",
              .session = {}, .worker = {}, .account = {}, .pool = {}, .detail = detail});
}

}  // namespace stratumproxyd
