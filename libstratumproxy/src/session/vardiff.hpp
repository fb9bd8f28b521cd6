#pragma once

#include <cstdint>
#include <optional>

#include "stratumproxy/clock.hpp"
#include "stratumproxy/options.hpp"

namespace stratumproxy::session {

/// The difficulty of one worker, a power of two from 2^-32 to 2^62, so chosen that it finds `shares_per_minute`. It is
/// never above the link's: not even where that is below the minimum. A value without clock or allocation; a restored
/// worker takes a copy along. Every call that returns a difficulty wants it to be sent with the next job.
///
/// Shares come as a Poisson process, so that all that counts is how many there were (n), and how many there would have
/// been on average (x) at the wanted rate, each interval weighed by the difficulty of the share that ended it: shares of
/// jobs from before a change tell the truth too.
///
/// *Search*, after start(): the difficulty falls by 2^4 after 2 expected shares (8 s) without any, a quarter more
/// patience each time; by n/x when x >= 2(n + 1), and rises by n/x when n >= 8 and n >= 2x. One in five workers at its
/// right difficulty is first thrown off by this, and back in seconds. With 16 shares it ends: their number is right to
/// 25 %, so that two powers of two aside is 4 deviations off. (Simulated, 1 MH/s to 200 TH/s at divider 1, from 1024: 99.8 %
/// have the right power or its neighbour after 5 minutes, with 3.2 changes and 76 shares on average.)
///
/// *Watch*, after that: two cumulative sums (Page's test: no other finds a change sooner at the same rate of false
/// alarms). One is the log-likelihood of twice 2^0.5 times the wanted rate against 2^0.5 times, which a worker between two
/// powers of two has anyway: n ln 2 - 2^0.5 x, begun anew when it falls below 0; the other that of half of 2^-0.5 against
/// 2^-0.5. The first decides at 18, the second at 12, and its own n/x is the step. By Wald's bound fewer than e^-12 of the
/// shares of a worker that is right raise a false alarm: one in 160,000, a week at 15 a minute. It is 18 upwards so that the
/// shares of 100 s that were stuck and come at once are none. Between 0.51 and 2.04 times the wanted rate the sums don't
/// rise on average: that is the hysteresis. On average ten times the hashrate is seen after 3.3 expected shares (13 s), a
/// tenth after 42 (3 min), silence after 34 (136 s). (Simulated, 144,000 hours at constant rates, two thirds of them at the
/// worst ones: one had a third change.) No two changes are within a second, but for 256 shares and more in it.
class vardiff {
 public:
  /// The options are not copied.
  explicit vardiff(const vardiff_options& options) noexcept;

  /// In force for jobs from here on.
  [[nodiscard]] double difficulty() const noexcept { return difficulty_; }
  /// Whether it still searches for a first difficulty.
  [[nodiscard]] bool is_searching() const noexcept { return searching_; }

  /// The worker has its first job. Before this, neither shares nor time count.
  void start(time_point now) noexcept;
  /// Before the first job: the worker mined at this difficulty elsewhere, so that its hashrate is known.
  void recall(double difficulty) noexcept;
  /// It mines again after a time without work: a restore, or a link that was down. It keeps its difficulty; shares of the
  /// next 10 s may be from before, sent all at once, and count for nothing.
  void resume(time_point now) noexcept;
  /// A share that was accepted, here or by the pool, at the difficulty of its job.
  [[nodiscard]] std::optional<double> share(double difficulty, time_point now) noexcept;
  /// Time went by. To be called every few seconds while the worker has a job of a link that is up.
  [[nodiscard]] std::optional<double> tick(time_point now) noexcept;

  /// 0 while it is not known: then it is no limit.
  [[nodiscard]] std::optional<double> link_difficulty(double difficulty, time_point now) noexcept;
  /// `minimum-difficulty`: not below the next power of two. 0 takes it back, as in all wishes.
  [[nodiscard]] std::optional<double> wish_minimum(double difficulty, time_point now) noexcept;
  /// `d=`: stays at the power of two that is nearest, or at the minimum that it also wishes.
  [[nodiscard]] std::optional<double> wish_fixed(double difficulty, time_point now) noexcept;
  /// `suggest_difficulty`: where the search goes on. Changes nothing once the hashrate is known.
  [[nodiscard]] std::optional<double> suggest(double difficulty, time_point now) noexcept;

 private:
  struct tally {
    double expected = 0;
    std::uint32_t found = 0;
  };

  [[nodiscard]] double expected(double difficulty, time_point now) const noexcept;
  void count_time(double difficulty, time_point now) noexcept;
  [[nodiscard]] int rise(double expected) const noexcept;
  [[nodiscard]] int fall(double pending) noexcept;
  [[nodiscard]] std::optional<double> decide(double pending, time_point now) noexcept;
  [[nodiscard]] std::optional<double> apply() noexcept;

  const vardiff_options* options_;
  time_point counted_to_ = time_point::max();  // in the future: nothing counts until then
  time_point evidence_since_ = time_point::max();
  double difficulty_ = 1;
  double link_ = 0;
  tally up_;  // while it searches, both are since the last step; later each since its sum was last 0
  tally down_;
  std::int8_t best_;         // exponent: what the shares so far say, whatever the limits
  std::int8_t least_ = -32;  // exponents: what the worker wishes
  std::optional<std::int8_t> fixed_;
  std::uint8_t silent_steps_ = 0;
  bool searching_ = true;
};

}  // namespace stratumproxy::session
