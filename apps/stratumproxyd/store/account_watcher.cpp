#include "account_watcher.hpp"

#include <chrono>
#include <exception>
#include <utility>

namespace stratumproxyd {
namespace {

using clock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds longest_wait{200};  // how soon the thread sees that it is to end
constexpr std::chrono::seconds retry_pause{1};

}  // namespace

account_watcher::account_watcher(std::unique_ptr<change_feed> feed, cached_accounts& accounts)
    : feed_(std::move(feed)), accounts_(accounts), thread_([this] { run(); }) {}

account_watcher::~account_watcher() {
  stopping_ = true;
  thread_.join();
}

void account_watcher::run() {
  auto retry_at = clock::time_point::max();
  while (!stopping_) {
    auto changes = feed_->wait(longest_wait);
    changes.any |= clock::now() >= retry_at;
    if (!changes.any && changes.names.empty()) continue;
    if (changes.any) retry_at = clock::time_point::max();
    try {
      accounts_.refresh(changes);
    } catch (const std::exception&) {
      retry_at = clock::now() + retry_pause;
    }
  }
}

}  // namespace stratumproxyd
