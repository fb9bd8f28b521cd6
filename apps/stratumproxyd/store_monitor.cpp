#include "store_monitor.hpp"

#include <exception>
#include <string>

namespace stratumproxyd {
namespace {

constexpr std::chrono::seconds lately{5};

}  // namespace

store_monitor::store_monitor(store& database, stratumproxy::log_sink& log, std::chrono::milliseconds interval)
    : database_(database), log_(log), interval_(interval), answered_at_(std::chrono::steady_clock::now()),
      thread_([this] { run(); }) {}

store_monitor::~store_monitor() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

bool store_monitor::is_up() const noexcept {
  return answered_ && std::chrono::steady_clock::now() - answered_at_.load() < lately + interval_;
}

void store_monitor::run() {
  std::unique_lock lock(mutex_);
  while (!wake_.wait_for(lock, interval_, [this] { return stopping_; })) {
    lock.unlock();
    std::string why;
    try {
      database_.ping();
      answered_at_ = std::chrono::steady_clock::now();
    } catch (const std::exception& error) {
      why = error.what();
      if (why.empty()) why = "no answer";
    }
    const bool answered = why.empty();
    if (answered_.exchange(answered) != answered) {
      log_.write({.level = answered ? stratumproxy::log_level::info : stratumproxy::log_level::warning,
                  .event = answered ? "database_up" : "database_down", .session = {}, .worker = {}, .account = {},
                  .pool = {}, .detail = why});
    }
    lock.lock();
  }
}

}  // namespace stratumproxyd
