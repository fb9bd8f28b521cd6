#include "ban_keeper.hpp"

#include <algorithm>
#include <exception>
#include <utility>

namespace stratumproxyd {

using stratumproxy::ban_list;
using stratumproxy::log_level;

ban_keeper::ban_keeper(store& database, stratumproxy::log_sink& log, publisher publish, ban_keeper_options options)
    : database_(database), log_(log), publish_(std::move(publish)), options_(std::move(options)), automatic_(options_.automatic) {
  look(true);
  thread_ = std::thread([this] { run(); });
}

ban_keeper::~ban_keeper() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

std::size_t ban_keeper::size() const {
  const std::lock_guard lock(reading_);
  return bans_.size();
}

void ban_keeper::refresh() try {
  look(true);
} catch (const store_unavailable&) {
  const std::lock_guard lock(reading_);
  revision_.reset();
}

// The number is read before the rows: a change between the two is read again, not missed.
void ban_keeper::look(bool changed) {
  const std::lock_guard lock(reading_);
  const auto revision = database_.bans_revision();
  if (changed || revision_ != revision) {
    const auto rows = database_.bans();
    const auto now = clock::now();
    bans_.clear();
    for (const auto& row : rows) {
      // Plain SQL may have put anything there: one bad row must not take the others along.
      if (bans_.size() == ban_list::most || !ban_list::canonical(row.subject)) continue;
      bans_.push_back({{row.subject, row.reason}, row.seconds ? now + std::chrono::seconds(*row.seconds) : clock::time_point::max()});
    }
    revision_ = revision;
    return publish();
  }
  if (clock::now() >= next_end_) publish();
}

void ban_keeper::publish() {
  const auto now = clock::now();
  std::erase_if(bans_, [&](const entry& each) { return each.ends <= now; });
  next_end_ = clock::time_point::max();
  std::vector<stratumproxy::ban> whom;
  for (const auto& each : bans_) {
    whom.push_back(each.what);
    next_end_ = std::min(next_end_, each.ends);
  }
  if (const auto made = ban_list::make(whom)) publish_(*made);
}

void ban_keeper::ban_offenders() {
  const auto time = automatic_.load();
  if (time.count() == 0 || !options_.offenders) return;
  bool any = false;
  for (const auto& address : options_.offenders()) {
    const auto subject = ban_list::canonical(address);
    if (!subject || ban_list::covers_loopback(*subject)) continue;
    const ban_record row{.subject = *subject, .reason = "too many errors", .seconds = time.count()};
    const auto outcome = database_.add_ban(automatic_author, row);
    log_.write({.level = log_level::warning, .event = "address_banned", .session = {}, .worker = *subject, .account = {}, .pool = {},
                .detail = outcome == write_outcome::full ? "not done: the list of bans is full" : "too many errors within a minute"});
    any = true;
  }
  if (any) refresh();
}

void ban_keeper::run() {
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, options_.interval, [this] { return stopping_; })) {
    lock.unlock();
    try {
      ban_offenders();
      look(false);
    } catch (const std::exception&) {
      // The monitor says that the database is away. What is banned here goes on to be, until its time is over.
      const std::lock_guard reading(reading_);
      if (clock::now() >= next_end_) publish();
    }
    lock.lock();
  }
}

}  // namespace stratumproxyd
