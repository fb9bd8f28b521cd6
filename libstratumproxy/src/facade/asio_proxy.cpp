#include "stratumproxy/asio.hpp"

#include <utility>

#include "facade/listening.hpp"
#include "net/shard.hpp"
#include "net/shell.hpp"

namespace stratumproxy {

struct asio_proxy::impl {
  impl(asio::io_context& on, options given, account_source& from, log_sink& to, metrics::sink* listener, line_tap* hears,
       session_store* records)
      : io(on), config(std::move(given)), accounts(from), log(to), sink(listener), tap(hears), sessions(records) {}

  asio::io_context& io;
  options config;
  account_source& accounts;
  log_sink& log;
  metrics::sink* const sink;
  line_tap* const tap;
  session_store* const sessions;

  facade::listening open;
  std::shared_ptr<const ban_list> bans;
  std::shared_ptr<const tls_certificate> certificate;
  std::unique_ptr<net::shell> shell;
  std::shared_ptr<net::shard> shard;
};

asio_proxy::asio_proxy(asio::io_context& io, options config, account_source& accounts, log_sink& log, metrics::sink* sink,
                       line_tap* tap, session_store* sessions)
    : impl_(std::make_unique<impl>(io, std::move(config), accounts, log, sink, tap, sessions)) {}

asio_proxy::~asio_proxy() { stop(); }

std::error_code asio_proxy::start() try {
  if (impl_->shard) return {};
  auto bound = facade::listening::open(impl_->config, 1);
  if (!bound) return bound.error();
  auto common = std::make_unique<net::shell>(impl_->config, impl_->accounts, impl_->log, impl_->sink, impl_->tap,
                                             impl_->sessions);
  common->bans = impl_->bans;
  common->certificate = impl_->certificate;
  common->mailboxes.push_back(std::make_shared<net::shard_mailbox>());
  auto made = std::make_shared<net::shard>(*common, 0, impl_->io, bound->of_shard(0));
  made->start();
  impl_->shell = std::move(common);
  impl_->shard = std::move(made);
  impl_->open = std::move(*bound);
  return {};
} catch (const std::system_error& error) {
  return error.code();
}

std::string asio_proxy::address() const {
  return impl_->open.addresses().empty() ? std::string() : impl_->open.addresses().front();
}

const std::vector<std::string>& asio_proxy::addresses() const noexcept { return impl_->open.addresses(); }

void asio_proxy::drain(std::function<void()> done) {
  if (!impl_->shard) return asio::post(impl_->io, std::move(done));
  impl_->open.close();
  // Posted, so that `done` may stop or destroy the proxy: the shard is still busy when it finds that it is empty.
  auto when_empty = [&io = impl_->io, done = std::move(done)](net::shard&) mutable { asio::post(io, std::move(done)); };
  impl_->shell->mailboxes.front()->post(
      [when_empty = std::move(when_empty)](net::shard& self) mutable { self.drain(std::move(when_empty)); });
}

// What still waits in the io_context keeps the shard or a connection alive, finds it closed, and touches nothing else.
void asio_proxy::stop() {
  if (!impl_->shard) return;
  impl_->open.close();
  impl_->shard->stop();
  impl_->shell->mailboxes.front()->close();
  impl_->shard.reset();
  impl_->shell.reset();
}

// Posted, as to be told of it the shard must be awake.
void asio_proxy::account_changed(const std::string& name, std::shared_ptr<const account> now_is) {
  if (!impl_->shard) return;
  impl_->shell->mailboxes.front()->post([name, now_is = std::move(now_is)](net::shard& self) mutable {
    self.account_changed(name, std::move(now_is));
  });
}

void asio_proxy::disconnect(std::string worker, std::string words, std::function<void(bool)> done) {
  if (!impl_->shard) return asio::post(impl_->io, [done = std::move(done)] { done(false); });
  impl_->shell->mailboxes.front()->post(
      [&io = impl_->io, worker = std::move(worker), words = std::move(words), done = std::move(done)](net::shard& self) mutable {
        const bool is_there = self.disconnect(worker, words);
        asio::post(io, [is_there, done = std::move(done)] { done(is_there); });
      });
}

void asio_proxy::move_worker(std::string worker, std::shared_ptr<const account> to, std::function<void(move_outcome)> done) {
  if (!impl_->shard) return asio::post(impl_->io, [done = std::move(done)] { done(move_outcome::unavailable); });
  impl_->shell->mailboxes.front()->post(
      [&io = impl_->io, worker = std::move(worker), to = std::move(to), done = std::move(done)](net::shard& self) mutable {
        const auto outcome = self.move_worker(worker, std::move(to));
        asio::post(io, [outcome, done = std::move(done)] { done(outcome); });
      });
}

void asio_proxy::set_bans(std::shared_ptr<const ban_list> bans) {
  if (impl_->shard) impl_->shell->mailboxes.front()->post([bans](net::shard& self) mutable { self.bans_changed(std::move(bans)); });
  impl_->bans = std::move(bans);
}

void asio_proxy::set_options(options now_are) {
  if (impl_->shard) {
    impl_->shell->set_options(now_are);
    impl_->shell->mailboxes.front()->post([now_are](net::shard& self) { self.set_options(now_are); });
  }
  impl_->config = std::move(now_are);
}

void asio_proxy::set_certificate(std::shared_ptr<const tls_certificate> now_is) {
  if (impl_->shard) {
    impl_->shell->mailboxes.front()->post([now_is](net::shard& self) mutable { self.certificate_changed(std::move(now_is)); });
  }
  impl_->certificate = std::move(now_is);
}

metrics::snapshot asio_proxy::snapshot(metrics::scope what) const {
  return impl_->shard ? impl_->shard->snapshot(what) : metrics::snapshot{};
}

}  // namespace stratumproxy
