#include "net/shard_thread.hpp"

#include <string>
#include <thread>
#include <utility>

#include <asio/io_context.hpp>

#include "net/shard.hpp"
#include "net/system.hpp"
#include "stratumproxy/scheduling.hpp"

namespace stratumproxy::net {

struct shard_thread::impl {
  impl(shell& common, unsigned at, std::vector<listening_socket> listening)
      : index(at), mail(common.mailboxes[at]), worker(std::make_shared<shard>(common, at, io, std::move(listening))) {}

  unsigned index;
  std::shared_ptr<shard_mailbox> mail;
  asio::io_context io{ASIO_CONCURRENCY_HINT_UNSAFE};  // one thread runs it, so it needs no locks
  std::shared_ptr<shard> worker;
  std::thread thread;
};

shard_thread::shard_thread(shell& common, unsigned index, std::vector<listening_socket> listening)
    : impl_(std::make_unique<impl>(common, index, std::move(listening))) {}

shard_thread::~shard_thread() { stop(); }

void shard_thread::start() {
  impl_->worker->start();
  const signals_blocked quiet;
  impl_->thread = std::thread([this] {
    name_this_thread("spx-shard-" + std::to_string(impl_->index));
    take_short_turns();
    impl_->io.run();
  });
}

void shard_thread::stop_accepting() {
  impl_->mail->post([](shard& self) { self.stop_accepting(); });
}

std::future<void> shard_thread::drain() {
  std::promise<void> done;
  auto drained = done.get_future();
  impl_->mail->post([done = std::move(done)](shard& self) mutable {
    self.drain([done = std::move(done)](shard&) mutable { done.set_value(); });
  });
  return drained;
}

std::future<metrics::snapshot> shard_thread::snapshot(metrics::scope what) {
  std::promise<metrics::snapshot> answer;
  auto taken = answer.get_future();
  impl_->mail->post([answer = std::move(answer), what](shard& self) mutable {
    self.take_snapshot({.what = what}, std::move(answer));
  });
  return taken;
}

void shard_thread::account_changed(const std::string& name, std::shared_ptr<const account> now_is) {
  impl_->mail->post([name, now_is = std::move(now_is)](shard& self) mutable { self.account_changed(name, std::move(now_is)); });
}

std::future<bool> shard_thread::disconnect(std::string worker, std::string words) {
  std::promise<bool> answer;
  auto done = answer.get_future();
  impl_->mail->post([answer = std::move(answer), worker = std::move(worker), words = std::move(words)](shard& self) mutable {
    answer.set_value(self.disconnect(worker, words));
  });
  return done;
}

std::future<move_outcome> shard_thread::move_worker(std::string worker, std::shared_ptr<const account> to) {
  std::promise<move_outcome> answer;
  auto done = answer.get_future();
  impl_->mail->post([answer = std::move(answer), worker = std::move(worker), to = std::move(to)](shard& self) mutable {
    answer.set_value(self.move_worker(worker, std::move(to)));
  });
  return done;
}

void shard_thread::bans_changed(std::shared_ptr<const ban_list> bans) {
  impl_->mail->post([bans = std::move(bans)](shard& self) mutable { self.bans_changed(std::move(bans)); });
}

void shard_thread::set_options(std::shared_ptr<const options> now_are) {
  impl_->mail->post([now_are = std::move(now_are)](shard& self) { self.set_options(*now_are); });
}

void shard_thread::certificate_changed(std::shared_ptr<const tls_certificate> now_is) {
  impl_->mail->post([now_is = std::move(now_is)](shard& self) mutable { self.certificate_changed(std::move(now_is)); });
}

void shard_thread::stop() {
  if (impl_->thread.joinable()) {
    impl_->mail->post([](shard& self) { self.stop(); });
    impl_->thread.join();
  }
  impl_->mail->close();
}

}  // namespace stratumproxy::net
