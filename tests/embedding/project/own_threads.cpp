// A proxy on threads of its own, with accounts in memory. It prints each verdict and ends after some of them.
// Usage: own_threads POOL_HOST POOL_PORT VERDICTS
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <semaphore>
#include <string>

#include <stratumproxy/proxy.hpp>

using namespace stratumproxy;

// One account, which miners call "farm": they log in as farm.<rig>, with any password.
class my_accounts final : public account_source {
 public:
  my_accounts(std::string host, std::uint16_t port) {
    account made;
    made.name = "farm";
    made.routes.push_back({{.host = std::move(host), .port = port, .algorithm = "sha256d"}, "pool-user", "pool-password"});
    farm_ = std::make_shared<const account>(std::move(made));
  }
  void find(std::string_view name, std::function<void(account_lookup)> done) override {
    using status = account_lookup::status;
    name == farm_->name ? done({status::found, farm_}) : done({status::unknown, nullptr});
  }

 private:
  std::shared_ptr<const account> farm_;
};

class my_log final : public log_sink {
 public:
  void write(const log_event& event) noexcept override {
    std::fprintf(stderr, "%s %s\n", std::string(event.event).c_str(), std::string(event.detail).c_str());
  }
};

// Called on the proxy's threads.
class my_verdicts final : public metrics::sink {
 public:
  void on_share(const metrics::share_record& share) noexcept override {
    static constexpr const char* outcomes[] = {"accepted", "rejected", "unknown"};
    std::printf("%s by %s\n", outcomes[static_cast<int>(share.outcome)], std::string(share.pool).c_str());
    arrived.release();
  }
  void on_link(std::string_view, std::string_view, metrics::link_state) noexcept override {}

  std::counting_semaphore<> arrived{0};
};

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  my_accounts accounts(argv[1], static_cast<std::uint16_t>(std::atoi(argv[2])));
  my_log log;
  my_verdicts verdicts;
  options config;
  config.address = "127.0.0.1:0";
  config.threads = 1;

  proxy served(config, accounts, log, &verdicts);
  if (const auto error = served.start()) {
    std::fprintf(stderr, "%s: %s\n", config.address.c_str(), error.message().c_str());
    return 1;
  }
  std::printf("listening on %s\n", served.address().c_str());
  std::fflush(stdout);

  for (int i = 0; i < std::atoi(argv[3]); ++i) verdicts.arrived.acquire();
  const bool all_gone = served.drain(std::chrono::seconds(5));  // the miners hear their last verdicts
  served.stop();
  return all_gone ? 0 : 1;
}
