#include "worker_series.hpp"

#include <algorithm>
#include <vector>

#include <stratumproxy/scheduling.hpp>

namespace stratumproxyd {
namespace {

using stratumproxy::metrics::worker_row;

// What the pool is told of it, too. A miner may send anything.
std::string label_of(const std::string& rig) {
  constexpr std::size_t longest = 32;
  std::string out;
  for (const char c : rig) {
    const bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    if (plain) out += c;
    if (out.size() == longest) break;
  }
  return out.empty() ? "-" : out;
}

void add_counts(shown_worker& sum, const worker_row& row) {
  sum.sent += row.shares.sent;
  sum.accepted += row.shares.accepted;
  sum.rejected += row.shares.rejected_total();
  sum.unknown += row.shares.unknown;
  sum.sent_one += row.shares.sent_one;
  sum.accepted_one += row.shares.accepted_one;
}

// What is in `now` but was not in `before`. Counters that began anew since then are new as a whole.
void add_increase(shown_worker& sum, const shown_worker& before, const shown_worker& now) {
  const auto add = [](auto& to, auto earlier, auto later) { to += later >= earlier ? later - earlier : later; };
  const auto& from = now.sent >= before.sent ? before : shown_worker{};
  add(sum.sent, from.sent, now.sent);
  add(sum.accepted, from.accepted, now.accepted);
  add(sum.rejected, from.rejected, now.rejected);
  add(sum.unknown, from.unknown, now.unknown);
  add(sum.sent_one, from.sent_one, now.sent_one);
  add(sum.accepted_one, from.accepted_one, now.accepted_one);
}

void copy_counts(shown_worker& to, const shown_worker& from) {
  to.sent = from.sent;
  to.accepted = from.accepted;
  to.rejected = from.rejected;
  to.unknown = from.unknown;
  to.sent_one = from.sent_one;
  to.accepted_one = from.accepted_one;
}

void add_gauges(shown_worker& sum, const worker_row& row) {
  sum.hashrate += row.hashrate;
  sum.best_share = std::max(sum.best_share, row.best_share);
  // Neither a kept session beside its live successor nor a pool's other row must hide the difficulty that is in force.
  const auto rank = (row.up ? 2 : 0) + (row.is_current ? 1 : 0);
  if (rank > sum.rank) sum.difficulty = row.difficulty;
  else if (rank == sum.rank) sum.difficulty = std::max(sum.difficulty, row.difficulty);
  sum.rank = std::max(sum.rank, rank);
}

std::string identity(const worker_row& row) {
  std::string out;
  for (const auto* part : {&row.address, &row.session, &row.account, &row.algorithm, &row.pool}) (out += *part) += '\n';
  return out;
}

}  // namespace

void worker_series::set(const metrics_config& settings) {
  if (settings.label != label_) *this = worker_series(settings);
  max_ = settings.max_workers;
}

template <class Table>
void worker_series::erase_the_gone(Table& from) const {
  std::erase_if(from, [this](const auto& entry) {
    stratumproxy::pace();
    return entry.second.scrape != scrape_;
  });
}

// The name of each row.
std::vector<const worker_series::name_map::value_type*> worker_series::name_workers(std::span<const std::string_view> labels,
                                                                                    std::span<const worker_row> rows) {
  std::vector<const name_map::value_type*> out(rows.size());
  ++scrape_;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    stratumproxy::pace();
    const auto found = names_.find(shown_workers::name(labels[i], rows[i].account));
    if (found == names_.end()) continue;
    found->second.scrape = scrape_;
    out[i] = &*found;
  }
  // Before newcomers are named, so that they may have the places of those that went.
  erase_the_gone(names_);
  named_ = static_cast<std::size_t>(std::ranges::count_if(names_, [](const auto& entry) {
    stratumproxy::pace();
    return entry.second.is_named;
  }));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    stratumproxy::pace();
    if (out[i]) continue;
    const bool gets_one = named_ < max_ && labels[i] != other;
    const auto [made, is_new] = names_.emplace(owned_name(labels[i], rows[i].account), found_name{gets_one, scrape_});
    if (is_new && gets_one) ++named_;
    out[i] = &*made;
  }
  return out;
}

shown_workers worker_series::update(std::span<const worker_row> rows) {
  std::vector<std::string> rigs;
  std::vector<std::string_view> labels;
  labels.reserve(rows.size());
  for (const auto& row : rows) {
    stratumproxy::pace();
    if (label_ == worker_label::rig) rigs.push_back(label_of(row.rig));
  }
  for (std::size_t i = 0; i < rows.size(); ++i) labels.push_back(rigs.empty() ? std::string_view(rows[i].address) : rigs[i]);
  const auto names = name_workers(labels, rows);

  shown_workers out;
  out.unnamed = names_.size() - named_;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    stratumproxy::pace();
    const auto& row = rows[i];
    const auto& [name, given] = *names[i];
    const auto shown = given.is_named ? std::string_view(name.first) : other;
    auto& up = out.up[{shown, row.account}];
    up = up || row.up;
    if (row.pool.empty()) continue;
    if (row.up && row.is_current) ++out.mining[{row.account, row.algorithm, row.pool}];
    auto& series = out.series[{shown, row.account, row.algorithm, row.pool}];
    add_gauges(series, row);
    if (label_ == worker_label::address && given.is_named) {
      add_counts(series, row);
      continue;
    }
    auto& from = sources_[identity(row)];
    if (from.scrape != scrape_) {
      from.before = std::exchange(from.now, {});
      from.scrape = scrape_;
      if (!from.goes_to || std::get<0>(from.goes_to->first) != shown)
        from.goes_to = &*sums_.try_emplace(owned_place(shown, row.account, row.algorithm, row.pool)).first;
      from.goes_to->second.scrape = scrape_;
      from.goes_to->second.shown = &series;
    }
    add_counts(from.now, row);
  }
  erase_the_gone(sources_);
  erase_the_gone(sums_);
  for (const auto& [key, from] : sources_) {
    stratumproxy::pace();
    add_increase(from.goes_to->second.counts, from.before, from.now);
  }
  for (const auto& [place, sum] : sums_) {
    stratumproxy::pace();
    copy_counts(*sum.shown, sum.counts);
  }
  return out;
}

}  // namespace stratumproxyd
