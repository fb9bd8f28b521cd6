#include "bench.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <exception>
#include <memory>
#include <optional>
#include <stdexcept>
#include <system_error>
#include <vector>

#include "address.hpp"
#include "certificate.hpp"
#include "ledger.hpp"
#include "scraper.hpp"

namespace stratumload {
namespace {

constexpr std::uint32_t ledger_capacity = 1u << 28;
constexpr std::size_t descriptors_aside = 64;
constexpr milliseconds job_limit{30'000};

// The pool's process takes orders from the miners' one: a byte is a job to send, the end of the pipe is the end.
class orders final : public io_handler {
 public:
  orders(int fd, pool& taker) : fd_(fd), taker_(taker) {}
  void ready(std::uint32_t) override {
    char byte = 0;
    const auto got = ::read(fd_, &byte, 1);
    if (got == 1)
      taker_.send_job();
    else if (got == 0 || errno != EINTR)
      ended = true;
  }
  bool ended = false;

 private:
  int fd_;
  pool& taker_;
};

class pool_process {
 public:
  pool_process(const std::string& listen, const pool_options& options, ledger& book) {
    const int listener = listen_at(resolve(listen));
    where_ = bound_address(listener);
    int pipe[2];
    if (::pipe2(pipe, O_CLOEXEC) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
    std::fflush(nullptr);
    pid_ = ::fork();
    if (pid_ < 0) throw std::system_error(errno, std::generic_category(), "fork");
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::signal(SIGINT, SIG_IGN);
      ::close(pipe[1]);
      ::_exit(run(listener, pipe[0], options, book));
    }
    ::close(listener);
    ::close(pipe[0]);
    orders_ = pipe[1];
  }

  ~pool_process() { end(); }
  pool_process(const pool_process&) = delete;
  pool_process& operator=(const pool_process&) = delete;

  void send_job() {
    const char byte = 'j';
    if (::write(orders_, &byte, 1) != 1) throw std::runtime_error("the pool's process has ended");
  }

  /// False when it died of itself.
  bool end() {
    if (pid_ < 0) return true;
    ::close(orders_);
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
  }

  [[nodiscard]] const address& where() const { return where_; }

 private:
  static int run(int listener, int orders_fd, const pool_options& options, ledger& book) {
    try {
      event_loop loop;
      pool simulated(loop, listener, options, &book);
      orders taker(orders_fd, simulated);
      loop.add(orders_fd, EPOLLIN, taker);
      while (!taker.ended) {
        loop.run_once(seconds_of(1));
        (void)simulated.settle();
      }
      return 0;
    } catch (const std::exception& error) {
      fmt::print(stderr, "stratumload: the pool failed: {}\n", error.what());
      return 1;
    }
  }

  pid_t pid_ = -1;
  int orders_ = -1;
  address where_;
};

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const auto middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

void check_descriptors(const bench_options& options) {
  const auto limit = raise_descriptor_limit();
  if (options.miners.workers + descriptors_aside > limit)
    throw std::runtime_error(
        fmt::format("{} workers need as many descriptors, but the limit is {}", options.miners.workers, limit));
}

}  // namespace

bench_result run_bench(bench_options options) {
  check_descriptors(options);
  ::prctl(PR_SET_TIMERSLACK, 1000);  // shares of an open loop are due to the microsecond
  ledger book(ledger_capacity);
  options.pool.connections = std::size_t{options.miners.workers} * 2 + 16;
  const auto job_every = seconds_of(options.pool.job_seconds);
  options.pool.job_seconds = 0;  // jobs are sent by order
  if (options.pool_tls) {
    options.pool.certificate = read_certificate(options.certificate, options.key);
    options.account.tls = "insecure";
  }
  pool_process simulated(options.pool_listen, options.pool, book);

  std::unique_ptr<proxy_process> own;
  auto target = simulated.where();
  if (!options.proxy.empty()) {
    own = std::make_unique<proxy_process>(options.proxy, options.proxy_threads, options.certificate, options.key);
    options.miners.user = own->register_account(simulated.where().text(), options.account);
    options.proxy_pid = own->pid();
    target = resolve(own->stratum());
  } else if (!options.through.empty()) {
    target = resolve(options.through);
  }
  const bool measured = options.proxy_pid > 0;
  const auto proxy_usage = [&] { return measured ? usage_of(options.proxy_pid) : process_usage{}; };

  bench_result out;
  auto& values = out.values;
  values.add("between", "between pool and miners",
             own                       ? std::string("stratumproxyd")
             : options.through.empty() ? std::string("nothing")
                                       : options.through);
  values.add("workers", "workers", std::uint64_t{options.miners.workers});
  values.add("loop", "loop",
             options.miners.shares_per_second > 0 ? fmt::format("open, {}/s", options.miners.shares_per_second)
                                                  : std::string("closed"));

  event_loop loop;
  std::optional<miners> farm(std::in_place, loop, target, options.miners, &book);

  const auto empty = proxy_usage();
  const auto login_began = now();
  const auto in = farm->log_in(seconds_of(options.login_seconds));
  const auto login_took = in_seconds(now() - login_began);
  const auto full = proxy_usage();
  values.add("logged_in", "logged in", std::uint64_t{in});
  values.add("login_seconds", "  in seconds", login_took, 3);
  values.add("logins_per_second", "  logins/s", static_cast<double>(in) / login_took, 0);
  values.add_latency("login", "  login and first job", farm->login_latency());
  if (measured && in > 0) {
    values.add("proxy_kib_per_worker", "proxy: memory per worker [KiB]",
               (full.resident_kib - empty.resident_kib) / static_cast<double>(in), 2);
    values.add("proxy_login_cpu_us", "proxy: CPU per login [us]",
               1e6 * (full.cpu_seconds - empty.cpu_seconds) / static_cast<double>(in), 1);
  }

  // An idle house first: nothing but the job is under way.
  std::vector<double> fanouts;
  std::uint32_t job = farm->newest_job();
  for (unsigned i = 0; i < options.jobs && in > 0 && !interrupted(); ++i) {
    farm->watch_for_job(++job);
    simulated.send_job();
    if (const auto last = farm->await_job(job_limit))
      fanouts.push_back(static_cast<double>(last->time_since_epoch().count() - book.job_sent(job)) / 1e6);
  }
  const bool every_job = fanouts.size() == options.jobs || interrupted();
  if (!fanouts.empty()) {
    values.add("job_to_last_ms", fmt::format("job to the last of {} workers, median of {} [ms]", in, fanouts.size()),
               median(fanouts), 2);
    values.add("job_to_last_max_ms", "  the slowest [ms]", *std::max_element(fanouts.begin(), fanouts.end()), 2);
  }

  auto job_due = now() + job_every;
  const auto mine = [&] {
    if (in == 0) return;
    farm->mine(seconds_of(options.seconds), options.shares, [&] {
      if (job_every.count() == 0 || now() < job_due) return;
      simulated.send_job();
      job_due += job_every;
    });
  };
  const auto before = proxy_usage();
  const auto began = now();
  mine();
  const auto took = in_seconds(now() - began);
  const auto& counted = farm->counters();
  const auto ended_in_time = counted.accepted + counted.rejected + counted.unknown;
  farm->drain(seconds_of(options.drain_seconds));
  const auto after = proxy_usage();
  const auto ended = counted.accepted + counted.rejected + counted.unknown;

  values.add("seconds", "mined, seconds", took, 3);
  values.add("shares_per_second", "shares/s", static_cast<double>(ended_in_time) / took, 0);
  values.add_latency("verdict", "  verdict", farm->verdict_latency());
  if (measured && ended_in_time > 0)
    values.add("proxy_cpu_us_per_share", "proxy: CPU per share [us]",
               1e6 * (after.cpu_seconds - before.cpu_seconds) / static_cast<double>(ended), 2);
  if (options.scrape && in > 0) {
    const auto p99 = farm->verdict_latency().percentile(0.99);
    farm->restart_verdict_latency();
    scraper reader(own->web());
    mine();
    farm->drain(seconds_of(options.drain_seconds));
    const auto pages = reader.end();
    const auto scraped_p99 = farm->verdict_latency().percentile(0.99);
    values.add("scrapes", "scrapes, one after the other, while mined as long again", std::uint64_t{pages.milliseconds.size()});
    values.add("scrape_failures", "  failed", std::uint64_t{pages.failures});
    values.add("scrape_ms", "  median [ms]", median(pages.milliseconds), 1);
    values.add("scrape_kib", "  page [KiB]", static_cast<double>(pages.page_bytes) / 1024, 0);
    values.add_latency("scraped_verdict", "  verdict", farm->verdict_latency());
    values.add("scraped_verdict_ratio", "  its p99 against that without scrapes", in_seconds(scraped_p99) / in_seconds(p99), 2);
    values.add("scraped_kib_more", "  proxy: memory after less that before [KiB]", usage_of(own->pid()).resident_kib - after.resident_kib, 0);
  }
  const auto final_counts = farm->counters();
  values.add("pool_connections", "connections to the pool", book.pool_connections());
  values.add("disconnects", "connections that ended", final_counts.disconnects);
  values.add("held_back", "due, but could not be sent", final_counts.held_back);

  farm.reset();
  own.reset();
  if (!simulated.end()) throw std::runtime_error("the pool's process has failed");
  const auto checked = book.check();
  values.add_audit(checked);
  for (const auto& [text, times] : final_counts.reasons) values.add("reason: " + text, "  reason: " + text, times);
  out.clean = in == options.miners.workers && every_job && checked.sent > 0 && checked.faults() == 0 && checked.exact();
  values.add("clean", "all in, and every share has one end", out.clean);
  return out;
}

}  // namespace stratumload
