#include "postgres_feed.hpp"

#include <algorithm>
#include <chrono>
#include <exception>
#include <thread>
#include <utility>

#include <poll.h>

#include "postgres_connections.hpp"

namespace stratumproxyd {
namespace {

using clock = postgres_connections::clock;

// The channel is the whole database's: names of another schema's accounts are heard as well, and are nobody's here.
constexpr const char* all_accounts = "stratumproxy_accounts";

// After a lost connection. After one that could not be made, the next is tried a second later at the earliest.
constexpr std::chrono::milliseconds pause{100};

/// What a connection heard since it was last asked.
class listener final : public pqxx::notification_receiver {
 public:
  explicit listener(pqxx::connection& link) : notification_receiver(link, all_accounts) {}
  void operator()(const std::string& name, int) override {
    if (name.empty()) heard.any = true;
    else heard.names.push_back(name);
  }
  account_changes heard{.any = true, .names = {}};  // before it listened, anything may have happened
};

class postgres_feed final : public change_feed {
 public:
  explicit postgres_feed(const std::string& url)
      : connections_(url, [](auto& made) { made.receiver = std::make_unique<listener>(made.link); }) {}

  account_changes wait(std::chrono::milliseconds limit) override {
    const auto deadline = clock::now() + limit;
    for (;;) try {
        const auto lease = connections_.acquire(deadline);
        lease->unwatch();
        auto heard = listen(lease->whole(), deadline);
        if (lease->link().is_open()) lease->keep();
        return heard;
      } catch (const std::exception&) {
        const auto now = clock::now();
        if (now >= deadline) return {};
        std::this_thread::sleep_until(std::min(deadline, now + pause));
      }
  }

 private:
  static account_changes listen(postgres_connections::connection& to, clock::time_point deadline) {
    auto& heard = static_cast<listener&>(*to.receiver).heard;
    while (to.link.is_open()) {
      to.link.get_notifs();
      if (heard.any || !heard.names.empty()) break;
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - clock::now());
      if (left.count() <= 0) break;
      pollfd socket{to.socket, POLLIN, 0};
      ::poll(&socket, 1, static_cast<int>(left.count()));
    }
    return std::exchange(heard, {});
  }

  postgres_connections connections_;
};

}  // namespace

std::unique_ptr<change_feed> listen_to_postgres(const std::string& url) { return std::make_unique<postgres_feed>(url); }

}  // namespace stratumproxyd
