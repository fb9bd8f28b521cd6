#include "session/vardiff.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numbers>

namespace stratumproxy::session {
namespace {

using namespace std::chrono_literals;

constexpr int lowest = -32;
constexpr int highest = 62;

// A burst that was stuck somewhere is no hashrate. No more than 64 shares are under way to be stuck, or 120 s of mining
// where cgminer sends again what it found while it was away.
constexpr auto least_time_between_steps = 1s;
constexpr std::uint32_t flood = 256;
constexpr auto settling_time = 10s;

constexpr double patience = 2;  // expected shares
constexpr double patience_growth = 1.25;
constexpr std::uint8_t most_silent_steps = 32;
constexpr int silent_step = 4;
constexpr std::uint32_t enough_to_rise = 8;
constexpr std::uint32_t enough_to_watch = 16;

constexpr double alarm_up = 18;
constexpr double alarm_down = 12;
constexpr double upper_rate = std::numbers::sqrt2;      // twice this against this
constexpr double lower_rate = std::numbers::sqrt2 / 4;  // this against twice this

enum class rounding { down, nearest, up };

[[nodiscard]] std::int8_t exponent_of(double difficulty, rounding how) noexcept {
  const double exact = std::log2(difficulty);
  const double whole = how == rounding::down ? std::floor(exact) : how == rounding::up ? std::ceil(exact) : std::round(exact);
  return static_cast<std::int8_t>(std::clamp<double>(whole, lowest, highest));
}

[[nodiscard]] bool is_usable(double difficulty) noexcept { return std::isfinite(difficulty) && difficulty > 0; }

// n shares where x were expected, as powers of two.
[[nodiscard]] int powers(double found, double expected) noexcept {
  return static_cast<int>(std::clamp(std::round(std::log2(found / expected)), -100.0, 100.0));
}

// For a step of the watch: an alarm that came by chance looks like more than there is, and the nearest power would be too far.
[[nodiscard]] int whole_powers(double found, double expected) noexcept {
  return static_cast<int>(std::clamp(std::trunc(std::log2(found / expected)), -100.0, 100.0));
}

}  // namespace

vardiff::vardiff(const vardiff_options& options) noexcept
    : options_(&options), best_(exponent_of(options.first, rounding::nearest)) {
  (void)apply();
}

void vardiff::start(time_point now) noexcept {
  up_ = down_ = {};
  counted_to_ = evidence_since_ = now;
}

void vardiff::recall(double difficulty) noexcept {
  if (!is_usable(difficulty)) return;
  best_ = exponent_of(difficulty, rounding::nearest);
  searching_ = false;
  (void)apply();
}

void vardiff::resume(time_point now) noexcept { start(now + settling_time); }

std::optional<double> vardiff::share(double difficulty, time_point now) noexcept {
  if (now < counted_to_ || !is_usable(difficulty)) return std::nullopt;
  count_time(difficulty, now);
  ++up_.found;
  ++down_.found;
  if (!searching_ && lower_rate * down_.expected <= down_.found * std::numbers::ln2) down_ = {};
  return decide(0, now);
}

std::optional<double> vardiff::tick(time_point now) noexcept {
  // The interval is not closed: the share that ends it may be of an older job.
  return now < counted_to_ ? std::nullopt : decide(expected(difficulty_, now), now);
}

std::optional<double> vardiff::link_difficulty(double difficulty, time_point now) noexcept {
  if (now >= counted_to_) count_time(difficulty_, now);
  link_ = is_usable(difficulty) ? difficulty : 0;
  return apply();
}

std::optional<double> vardiff::wish_minimum(double difficulty, time_point now) noexcept {
  if (now >= counted_to_) count_time(difficulty_, now);
  least_ = is_usable(difficulty) ? exponent_of(difficulty, rounding::up) : std::int8_t{lowest};
  return apply();
}

std::optional<double> vardiff::wish_fixed(double difficulty, time_point now) noexcept {
  if (now >= counted_to_) count_time(difficulty_, now);
  fixed_ = is_usable(difficulty) ? std::optional(exponent_of(difficulty, rounding::nearest)) : std::nullopt;
  return apply();
}

std::optional<double> vardiff::suggest(double difficulty, time_point now) noexcept {
  if (!searching_ || !is_usable(difficulty)) return std::nullopt;
  best_ = exponent_of(difficulty, rounding::nearest);
  if (now >= counted_to_) start(now);
  return apply();
}

double vardiff::expected(double difficulty, time_point now) const noexcept {
  const double seconds = std::chrono::duration<double>(now - counted_to_).count();
  return options_->shares_per_minute / 60 * seconds * std::ldexp(1.0, best_) / difficulty;
}

void vardiff::count_time(double difficulty, time_point now) noexcept {
  const double more = expected(difficulty, now);
  counted_to_ = now;
  up_.expected += more;
  down_.expected += more;
  if (!searching_ && up_.found * std::numbers::ln2 <= upper_rate * up_.expected) up_ = {};
}

int vardiff::rise(double x) const noexcept {
  const auto n = up_.found;
  if (searching_) return n >= enough_to_rise && n >= 2 * x ? powers(n, x) : 0;
  // As if one share at least was expected: a step goes no further than what was seen proves.
  return n * std::numbers::ln2 - upper_rate * x >= alarm_up ? std::max(1, whole_powers(n, std::max(x, 1.0))) : 0;
}

int vardiff::fall(double pending) noexcept {
  const double x = down_.expected + pending;
  const auto n = down_.found;
  if (!searching_) return lower_rate * x - n * std::numbers::ln2 >= alarm_down ? std::min(-1, whole_powers(n + 1.0, x)) : 0;
  if (n > 0) return x >= 2.0 * (n + 1) ? powers(n, x) : 0;
  if (x < patience * std::pow(patience_growth, silent_steps_)) return 0;
  silent_steps_ = std::min<std::uint8_t>(silent_steps_ + 1, most_silent_steps);
  return -silent_step;
}

std::optional<double> vardiff::decide(double pending, time_point now) noexcept {
  int step = 0;
  if (const auto gone = now - evidence_since_; gone < least_time_between_steps) {
    if (up_.found < flood || gone <= 0s) return std::nullopt;
    // As if the whole second had been needed.
    step = rise(up_.expected * (duration(least_time_between_steps) / std::chrono::duration<double>(gone)));
  } else {
    step = rise(up_.expected + pending);
    if (step == 0) step = fall(pending);
    if (step == 0 && searching_ && up_.found >= enough_to_watch) {
      searching_ = false;
      up_ = down_ = {};
    }
  }
  if (step == 0) return std::nullopt;
  best_ = static_cast<std::int8_t>(std::clamp(best_ + step, lowest, highest));
  start(now);
  return apply();
}

// What the shares say gives way to wishes, these to the daemon's limits, and those to the link.
std::optional<double> vardiff::apply() noexcept {
  int exponent = std::max(fixed_.value_or(best_), least_);
  exponent = std::max<int>(exponent, exponent_of(options_->minimum, rounding::up));
  exponent = std::min<int>(exponent, exponent_of(options_->maximum, rounding::down));
  if (link_ > 0) exponent = std::min<int>(exponent, exponent_of(link_, rounding::down));
  double allowed = std::ldexp(1.0, exponent);
  if (link_ > 0) allowed = std::min(allowed, link_);  // below 2^-32
  if (allowed == difficulty_) return std::nullopt;
  difficulty_ = allowed;
  return allowed;
}

}  // namespace stratumproxy::session
