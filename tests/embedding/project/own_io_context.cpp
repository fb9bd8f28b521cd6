// A proxy on the io_context of a program that has one: everything below happens on one thread.
// Usage: own_io_context POOL_HOST POOL_PORT VERDICTS
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>

#include <asio/io_context.hpp>
#include <asio/post.hpp>
#include <stratumproxy/asio.hpp>

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

// Called by the proxy, which must not be called back from here: so post.
class my_verdicts final : public metrics::sink {
 public:
  my_verdicts(asio::io_context& on, int count, std::function<void()> then) : io(on), left(count), enough(std::move(then)) {}

  void on_share(const metrics::share_record& share) noexcept override {
    static constexpr const char* outcomes[] = {"accepted", "rejected", "unknown"};
    std::printf("%s by %s\n", outcomes[static_cast<int>(share.outcome)], std::string(share.pool).c_str());
    if (--left == 0) asio::post(io, enough);
  }
  void on_link(std::string_view, std::string_view, metrics::link_state) noexcept override {}

 private:
  asio::io_context& io;
  int left;
  std::function<void()> enough;
};

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  my_accounts accounts(argv[1], static_cast<std::uint16_t>(std::atoi(argv[2])));
  my_log log;
  options config;
  config.address = "127.0.0.1:0";

  asio::io_context io;
  std::unique_ptr<asio_proxy> served;
  my_verdicts verdicts(io, std::atoi(argv[3]), [&] { served->drain([&] { served->stop(); }); });
  served = std::make_unique<asio_proxy>(io, config, accounts, log, &verdicts);
  if (const auto error = served->start()) {
    std::fprintf(stderr, "%s: %s\n", config.address.c_str(), error.message().c_str());
    return 1;
  }
  std::printf("listening on %s\n", served->address().c_str());
  std::fflush(stdout);
  io.run();  // until the proxy has stopped and nobody else has work for it
}
