#include "stratumproxy/asio.hpp"

#include <future>
#include <semaphore>
#include <thread>

#include <asio/executor_work_guard.hpp>
#include <asio/post.hpp>
#include <catch2/catch.hpp>

#include "collecting_log.hpp"
#include "loopback.hpp"

using namespace stratumproxy;
using namespace stratumproxy::test;

namespace {

// An io_context on a thread of its own, as the embedder's: the test's thread plays the miners and pools.
class loop {
 public:
  ~loop() {
    guard_.reset();
    if (thread_.joinable()) thread_.join();
  }
  // What `work` gives, done on the loop's thread.
  template <class Work>
  auto call(Work work) {
    std::packaged_task<decltype(work())()> task(std::move(work));
    auto done = task.get_future();
    asio::post(io, std::move(task));
    return done.get();
  }
  // Ends when nobody has work left; a loop that somebody keeps alive hangs, and the test's time limit tells.
  void run_out() {
    guard_.reset();
    thread_.join();
  }

  asio::io_context io;

 private:
  asio::executor_work_guard<asio::io_context::executor_type> guard_{io.get_executor()};
  std::thread thread_{[this] { io.run(); }};
};

struct verdicts final : metrics::sink {
  void on_share(const metrics::share_record& share) noexcept override {
    accepted += share.outcome == metrics::share_record::verdict::accepted;
    heard_on = std::this_thread::get_id();
    arrived.release();
  }
  void on_link(std::string_view, std::string_view, metrics::link_state) noexcept override {}

  int accepted = 0;
  std::thread::id heard_on;
  std::counting_semaphore<> arrived{0};
};

options any_port() {
  options config;
  config.address = "127.0.0.1:0";
  return config;
}

// A proxy on somebody's loop, its pool, and a miner that is logged in and has a job.
struct house {
  explicit house(loop& on) : where(on) {
    served = std::make_unique<asio_proxy>(where.io, any_port(), accounts, log, &sink);
    REQUIRE_FALSE(where.call([&] { return served->start(); }));
    miner = std::make_unique<peer>(peer::to(served->address()));
    who = log_in(*miner);
    link = std::make_unique<peer>(mine.welcome());
    await_job(*miner, who);
  }
  ~house() {
    if (served) where.call([&] { served.reset(); });
  }
  std::string share_goes_up(int id) {
    REQUIRE(miner->say(submit(who, id)));
    return link->line_with("mining.submit");
  }
  void accept(const std::string& share) {
    link->say(R"({"id":)" + member(share, "id") + R"(,"result":true,"error":null})" + "\n");
  }
  std::string verdict(int id) { return member(miner->line_with(R"("id":)" + std::to_string(id)), "result"); }

  loop& where;
  pool mine;
  one_account accounts{mine.port()};
  collecting_log log;
  verdicts sink;
  std::unique_ptr<asio_proxy> served;
  std::unique_ptr<peer> miner, link;
  login who;
};

}  // namespace

TEST_CASE("a share passes through a proxy on the caller's io_context, on the caller's thread", "[loopback]") {
  loop mine;
  house at(mine);
  at.accept(at.share_goes_up(7));
  CHECK(at.verdict(7) == "true");
  at.sink.arrived.acquire();
  CHECK(at.sink.accepted == 1);
  CHECK(at.sink.heard_on == mine.call([] { return std::this_thread::get_id(); }));
  const auto taken = mine.call([&] { return at.served->snapshot(); });
  REQUIRE(taken.workers.size() == 1);
  CHECK(taken.workers.front().shares.accepted == 1);
}

TEST_CASE("two proxies share one io_context, and the end of one leaves the other alone", "[loopback]") {
  loop common;
  house one(common), other(common);
  common.call([&] { one.served.reset(); });
  CHECK(one.miner->ends());
  other.accept(other.share_goes_up(7));
  CHECK(other.verdict(7) == "true");
}

TEST_CASE("a drained proxy owes nobody an answer, calls back, and may be destroyed from there", "[loopback]") {
  loop mine;
  house at(mine);
  const std::string share = at.share_goes_up(7);
  std::promise<void> drained;
  mine.call([&] {
    at.served->drain([&] {
      at.served.reset();
      drained.set_value();
    });
  });
  auto over = drained.get_future();
  CHECK(over.wait_for(std::chrono::seconds(0)) == std::future_status::timeout);  // the share is still out
  at.accept(share);
  CHECK(at.verdict(7) == "true");
  CHECK(at.miner->ends());
  at.miner.reset();
  over.get();
  CHECK_FALSE(at.served);
}

TEST_CASE("a proxy that is stopped leaves an io_context without work, and can be started again", "[loopback]") {
  loop mine;
  house at(mine);
  mine.call([&] { at.served->stop(); });
  CHECK(at.miner->ends());
  CHECK(mine.call([&] { return at.served->snapshot().workers.empty(); }));
  CHECK_FALSE(mine.call([&] { return at.served->start(); }));
  peer again = peer::to(at.served->address());
  log_in(again);
  mine.call([&] { at.served.reset(); });
  mine.run_out();
}

TEST_CASE("draining a proxy that does not run calls back all the same", "[loopback]") {
  asio::io_context io;
  pool mine;
  one_account accounts{mine.port()};
  collecting_log log;
  asio_proxy served(io, any_port(), accounts, log);
  bool drained = false;
  served.drain([&] { drained = true; });
  CHECK_FALSE(drained);
  io.run();
  CHECK(drained);
}

TEST_CASE("a proxy that was started and never run can be destroyed before or after its handlers", "[loopback]") {
  pool mine;
  one_account accounts{mine.port()};
  collecting_log log;
  const bool runs_after = GENERATE(true, false);
  asio::io_context io;
  {
    asio_proxy served(io, any_port(), accounts, log);
    REQUIRE_FALSE(served.start());
    peer waits = peer::to(served.address());
    io.poll_one();
  }
  if (runs_after) CHECK_NOTHROW(io.run());
}

TEST_CASE("an address that is taken is an error of start, and the io_context stays idle", "[loopback]") {
  asio::io_context io;
  pool mine;
  one_account accounts{mine.port()};
  collecting_log log;
  asio_proxy first(io, any_port(), accounts, log);
  REQUIRE_FALSE(first.start());
  options same = any_port();
  same.address = first.address();
  asio_proxy second(io, same, accounts, log);
  CHECK(second.start() == errc::address_in_use);
  first.stop();
  CHECK(io.run() < 10);
  CHECK_FALSE(second.start());
}

TEST_CASE("workers are moved, disconnected and banned on the caller's io_context", "[loopback]") {
  loop mine;
  house at(mine);
  const auto name = mine.call([&] { return at.served->snapshot().workers.at(0).address; });
  const auto ask = [&](auto question) {
    std::promise<int> answer;
    mine.call([&] { question([&](auto outcome) { answer.set_value(static_cast<int>(outcome)); }); });
    return answer.get_future().get();
  };
  std::shared_ptr<const account> same;
  at.accounts.find(test::account_name, [&](const account_lookup& found) { same = found.found; });
  CHECK(ask([&](auto done) { at.served->move_worker(name, same, done); }) == static_cast<int>(move_outcome::moved));
  CHECK(ask([&](auto done) { at.served->move_worker("127.0.0.1:1", same, done); }) == static_cast<int>(move_outcome::unknown_worker));
  CHECK(ask([&](auto done) { at.served->disconnect("127.0.0.1:1", "", done); }) == 0);
  CHECK(ask([&](auto done) { at.served->disconnect(name, "asked for", done); }) == 1);
  CHECK(at.miner->line_with("closing: asked for").find("show_message") != std::string::npos);
  CHECK(at.miner->ends());

  const std::vector<ban> bans = {{"127.0.0.1", "not from here"}};
  mine.call([&] { at.served->set_bans(*ban_list::make(bans)); });
  (void)ask([&](auto done) { at.served->disconnect(name, "", done); });  // answered after the bans were read
  CHECK(peer::to(at.served->address()).line().empty());
  mine.call([&] { at.served->stop(); });
  CHECK(ask([&](auto done) { at.served->disconnect(name, "", done); }) == 0);
  CHECK(ask([&](auto done) { at.served->move_worker(name, same, done); }) == static_cast<int>(move_outcome::unavailable));
}

TEST_CASE("options change on the caller's io_context", "[loopback]") {
  loop mine;
  house at(mine);
  auto now_are = any_port();
  now_are.split.miner_bytes = 5;
  mine.call([&] { at.served->set_options(now_are); });
  std::promise<void> read;  // answered after the options were
  mine.call([&] { at.served->disconnect("127.0.0.1:1", "", [&](bool) { read.set_value(); }); });
  read.get_future().wait();
  peer other = peer::to(at.served->address());
  other.say(R"({"id":1,"method":"mining.subscribe","params":[]})" "\n");
  CHECK(other.line().find(",5],") != std::string::npos);
  mine.call([&] { at.served->stop(); });
  mine.call([&] { at.served->set_options(any_port()); });
}
